"""Negative lists and screenings over HTTP."""

import re

import pytest

from service.base import clock, db
from service.screening import actions as screening
from tests import cases
from tests.cases import DATASET, PLATE
from tests.http.conftest import open_browser, resume

DOMAINS = ("common", "transport", "education", "healthcare", "finance", "tourism")


@pytest.fixture
def world(sqlite_app):
    with db.writing() as session:
        now = clock.now(session)
        cases.settle(session, now)
        screening.publish_editions(session, now=now)
    return sqlite_app


def test_anybody_reads_every_list_with_its_rules_and_digest(world):
    visitor = open_browser(world)
    index = visitor.get("/negative-lists")
    for domain in DOMAINS:
        assert f"/negative-lists/{domain}" in index.text
    page = visitor.get("/negative-lists/transport").text
    for text in ("TR-001", "禁止提供", "可以这样改", "个人信息保护法"):
        assert text in page
    assert re.search(r"<code>[0-9a-f]{64}</code>", page)
    assert visitor.get("/negative-lists/weapons").status_code == 404


@pytest.mark.parametrize("path", ["/negative-lists", "/negative-lists/common", "/negative-lists/finance"])
def test_lists_are_read_in_english_apart_from_the_names_of_laws(world, path):
    page = open_browser(world, "en").get(path)
    body = re.sub(r'(?s)<[^>]*lang="zh-CN"[^>]*>.*?</[^>]+>', "", page.text)
    assert not re.search(r"[\u3400-\u9fff]", body), re.findall(r".{0,40}[\u3400-\u9fff]+.{0,40}", body)[:8]


def test_programs_read_the_lists_whole(world):
    lists = open_browser(world).get("/api/v1/negative-lists").get_json()["lists"]
    assert {each["domain"] for each in lists} == set(DOMAINS)
    assert all(each["body"]["rules"] and len(each["digest"]) == 64 for each in lists)


def test_a_firm_sees_the_verdict_before_it_applies(world):
    answer = resume(world, "applicant").post(
        "/api/v1/screenings", json={"dataset": DATASET, "columns": [PLATE, "lot_id"]}
    )
    assert answer.status_code == 200
    verdict = answer.get_json()
    assert (verdict["outcome"], verdict["floor"], verdict["ceiling"]) == ("prohibit", "prohibit", "prohibit")
    assert verdict["columns"][PLATE]["own_outcome"] == "prohibit"
    assert verdict["columns"]["lot_id"]["own_outcome"] == "pass"
    assert verdict["facts"]["applicant_kind"] == "enterprise"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dataset": DATASET, "columns": ["salary"]}, 422),
        ({"dataset": DATASET, "columns": []}, 422),
        ({"dataset": DATASET, "columns": ["lot_id"], "unit": "rival"}, 422),
        ({"dataset": DATASET, "columns": ["lot_id"], "purpose": "spying"}, 422),
        ({"dataset": DATASET, "columns": ["lot_id"], "delivery": "fax"}, 422),
        ({"dataset": DATASET, "columns": ["lot_id"], "retention_days": -1}, 422),
        ({"dataset": "nothing", "columns": ["lot_id"]}, 404),
    ],
)
def test_what_cannot_be_judged_is_refused(world, body, status):
    assert resume(world, "applicant").post("/api/v1/screenings", json=body).status_code == status


def test_only_firms_ask_for_a_screening(world):
    body = {"dataset": DATASET, "columns": ["lot_id"]}
    assert open_browser(world).post("/api/v1/screenings", json=body).status_code == 401
    assert resume(world, "steward").post("/api/v1/screenings", json=body).status_code == 403
