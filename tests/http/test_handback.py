"""Giving a grant back: who may, what it ends, what stays, and whom it is told."""

from datetime import timedelta

import pytest

from service.base import db
from service.base.roles import Role
from service.grants import store
from tests.http.conftest import log_in
from tests.http.test_data import problem


def _page(world):
    return f"/grants/{world.grant}/handback"


def test_the_page_says_what_follows_before_anything_happens(world):
    asked = world.login("lake-manager").get(_page(world))
    assert asked.status_code == 200
    for told in ("不能撤回", "仍须按期销毁", "数源单位和主管部门会收到通知", "本系统为非涉密系统"):
        assert told in asked.text
    assert world.rows(world.token()).status_code == 200, "looking at the page gives nothing back"


def test_what_was_given_back_ends_on_the_next_request_for_every_way(world):
    token = world.token()
    done = world.login("lake-manager").post(_page(world), data={"reason": "项目提前结束"})
    assert (done.status_code, done.location) == (303, f"/grants/{world.grant}")
    for answer in (world.rows(token), world.file(token), world.file(token, "data.parquet")):
        problem(answer, 403, "grant-returned")
        assert "/applications/new?dataset=parking-records" in answer.json["detail"]
    refused = world.ask_token()
    assert refused.json["error"] == "invalid_grant"
    assert refused.json["error_description"].startswith("grant-returned: ")
    page = world.login("lake-manager").get(f"/grants/{world.grant}").text
    assert "已交还" in page and "项目提前结束" in page
    assert "提前交还授权" not in page and "登记取数系统" not in page


def test_a_duty_stays_due_after_the_grant_was_given_back(world):
    world.change(
        "insert into grant_task (id, grant_id, kind, obligation, due_on, created_at) values "
        f"""('t1', '{world.grant}', 'destroy', '{{"kind": "usage_report", "every_days": 30}}', '2027-01-31',"""
        " '2026-11-24 00:00:00.000000')"
    )
    browser = world.login("lake-manager")
    assert "2027年1月31日" in browser.get(_page(world)).text
    assert browser.post(f"/api/v1{_page(world)}", json={}).status_code == 201
    assert browser.get(f"/api/v1/grants/{world.grant}").json["tasks"][0]["due_on"] == "2027-01-31"
    assert "2027年1月31日" in browser.get(f"/grants/{world.grant}").text


def test_the_api_answers_the_grant_as_it_is_now(world):
    done = world.login("lake-manager").post(f"/api/v1{_page(world)}", json={"reason": "不再需要"})
    assert done.status_code == 201
    assert done.json["standing"] == "returned" and done.json["returned_at"].endswith("+08:00")


def test_it_is_told_to_the_source_unit_and_the_authority_and_stands_in_the_log(world):
    assert world.login("lake-manager").post(_page(world)).status_code == 303
    told = world.found("select role from notice where kind = 'grant-returned'")
    assert {row[0] for row in told} == {None, "steward", "authority"}
    assert world.found("select count(*) from event where kind = 'grant:handback'")[0][0] == 1


def test_a_second_time_there_is_nothing_left_to_give_back(world):
    browser = world.login("lake-manager")
    assert browser.post(_page(world)).status_code == 303
    again = browser.post(_page(world))
    assert (again.status_code, again.headers["Qiantang-Problem"]) == (409, "wrong-state")
    assert "无须交还" in browser.get(_page(world)).text
    assert world.login("transport-1").post(
        f"/api/v1/grants/{world.grant}/suspension", json={"cause": "收到投诉"}
    ).status_code == 409  # fmt: skip


def test_a_suspended_grant_may_be_given_back_and_lifting_brings_nothing_back(world):
    token = world.token()
    world.suspend()
    assert world.login("lake-manager").post(_page(world)).status_code == 303
    problem(world.rows(token), 403, "grant-returned")
    assert world.login("authority-1").delete(f"/api/v1/grants/{world.grant}/suspension").status_code == 200
    problem(world.rows(token), 403, "grant-returned")


@pytest.mark.parametrize("login", ["lake-apply", "tide-manager", "transport-1", "authority-1", "operator-1"])
def test_nobody_but_a_manager_of_the_unit_gives_it_back(world, login):
    browser = world.login(login)
    assert browser.post(_page(world)).status_code in (403, 404)
    assert browser.post(f"/api/v1{_page(world)}", json={}).status_code in (403, 404)
    assert world.rows(world.token()).status_code == 200


def test_a_reason_that_is_too_long_comes_back_with_what_was_typed(world):
    answer = world.login("lake-manager").post(_page(world), data={"reason": "x" * 501})
    assert answer.status_code == 422 and "x" * 501 in answer.text
    with db.reading() as session:
        assert store.handback(session, world.grant) is None


def test_the_act_takes_a_password_typed_a_moment_ago(app, world):
    browser = log_in(world.app, Role.MANAGER, unit_id="firm-lake", ago=timedelta(minutes=16))
    assert browser.post(_page(world)).status_code == 401
    assert "请重新输入密码" in browser.get(_page(world)).text
