"""Every state has a page: what happened, what is safe, one way on; and a banner for a form that a script had sent."""

import html
import json
import re
import shutil
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from service.base import blobs, clock, db
from service.base.errors import TooMany
from service.base.kept import LIMIT
from service.base.roles import Role
from service.people.tables import Person
from tests import servers
from tests.http.conftest import ORIGIN, PASSWORD, log_in, open_browser

HX = {"HX-Request": "true", "HX-Current-URL": f"{ORIGIN}/account"}
FORM = {"name": '李<b>"卫"'}


def way_on(page) -> list[str]:
    """Return where the page's buttons lead."""
    main = page.text.partition('<main id="main">')[2].partition("</main>")[0]
    return re.findall(r'<a class="govuk-button" href="([^"]*)"', main)


# ---- the pages ------------------------------------------------------------------------------------------------------


def test_who_may_not_is_told_who_they_are_who_may_and_how_to_be_somebody_else(enter):
    page = enter(Role.APPLICANT).get("/units")
    assert page.status_code == 403
    assert "某人" in page.text and "申请经办人" in page.text and "主管部门审核人" in page.text
    assert way_on(page) == ["/login?next=/units"]


def test_what_is_not_there_is_searched_for_and_its_like_is_named(world):
    page = open_browser(world.app).get("/datasets/parking-recrods")
    assert page.status_code == 404
    assert 'action="/datasets"' in page.text
    assert 'href="/datasets/parking-records"' in page.text
    assert "您要找的也许是" not in open_browser(world.app).get("/datasets/qqqqzzzz").text


def test_an_address_that_only_takes_forms_leads_back(enter):
    page = enter(Role.MANAGER).get("/account/name", headers={"Referer": f"{ORIGIN}/account"})
    assert page.status_code == 405 and "POST" in page.headers["Allow"]
    assert way_on(page) == ["/account"]


def test_a_page_elsewhere_is_no_way_on(enter):
    page = enter(Role.MANAGER).get("/account/name", headers={"Referer": "https://elsewhere.example/account"})
    assert way_on(page) == ["/"]


def test_what_is_too_large_is_told_the_limit(enter):
    page = enter(Role.MANAGER).post("/account/name", data={"name": "x" * (3 << 20)})
    assert page.status_code == 413
    assert "一次最多提交 2 MB" in page.text


def test_who_is_too_fast_is_told_how_long_to_wait(visitor, monkeypatch):
    def refuse(*_args, **_more):
        raise TooMany(retry_after=13)

    monkeypatch.setattr("service.people.gate.authenticate", refuse)
    page = visitor.post("/login", data={"login": "somebody", "password": "x"})
    assert (page.status_code, page.headers["Retry-After"]) == (429, "13")
    assert "13 秒后再试" in page.text


def test_a_fault_of_ours_gives_its_number_and_says_what_is_safe(visitor, monkeypatch):
    monkeypatch.setattr("service.people.web.login.kept.opened", lambda *_args: 1 / 0)
    page = visitor.post("/login", data={})
    assert page.status_code == 500
    assert page.headers["X-Request-Id"] in page.text
    assert "出错了，是我们的问题" in page.text and "之前保存过的内容都在" in page.text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_pages_speak_both_languages(app, language):
    client = open_browser(app, language)
    assert ("没有找到" in client.get("/nothing").text) == (language == "zh-CN")
    assert ("Not found" in client.get("/nothing").text) == (language == "en")


# ---- for htmx -------------------------------------------------------------------------------------------------------


def test_a_form_that_a_script_sent_is_answered_with_a_banner_above_what_was_typed(enter):
    answer = enter(Role.APPLICANT).post("/units/x/confirmation", data={}, headers=HX)
    assert answer.status_code == 403
    assert answer.headers["HX-Retarget"] == "#qt-said"
    assert answer.headers["HX-Reswap"] == "innerHTML"
    assert answer.headers["HX-Reselect"] == "#qt-said-words"
    assert 'id="qt-said-words"' in answer.text and 'role="alert"' in answer.text
    assert "<html" not in answer.text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_script_whose_session_ended_is_told_so_and_not_sent_elsewhere(enter, method):
    firm = enter(Role.MANAGER)
    clock.set_shift(timedelta(hours=2))
    answer = getattr(firm, method)("/account" if method == "get" else "/account/name", headers=HX)
    assert answer.status_code == 401
    assert "/login?next=/account" in answer.text and 'target="_blank"' in answer.text


def test_every_page_has_the_place_where_the_banner_goes(visitor):
    assert 'id="qt-said"' in visitor.get("/login").text


# ---- the database and the store are away ----------------------------------------------------------------------------


@pytest.fixture
def stopped(app, visitor, enter):
    """The application in front of a database that nobody serves; somebody was logged in."""
    firm = enter(Role.MANAGER)
    db.connect("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    return firm


@pytest.mark.parametrize("path", ["/account", "/datasets", "/api/v1/datasets"])
def test_a_database_that_is_away_is_told_with_when_to_come_again(stopped, path):
    answer = stopped.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert answer.headers["Qiantang-Problem"] == "unavailable"
    assert "数据库暂时连不上" in (answer.json["detail"] if path.startswith("/api") else answer.text)


def test_a_database_that_is_away_leaves_the_page_with_one_way_on(stopped):
    assert way_on(stopped.get("/datasets?q=1")) == ["/datasets?q=1"]


def test_a_database_that_stops_under_a_pool_is_away_and_one_that_comes_back_is_there(postgresql, application, store):
    blobs.connect(f"file://{store}")
    client = open_browser(application)
    assert client.get("/datasets").status_code == 200
    name = db.engine().url.database
    with servers.connected("postgres") as connection:
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        assert client.get("/datasets").status_code == 503
        connection.execute(f"alter database {name} allow_connections true")
    assert client.get("/datasets").status_code == 200


def test_a_statement_that_is_wrong_is_a_fault_and_no_absence(sqlite):
    with db.reading() as session, pytest.raises(db.DatabaseError) as raised:
        session.connection().exec_driver_sql("select nothing from nowhere")
    assert not db.away(raised.value)


def test_a_store_that_is_away_is_told_with_when_to_come_again(world):
    public = world.known["client"]["dataset"]
    shutil.rmtree(world.settings.home / "store", ignore_errors=True)
    for path in (f"/api/v1/datasets/{public}/rows", f"/api/v1/datasets/{public}/files/data.csv"):
        answer = world.get(path, authorization=f"Bearer {world.token()}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30"), path
        assert "数据存储暂时读不到" in answer.json["detail"]


# ---- the session ended, and what was typed --------------------------------------------------------------------------


def lapse(client: FlaskClient, path: str = "/account/name", data=FORM, **more):
    """Send a form under a session that has ended."""
    clock.set_shift(timedelta(hours=2))
    return client.post(path, data=data, headers={"Referer": f"{ORIGIN}/account"}, **more)


def hidden(page) -> dict[str, str]:
    """Return the hidden fields of the page's forms."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def sign_in(client: FlaskClient, page, person_id: str, password: str = PASSWORD):
    carried = {name: value for name, value in hidden(page).items() if name.startswith(("kept", "next"))}
    return client.post("/login", data={**carried, "login": login_of(person_id), "password": password})


def login_of(person_id: str) -> str:
    with db.reading() as session:
        return str(session.get(Person, person_id).login)


def test_what_was_typed_stands_on_the_page_after_the_login_and_one_press_sends_it(enter):
    firm = enter(Role.MANAGER)
    asked = lapse(firm)
    assert asked.status_code == 401
    assert "您填的内容还在" in asked.text
    shown = sign_in(firm, asked, firm.person_id)
    assert shown.status_code == 200
    assert 'action="/account/name"' in shown.text and 'href="/account"' in shown.text
    assert hidden(shown) == FORM
    assert "<b>" not in shown.text
    assert "李" not in firm.get("/account").text, "nothing is sent without a press"
    assert firm.post("/account/name", data=hidden(shown)).status_code == 303
    assert html.escape(FORM["name"], quote=False).partition('"')[0] in firm.get("/account").text


def test_a_wrong_password_keeps_it_too(enter):
    firm = enter(Role.MANAGER)
    again = sign_in(firm, lapse(firm), firm.person_id, "not the password")
    assert again.status_code == 422
    assert hidden(sign_in(firm, again, firm.person_id)) == FORM


def test_somebody_else_who_logs_in_is_told_whose_it_was(enter):
    firm, other = enter(Role.MANAGER), enter(Role.APPLICANT)
    shown = sign_in(firm, lapse(firm), other.person_id)
    assert "这些内容是某人填的" in shown.text and "提交就算您本人办理" in shown.text
    assert "以某人的名义提交" in shown.text
    assert "继续提交" not in shown.text


def test_nobody_can_say_whose_it_was_when_the_cookie_is_gone(enter, visitor):
    person = enter(Role.MANAGER).person_id
    shown = sign_in(visitor, lapse(visitor), person)
    assert "是谁填的，系统已无从确认" in shown.text


def test_a_password_that_is_asked_for_again_keeps_it_too(enter):
    manager = enter(Role.MANAGER, ago=timedelta(minutes=16))
    asked = manager.post("/unit/persons/nobody/disabling", data={"why": "left"})
    assert (asked.status_code, asked.headers["Qiantang-Problem"]) == (401, "fresh-login-required")
    assert "提交之前要再输一次密码" in asked.text
    assert hidden(sign_in(manager, asked, manager.person_id)) == {"why": "left"}


@pytest.mark.parametrize("path", ["/account/password", "/account/name"])
def test_no_secret_is_carried(enter, path):
    firm = enter(Role.MANAGER)
    asked = lapse(firm, path, {"name": "a", "password": "a much better one"})
    assert asked.status_code == 401
    assert "kept" not in hidden(asked)
    assert "a much better one" not in asked.text


def test_what_is_too_long_is_not_carried_and_that_is_said(enter):
    firm = enter(Role.MANAGER)
    asked = lapse(firm, data={"name": "x" * LIMIT})
    assert "kept" not in hidden(asked)
    assert "内容太长，带不过去" in asked.text


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}]
)
def test_another_sites_form_is_not_carried(app, headers):
    stranger = app.test_client()
    asked = stranger.post("/account/name", data=FORM, headers=headers, base_url=ORIGIN)
    assert asked.status_code == 401
    assert "kept" not in hidden(asked)


def test_another_site_cannot_have_its_text_shown_as_typed_here(enter, visitor):
    firm = enter(Role.MANAGER)
    carried = hidden(lapse(firm))
    forged = {**carried, "kept": carried["kept"].replace("李", "张")}
    form = {"login": login_of(firm.person_id), "password": PASSWORD, **forged}
    answer = visitor.post("/login", data=form)
    assert (answer.status_code, answer.location) == (303, "/account")
    crossed = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert visitor.post("/login", data={**form, **carried}, headers=crossed).status_code == 403


def test_a_program_gets_a_problem_and_no_page(app):
    client = log_in(app, Role.APPLICANT)
    clock.set_shift(timedelta(hours=2))
    answer = client.post("/api/v1/applications", json={})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"


def test_a_made_up_text_is_no_kept_form_whatever_letters_it_has(visitor):
    for text, seal in (("\ud800", "x"), ("x", "\ud800")):
        body = json.dumps({"login": "a", "password": "b", "kept": text, "kept_seal": seal})
        answer = visitor.post("/login", data=body, content_type="application/json")
        assert answer.headers["Qiantang-Problem"] == "login-failed"
