"""Grants over HTTP: who sees which, how one is suspended, confirmed and lifted, and what the unit is told."""

import re
from datetime import timedelta

import pytest

from service.base import clock, db
from service.base.roles import Role
from service.grants import jobs, store
from service.oauth import actions as tokens
from tests.http.conftest import open_browser, resume
from tests.store import granted

CAUSE = "发现异常取数"


@pytest.fixture
def grant(app, tmp_path):
    """A live grant of the firm with its view, by the present clock."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(50), tmp_path)
        made = granted.issue(session, now=clock.now(session))
    jobs.build_missing()
    return made


@pytest.fixture
def person(app, grant):
    """Return a function that opens the browser of one of the persons."""
    return lambda name, **given: resume(app, name, **given)


def _api(grant, more=""):
    return f"/api/v1/grants/{grant.id}{more}"


def _held(grant):
    with db.reading() as session:
        return store.open_suspension(session, grant.id)


# ---- seeing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [("manager", 200), ("steward", 200), ("reviewer", 200), ("auditor", 200), ("rival", 404), ("outsider", 404)],
)
def test_a_grant_is_known_to_its_unit_its_source_and_the_authority_and_to_no_other(person, grant, name, status):
    answer = person(name).get(_api(grant))
    assert answer.status_code == status
    listed = [one["id"] for one in person(name).get("/api/v1/grants").json["grants"]]
    assert listed == ([grant.id] if status == 200 else [])


def test_another_units_grant_and_one_that_is_not_there_answer_alike(person, grant):
    rival = person("rival")
    theirs, none = rival.get(_api(grant)), rival.get("/api/v1/grants/nosuchgrant")
    unlike = ("instance", "request_id")
    assert {k: v for k, v in theirs.json.items() if k not in unlike} == {
        k: v for k, v in none.json.items() if k not in unlike
    }


def test_a_grant_says_what_it_opens_until_when(person, grant):
    told = person("manager").get(_api(grant)).json
    assert told["standing"] == "live"
    assert told["columns"] == list(granted.COLUMNS)
    assert told["ends_at"].endswith("T00:00:00+08:00")
    assert told["view"]["state"] == "ready"
    assert told["view"]["rows"] == 50
    assert told["suspension"] is None


def test_a_visitor_and_a_machine_learn_nothing(app, grant):
    assert open_browser(app).get(_api(grant)).status_code == 401
    machine = open_browser(app).post(
        _api(grant, "/suspension"), json={"cause": CAUSE}, headers={"Authorization": "Bearer qta_x"}
    )
    assert machine.status_code == 403
    assert machine.json["type"].endswith("person-required")


# ---- suspending -----------------------------------------------------------------------------------------------------


def test_a_suspension_over_the_api_from_cause_to_lifting(person, grant):
    steward, reviewer, manager = person("steward"), person("reviewer"), person("manager")
    stopped = steward.post(_api(grant, "/suspension"), json={"cause": CAUSE})
    assert stopped.status_code == 201
    assert stopped.json["standing"] == "suspended"
    assert manager.get(_api(grant)).json["suspension"]["cause"] == CAUSE
    assert CAUSE in manager.get("/notices").text
    assert steward.post(_api(grant, "/suspension/confirmation")).status_code == 403
    assert reviewer.post(_api(grant, "/suspension/confirmation")).status_code == 201
    assert reviewer.post(_api(grant, "/suspension"), json={"cause": CAUSE}).status_code == 409
    lifted = steward.delete(_api(grant, "/suspension"))
    assert lifted.status_code == 200
    assert lifted.json["standing"] == "live"
    assert steward.delete(_api(grant, "/suspension")).status_code == 409


@pytest.mark.parametrize(
    ("name", "status"), [("manager", 403), ("rival", 403), ("operator", 403), ("auditor", 403), ("outsider", 404)]
)
def test_who_may_not_suspend_is_told_no_more_than_they_may_know(person, grant, name, status):
    assert person(name).post(_api(grant, "/suspension"), json={"cause": CAUSE}).status_code == status
    assert _held(grant) is None


def test_suspending_needs_a_fresh_password(person, grant):
    stale = person("steward", ago=timedelta(minutes=16))
    for answer in (
        stale.post(_api(grant, "/suspension"), json={"cause": CAUSE}),
        stale.post(_api(grant, "/suspension/confirmation")),
        stale.delete(_api(grant, "/suspension")),
        stale.post(f"/grants/{grant.id}/suspension", data={"cause": CAUSE}),
    ):
        assert answer.status_code == 401
        assert answer.headers["Qiantang-Problem"] == "fresh-login-required"
    assert _held(grant) is None


@pytest.mark.parametrize(
    "body", [{}, {"cause": ""}, {"cause": "x" * 501}, {"cause": CAUSE, "by": "reviewer"}, ["cause"]]
)
def test_a_body_that_does_not_hold_is_named(person, grant, body):
    answer = person("steward").post(_api(grant, "/suspension"), json=body)
    assert answer.status_code == 422
    assert answer.json["errors"]
    assert _held(grant) is None


# ---- what it does to the bytes --------------------------------------------------------------------------------------


@pytest.fixture
def machine(app, grant):
    """Return a function that asks the data plane with a live token of the firm's system."""
    with db.writing() as session:
        now, pepper = clock.now(session), b"a secret of the tests"
        client, secret = tokens.create_client(
            session, unit_id="firm", grant_id=grant.id, name="取数系统", pepper=pepper, by="manager", now=now
        )
    asked = {"grant_type": "client_credentials", "scope": "data.read"}
    browser = open_browser(app)
    ask = lambda: browser.post("/oauth/token", data=asked, auth=(client.id, secret))  # noqa: E731
    bearer = {"Authorization": f"Bearer {ask().json['access_token']}"}
    return ask, lambda path: browser.get(f"/api/v1/datasets/{granted.DATASET}/{path}", headers=bearer)


def test_a_suspension_bites_on_the_next_request_with_a_live_token_and_lifting_opens_again(machine, person, grant):
    ask, get = machine
    assert get("rows").status_code == get("files/data.csv").status_code == 200
    person("steward").post(_api(grant, "/suspension"), json={"cause": CAUSE})
    for path in ("rows", "files/data.csv", "files/data.parquet"):
        answer = get(path)
        assert answer.status_code == 403
        assert answer.headers["Qiantang-Problem"] == "grant-suspended"
        assert "/applications/new?dataset=parking-records" in answer.json["detail"]
    assert ask().json["error_description"].startswith("grant-suspended")
    person("steward").delete(_api(grant, "/suspension"))
    assert get("rows").status_code == 200


def test_the_end_bites_by_the_clock_with_no_job_running(machine, grant):
    ask, get = machine
    with db.reading() as session:
        clock.set_shift(grant.ends_at - clock.database_now(session) + timedelta(seconds=1))
    assert get("rows").status_code in (401, 403)
    refused = ask()
    assert refused.status_code == 400
    assert refused.json["error_description"].startswith("grant-ended")


# ---- pages ----------------------------------------------------------------------------------------------------------


def test_suspending_and_lifting_say_what_they_bring_about_before_they_are_done(person, grant):
    steward = person("steward")
    page = steward.get(f"/grants/{grant.id}/suspension").text
    for text in ("下一次取数就会被拒绝", "须在一个工作日内由第二人确认", "暂停不是撤销"):
        assert text in page
    assert "没有在暂停中" in steward.get(f"/grants/{grant.id}/suspension/lifting").text
    steward.post(f"/grants/{grant.id}/suspension", data={"cause": "收到投诉，先行核查"})
    assert "已在暂停中" in steward.get(f"/grants/{grant.id}/suspension").text
    page = steward.get(f"/grants/{grant.id}/suspension/lifting").text
    for text in ("收到投诉，先行核查", "暂停的日子不补"):
        assert text in page
    assert person("outsider").get(f"/grants/{grant.id}/suspension").status_code == 404
    assert person("manager").get(f"/grants/{grant.id}/suspension").status_code == 403


def test_a_suspension_on_the_page_from_cause_to_lifting(person, grant):
    steward, reviewer = person("steward"), person("reviewer")
    page = f"/grants/{grant.id}"
    stopped = steward.post(f"{page}/suspension", data={"cause": CAUSE})
    assert (stopped.status_code, stopped.headers["Location"]) == (303, page)
    assert reviewer.post(f"{page}/suspension/confirmation").status_code == 303
    assert steward.post(f"{page}/suspension/lifting", data={"reason": "核查无异常"}).status_code == 303
    assert _held(grant) is None


def test_a_form_that_does_not_hold_comes_back_with_what_was_typed(person, grant):
    answer = person("steward").post(f"/grants/{grant.id}/suspension", data={"cause": "x" * 501})
    assert answer.status_code == 422
    assert "x" * 501 in answer.text
    assert "不得超过 500 个字" in answer.text
    assert "<title>错误：" in answer.text
    assert "本系统为非涉密系统" in answer.text
    assert _held(grant) is None


def test_the_form_does_not_come_back_to_whoever_may_not_oversee_the_grant(person, grant):
    assert person("outsider").post(f"/grants/{grant.id}/suspension", data={}).status_code == 404


# ---- notices --------------------------------------------------------------------------------------------------------


def test_a_notice_is_read_by_its_own_and_leads_to_the_grant(person, grant):
    from service.notices import jobs as outbox
    from service.notices import store as notices

    outbox.deliver()
    with db.reading() as session:
        found = notices.listed(session, unit_id="firm", person_id="manager", roles={Role.MANAGER})
    ((notice, _read),) = [one for one in found if one[0].kind == "grant-issued"]
    assert person("rival").post(f"/notices/{notice.id}/reading").status_code == 404
    manager = person("manager")
    assert "未读" in manager.get("/notices").text
    gone = manager.post(f"/notices/{notice.id}/reading")
    assert (gone.status_code, gone.headers["Location"]) == (303, f"/grants/{grant.id}")
    assert "未读" not in manager.get("/notices").text
    english = manager.get("/notices?lang=en").text
    assert "Car park records" in english
    assert "停车场" not in english


def test_all_that_the_list_showed_is_read_at_once_and_a_later_notice_is_not(person, grant):
    from service.notices import actions
    from service.notices import jobs as outbox

    outbox.deliver()
    manager = person("manager")
    until = re.search(r'name="until" value="([^"]+)"', manager.get("/notices").text).group(1)
    with db.writing() as session:
        facts = {"grant": grant.id, "dataset": {"zh": "停车场进出记录", "en": "Car park records"}, "day": "2026-12-31"}
        actions.put(session, kind="grant-issued", facts=facts, now=clock.now(session), to_unit="firm")
    outbox.deliver()
    assert manager.post("/notices/readings", data={"until": until}).status_code == 303
    assert "1 条未读" in manager.get("/notices").text
    assert person("outsider").get("/notices").text.count("is-new") == 0
    assert manager.post("/notices/readings", data={"until": "yesterday"}).status_code == 422


def test_an_operator_sees_what_could_not_be_delivered(person, grant):
    from service.notices.tables import Outbox

    with db.writing() as session:
        now = clock.now(session)
        session.add(
            Outbox(
                id="o1", kind="grant-issued", to_unit="firm", facts={}, created_at=now, due_at=now, tries=10,
                failed_at=now, fault="KeyError: 'dataset'",
            )
        )  # fmt: skip
    assert "KeyError" in person("operator").get("/notices").text
    assert "KeyError" not in person("manager").get("/notices").text
