"""What everybody may read: the start page, the register, the guides, the reference, what refusals mean."""

import csv
import io
import re
from html import unescape

import pytest

from service.audit import jobs
from service.base.access import Role
from service.base.errors import Refusal
from service.base.i18n import HAN
from service.home.rules import kinds_of
from service.home.web.advice import BY_CODE
from service.home.web.help import ORDER, problems
from service.home.web.reference import PARAMETERS, SUMMARIES
from tests.http.conftest import open_browser

GUIDES = [f"/help/{name}" for name in ORDER]
BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])


def in_english(page) -> str:
    """Return what an English page says outside the elements that are marked as Chinese."""
    text = re.sub(r'(?s)<(\w+)[^>]*lang="zh-CN"[^>]*>.*?</\1>', "", page.text)
    return re.sub(r"(?s)<(code|pre)\b.*?</\1>", "", text)


@BOTH
@pytest.mark.parametrize("path", ["/", "/register", "/help", *GUIDES])
def test_every_public_page_is_whole_in_both_languages(sqlite_app, path, language):
    page = open_browser(sqlite_app, language).get(path)
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    assert language != "en" or not HAN.search(in_english(page)), path


def test_an_empty_service_says_what_will_stand_on_its_pages(visitor):
    assert "目录里还没有数据集" in visitor.get("/").text
    register = visitor.get("/register").text
    assert "还没有满公示条件的数据使用授权" in register
    assert "还没有不予开放的决定" in register
    assert visitor.get("/register.json").json == {"entries": []}


def test_the_start_page_counts_what_there_is(world):
    page = unescape(world.visitor().get("/").text)
    (published,) = world.found("SELECT count(*) FROM dataset WHERE state = 'published'")[0]
    assert f"<dd>{published}</dd>" in page
    assert 'action="/datasets"' in page
    assert page.count('<li><a href="/datasets?domain=') == 5
    assert 'role="img"' in page


def test_every_page_s_foot_leads_to_help_that_is_there(visitor):
    foot = visitor.get("/").text.partition("<footer")[2]
    for path in set(re.findall(r'href="(/[^"?#]*)', foot)) - {"/theme/light", "/theme/dark", "/theme/system"}:
        assert visitor.get(path).status_code == 200, path


# ---- the register --------------------------------------------------------------------------------------------------


def numbers(page) -> list[str]:
    return re.findall(r'href="/register/(SQ-\d{4}-\d{6})"', page.text)


def test_a_grant_stands_in_the_register_five_working_days_after_it_was_made(world):
    visitor = world.visitor()
    assert numbers(visitor.get("/register"))
    world.change("UPDATE grant SET created_at = :now", now=world.now())
    assert numbers(visitor.get("/register")) == []
    assert visitor.get("/register.json").json["entries"] == []


def test_an_entry_says_who_what_for_which_columns_how_long_by_which_lists_and_its_proof(world):
    visitor = world.visitor()
    assert "授予事件尚待封存" in visitor.get(f"/register/{numbers(visitor.get('/register'))[-1]}").text
    jobs.seal(world.settings.home)
    number = numbers(visitor.get("/register"))[-1]
    page = unescape(visitor.get(f"/register/{number}").text)
    (entry,) = (each for each in visitor.get("/register.json").json["entries"] if each["number"] == number)
    assert entry["unit"] in page
    assert entry["dataset_title"] in page
    assert all(f"<code>{name}</code>" in page for name in entry["columns"])
    assert all(edition in page for edition in entry["lists"])
    proof = re.search(r'href="(/audit/proof/\w+)"', page)
    assert proof
    assert visitor.get(proof[1]).json["path"]


def test_what_is_not_yet_registered_and_what_never_was_are_the_same(world):
    visitor = world.visitor()
    number = numbers(visitor.get("/register"))[0]
    world.change("UPDATE grant SET created_at = :now", now=world.now())
    assert visitor.get(f"/register/{number}").status_code == 404
    assert visitor.get("/register/SQ-1999-000001").status_code == 404


def test_no_person_and_no_refused_firm_is_named_in_public(world):
    names = {name for (name,) in world.found("SELECT name FROM person")}
    refused = {
        name
        for (name,) in world.found(
            "SELECT u.name FROM application a JOIN unit u ON u.id = a.unit_id WHERE a.state = 'refused'"
            " AND a.unit_id NOT IN (SELECT unit_id FROM grant)"
        )
    }
    visitor = world.visitor()
    pages = [
        "/register",
        "/register.json",
        "/register.csv",
        *(f"/register/{n}" for n in numbers(visitor.get("/register"))),
    ]
    for path in pages:
        text = visitor.get(path).get_data(as_text=True)
        assert not [name for name in names | refused if name in text], path


def test_a_suspension_is_not_public(world):
    before = world.visitor().get("/register.json").json
    world.suspend()
    assert world.visitor().get("/register.json").json == before


def test_the_register_is_narrowed_by_domain_and_state_and_odd_wishes_are_ignored(world):
    visitor = world.visitor()
    everything = numbers(visitor.get("/register"))
    assert set(numbers(visitor.get("/register?domain=transport"))) < set(everything)
    assert numbers(visitor.get("/register?state=running")) == everything
    over = visitor.get("/register?state=over")
    assert numbers(over) == []
    assert "没有符合筛选的登记" in over.text
    assert numbers(visitor.get("/register?domain=nonsense&state=nonsense")) == everything


def test_a_grant_that_was_handed_back_is_over(world):
    world.change(
        "INSERT INTO handback (grant_id, by, at) VALUES (:grant, 'x', :now)", grant=world.grant, now=world.now()
    )
    over = numbers(world.visitor().get("/register?state=over"))
    assert len(over) == 1
    assert "交还" in world.visitor().get(f"/register/{over[0]}").text


def test_the_pages_of_the_register_follow_each_other_without_gap(world, monkeypatch):
    monkeypatch.setattr("service.home.web.register.PAGE", 1)
    visitor, path, seen = world.visitor(), "/register", []
    while path:
        page = visitor.get(path)
        seen += numbers(page)
        following = re.search(r'href="(/register\?[^"]*)" rel="next"', page.text)
        path = unescape(following[1]) if following else ""
    assert seen == [entry["number"] for entry in visitor.get("/register.json").json["entries"]]
    assert len(seen) == len(set(seen)) > 1


def test_the_csv_holds_what_the_json_holds_and_no_formula(world):
    world.change("UPDATE unit SET name = '=1+1' WHERE id = 'firm-lake'")
    text = world.visitor().get("/register.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    entries = world.visitor().get("/register.json").json["entries"]
    assert [row["number"] for row in rows] == [entry["number"] for entry in entries]
    assert not [cell for row in rows for cell in row.values() if cell.startswith("=")]


def test_refusals_are_counted_by_rule_with_the_rule_s_name(world):
    page = unescape(world.visitor().get("/register").text)
    statistic = page[page.index('id="refused"') : page.index('id="verify"')]
    assert re.search(r'href="/negative-lists/\w+#[A-Z]{2}-\d{3}"', statistic)


# ---- help ----------------------------------------------------------------------------------------------------------


@BOTH
def test_every_refusal_is_explained_and_its_type_leads_to_its_page(sqlite_app, language):
    visitor = open_browser(sqlite_app, language)
    listed = visitor.get("/help/errors").text
    for kind in problems():
        assert f'id="{kind["code"]}"' in listed
        page = visitor.get(f"/problems/{kind['code']}")
        assert page.status_code == 200
        assert language != "en" or not HAN.search(in_english(page)), kind["code"]
    assert visitor.get("/problems/no-such-problem").status_code == 404


def test_every_kind_of_refusal_is_among_the_explained(sqlite_app):
    assert {kind.code for kind in kinds_of(Refusal)} <= {each["code"] for each in problems()}


def test_whoever_fetches_data_is_told_what_to_do_in_particular(sqlite_app):
    met = {kind.code for kind in kinds_of(Refusal) if kind.__module__.startswith(("service.data", "service.oauth"))}
    assert met <= set(BY_CODE), met - set(BY_CODE)


def test_no_advice_is_for_a_refusal_that_is_not_made(sqlite_app):
    assert set(BY_CODE) <= {each["code"] for each in problems()}


@BOTH
def test_the_reference_has_every_operation_that_programs_read_of(sqlite_app, language):
    visitor = open_browser(sqlite_app, language)
    document = visitor.get("/api/v1/openapi.json").json
    page = unescape(visitor.get("/help/api").text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"].replace("_", "-")}"' in page
            assert f"{method.upper()}</span> <code>{path}</code>" in page
            for parameter in operation["parameters"]:
                assert f"<code>{parameter['name']}</code>" in page
                assert parameter["name"] in PARAMETERS


def test_every_operation_is_told_in_the_reader_s_language(sqlite_app):
    document = open_browser(sqlite_app).get("/api/v1/openapi.json").json
    made = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    assert set(SUMMARIES) == made


def test_an_example_of_the_reference_runs_as_it_stands(world):
    page = unescape(world.visitor().get("/help/api").text)
    for address in re.findall(r'curl -s "http://[^/]+(/api/v1/[^"$]*)"', page):
        assert world.visitor().get(address).status_code == 200, address


@pytest.mark.parametrize("name", ["applicant", "steward", "quickstart", "oauth", "accessibility", "about"])
def test_a_guide_has_the_same_parts_in_both_languages(sqlite_app, name):
    parts = [
        re.findall(r'<h2 id="([\w-]+)"', open_browser(sqlite_app, each).get(f"/help/{name}").text)
        for each in ("zh", "en")
    ]
    assert parts[0] == parts[1]


@BOTH
@pytest.mark.parametrize("role", [Role.APPLICANT, Role.STEWARD, Role.OPERATOR])
def test_the_quick_start_leads_only_firms_to_their_grants(enter, role, language):
    reader = enter(role)
    text = reader.get("/help/quickstart", headers={"Accept-Language": language}).text.partition("<main")[2]
    assert ('href="/grants"' in text) == (role is Role.APPLICANT)
