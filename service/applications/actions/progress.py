"""What became of a case, act by act, and what is still to come: read from its history and its frozen route."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from service.applications import store
from service.applications.rules import State, Verb
from service.applications.tables import Application, Decision, History
from service.base.db import Session
from service.policy.rules.calendar import Clock
from service.screening import engine as judging

INSTANT = timedelta(microseconds=1)  # a deadline at 24:00 falls on the day before
Mark = Literal["done", "now", "next", "stop"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry of a case's timeline.

    `kind` is submit, step, correct, agree or start.  `step` is the route's step, `decision` what was decided there.
    `took` and `allowed` are working days.  The clock of a coming step ends on the latest day that it may be due.
    """

    kind: Literal["submit", "step", "correct", "withdraw", "agree", "start"]
    mark: Mark
    step: dict[str, Any] | None = None
    at: datetime | None = None
    by: str = ""
    took: int | None = None
    allowed: int | None = None
    decision: Decision | None = None
    clock: Clock | None = None


def stages(session: Session, application: Application, decisions: Sequence[Decision], *, now: datetime) -> list[Stage]:
    """Return a case's timeline: every logged act, what it waits for now, and what would follow."""
    history = store.history(session, application.id)
    passed = list(_passed(application, history, {each.seen_version + 1: each for each in decisions}))
    return [*passed, *_ahead(application, now=now)]


def this_round(session: Session, application: Application, decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions taken since the case was last submitted: a correction begins its route anew."""
    sent = [act.version for act in store.history(session, application.id) if act.verb == Verb.SUBMIT]
    return [decision for decision in decisions if decision.seen_version >= max(sent, default=0)]


def total_clock(application: Application, *, now: datetime) -> Clock | None:
    """Return the clock of the whole case while it runs; it begins anew with each submission."""
    total = application.route.get("total") if application.route else None
    if application.state != State.IN_REVIEW or not total or application.submitted_at is None:
        return None
    days = int(total["working_days"])
    return judging.clock_to(judging.due(application.submitted_at, days), days, now=now)


def step_clock(application: Application, *, now: datetime) -> Clock | None:
    """Return the clock of the step that holds the case; a paused one while the unit corrects it, else None."""
    if application.state == State.RETURNED:
        return judging.clock_to(None, 0, now=now)
    if application.state != State.IN_REVIEW:
        return None
    return judging.clock_to(application.due_at, _days(application, application.step), now=now)


def _passed(application: Application, history: Sequence[History], decisions: dict[int, Decision]) -> Iterator[Stage]:
    entered: datetime | None = None
    for act in history:
        verb = Verb(act.verb)
        if verb is Verb.SUBMIT:
            yield Stage("submit", "done", at=act.at, by=act.by)
        elif verb is Verb.WITHDRAW:
            yield Stage("withdraw", "stop", at=act.at, by=act.by)
        elif verb is Verb.SIGN:
            yield Stage("agree", "done", at=act.at, by=act.by)
            yield Stage("start", "done", at=act.at)
        elif decision := decisions.get(act.version):
            yield Stage(
                "step",
                "stop" if verb is Verb.REFUSE else "done",
                step=_step(application, decision.step),
                at=act.at,
                by=act.by,
                took=judging.working_days(entered, act.at) if entered else None,
                allowed=_days(application, decision.step),
                decision=decision,
            )
        entered = act.at


def _ahead(application: Application, *, now: datetime) -> Iterator[Stage]:
    state = State(application.state)
    steps = application.route.get("steps", []) if application.route else []
    if state is State.RETURNED:
        yield Stage("correct", "now", clock=step_clock(application, now=now))
        yield from (Stage("step", "next", step=step) for step in steps)
    elif state is State.IN_REVIEW:
        here = _step(application, application.step)
        yield Stage("step", "now", step=here, clock=step_clock(application, now=now))
        yield from _coming(application, steps[application.step + 1 :], now=now)
    if state in (State.RETURNED, State.IN_REVIEW):
        yield Stage("agree", "next")
    if state is State.APPROVED:
        yield Stage("agree", "now")
    if state in (State.RETURNED, State.IN_REVIEW, State.APPROVED):
        yield Stage("start", "next")


def _coming(application: Application, steps: Sequence[dict[str, Any]], *, now: datetime) -> Iterator[Stage]:
    """Yield the steps to come, each due at the latest when every one before it takes all of its days from now on."""
    latest = max(application.due_at or now, now)
    for step in steps:
        days = int(step["working_days"])
        latest = judging.due(latest - INSTANT, days)
        yield Stage("step", "next", step=step, clock=judging.clock_to(latest, days, now=now))


def _step(application: Application, number: int) -> dict[str, Any]:
    """Return a step of the route; its last one for a number of an earlier, longer route."""
    steps: list[dict[str, Any]] = application.route["steps"]
    return steps[min(number, len(steps) - 1)]


def _days(application: Application, number: int) -> int:
    return int(_step(application, number)["working_days"])
