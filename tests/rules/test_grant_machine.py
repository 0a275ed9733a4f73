"""A grant's whole life against a model: issued, suspended, confirmed, lifted, given back, and ended by the clock."""

import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from service.audit.tables import Event
from service.base import blobs, db
from service.base.beijing import end_of_day
from service.base.errors import NotFound, SecondPersonRequired, WrongState
from service.grants import actions, rules, store
from service.grants.rules import GrantStanding
from service.migrations import load_tables
from tests.store import granted

OFFICERS = ("steward", "second", "reviewer")
ANYBODY = st.sampled_from([*OFFICERS, "outsider", "manager", "operator"])


@dataclass
class Model:
    """What a grant should be: its term, who holds it suspended, and how many acts there were."""

    starts_at: datetime
    ends_at: datetime
    suspended_by: str | None = None
    confirmed: bool = False
    returned_at: datetime | None = None
    acts: int = 1

    def standing(self, now: datetime) -> GrantStanding:
        if self.returned_at:
            return GrantStanding.RETURNED
        if now >= self.ends_at:
            return GrantStanding.ENDED
        if self.suspended_by:
            return GrantStanding.SUSPENDED
        return GrantStanding.LIVE if now >= self.starts_at else GrantStanding.NOT_STARTED


@cache
def _template() -> Path:
    """Return a database with the people and the dataset; made once."""
    load_tables()
    folder = Path(mkdtemp(prefix="qiantang-machine-"))
    db.connect(f"sqlite:///{folder}/template.db")
    db.metadata.create_all(db.engine())
    blobs.connect(f"file://{folder}/store")
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(10), folder)
    db.engine().dispose()
    return folder


class GrantMachine(RuleBasedStateMachine):
    grants = Bundle("grants")

    @initialize()
    def open(self) -> None:
        folder = _template()
        shutil.copyfile(folder / "template.db", folder / "run.db")
        for leftover in ("run.db-wal", "run.db-shm"):
            (folder / leftover).unlink(missing_ok=True)
        db.connect(f"sqlite:///{folder}/run.db")
        self.now = granted.NOW
        self.models: dict[str, Model] = {}

    @rule(target=grants, days=st.integers(1, 60), delay=st.integers(0, 3))
    def issue(self, days: int, delay: int) -> object:
        if len(self.models) == 3:
            return multiple()
        starts_at = self.now + timedelta(days=delay)
        ends_at = end_of_day(starts_at.date() + timedelta(days=days))
        with db.writing() as session:
            grant = granted.issue(
                session, now=self.now, application=f"a{len(self.models)}", starts_at=starts_at, ends_at=ends_at
            )
        self.models[grant.id] = Model(starts_at, ends_at)
        return grant.id

    @rule(grant=grants, by=ANYBODY)
    def suspend(self, grant: str, by: str) -> None:
        model = self.models[grant]
        if by not in OFFICERS:
            expected: type[Exception] | None = NotFound
        else:
            dead = model.standing(self.now) not in (GrantStanding.LIVE, GrantStanding.NOT_STARTED)
            expected = WrongState if dead or model.suspended_by else None
        with _either(expected), db.writing() as session:
            actions.suspend(session, grant, cause="核查", by=by, now=self.now)
        if expected is None:
            model.suspended_by, model.confirmed, model.acts = by, False, model.acts + 1

    @rule(grant=grants, by=ANYBODY)
    def confirm(self, grant: str, by: str) -> None:
        model = self.models[grant]
        expected: type[Exception] | None = None
        if by not in OFFICERS:
            expected = NotFound
        elif model.suspended_by is None or model.confirmed:
            expected = WrongState
        elif model.suspended_by == by:
            expected = SecondPersonRequired
        with _either(expected), db.writing() as session:
            actions.confirm_suspension(session, grant, by=by, now=self.now)
        if expected is None:
            model.confirmed, model.acts = True, model.acts + 1

    @rule(grant=grants, by=ANYBODY)
    def lift(self, grant: str, by: str) -> None:
        model = self.models[grant]
        expected: type[Exception] | None = NotFound if by not in OFFICERS else None
        if expected is None and model.suspended_by is None:
            expected = WrongState
        with _either(expected), db.writing() as session:
            actions.lift(session, grant, by=by, now=self.now)
        if expected is None:
            model.suspended_by, model.confirmed, model.acts = None, False, model.acts + 1

    @rule(grant=grants, by=ANYBODY)
    def hand_back(self, grant: str, by: str) -> None:
        model = self.models[grant]
        expected: type[Exception] | None = NotFound if by != "manager" else None
        if expected is None and model.standing(self.now) in (GrantStanding.ENDED, GrantStanding.RETURNED):
            expected = WrongState
        with _either(expected), db.writing() as session:
            actions.hand_back(session, grant, by=by, now=self.now)
        if expected is None:
            model.returned_at, model.acts = self.now, model.acts + 1

    @rule(hours=st.integers(1, 24 * 20))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def what_is_live_is_what_the_model_says(self) -> None:
        if not hasattr(self, "models"):
            return
        with db.reading() as session:
            live = {grant.id for grant in store.live(session, "firm", now=self.now)}
            for grant_id, model in self.models.items():
                grant, held = store.grant(session, grant_id), store.open_suspension(session, grant_id)
                given_back = store.handback(session, grant_id)
                found = {"suspended": held is not None, "returned_at": given_back.at if given_back else None}
                assert rules.standing(grant, **found, now=self.now) is model.standing(self.now)
                assert grant.version == model.acts
                refused = rules.refusal(grant, **found, now=self.now)
                assert (refused is None) == (grant_id in live) == (model.standing(self.now) is GrantStanding.LIVE)

    @invariant()
    def every_act_is_in_the_log_once(self) -> None:
        if not hasattr(self, "models"):
            return
        with db.reading() as session:
            for grant_id, model in self.models.items():
                told = session.exec(db.select(Event.version).where(Event.subject == f"grant:{grant_id}")).all()
                assert sorted(told) == list(range(1, model.acts + 1))

    def teardown(self) -> None:
        db.engine().dispose()


def _either(expected: type[Exception] | None):
    """Expect a refusal, or none."""
    return pytest.raises(expected) if expected else nullcontext()


GrantMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestGrantMachine = GrantMachine.TestCase
