"""Grants in the database: issued, live by the clock, suspended, reminded of; on both engines."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from service.audit.tables import Event
from service.base import clock, db
from service.base.errors import Changed, Duplicate, NotFound, SecondPersonRequired, WrongState
from service.grants import actions, jobs, rules, store
from service.grants.rules import BadRecipe, NotEnforceable
from service.grants.tables import Suspension
from service.notices.tables import Outbox
from tests.store import granted
from tests.store.granted import NOW

DAY = timedelta(days=1)


@pytest.fixture
def ready(database, store, tmp_path):
    """A database of each engine with the people, the dataset and one version of it."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(20), tmp_path)
    return database


@pytest.fixture
def grant(ready):
    with db.writing() as session:
        return granted.issue(session)


def _suspend(grant, by="steward", now=NOW):
    with db.writing() as session:
        return actions.suspend(session, grant.id, cause="发现异常取数", by=by, now=now)


def _told(kind):
    with db.reading() as session:
        return list(session.exec(db.select(Outbox).where(Outbox.kind == kind)))


def _acts(grant):
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"grant:{grant.id}").order_by(Event.version))
        return [(event.version, event.kind) for event in events]


def _set_clock(at):
    with db.reading() as session:
        clock.set_shift(at - clock.database_now(session))


# ---- issuing --------------------------------------------------------------------------------------------------------


def test_an_issued_grant_is_live_told_and_in_the_log(grant):
    with db.reading() as session:
        assert [found.id for found in store.live(session, "firm", now=NOW)] == [grant.id]
        assert store.live(session, "stranger", now=NOW) == []
    assert _acts(grant) == [(1, "grant:issue")]
    (entry,) = _told("grant-issued")
    assert entry.to_unit == "firm"
    assert entry.facts["dataset"]["zh"] == "停车场进出记录"


def test_an_application_wins_a_dataset_once(grant):
    with pytest.raises(Duplicate), db.writing() as session:
        granted.issue(session)


def test_the_database_itself_holds_that_an_application_wins_a_dataset_once(grant):
    copy = grant.model_copy(update={"id": "another"})
    with pytest.raises(IntegrityError), db.writing() as session:
        session.add(type(grant)(**copy.model_dump()))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"delivery": ["secure_env"]}, NotEnforceable),
        ({"transforms": [{"kind": "keyed_hash"}]}, NotEnforceable),
        ({"columns": ["lot_id", "colour"]}, BadRecipe),
        ({"columns": []}, BadRecipe),
        ({"row_filter": {"owner": "x"}}, BadRecipe),
        ({"rests_on": {}}, ValueError),
        ({"delivery": []}, ValueError),
        ({"ends_at": NOW}, ValueError),
        ({"starts_at": NOW + 400 * DAY}, ValueError),
    ],
)
def test_a_grant_that_could_not_be_kept_does_not_come_into_being(ready, changes, refusal):
    with pytest.raises(refusal), db.writing() as session:
        granted.issue(session, **changes)
    with db.reading() as session:
        assert store.of_unit(session, "firm") == []


# ---- ending ---------------------------------------------------------------------------------------------------------


def test_a_grant_ends_by_the_clock_and_nothing_runs_to_end_it(grant):
    with db.reading() as session:
        assert store.live(session, "firm", now=grant.ends_at - timedelta(microseconds=1))
        assert store.live(session, "firm", now=grant.ends_at) == []
        assert store.live(session, "firm", now=NOW - DAY) == []


# ---- suspension -----------------------------------------------------------------------------------------------------


def test_a_suspension_bites_at_once_and_tells_the_unit_and_the_officers(grant):
    _suspend(grant)
    with db.reading() as session:
        assert store.live(session, "firm", now=NOW) == []
    (unit,) = _told("grant-suspended")
    assert (unit.to_unit, unit.facts["cause"]) == ("firm", "发现异常取数")
    assert {(one.to_unit, one.to_role) for one in _told("suspension-to-confirm")} == {
        (None, "authority"), ("source", "steward"),
    }  # fmt: skip


def test_a_second_officer_confirms_and_anyone_who_oversees_lifts(grant):
    _suspend(grant)
    with pytest.raises(SecondPersonRequired), db.writing() as session:
        actions.confirm_suspension(session, grant.id, by="steward", now=NOW)
    with db.writing() as session:
        actions.confirm_suspension(session, grant.id, by="reviewer", now=NOW)
    with pytest.raises(WrongState), db.writing() as session:
        actions.confirm_suspension(session, grant.id, by="second", now=NOW)
    with db.writing() as session:
        actions.lift(session, grant.id, by="steward", now=NOW + DAY, reason="核查无异常")
    with db.reading() as session:
        assert store.live(session, "firm", now=NOW + DAY)
        (row,) = session.exec(db.select(Suspension)).all()
    assert (row.confirmed_by, row.lifted_by, row.lift_reason) == ("reviewer", "steward", "核查无异常")
    assert [kind for _version, kind in _acts(grant)] == ["grant:issue", "grant:suspend", "grant:confirm", "grant:lift"]
    assert [version for version, _kind in _acts(grant)] == [1, 2, 3, 4]
    assert len(_told("suspension-confirmed")) == len(_told("suspension-lifted")) == 1


@pytest.mark.parametrize("by", ["manager", "rival", "outsider", "operator"])
def test_to_whoever_does_not_oversee_a_grant_it_does_not_exist(grant, by):
    for act in (actions.confirm_suspension, actions.lift):
        with pytest.raises(NotFound), db.writing() as session:
            act(session, grant.id, by=by, now=NOW)
    with pytest.raises(NotFound):
        _suspend(grant, by=by)
    assert _acts(grant) == [(1, "grant:issue")]


def test_an_unknown_grant_is_not_found(ready):
    with pytest.raises(NotFound), db.writing() as session:
        actions.suspend(session, "nosuchgrant", cause="核查", by="reviewer", now=NOW)


def test_a_suspended_or_ended_grant_is_not_suspended_again(grant):
    _suspend(grant)
    with pytest.raises(WrongState):
        _suspend(grant, by="reviewer")
    with db.writing() as session:
        actions.lift(session, grant.id, by="reviewer", now=NOW)
    with pytest.raises(WrongState), db.writing() as session:
        actions.lift(session, grant.id, by="reviewer", now=NOW)
    with pytest.raises(WrongState):
        _suspend(grant, now=grant.ends_at)


def test_of_two_officers_who_suspend_at_once_one_wins(grant):
    ready, outcomes = threading.Barrier(2), []

    def suspend(by):
        ready.wait()
        try:
            _suspend(grant, by=by)
            outcomes.append("suspended")
        except (Changed, WrongState) as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=suspend, args=(by,)) for by in ("steward", "reviewer")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("suspended") == 1
    assert [kind for _version, kind in _acts(grant)] == ["grant:issue", "grant:suspend"]


def test_the_database_itself_holds_one_open_suspension_a_grant(grant):
    _suspend(grant)
    with pytest.raises(IntegrityError), db.writing() as session:
        session.add(Suspension(id="second", grant_id=grant.id, cause="核查", by="reviewer", at=NOW))


# ---- overdue confirmations ------------------------------------------------------------------------------------------


def test_the_authority_is_told_once_of_an_overdue_confirmation_and_nothing_else_happens(grant, weekdays):
    _suspend(grant)
    _set_clock(NOW + timedelta(hours=37))  # Tuesday 23:00 in Beijing
    assert jobs.flag_unconfirmed_suspensions() == 0
    _set_clock(NOW + timedelta(hours=39))  # Wednesday
    assert jobs.flag_unconfirmed_suspensions() == 1
    assert jobs.flag_unconfirmed_suspensions() == 0
    (entry,) = _told("suspension-unconfirmed")
    assert entry.to_role == "authority"
    with db.reading() as session:
        held = store.open_suspension(session, grant.id)
    assert held is not None
    assert held.confirmed_at is None
    assert len(_acts(grant)) == 2


@pytest.mark.parametrize("act", [actions.confirm_suspension, actions.lift])
def test_a_suspension_that_was_confirmed_or_lifted_is_not_flagged(grant, weekdays, act):
    _suspend(grant)
    with db.writing() as session:
        act(session, grant.id, by="reviewer", now=NOW)
    _set_clock(NOW + 9 * DAY)
    assert jobs.flag_unconfirmed_suspensions() == 0


# ---- reminders ------------------------------------------------------------------------------------------------------


def test_a_unit_is_reminded_30_7_and_1_days_ahead_each_once(grant):
    for days_left, expected in ((31, 0), (30, 1), (29, 0), (7, 1), (6, 0), (1, 1), (0.5, 0), (0, 0)):
        _set_clock(grant.ends_at - days_left * DAY + timedelta(seconds=5))
        assert jobs.remind_of_expiry() == expected, days_left
        assert jobs.remind_of_expiry() == 0
    told = _told("grant-ends")
    assert sorted(entry.facts["days"] for entry in told) == [1, 7, 30]
    assert {entry.to_unit for entry in told} == {"firm"}


def test_after_an_outage_only_the_nearest_reminder_goes_out(grant):
    _set_clock(grant.ends_at - timedelta(hours=12))
    assert jobs.remind_of_expiry() == 1
    assert [entry.facts["days"] for entry in _told("grant-ends")] == [1]


def test_two_replicas_remind_once(grant):
    _set_clock(grant.ends_at - 7 * DAY + timedelta(seconds=5))
    ready, sent = threading.Barrier(4), []

    def remind():
        ready.wait()
        sent.append(jobs.remind_of_expiry())

    threads = [threading.Thread(target=remind) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [0, 0, 0, 1]
    assert len(_told("grant-ends")) == 1


@pytest.fixture
def weekdays():
    """Use the shipped policies: their calendar says that 24 November 2026 is a working day."""
    from service.base.settings import resource_dir
    from service.policy import engine as policy

    policy.use(policy.load(resource_dir("policies")))


def test_refusals_of_a_live_grant_are_none_after_lifting(grant):
    _suspend(grant)
    with db.reading() as session:
        held = store.open_suspension(session, grant.id)
        refused = rules.refusal(store.grant(session, grant.id), suspended=held is not None, returned_at=None, now=NOW)
    assert refused is not None
    assert refused.code == "grant-suspended"
