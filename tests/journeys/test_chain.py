"""Rule, decision, grant, token, byte: the whole chain in a browser, and the bytes as a program gets them."""

import json
import os
import subprocess
from datetime import timedelta

import pytest
import requests

from service.base import clock
from tests.journeys import applying, deciding
from tests.journeys.visit import everywhere

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Each language has a firm of its own, so that the journeys do not meet.
FIRMS = {"zh": ("tide-apply", "tide-manager"), "en": ("lake-apply", "lake-manager")}
DATASET, PLATE = "parking-records", "plate"
# Each walk to a grant asks for columns of its own: the same open request a second time would be a duplicate.
MORE = {
    ("zh", "phone"): ("vehicle_type",),
    ("zh", "desk"): ("vehicle_type", "lot_name"),
    ("en", "phone"): ("duration_min", "vehicle_type"),
    ("en", "desk"): ("duration_min", "vehicle_type", "lot_name"),
}
CLAUSE = "TR-001"


def test_a_prohibited_column_is_contested_and_refused_with_its_clause(enter, language, site):
    applicant = enter(FIRMS[language][0])
    applying.start(applicant, DATASET)
    applying.fill(applicant, [*site.demo["tour"]["columns"], PLATE], _day(200))
    assert applicant.says("该字段判定为禁止提供：请取消勾选，或写明异议理由")
    applicant.page.locator(f'main a[href$="#objection-{PLATE}"]').click()
    row = applicant.page.locator(f'tr:has(input[value="{PLATE}"])')
    assert applicant.word("禁止") in row.inner_text()
    row.get_by_role("button", name=CLAUSE, exact=True).click()
    assert "《民法典》" in applicant.page.locator(f"#rule-{CLAUSE}").inner_text()
    applicant.page.keyboard.press("Escape")
    applicant.page.fill(f"#objection-{PLATE}", applying.TEXTS[language]["objection"])
    applicant.press("保存并继续")
    applicant.go(applicant.path.rsplit("/draft", 1)[0] + "/check")
    assert applying.TEXTS[language]["objection"] in applicant.text
    number = applying.submit(applicant)

    steward = enter("transport-1")
    deciding.open_case(steward, number)
    assert applying.TEXTS[language]["objection"] in steward.text
    assert CLAUSE in steward.page.input_value("#reason")
    assert steward.page.locator('input[name="verb"][value="approve"]').is_disabled()
    assert steward.says("判定结果为禁止提供，或缺少的事实可能导致禁止提供，不能同意")
    deciding.choose(steward, "refuse")
    assert steward.says("不予开放")

    applicant.follow("查看申请进度")
    assert applicant.says("不予开放") and CLAUSE in applicant.text and "《民法典》" in applicant.text


@everywhere
def test_from_the_search_to_the_first_bytes_a_suspension_its_lifting_and_the_way_back(enter, site, setting):
    manager, grant, kept = _obtain(enter, site, setting)
    secret, client = _register_system(manager)
    rows = _run_script(manager, client, secret)
    assert rows and {frozenset(row) for row in rows} == {frozenset(kept)}
    token = _token(site, client, secret)
    _suspend_and_lift(enter, site, grant, token)
    _hand_back(manager, grant)
    assert _rows(site, token).status_code == 403


@everywhere
def test_from_the_search_to_the_first_bytes_without_javascript(enter, site, setting):
    manager, _grant, kept = _obtain(enter, site, setting, script=False)
    secret, client = _register_system(manager)
    rows = _run_script(manager, client, secret)
    assert rows and {frozenset(row) for row in rows} == {frozenset(kept)}


def test_a_page_left_for_later_and_a_withdrawal_need_no_javascript(enter, language, site):
    applicant = enter(FIRMS[language][0], script=False)
    applying.start(applicant, DATASET)
    applying.fill(applicant, site.demo["tour"]["columns"][:2], _day(90), delivery="download")
    applicant.follow("任务清单")
    applicant.follow("接触数据的人员")
    applicant.press("稍后再填")
    applicant.follow("核对并提交")
    number = applying.submit(applicant)
    applicant.follow("查看申请进度")
    assert number in applicant.text
    applicant.page.locator("summary", has_text=applicant.word("撤回这份申请")).click()
    applicant.press("撤回申请")
    assert applicant.says("已撤回")


def _obtain(enter, site, setting, *, script=True):
    """Walk from the search to the page of a new grant; return its manager there, its path and its columns."""
    login, manager_login = FIRMS[setting[0]] if script else ("cloud-apply", "cloud-manager")
    asked = ["lot_id", "entry_time", "exit_time", *MORE[setting]]
    case, number = _apply(enter(login, script=script), asked)
    deciding.decide(enter("transport-1", script=script), number, "approve")
    authority = enter("authority-1", script=script)
    deciding.decide(authority, number, "narrow", drop="exit_time", ends_on=_day(100))

    manager = enter(manager_login, script=script)
    manager.go(f"{case}/agreement")
    assert "exit_time" not in manager.text
    manager.page.check('input[name="agree"]')
    manager.press("签署协议")
    grant = manager.path
    assert grant.startswith("/grants/") and manager.says("有效")
    assert "exit_time" not in manager.page.locator("#granted").inner_text()
    manager.go("/grants")
    manager.page.locator(f'a[href="{grant}"]').click()
    manager.look()
    return manager, grant, [name for name in asked if name != "exit_time"]


def _apply(applicant, columns) -> tuple[str, str]:
    """Send an application; return its path and its number."""
    applying.start(applicant, DATASET)
    case = applicant.path.removesuffix("/draft")
    applying.fill(applicant, columns, _day(200))
    return case, applying.submit(applicant)


def _register_system(manager) -> tuple[str, str]:
    """Make a client on the grant's page that is open; its secret is shown once.  Return secret and client."""
    manager.follow("登记取数系统")
    manager.page.fill("#name", "停车诱导平台" if manager.language == "zh" else "Guidance signs")
    manager.press("登记并生成凭据")
    secret = manager.page.locator("#client-secret").inner_text()
    client = manager.page.locator("dd code").first.inner_text()
    assert secret.startswith("qts_") and client.startswith("c-")
    manager.follow("我已保存，回到数据使用授权")
    assert secret not in manager.page.content() and client in manager.text
    return secret, client


def _run_script(manager, client, secret) -> list[dict[str, object]]:
    """Run the script that the grant's page shows, as it stands there; return the rows that it prints."""
    script = manager.page.locator("#script").inner_text()
    assert client in script and DATASET in script and secret not in script
    environment = {**os.environ, "QIANTANG_CLIENT_SECRET": secret}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return rows


def _suspend_and_lift(enter, site, grant, token) -> None:
    steward = enter("transport-1")
    steward.go(grant)
    steward.follow("暂停数据使用授权")
    steward.page.fill(
        "#cause", "收到投诉，先行核查" if steward.language == "zh" else "A complaint is being looked into"
    )
    steward.press("暂停")
    assert steward.says("已暂停") and steward.says("须在一个工作日内由第二人确认")
    refused = _rows(site, token)
    assert refused.status_code == 403 and refused.headers["Qiantang-Problem"] == "grant-suspended"

    second = enter("transport-2")
    second.go("/inbox")
    second.page.locator(f'a[href="{grant}"]').click()
    second.look()
    second.press("确认暂停")
    assert second.says("已由第二人确认")
    second.follow("恢复数据使用授权")
    second.page.fill("#reason", "已查清，投诉不实" if second.language == "zh" else "The complaint was unfounded")
    second.press("恢复")
    assert second.says("有效")
    assert _rows(site, token).status_code == 200


def _hand_back(manager, grant) -> None:
    """Give the grant back by its page; it is over at once."""
    manager.go(grant)
    manager.follow("提前交还授权")
    assert manager.says("立即生效，不能撤回：下一次取数就会被拒绝，已经换到的令牌也不例外。")
    manager.page.fill("#reason", "项目提前结束" if manager.language == "zh" else "The project ended early")
    manager.press("交还，即刻停止取数")
    assert manager.path == grant and manager.says("已取走的数据仍须按期销毁。")
    assert manager.page.locator("#script").count() == 0


def _token(site, client, secret) -> str:
    form = {"grant_type": "client_credentials", "scope": "data.read"}
    answer = requests.post(f"{site.base_url}/oauth/token", data=form, auth=(client, secret), timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def _rows(site, token) -> requests.Response:
    url = f"{site.base_url}/api/v1/datasets/{DATASET}/rows?limit=20"
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def _day(days: int) -> str:
    return (clock.system_now() + timedelta(days=days)).date().isoformat()
