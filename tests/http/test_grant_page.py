"""The page of a grant: what may be read until when, credentials, scripts, usage."""

import html
import json
import re

import pytest

from service.oauth import rules
from tests.world import World


def _page(world: World, login: str = "lake-manager", query: str = "") -> str:
    answer = world.login(login).get(f"/grants/{world.grant}{query}")
    assert answer.status_code == 200
    return str(answer.text)


def test_the_page_says_in_words_what_may_be_read_until_when(world):
    page = _page(world)
    said = re.sub(r"<[^>]+>", "", page)
    assert re.search(r"本单位可以在 \d+年\d+月\d+日 24:00（北京时间）前，为“.+”目的，读取“.+”的 3 个字段", said)
    assert re.search(r"还有 \d+ 天。", said)
    granted, closed = page.split('id="granted"')[1].split("没有授权的字段")
    for name in ("lot_id", "entry_time", "duration_min"):
        assert f"<code>{name}</code>" in granted
    assert "<code>plate</code>" in closed and "<code>plate</code>" not in granted


def test_the_released_file_is_told_by_digest_rows_and_size(world):
    ((sha, rows),) = world.found(
        "select file.sha256, file.rows from releasedview join view_file file on file.view_id = releasedview.id"
        " where grant_id = :grant and format = 'parquet'",
        grant=world.grant,
    )
    page = _page(world)
    assert sha in page and f"{rows:,}" in page and "kB" in page


@pytest.mark.parametrize("use", ["curl", "oauthlib", "pandas", "duckdb"])
def test_the_script_that_is_shown_is_the_one_that_is_downloaded(world, use):
    browser = world.login("lake-manager")
    page = browser.get(f"/grants/{world.grant}?use={use}").text
    shown = re.search(r'<code id="script">(.*?)</code></pre>', page, re.DOTALL)[1]
    name = re.search(rf"/grants/{world.grant}/scripts/([\w.]+)\?download", page)[1]
    script = browser.get(f"/grants/{world.grant}/scripts/{name}?download")
    assert html.unescape(re.sub(r"</?span[^>]*>", "", shown)) == script.text
    assert script.headers["Content-Disposition"] == f'attachment; filename="qiantang-{name}"'
    assert page.count('aria-current="true"') >= 1 and f'href="?use={use}#get" aria-current="true"' in page
    assert len(set(re.findall(r'class="qt-code--(\w+)"', shown))) <= 3


def test_an_unknown_tab_shows_the_first_one(world):
    assert 'href="?use=curl#get" aria-current="true"' in _page(world, query="?use=cobol")


def test_what_was_read_stands_on_the_page_by_day_and_system(world):
    token = world.token()
    assert "还没有取过数" in _page(world) or "每天取走的行数" in _page(world)
    answer = world.rows(token, "?limit=7")
    assert answer.status_code == 200
    page = _page(world)
    today = page.split('data-chart="bar"')[1].split("</table>")[0]
    assert len(re.findall(r"<tr>", today)) == 31 and re.findall(r'data-value="(\d+)"', today)[-1] == "7"
    assert "未取过" not in page.split('id="systems"')[1].split("</section>")[0]
    assert "7 行" in world.login("lake-manager").get("/grants").text


def test_officers_see_the_grant_without_its_systems_and_scripts(world):
    page = _page(world, "transport-1")
    assert world.client_id not in page and 'id="script"' not in page
    assert "示例湖光智行科技有限公司" in page


def test_officers_suspend_and_lift_on_the_pages_that_say_the_consequences(world):
    steward, page = world.login("transport-1"), f"/grants/{world.grant}"
    assert f'href="{page}/suspension"' in steward.get(page).text and 'name="cause"' not in steward.get(page).text
    assert "/suspension" not in _page(world)
    assert steward.post(f"{page}/suspension", data={"cause": "收到投诉，先行核查"}).status_code == 303
    assert f'href="{page}/suspension/lifting"' in steward.get(page).text
    assert f'action="{page}/suspension/confirmation"' in _page(world, "transport-2")


def test_only_a_manager_is_offered_what_only_a_manager_may_do(world):
    manager, applicant = _page(world), _page(world, "lake-apply")
    for words in ("提前交还授权", "更换密钥", "登记取数系统</a>"):
        assert words in manager and words not in applicant


def test_a_form_that_showed_a_secret_shows_it_once(world):
    browser = world.login("lake-manager")
    asked = browser.get(f"/grants/{world.grant}/clients/new").text
    form = {"name": "停车诱导屏", "key": re.search(r'name="key" value="(\w+)"', asked)[1]}
    first = browser.post(f"/grants/{world.grant}/clients", data=form)
    assert first.status_code == 200 and first.headers["Cache-Control"] == "no-store"
    secret = first.text.split('id="client-secret">')[1].split("<")[0]
    again = browser.post(f"/grants/{world.grant}/clients", data=form)
    assert (again.status_code, again.location) == (303, f"/grants/{world.grant}#systems")
    page = _page(world)
    assert secret not in page
    assert rules.fingerprint(rules.secret_digest(secret, world.settings.pepper())) in page
    assert world.found("select count(*) from client where name = '停车诱导屏'")[0][0] == 1


def test_anothers_key_makes_no_system_and_tells_nothing(world):
    taken = world.another_client(world.another_grant("parking-records", ["lot_id"], unit="firm-tide")).split(":")[0]
    answer = world.login("lake-manager").post(
        f"/grants/{world.grant}/clients", data={"name": "停车诱导屏", "key": taken.removeprefix("c-")}
    )
    assert answer.status_code == 404


def test_a_replacement_that_is_sent_twice_replaces_once(world):
    browser, page = world.login("lake-manager"), _page(world)
    form = {"grant": world.grant, "fingerprint": re.search(r'name="fingerprint" value="(\w{8})"', page)[1]}
    first = browser.post(f"/clients/{world.client_id}/secrets", data=form)
    secret = first.text.split('id="client-secret">')[1].split("<")[0]
    again = browser.post(f"/clients/{world.client_id}/secrets", data=form)
    assert (again.status_code, again.location) == (303, f"/grants/{world.grant}#systems")
    assert world.ask_token(basic=f"{world.client_id}:{secret}").status_code == 200


STEPS = [{"kind": "truncate", "column": "lot_id", "characters": 2}, {"kind": "suppress", "columns": ["lot_id"], "k": 5}]


def test_what_is_done_to_a_column_and_to_rows_stands_on_the_page(world):
    world.change('update "grant" set transforms = :steps where id = :grant', steps=json.dumps(STEPS), grant=world.grant)
    page = _page(world)
    assert "处理：只保留前 2 个字符" in page
    assert "字段 lot_id 取值相同的不足 5 行的，整组不提供。" in page


def test_what_is_read_under_a_grant_is_as_treated(world):
    grant = world.another_grant("parking-records", ["lot_id", "duration_min"], transforms=STEPS)
    rows = world.rows(world.token(), f"?grant={grant}&limit=50").json["rows"]
    assert {row["lot_id"] for row in rows} == {"P0"}


def test_how_far_a_view_and_a_file_are_stands_on_the_page(world):
    browser = world.login("lake-manager")
    ((view,),) = world.found("select id from releasedview where grant_id = :grant", grant=world.grant)
    world.change("insert into view_file select view_id, 'arrow', 'wanted', '', '', 0, 0, wanted_at, null, null, 0,"
                 " null, null from view_file where view_id = :id and format = 'parquet'", id=view)  # fmt: skip
    assert "等待生成" in browser.get(f"/grants/{world.grant}").text
    world.change(
        "update releasedview set state = 'building', parts_done = 1, parts_total = 5, rows = 24000, tries = 2,"
        " note = 'disk' where id = :id", id=view,
    )  # fmt: skip
    page = browser.get(f"/grants/{world.grant}").text
    assert "正在生成第 2 部分，共 5 部分；已写 24,000 行。" in page
    assert "第 2 次没有成功：磁盘空间不足。系统会自动重试。" in page
