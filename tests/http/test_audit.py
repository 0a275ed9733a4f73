"""The log from outside: proofs for everybody, events for the auditor, opening after a restore for two persons."""

from datetime import UTC, datetime, timedelta

import pytest

from service.audit import actions, jobs, rules
from service.base import db, state
from service.base.roles import PERSONS, Role
from tests.merkle import extends, includes

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def log(app, tmp_path):
    """Five sealed events; returns their ids."""
    with db.writing() as session:
        ids = [
            actions.record(session, subject="unit:u1", kind="unit:change", by="p1", now=NOW, facts={"n": n})
            for n in range(5)
        ]
    jobs.seal(tmp_path)
    return ids


def test_anybody_may_keep_a_checkpoint(log, visitor):
    answer = visitor.get("/audit/checkpoint")
    assert answer.status_code == 200
    assert rules.checkpoint_from(answer.json).size == 5


def test_a_proof_proves_an_event_and_tells_nothing(log, visitor):
    for position, event in enumerate(log):
        proof = visitor.get(f"/audit/proof/{event}").json
        head = rules.checkpoint_from(proof["checkpoint"])
        path = [bytes.fromhex(step) for step in proof["path"]]
        assert proof["position"] == position
        leaf = bytes.fromhex(proof["leaf"])
        assert includes(leaf, position, head.size, path, bytes.fromhex(head.root))
        assert "unit" not in str(proof)


def test_a_log_proves_that_it_only_grew(log, visitor, tmp_path):
    old = visitor.get("/audit/checkpoint").json
    with db.writing() as session:
        actions.record(session, subject="unit:u1", kind="unit:change", by="p1", now=NOW)
    jobs.seal(tmp_path)
    new = visitor.get("/audit/checkpoint").json
    path = visitor.get(f"/audit/consistency?old={old['size']}").json["path"]
    roots = bytes.fromhex(old["root"]), bytes.fromhex(new["root"])
    assert extends(5, roots[0], 6, roots[1], [bytes.fromhex(step) for step in path])
    assert visitor.get("/audit/consistency?old=7").status_code == 404
    assert visitor.get("/audit/consistency?old=x").status_code == 422


@pytest.mark.parametrize("path", ["/audit/checkpoint", "/audit/proof/none", "/audit/consistency?old=0"])
def test_an_empty_log_has_nothing_to_prove(app, visitor, path):
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert answer.headers["Qiantang-Problem"] == "not-found"


def test_the_auditor_reads_what_happened_and_can_check_it(log, enter):
    answer = enter(Role.AUDITOR).get("/audit/events?subject=unit:u1")
    events = answer.json["events"]
    assert [event["facts"]["n"] for event in events] == [0, 1, 2, 3, 4]
    assert events[0]["title"] == "单位·变更信息"
    told = rules.Act(
        log[0], "unit:u1", 1, "unit:change", "p1", datetime.fromisoformat(events[0]["at"]), events[0]["facts"]
    )
    assert rules.commitment(told, bytes.fromhex(events[0]["salt"])).hex() == events[0]["commitment"]


def test_the_auditor_pages_through_all_events(log, enter):
    auditor = enter(Role.AUDITOR)
    first = auditor.get("/audit/events?limit=3").json["events"]
    rest = auditor.get(f"/audit/events?limit=1000&after={first[-1]['id']}").json["events"]
    ids = [event["id"] for event in first + rest]
    assert ids == sorted(ids)
    assert set(log) <= set(ids)
    assert auditor.get("/audit/events?limit=0").status_code == 422


@pytest.mark.parametrize("role", sorted(PERSONS - {Role.AUDITOR}))
def test_events_are_the_auditor_s_alone(log, enter, visitor, role):
    assert visitor.get("/audit/events").status_code == 401
    assert enter(role).get("/audit/events").status_code == 403


def test_two_persons_open_a_restored_service(app, enter):
    operator, auditor = enter(Role.OPERATOR), enter(Role.AUDITOR)
    assert operator.post("/audit/openings").status_code == 409
    with db.writing() as session:
        state.shut(session, reason="restore")
    assert operator.post("/audit/openings").json == {"open": False}
    again = operator.post("/audit/openings")
    assert (again.status_code, again.headers["Qiantang-Problem"]) == (403, "second-person-required")
    assert auditor.post("/audit/openings").json == {"open": True}
    with db.reading() as session:
        state.demand_open(session)


def test_only_a_fresh_officer_opens_a_restored_service(app, enter, visitor):
    with db.writing() as session:
        state.shut(session, reason="restore")
    assert visitor.post("/audit/openings").status_code == 401
    assert enter(Role.STEWARD).post("/audit/openings").status_code == 403
    stale = enter(Role.OPERATOR, ago=timedelta(minutes=16)).post("/audit/openings")
    assert stale.headers["Qiantang-Problem"] == "fresh-login-required"


def test_no_data_leaves_a_restored_service(app, visitor):
    with db.writing() as session:
        state.shut(session, reason="restore")
    answer = visitor.get("/api/v1/datasets/any/rows")
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (503, "data-plane-shut")
    assert answer.headers["Retry-After"] == "600"
