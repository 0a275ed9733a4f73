"""A unit's own applications as its people look for them: what waits for them, what is with others, what is over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.applications import store
from service.applications.rules import OPEN, Actor, State
from service.applications.tables import Application
from service.base.db import Session
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.policy.rules.calendar import Clock
from service.screening import engine as judging

# What waits for the unit, the most pressing first.
WAITING = (State.APPROVED, State.RETURNED, State.DRAFT)


@dataclass(frozen=True, slots=True)
class Line:
    """One case, or one form of several drafts: then the first of them stands for all `count`."""

    application: Application
    dataset: Dataset
    count: int = 1
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class OwnCases:
    waiting: list[Line]
    running: list[Line]
    over: list[Line]

    @property
    def any(self) -> bool:
        return bool(self.waiting or self.running or self.over)


def own_cases(session: Session, who: Actor, *, now: datetime) -> OwnCases:
    """Return the cases of a person's unit in three groups."""
    found = store.of_unit(session, who.unit_id)
    datasets = catalogue.datasets_by_id(session, {each.dataset_id for each in found})
    lines = [_line(form, datasets[form[0].dataset_id], now=now) for form in _forms(found)]
    state = {id(line): State(line.application.state) for line in lines}
    waiting = [line for line in lines if state[id(line)] in WAITING]
    running = [line for line in lines if state[id(line)] is State.IN_REVIEW]
    return OwnCases(
        waiting=sorted(waiting, key=lambda line: WAITING.index(state[id(line)])),
        running=sorted(running, key=lambda line: line.application.due_at or now),
        over=[line for line in lines if state[id(line)] not in (*OPEN, State.DRAFT)],
    )


def _forms(found: Iterable[Application]) -> list[Sequence[Application]]:
    """Return drafts form by form and all other cases one by one, in the order given (newest first)."""
    forms: dict[str, list[Application]] = {}
    for each in found:
        together = each.bundle_id if each.state == State.DRAFT and each.bundle_id else each.id
        forms.setdefault(together if each.state == State.DRAFT else f"case:{each.id}", []).insert(0, each)
    return list(forms.values())


def _line(form: Sequence[Application], dataset: Dataset, *, now: datetime) -> Line:
    application = form[0]
    clock = None
    if application.state == State.IN_REVIEW:
        days = int(application.route["steps"][application.step]["working_days"])
        clock = judging.clock_to(application.due_at, days, now=now)
    return Line(application, dataset, len(form), clock)
