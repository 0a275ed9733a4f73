"""Applications through the real pages and the API: form, review, decision, agreement."""

import re
from datetime import timedelta

import pytest

from service.applications import store
from service.applications.rules import StepName
from service.base import clock, db
from service.base.roles import Role
from service.screening import actions as screening
from tests import cases, steps
from tests.cases import COLUMNS, DATASET
from tests.http.conftest import open_browser, resume


@pytest.fixture
def world(sqlite_app):
    """The application with two firms, their officers and the car park records, all at the present time."""
    with db.writing() as session:
        now = clock.now(session)
        cases.settle(session, now)
        screening.publish_editions(session, now=now)
    return sqlite_app


@pytest.fixture
def enter(world):
    """Return a function that opens a person's browser, the password typed `ago`."""

    def open_session(person: str, *, ago: timedelta = timedelta(0)):
        return resume(world, person, ago=ago)

    return open_session


def typed(**changes):
    """Return a form that can be submitted."""
    return {**cases.draft(**changes), "ends_on": changes.get("ends_on", ends_on())}


def ends_on(days=120):
    with db.reading() as session:
        return clock.beijing_date(clock.now(session) + timedelta(days=days))


def begun(browser):
    page = browser.post("/applications", data={"dataset": DATASET})
    assert page.status_code == 303
    return re.fullmatch(r"/applications/(\w+)/draft", page.location)[1]


def submitted(browser, **changes):
    id = begun(browser)
    last = steps.fill(browser, id, typed(**changes))[-1]
    assert last.location == f"/applications/{id}/check", last.text
    page = browser.post(f"/applications/{id}/submission", data={"version": 0})
    assert page.location == f"/applications/{id}/receipt", page.text
    return id


def seal(browser, id):
    return browser.get(f"/api/v1/applications/{id}").get_json()["lists"]


def decision(browser, id, verb, version, **more):
    data = {"verb": verb, "reason": "符合开放条件", "version": version, "lists": seal(browser, id), "columns": COLUMNS}
    return browser.post(f"/applications/{id}/decisions", data=data | more)


# ---- the walk


def test_a_case_walks_from_the_dataset_to_its_grant(enter):
    firm, manager = enter("applicant"), enter("manager")
    assert "开始填写" in firm.get(f"/applications/new?dataset={DATASET}").text
    id = submitted(firm)
    receipt = firm.get(f"/applications/{id}/receipt").text
    assert "SQ-" in receipt
    page = firm.get(f"/applications/{id}").text
    assert "还剩 5 个工作日" in page
    assert "数源单位审核中" in page

    assert decision(enter("steward"), id, "approve", 1).status_code == 303
    last = enter("reviewer")
    assert decision(last, id, "approve", 2).status_code == 303
    assert "待签协议" in last.get(f"/applications/{id}").text
    with db.reading() as session:
        assert store.application(session, id).state == "approved"

    text = manager.get(f"/applications/{id}/agreement").text
    digest = re.search(r'name="digest" value="(\w{64})"', text)[1]
    unticked = manager.post(f"/applications/{id}/agreement", data={"version": 3, "digest": digest})
    assert unticked.status_code == 422
    signed = manager.post(f"/applications/{id}/agreement", data={"version": 3, "digest": digest, "agree": "yes"})
    assert signed.status_code == 303
    assert signed.location.startswith("/grants/")
    assert "由本单位管理员签署。" not in manager.get(f"/applications/{id}/agreement").text
    assert "已授权" in firm.get(f"/applications/{id}").text


def test_the_review_shows_what_other_cases_won_to_their_last_day(enter):
    end = ends_on(60)
    with db.writing() as session:
        now = clock.now(session)
        first = cases.approved(session, now=now, ends_on=end)
        grant = cases.signed(session, first, now=now)
        second = cases.submitted(session, now=now, columns=COLUMNS[:2])
    year, month, day = map(int, end.split("-"))
    review = enter("steward").get(f"/applications/{second.id}").text
    assert f"/grants/{grant.id}" in review
    assert f'datetime="{end}">{year}年{month}月{day}日</time></td>' in review


def test_the_same_request_again_is_refused_with_the_way_to_the_first(enter):
    firm = enter("applicant")
    submitted(firm)
    id = begun(firm)
    steps.fill(firm, id, typed())
    page = firm.post(f"/applications/{id}/submission", data={"version": 0})
    assert page.status_code == 409
    assert "尚未办结" in page.text


# ---- deciding


def test_a_decision_on_an_old_version_is_refused_with_what_changed(enter):
    id = submitted(enter("applicant"))
    assert decision(enter("steward"), id, "narrow", 1, columns=COLUMNS[:1]).status_code == 303
    page = decision(enter("steward2"), id, "approve", 1, reason="我写的理由")
    assert page.status_code == 409
    assert "您填写时，别人改了这份申请" in page.text
    assert "我写的理由" in page.text
    assert "exit_time" in page.text


def test_a_refused_decision_keeps_the_reason_that_was_typed(enter):
    id = submitted(enter("applicant"), delivery="secure_env")
    page = decision(enter("steward"), id, "approve", 1, reason="我写了很久的理由")
    assert page.status_code == 409
    assert "我写了很久的理由" in page.text
    assert "暂无受控环境" in page.text
    short = decision(enter("steward"), id, "refuse", 1, reason="不")
    assert short.status_code == 422


def test_a_decision_through_the_api_answers_as_agreed(enter):
    id = submitted(enter("applicant"))
    steward = enter("steward")
    body = {"verb": "narrow", "version": 1, "reason": "只保留必要字段", "columns": ["lot_id"], "ends_on": ends_on(30)}
    answer = steward.post(f"/api/v1/applications/{id}/decisions", json=body)
    assert answer.status_code == 201
    shown = answer.get_json()
    assert (shown["verb"], shown["columns"], shown["application"]["version"]) == ("narrow", ["lot_id"], 2)
    again = enter("steward2").post(f"/api/v1/applications/{id}/decisions", json=body)
    assert again.status_code == 409
    problem = again.get_json()
    assert problem["type"].endswith("/changed")
    assert again.headers["Qiantang-Problem"] == "changed"
    assert (problem["seen"], problem["version"]) == (1, 2)
    assert problem["changes"]


def test_a_decision_on_a_version_that_never_was_says_which_one_there_is(enter):
    id = submitted(enter("applicant"))
    for version in (0, 7):
        body = {"verb": "refuse", "version": version, "reason": "用途不明"}
        answer = enter("steward").post(f"/api/v1/applications/{id}/decisions", json=body)
        assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (409, "changed")
        assert answer.get_json()["changes"] == [f"版本：{version} → 1"]


@pytest.mark.parametrize(
    "extra",
    [{"state": "approved"}, {"by": "reviewer"}, {"verb": "sign"}, {"version": "x"}, {"reason": ""}, {"columns": "lot"}],
)
def test_a_forged_decision_is_not_taken(enter, extra):
    id = submitted(enter("applicant"))
    body = {"verb": "approve", "version": 1, "reason": "同意开放"}
    answer = enter("steward").post(f"/api/v1/applications/{id}/decisions", json=body | extra)
    assert answer.status_code == 422
    with db.reading() as session:
        assert store.application(session, id).version == 1


def test_deciding_needs_a_fresh_login_of_a_person(world, enter):
    id = submitted(enter("applicant"))
    body = {"verb": "approve", "version": 1, "reason": "同意开放"}
    stale = enter("steward", ago=timedelta(minutes=16)).post(f"/api/v1/applications/{id}/decisions", json=body)
    assert (stale.status_code, stale.headers["Qiantang-Problem"]) == (401, "fresh-login-required")
    machine = open_browser(world).post(
        f"/api/v1/applications/{id}/decisions", json=body, headers={"Authorization": "Bearer qta_x"}
    )
    assert (machine.status_code, machine.headers["Qiantang-Problem"]) == (403, "person-required")
    page = enter("steward", ago=timedelta(minutes=16)).get(f"/applications/{id}").text
    assert "审核前请重新输入密码" in page


def test_a_decision_from_another_site_is_refused(enter):
    id = submitted(enter("applicant"))
    steward = enter("steward")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ):
        answer = steward.post(f"/applications/{id}/decisions", data={"verb": "refuse"}, headers=headers)
        assert answer.status_code == 403


def test_a_steward_of_the_applying_unit_cannot_decide(enter):
    insider = enter("insider")
    id = submitted(insider)
    for who in ("insider", "steward"):
        answer = enter(who).post(
            f"/api/v1/applications/{id}/decisions", json={"verb": "approve", "version": 1, "reason": "同意开放"}
        )
        assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "own-unit")
    assert 'name="verb"' not in insider.get(f"/applications/{id}").text


def test_one_person_cannot_take_both_steps(enter):
    id = submitted(enter("applicant"))
    both = enter("both")
    assert decision(both, id, "approve", 1).status_code == 303
    answer = both.post(
        f"/api/v1/applications/{id}/decisions", json={"verb": "approve", "version": 2, "reason": "同意开放"}
    )
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "second-person-required")


# ---- who may know


def paths(id):
    pages = ["", "/draft", "/draft/columns", "/datasets", "/check", "/receipt", "/agreement"]
    return [f"/applications/{id}{rest}" for rest in pages] + [
        f"/api/v1/applications/{id}{rest}" for rest in ("", "/agreement")
    ]


def posts(id):
    return [
        (f"/applications/{id}/draft/purpose", {"purpose": "research", "statement": "统计周转率"}),
        (f"/applications/{id}/datasets", {"dataset": DATASET}),
        (f"/applications/{id}/removal", {"version": 1}),
        (f"/applications/{id}/submission", {"version": 1}),
        (f"/applications/{id}/withdrawal", {"version": 1}),
        (f"/applications/{id}/agreement", {"version": 1, "digest": "0" * 64, "agree": "yes"}),
        (f"/api/v1/applications/{id}/submission", None),
        (f"/api/v1/applications/{id}/withdrawal", None),
    ]


@pytest.mark.parametrize("who", ["stranger", "beginner"])
def test_another_unit_finds_nothing_under_any_address(enter, who):
    firm, other = enter("applicant"), enter(who)
    for id in (submitted(firm), begun(firm), "0" * 26, "..%2f.."):
        for path in paths(id):
            assert other.get(path).status_code == 404, path
        for path, data in posts(id):
            sent = {"data": data} if data else {"json": {"version": 1}}
            assert other.post(path, **sent).status_code == 404, path
    assert "SQ-" not in other.get("/applications").text
    assert other.get("/api/v1/applications").get_json() == {"applications": []}


def test_a_steward_of_another_source_unit_finds_nothing(enter):
    firm = enter("applicant")
    id, draft = submitted(firm), begun(firm)
    outsider = enter("outsider")
    assert outsider.get(f"/applications/{id}").status_code == 404
    answer = outsider.post(
        f"/api/v1/applications/{id}/decisions", json={"verb": "approve", "version": 1, "reason": "同意"}
    )
    assert answer.status_code == 404
    for who in ("steward", "reviewer", "auditor"):
        browser = enter(who)
        assert browser.get(f"/applications/{id}").status_code == 200
        assert browser.get(f"/applications/{draft}").status_code == 404
        assert "SQ-" in browser.get("/applications").text


def test_an_applicant_does_not_learn_the_officers_names(enter):
    firm = enter("applicant")
    id = submitted(firm)
    decision(enter("steward"), id, "return", 1, reason="请补充用途")
    page = firm.get(f"/applications/{id}").text
    assert "请补充用途" in page
    assert "steward Someone" not in page
    assert "steward Someone" in enter("reviewer").get(f"/applications/{id}").text


def test_an_unverified_unit_may_submit_and_is_told_what_it_cannot_have(enter):
    beginner = enter("beginner")
    id = submitted(beginner)
    assert decision(enter("steward"), id, "approve", 1).status_code == 303
    last = decision(enter("reviewer"), id, "approve", 2)
    assert last.status_code == 403
    assert last.headers.get("Qiantang-Problem", "unit-unverified") == "unit-unverified"
    assert "尚未核验" in last.text


def test_a_case_made_through_the_api_is_the_same_case(enter):
    firm = enter("applicant")
    body = {**cases.draft(ends_on=ends_on(), cross_border=False, members=["甲"]), "dataset": DATASET}
    made = firm.post("/api/v1/applications", json=body)
    assert made.status_code == 201
    id = made.get_json()["id"]
    assert "本市机房" in firm.get(f"/applications/{id}/draft/security").text
    answer = firm.post(f"/api/v1/applications/{id}/submission", json={"version": 0})
    assert answer.status_code == 201
    assert answer.get_json()["number"].startswith("SQ-")
    assert firm.post("/api/v1/applications", json=body | {"state": "approved"}).status_code == 422
    assert firm.post("/api/v1/applications", json=body | {"dataset": "nothing"}).status_code == 404


@pytest.mark.parametrize("path", ["/applications", "/applications/new?dataset=parking-records"])
def test_pages_speak_english_too(world, path):
    browser = resume(world, "applicant")
    page = browser.get(path, headers={"Accept-Language": "en"})
    body = re.sub(r'(?s)<head>.*?</head>|<[^>]*lang="zh-CN"[^>]*>.*?</[^>]+>|lang="zh-CN">中文', "", page.text)
    assert not re.search(r"[\u3400-\u9fff]", body), re.findall(r".{0,30}[\u3400-\u9fff]+.{0,30}", body)[:5]


def test_every_page_of_a_case_speaks_english_apart_from_what_people_wrote(enter):
    firm = enter("applicant")
    latin = {
        "statement": "Turnover of car parks",
        "security_officer": "A",
        "storage": "Here",
        "members": "A",
        "columns": ["lot_id"],
    }
    id = begun(firm)
    english = {"Accept-Language": "en"}
    pages = [firm.get(f"/applications/{id}/draft", headers=english)]
    steps.fill(firm, id, typed(**latin))
    pages += [firm.get(f"/applications/{id}/draft/{step}", headers=english) for step in StepName]
    pages.append(firm.get(f"/applications/{id}/datasets", headers=english))
    pages.append(firm.get(f"/applications/{id}/check", headers=english))
    firm.post(f"/applications/{id}/submission", data={"version": 0})
    pages += [firm.get(f"/applications/{id}{rest}", headers=english) for rest in ("", "/receipt")]
    pages.append(enter("steward").get(f"/applications/{id}", headers=english))
    for page in pages:
        body = re.sub(r'(?s)<[^>]*lang="zh-CN"[^>]*>.*?</[^>]+>', "", page.text)
        assert not re.search(r"[\u3400-\u9fff]", body), re.findall(r".{0,40}[\u3400-\u9fff]+.{0,40}", body)[:8]


def test_only_those_with_a_part_in_cases_get_their_pages(enter):
    assert enter("applicant").get("/applications").status_code == 200
    with db.reading() as session:
        assert Role.OPERATOR not in {role for _id, _unit, roles in cases.PERSONS for role in roles}
        assert store.of_unit(session, "firm") == []
