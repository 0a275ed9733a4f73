"""A grant that was given back, and what is kept of refusals, as both engines read them."""

from datetime import timedelta

import pytest

from service.base import db
from service.base.errors import NotFound, WrongState
from service.grants import actions
from service.grants import store as grants
from service.oauth import actions as clients
from service.oauth import rules
from service.oauth import store as tokens
from service.oauth.rules import Usable
from tests.store import granted
from tests.store.granted import NOW

PEPPER = b"pepper"


@pytest.fixture
def grant(database, store, tmp_path):
    """A live grant of the firm."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(10), tmp_path)
        return granted.issue(session, days=20)


def _hand_back(grant, by="manager"):
    with db.writing() as session:
        return actions.hand_back(session, grant.id, by=by, now=NOW + timedelta(hours=1), reason="不再需要")


def test_what_was_given_back_is_dead_for_the_token_that_was_won_before(grant):
    with db.writing() as session:
        client, _secret = clients.create_client(
            session, unit_id="firm", grant_id=grant.id, name="系统", pepper=PEPPER, by="manager", now=NOW
        )
        usable = Usable(grant.id, grant.dataset_id, tuple(grant.columns), grant.ends_at)
        secret_id = tokens.secrets_in_use(session, client.id)[0].id
        token, _row = clients.issue(session, client.id, secret_id, [usable], location="", now=NOW)
    _hand_back(grant)
    with db.reading() as session:
        bearer = tokens.bearer(session, rules.digest(token), granted.DATASET)
        for covered in (*bearer.grants, *tokens.grants_of(session, client.id)):
            assert covered.refusal(now=NOW + timedelta(hours=2)).code == "grant-returned"


def test_nothing_more_is_done_for_it(grant):
    with db.reading() as session:
        retake = {"now": NOW, "retake_before": NOW, "limit": 9}
        assert list(grants.without_view(session, **retake)) == [(grant.id, 1)]
        assert len(grants.live(session, "firm", now=NOW)) == len(grants.unended(session, "firm", now=NOW)) == 1
    _hand_back(grant)
    with db.reading() as session:
        assert list(grants.without_view(session, **retake)) == []
        assert list(grants.live(session, "firm", now=NOW)) == []
        assert len(grants.unended(session, "firm", now=NOW)) == 1  # what was read is read: requests are judged with it
        due = {"more_than": timedelta(days=7), "at_most": timedelta(days=30), "now": NOW + timedelta(days=1)}
        assert list(grants.reminders_due(session, 30, **due, limit=9)) == []
        assert grants.handbacks(session, [grant.id, "other"]).keys() == {grant.id}


def test_it_is_given_back_once_and_by_the_units_manager(grant):
    for stranger in ("rival", "steward", "reviewer", "operator"):
        with pytest.raises(NotFound):
            _hand_back(grant, by=stranger)
    _hand_back(grant)
    with pytest.raises(WrongState):
        _hand_back(grant)
    with db.reading() as session:
        kept = grants.handback(session, grant.id)
        assert (kept.by, kept.at, kept.reason) == ("manager", NOW + timedelta(hours=1), "不再需要")


def test_refused_requests_are_kept_once_newest_first_and_forgotten_in_time(database):
    def note(number: str, days: int, unit: str = "firm") -> None:
        with db.writing() as session:
            tokens.note_refusal(
                session, id=number, at=NOW - timedelta(days=days), unit_id=unit, client_id="c", grant_id=None,
                dataset_id=None, endpoint="token", code="invalid-client", status=401, facts={},
            )  # fmt: skip

    for number, days in (("a", 31), ("b", 2), ("c", 1), ("c", 1)):
        note(number, days)
    note("d", 1, unit="other")
    with db.writing() as session:
        assert [row.id for row in tokens.refusals_of(session, "firm", limit=9)] == ["c", "b", "a"]
        assert tokens.forget_refusals(session, before=NOW - timedelta(days=30)) == 1
        assert [row.id for row in tokens.refusals_of(session, "firm", limit=9)] == ["c", "b"]
        with pytest.raises(NotFound):
            tokens.refusal(session, "a")
