"""A grant's day is never charged beyond its limit, however many answers are on their way; and none is counted twice."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.base import clock, db
from service.base.beijing import day_of
from service.catalogue.tables import Dataset
from service.data import gate, jobs, store
from service.data.gate import Admitted, Asked, Meter
from service.data.gate.quota import LAPSE
from service.data.rules.quota import Amount, Quota
from service.data.rules.refusals import QuotaSpent
from service.data.tables import Reservation, UsageEvent
from service.grants.tables import Grant, ReleasedView

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
ROWS, SIZE = 200_000, 64 << 20
QUOTA = Quota(rows_per_day=ROWS, bytes_per_day=SIZE)


def _grant() -> Grant:
    return Grant(
        id="g1", unit_id="firm", dataset_id="d", application_id="a", columns=["x"], semantics={}, row_filter={},
        transforms=[], delivery=["download"], purpose="p", starts_at=NOW, ends_at=NOW + timedelta(days=900),
        dataset_version=1, rests_on={}, created_at=NOW, namespace="g1",
    )  # fmt: skip


@pytest.fixture
def charged(database):
    """A grant with limits; return a function that makes a meter of one answer under it."""
    return _prepare()


def _prepare():
    with db.writing() as session:
        session.add(_grant())
    with db.reading() as session:
        grant = session.get(Grant, "g1")
        at = clock.now(session)
    view = ReleasedView(id="v1", subject="grant:g1", grant_id="g1", dataset_id="d", dataset_version=1, recipe={},
                        recipe_digest="r", state="ready", claimed_at=NOW, beat_at=NOW, columns=[])  # fmt: skip
    admitted = Admitted(Dataset(id="d", openness="restricted", level=3), view, grant, "c1", ("x",), quota=QUOTA, at=at,
                        credential="token")  # fmt: skip
    asked = Asked("d", None, None, "download")
    return lambda total=None: Meter(admitted, asked, "csv", total)


def _charged(day):
    with db.reading() as session:
        return store.charged_on(session, "g1", day)


def _today():
    with db.reading() as session:
        return day_of(clock.now(session))


def _events():
    with db.reading() as session:
        return session.exec(db.select(UsageEvent).order_by(UsageEvent.id)).all()


def test_an_answer_is_charged_whole_before_its_first_byte_and_written_down_after_its_last(charged):
    meter = charged(Amount(100, 1000))
    meter.reserve()
    assert _charged(_today()) == Amount(100, 1000) and _events() == []
    assert meter.send(Amount(40, 400)) and meter.send(Amount(60, 600))
    meter.end()
    (event,) = _events()
    assert (event.rows, event.size, event.whole, event.client_id, event.credential) == (100, 1000, True, "c1", "token")
    assert _charged(_today()) == Amount(100, 1000)


def test_a_cut_answer_costs_what_was_sent(charged):
    meter = charged(Amount(100, 1000))
    meter.reserve()
    meter.send(Amount(40, 400))
    meter.end()
    assert _charged(_today()) == Amount(40, 400)
    assert [(event.rows, event.whole) for event in _events()] == [(40, False)]


def test_what_is_on_its_way_leaves_no_room_for_another(charged):
    first, second = charged(Amount(ROWS - 10, 5)), charged(Amount(11, 5))
    first.reserve()
    with pytest.raises(QuotaSpent) as refused:
        second.reserve()
    assert refused.value.facts["what"] == "rows" and refused.value.facts["limit"] == ROWS
    first.end()
    second.reserve()
    second.end()


def test_an_answer_of_unknown_length_is_cut_where_the_day_ends(charged):
    meter, sent = charged(), 0
    meter.reserve()
    while meter.send(Amount(10, 1 << 20)):
        sent += 1
    meter.end()
    assert sent == 64 and _charged(_today()) == Amount(640, SIZE)


def test_a_dead_worker_s_answer_is_written_down_as_far_as_it_was_known_and_frees_the_rest(charged):
    meter = charged(Amount(ROWS, 1000))
    meter.reserve()
    meter.send(Amount(300, 30))
    assert meter.keep()
    meter.send(Amount(100, 10))
    clock.set_shift(LAPSE + timedelta(seconds=5))
    assert jobs.settle_lapsed() == 1 and jobs.settle_lapsed() == 0
    assert [(event.rows, event.size, event.whole) for event in _events()] == [(300, 30, False)]
    assert not meter.keep(), "the worker was not dead: its answer breaks off"
    meter.end()
    assert [(event.rows, event.size) for event in _events()] == [(300, 30), (100, 10)]


def test_whoever_charges_next_settles_what_has_lapsed(charged):
    lost = charged(Amount(ROWS, 1))
    lost.reserve()
    clock.set_shift(LAPSE + timedelta(seconds=5))
    late = charged(Amount(ROWS, 1))
    late.reserve()
    late.end()
    with db.reading() as session:
        assert session.exec(db.select(Reservation)).all() == []


def test_an_answer_counts_on_the_day_it_was_admitted(charged):
    meter, today = charged(Amount(10, 10)), _today()
    meter.reserve()
    meter.send(Amount(10, 10))
    clock.set_shift(timedelta(days=1))
    meter.end()
    assert _charged(today) == Amount(10, 10) and _charged(today + timedelta(days=1)) == Amount()


def test_many_workers_at_once_take_no_more_than_there_is(charged):
    taken, lock = [], threading.Lock()

    def download():
        meter = charged(Amount(30_000, 1000))
        try:
            meter.reserve()
        except QuotaSpent:
            return
        meter.send(Amount(30_000, 1000))
        with lock:
            taken.append(1)
        meter.end()

    threads = [threading.Thread(target=download) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == ROWS // 30_000
    assert _charged(_today()).rows == len(taken) * 30_000


class Interleaved(RuleBasedStateMachine):
    """Answers that begin, send, say how far they are and end in any order."""

    database = None  # a function that makes a fresh one

    @initialize()
    def begin_day(self):
        db.connect(Interleaved.database().url)
        clock.set_shift(timedelta(0))
        self.make = _prepare()
        self.open, self.sent, self.lost = [], Amount(), 0

    @rule(rows=st.integers(0, 90_000), size=st.integers(1, 30 << 20))
    def begin(self, rows, size):
        meter = self.make(Amount(rows, size))
        try:
            meter.reserve()
            self.open.append(meter)
        except QuotaSpent:
            assert not _fits(Amount(rows, size))

    @rule()
    def begin_unknown(self):
        meter = self.make()
        try:
            meter.reserve()
            self.open.append(meter)
        except QuotaSpent:
            pass

    @precondition(lambda self: self.open)
    @rule(data=st.data(), part=st.floats(0, 1))
    def send(self, data, part):
        meter = data.draw(st.sampled_from(self.open))
        total = meter.total or Amount(60_000, 20 << 20)
        more = Amount(
            min(int(total.rows * part), max(0, total.rows - meter.sent.rows)),
            min(int(total.size * part), max(0, total.size - meter.sent.size)),
        )
        if meter.send(more):
            self.sent += more

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def keep(self, data):
        data.draw(st.sampled_from(self.open)).keep()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data):
        meter = data.draw(st.sampled_from(self.open))
        self.open.remove(meter)
        meter.end()

    @rule(rows=st.integers(0, 50_000), size=st.integers(0, 9 << 20))
    def answer_at_once(self, rows, size):
        meter = self.make()
        try:
            gate.charge(meter.admitted, meter.asked, "rows", Amount(rows, size))
            self.sent += Amount(rows, size)
        except QuotaSpent:
            assert not _fits(Amount(rows, size))

    @invariant()
    def no_more_than_there_is(self):
        if hasattr(self, "make"):
            charged = _charged(_today())
            assert charged.rows <= ROWS and charged.size <= SIZE
            assert charged.rows >= self.sent.rows and charged.size >= self.sent.size

    def teardown(self):
        if not hasattr(self, "make"):
            return
        for meter in self.open:
            meter.end()
        assert _charged(_today()) == self.sent
        assert sum(event.size for event in _events()) == self.sent.size
        db.engine().dispose()


def test_no_interleaving_of_answers_passes_the_limit_or_loses_a_byte(make_sqlite):
    Interleaved.database = staticmethod(make_sqlite)
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    run_state_machine_as_test(
        Interleaved,
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=checks),
    )


def _fits(amount):
    charged = _charged(_today())
    return charged.rows + max(1, amount.rows) <= ROWS and charged.size + max(1, amount.size) <= SIZE
