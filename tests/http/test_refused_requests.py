"""Why was I refused: what is kept of a refusal, who may look it up, and what is never kept."""

import json
from datetime import timedelta

import pytest

from service.base import clock
from service.oauth import gate, jobs
from tests.world import basic_header


def _id(answer):
    assert answer.status_code >= 400
    assert answer.text is not None  # the line is written when the answer has been read
    return answer.headers["X-Request-Id"]


def _kept(world):
    return world.found("select id, code, endpoint, grant_id, dataset_id, facts from refused_request")


def test_the_unit_learns_when_what_which_system_why_and_what_to_do(world):
    number = _id(world.rows(world.token(), "?select=plate"))
    told = world.login("lake-apply").get(f"/api/v1/requests/{number}").json
    assert told["code"] == "column-not-granted" and told["status"] == 403
    assert (told["endpoint"], told["dataset"], told["grant"]) == ("rows", "parking-records", world.grant)
    assert told["client"]["id"] == world.client_id and told["standing"] == "live"
    assert "plate" in told["detail"] and "select" in told["advice"] and told["at"].endswith("+08:00")
    page = world.login("lake-apply").get(f"/requests/{number}")
    assert page.status_code == 200
    for words in (number, "column-not-granted", "怎么办", world.client_id, f"/grants/{world.grant}"):
        assert words in page.text


def test_the_form_leads_to_the_answer_and_lists_what_was_refused_lately(world):
    number = _id(world.file(world.token(), "data.xlsx")) and _id(world.rows(world.token(), "?limit=0"))
    browser = world.login("lake-manager")
    assert browser.get(f"/requests?id= {number.upper()} ").location == f"/requests/{number}"
    assert f"/requests/{number}" in browser.get("/requests").text
    assert browser.get(f"/requests/{number}?lang=en").status_code == 200


@pytest.mark.parametrize("login", ["tide-manager", "tide-apply", "health-1"])
def test_somebody_elses_and_one_that_never_was_answer_alike(world, login):
    number = _id(world.rows(world.token(), "?limit=0"))
    browser = world.login(login)
    theirs, none = browser.get(f"/requests/{number}"), browser.get(f"/requests/{'0' * 16}")
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.text.replace(number, "") == none.text.replace("0" * 16, "")
    theirs, none = browser.get(f"/api/v1/requests/{number}"), browser.get(f"/api/v1/requests/{'0' * 16}")
    assert (theirs.status_code, theirs.json["type"]) == (none.status_code, none.json["type"])
    assert number not in browser.get("/requests").text


@pytest.mark.parametrize("login", ["transport-1", "authority-1", "auditor-1"])
def test_officers_who_may_see_the_grant_may_see_why(world, login):
    number = _id(world.rows(world.token(), "?limit=0"))
    assert world.login(login).get(f"/requests/{number}").status_code == 200


def test_a_visitor_is_asked_to_log_in_and_comes_back(world):
    asked = world.visitor().get("/requests/3f9c2a71d04be658")
    assert asked.status_code == 303 and "next=/requests/3f9c2a71d04be658" in asked.location


def test_every_reason_of_a_dead_grant_is_found_by_its_id(world):
    token = world.token()
    world.suspend()
    data, refused = _id(world.rows(token)), _id(world.ask_token())
    browser = world.login("lake-apply")
    assert browser.get(f"/api/v1/requests/{data}").json["code"] == "grant-suspended"
    told = browser.get(f"/api/v1/requests/{refused}").json
    assert (told["code"], told["endpoint"], told["dataset"]) == ("grant-suspended", "token", None)
    assert browser.get(f"/api/v1/requests/{data}").json["standing"] == "suspended"


def test_an_expired_token_still_tells_whose_it_was(world):
    token = world.token()
    clock.set_shift(timedelta(minutes=61))
    number = _id(world.rows(token))
    assert world.login("lake-apply").get(f"/api/v1/requests/{number}").json["code"] == "token-expired"


def test_a_wrong_secret_is_found_by_the_unit_and_cannot_crowd_out_the_rest(world):
    numbers = [_id(world.ask_token(basic=f"{world.client_id}:wrong{n}")) for n in range(5)]
    mine = _id(world.rows(world.token(), "?limit=0"))
    browser = world.login("lake-apply")
    assert browser.get(f"/api/v1/requests/{numbers[0]}").json["code"] == "invalid-client"
    assert browser.get(f"/api/v1/requests/{numbers[-1]}").status_code == 404, "three a minute, unproved"
    assert browser.get(f"/api/v1/requests/{mine}").status_code == 200


def test_nothing_is_kept_of_whom_nobody_knows(world):
    for answer in (
        world.rows(None), world.rows("qta_" + "x" * 43), world.ask_token(basic="c-" + "0" * 26 + ":x"),
        world.ask_token(basic="somebody:x"), world.rows(None, "?limit=0", dataset="flights"),
    ):  # fmt: skip
        _id(answer)
    assert _kept(world) == []


def test_no_secret_no_token_and_nothing_that_a_query_said_is_kept(world):
    token = world.token()
    said = "MARKER"
    _id(world.rows(token, f"?select={said}"))
    _id(world.rows(token, f"?cursor={said}"))
    _id(world.rows(token, f"?grant={said}"))
    _id(world.get(f"/api/v1/datasets/parking-records/files/{said}", token))
    _id(world.visitor().post(
        "/oauth/token", data={"grant_type": "client_credentials", "scope": said},
        headers={"Authorization": basic_header(f"{world.client_id}:{world.secret}")},
    ))  # fmt: skip
    kept = json.dumps([list(row) for row in _kept(world)])
    assert len(_kept(world)) >= 4
    for text in (said, token, world.secret):
        assert text not in kept


def test_a_client_that_is_refused_all_the_time_writes_ten_lines_a_minute(world):
    token = world.token()
    for _time in range(14):
        _id(world.rows(token, "?limit=0"))
    assert len(_kept(world)) == 10


def test_a_refusal_is_kept_for_thirty_days(world):
    number = _id(world.rows(world.token(), "?limit=0"))
    assert jobs.forget_refusals(world.now() + timedelta(days=29)) == 0
    assert jobs.forget_refusals(world.now() + timedelta(days=31)) == 1
    assert world.login("lake-apply").get(f"/requests/{number}").status_code == 404


def test_a_broken_note_does_not_break_the_answer(world, monkeypatch):
    monkeypatch.setattr(gate, "_write", lambda refused: 1 / 0)
    answer = world.rows(world.token(), "?limit=0")
    assert answer.status_code == 400 and answer.json["type"].endswith("bad-parameter")


def test_looking_it_up_writes_nothing(world):
    number = _id(world.rows(world.token(), "?limit=0"))
    browser = world.login("lake-apply")
    before = world.found("select count(*) from event")
    browser.get(f"/requests/{number}")
    browser.get("/requests")
    assert world.found("select count(*) from event") == before and len(_kept(world)) == 1
