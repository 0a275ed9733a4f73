"""The outbox: said with the act, delivered once, tried again, in the end shown as failed; who sees which notice."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from service.base import clock, db
from service.base.errors import NotFound
from service.base.i18n import speaking
from service.base.roles import Role
from service.notices import actions, jobs, rules, store
from service.notices.tables import Notice, Outbox

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
FACTS = {"grant": "g1", "dataset": {"zh": "停车场进出记录", "en": "Car park records"}, "day": "2026-12-31"}
MANAGER = {"unit_id": "firm", "person_id": "manager", "roles": {Role.MANAGER}}
RIVAL = {"unit_id": "stranger", "person_id": "rival", "roles": {Role.MANAGER}}
STEWARD = {"unit_id": "source", "person_id": "steward", "roles": {Role.STEWARD}}
REVIEWER = {"unit_id": "bureau", "person_id": "reviewer", "roles": {Role.AUTHORITY}}


def _put(kind="grant-issued", facts=FACTS, **to):
    with db.writing() as session:
        actions.put(session, kind=kind, facts=facts, now=NOW, **(to or {"to_unit": "firm"}))


def _texts(reader):
    with db.reading() as session:
        return [rules.text(notice.kind, notice.facts) for notice, _read in store.listed(session, **reader)]


def _unread(reader):
    with db.reading() as session:
        listed = sum(not read for _notice, read in store.listed(session, **reader))
        assert store.unread(session, **reader) == listed  # what the page's head says is what its list shows
        return listed


def _outbox():
    with db.reading() as session:
        return list(session.exec(db.select(Outbox)))


def _clock_at(at):
    with db.reading() as session:
        clock.set_shift(at - clock.database_now(session))


@pytest.fixture(autouse=True)
def at_now(request):
    if "database" in request.fixturenames:
        request.getfixturevalue("database")
        _clock_at(NOW)


# ---- saying ---------------------------------------------------------------------------------------------------------


def test_what_was_said_in_a_transaction_that_failed_was_not_said(database):
    with pytest.raises(RuntimeError), db.writing() as session:
        actions.put(session, kind="grant-issued", to_unit="firm", facts=FACTS, now=NOW)
        raise RuntimeError
    assert _outbox() == []


def test_the_same_key_says_nothing_twice(database):
    for _ in range(2):
        _put(to_unit="firm", key="once")
    assert len(_outbox()) == 1


@pytest.mark.parametrize("wrong", [{"kind": "gossip"}, {"to_unit": None}])
def test_an_unknown_kind_or_nobody_to_tell_is_a_mistake(database, wrong):
    given = {"kind": "grant-issued", "to_unit": "firm", "facts": FACTS, "now": NOW} | wrong
    with pytest.raises(ValueError), db.writing() as session:
        actions.put(session, **given)


# ---- delivering -----------------------------------------------------------------------------------------------------


def test_a_delivered_notice_is_read_by_each_person_of_the_unit_and_by_no_other(database):
    _put()
    assert jobs.deliver() == 1
    assert jobs.deliver() == 0
    assert _texts(MANAGER) == ["数据使用授权已生效：停车场进出记录，有效期至 2026年12月31日 24:00。"]
    assert _texts(RIVAL) == _texts(STEWARD) == _texts(REVIEWER) == []
    assert _unread(MANAGER) == 1


def test_a_unit_and_a_role_together_mean_the_persons_of_that_unit_in_that_role(database):
    _put(to_unit="source", to_role=Role.STEWARD)
    jobs.deliver()
    assert len(_texts(STEWARD)) == 1
    assert _texts({**STEWARD, "unit_id": "other"}) == []
    assert _texts({**STEWARD, "roles": set()}) == []


def test_a_role_alone_means_all_of_them_and_a_person_alone_means_one(database):
    _put(to_role=Role.AUTHORITY)
    _put(to_person="manager")
    jobs.deliver()
    assert len(_texts(REVIEWER)) == 1
    assert len(_texts(MANAGER)) == 1
    assert _texts({**MANAGER, "person_id": "colleague"}) == []


def test_four_replicas_deliver_once(database):
    for _ in range(5):
        _put()
    ready, sent = threading.Barrier(4), []

    def deliver():
        ready.wait()
        sent.append(jobs.deliver())

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 5
    with db.reading() as session:
        assert len(session.exec(db.select(Notice)).all()) == 5


def test_a_failed_delivery_is_tried_again_and_in_the_end_shown(database):
    _put(facts={"grant": "g1"})  # its text has blanks that nothing fills
    at = NOW
    for tried in range(1, rules.MAX_TRIES + 1):
        assert jobs.deliver() == 0
        (entry,) = _outbox()
        assert entry.tries == tried
        assert "KeyError" in (entry.fault or "")
        assert jobs.deliver() == 0  # not due yet
        at += rules.LONGEST_WAIT + timedelta(seconds=1)
        _clock_at(at)
    (entry,) = _outbox()
    assert entry.failed_at is not None
    with db.reading() as session:
        assert [failed.id for failed in store.failed(session)] == [entry.id]
        assert session.exec(db.select(Notice)).all() == []
    assert jobs.deliver() == 0


def test_one_that_fails_does_not_hold_up_the_others(database):
    _put(facts={"grant": "g1"})
    _put()
    assert jobs.deliver() == 1


def test_waits_grow_from_a_minute_to_six_hours_and_then_stop():
    waits = [rules.wait(tries) for tries in range(1, rules.MAX_TRIES + 1)]
    assert waits[0] == timedelta(minutes=1)
    assert waits[-1] is None
    spans = [wait for wait in waits if wait is not None]
    assert spans == sorted(spans)
    assert max(spans) <= timedelta(hours=6)
    assert sum(spans, timedelta()) > timedelta(hours=8)


# ---- reading --------------------------------------------------------------------------------------------------------


def test_reading_is_each_persons_own(database):
    _put()
    jobs.deliver()
    with db.reading() as session:
        ((notice, read),) = store.listed(session, **MANAGER)
    assert read is False
    with db.writing() as session:
        for _ in range(2):
            actions.read(session, notice.id, unit_id="firm", by="manager", roles={Role.MANAGER}, now=NOW)
    assert _unread(MANAGER) == 0
    assert _unread({**MANAGER, "person_id": "colleague"}) == 1


def test_another_units_notice_does_not_exist(database):
    _put()
    jobs.deliver()
    with db.reading() as session:
        ((notice, _read),) = store.listed(session, **MANAGER)
    with pytest.raises(NotFound), db.writing() as session:
        actions.read(session, notice.id, unit_id="stranger", by="rival", roles={Role.MANAGER}, now=NOW)


# ---- texts ----------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "number": "SQ-2026-000001", "dataset": {"zh": "停车场进出记录", "en": "Car park records"}, "application": "a1",
    "due": "2026-12-01T16:00:00+00:00", "unit": {"zh": "甲公司", "en": "Firm A"}, "grant": "g1", "day": "2026-12-31",
    "days": 7, "at": "2026-11-23T02:00:00+00:00", "cause": "a cause", "id": "parking-records", "version": 1,
    "reasons": "order", "fault": "OSError", "removed": 4, "upload": "u1",
    "what": {"zh": "新增一列", "en": "one column more"},
    "served": 1, "advice": {"zh": "等下一版", "en": "wait for the next version"}, "today": "5", "usual": "1",
    "system": "system-a", "network": "203.0.113.0/24",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(rules.KINDS))
def test_every_kind_has_a_text_in_both_languages_and_leads_somewhere(kind):
    assert rules.path(kind, EVERYTHING).startswith("/")
    chinese = rules.text(kind, EVERYTHING)
    with speaking("en"):
        english = rules.text(kind, EVERYTHING)
    assert chinese != english
    assert "%(" not in chinese + english
    assert not [letter for letter in english if "一" <= letter <= "鿿"]


def test_instants_are_shown_in_beijing_time():
    assert "2026年11月23日 10:00" in rules.text("grant-returned", EVERYTHING)


def test_a_cause_that_ends_in_a_stop_is_not_followed_by_a_second_one():
    told = rules.text("grant-suspended", {**EVERYTHING, "cause": "收到投诉，先行核查。"})
    assert "先行核查。" in told and "。。" not in told


def test_a_deadline_at_midnight_is_24_00_of_its_last_day():
    assert "2026年12月1日 24:00" in rules.text("suspension-to-confirm", EVERYTHING)
