"""What a supervisor asks: whether the process lives, whether it can serve, and a few gauges."""

import shutil
from datetime import timedelta

import pytest

from service.audit import actions
from service.base import clock, db
from service.base.roles import Role


def _told_at(ago):
    with db.writing() as session:
        now = clock.now(session) - ago
        actions.record(session, subject="unit:u1", kind="unit:change", by="p1", now=now)


def test_a_living_process_says_so(app, visitor):
    assert visitor.get("/healthz").json == {"status": "ok"}


def test_a_service_is_ready_and_says_how_long_the_log_has_waited_for_its_seal(app, visitor):
    assert visitor.get("/readyz").json == {"status": "ok", "warnings": [], "unsealed": 0}
    _told_at(timedelta(seconds=30))
    assert visitor.get("/readyz").json == {"status": "ok", "warnings": [], "unsealed": 1}
    _told_at(timedelta(seconds=90))
    assert visitor.get("/readyz").json == {"status": "ok", "warnings": ["audit-unsealed"], "unsealed": 2}


def test_a_service_without_its_store_is_not_ready(sqlite_app, store):
    shutil.rmtree(store)
    answer = sqlite_app.test_client().get("/readyz", base_url="http://127.0.0.1:8000")
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(("role", "status"), [(Role.OPERATOR, 200), (Role.AUDITOR, 403)])
def test_gauges_are_for_the_machine_itself_and_for_operators(enter, role, status):
    far = {"REMOTE_ADDR": "203.0.113.7"}
    assert enter(role).get("/metrics", environ_overrides=far).status_code == status


def test_gauges_count_what_waits_for_its_seal(app, visitor):
    _told_at(timedelta(0))
    assert "qiantang_audit_unsealed 1\n" in visitor.get("/metrics").text
