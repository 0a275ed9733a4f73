"""What waits for an officer: cases by when they are due, suspensions to confirm, units to verify."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.applications import store as applications
from service.applications.rules import HOLDERS, STATES, VERBS, State
from service.applications.store import Work
from service.applications.tables import Decision
from service.base import clock, db, http
from service.base.access import OFFICERS, Caller, Role, caller, requires
from service.base.beijing import day_of
from service.base.db import Session
from service.base.i18n import N_
from service.catalogue.rules.uploads import STATE_TITLES, RunState
from service.catalogue.store import history, uploads
from service.catalogue.store import recalls as recall_store
from service.catalogue.tables import Dataset, DatasetVersion, ImportRun, Recall
from service.home import store
from service.home.web.following import held_for
from service.home.web.parts import may_suspend, pages
from service.home.web.versions import step_of
from service.people import store as people
from service.people.tables import Unit
from service.policy import engine as policy
from service.policy.rules.calendar import Clock
from service.screening import engine as judging
from service.screening import store as screenings

SOON = timedelta(days=7)
GROUPS = {
    "late": N_("已逾期"),
    "today": N_("今天到期"),
    "soon": N_("一周内"),
    "later": N_("以后"),
    "signing": N_("待申请单位签署"),
    "paused": N_("时钟暂停"),
    "own": N_("本单位提出的申请"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One case in the inbox.  `done_by_me`: the officer decided another step, so that somebody else takes this one."""

    work: Work
    clock: Clock
    group: str
    unit: Unit
    source: Unit
    outcome: str
    last: Decision | None
    done_by_me: bool


@pages.get("/inbox")
@requires(*OFFICERS)
def inbox() -> ResponseReturnValue:
    """Show an officer what waits, what is due first on top; `?view=unit` shows the whole unit's open cases."""
    who, whole = caller(), request.args.get("view") == "unit"
    with db.reading() as session:
        now = clock.now(session)
        theirs = _lines(session, applications.open_for(session, who, now=now), who, now=now)
        mine = [line for line in theirs if not line.done_by_me]
        every = _lines(session, applications.open_in_realm(session, who, now=now), who, now=now)
        lines = every if whole else mine
        return http.page(
            "home/inbox.html",
            whole=whole,
            groups=_grouped(lines),
            mine=mine,
            every=every,
            next_due=next((line.clock for line in every if line.clock.last), None),
            unit=people.unit(session, who.unit_id),
            today=day_of(now),
            working=policy.current().calendar.works(day_of(now)),
            suspensions=_suspensions(session, who),
            loaded=_loaded(session, who),
            uploads=_uploads(session, who),
            upload_states=STATE_TITLES,
            recalls=_recalls(session, who),
            held=_held(session, who, now=now),
            units=len(people.awaiting(session)) if who.has(Role.AUTHORITY) else None,
            titles=GROUPS,
            holders=HOLDERS,
            states=STATES,
            verbs=VERBS,
        )


def _lines(session: Session, found: Sequence[Work], who: Caller, *, now: datetime) -> list[Line]:
    cases = [work.application for work in found]
    units = people.units_by_id(session, {*(case.unit_id for case in cases), *(work.source_unit_id for work in found)})
    outcomes = screenings.outcomes(session, [case.screening_id for case in cases if case.screening_id])
    decisions = applications.decisions_of(session, [case.id for case in cases])
    return [
        _line(work, units, outcomes.get(work.application.screening_id or "", ""),
              decisions.get(work.application.id, []), who, now=now)
        for work in found
    ]  # fmt: skip


def _line(
    work: Work, units: dict[str, Unit], outcome: str, decisions: Sequence[Decision], who: Caller, *, now: datetime
) -> Line:
    case = work.application
    steps = case.route.get("steps", []) if case.route else []
    days = int(steps[case.step]["working_days"]) if case.step < len(steps) else 0
    read = judging.clock_to(case.due_at, days, now=now)
    return Line(
        work,
        read,
        _group(work, read, who),
        units[case.unit_id],
        units[work.source_unit_id],
        outcome,
        decisions[-1] if decisions else None,
        case.state == State.IN_REVIEW and any(d.by == who.person_id and d.step != case.step for d in decisions),
    )


def _group(work: Work, read: Clock, who: Caller) -> str:
    case = work.application
    if case.unit_id == who.unit_id:
        return "own"
    if case.state != State.IN_REVIEW or read.last is None:
        return "signing" if case.state == State.APPROVED else "paused"
    if read.state in ("late", "today"):
        return read.state
    return "soon" if read.last - read.today <= SOON else "later"


def _grouped(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Return the lines by group, the groups in the order of the page, none of them empty."""
    found: dict[str, list[Line]] = {name: [] for name in GROUPS}
    for line in lines:
        found[line.group].append(line)
    return {name: held for name, held in found.items() if held}


def _suspensions(session: Session, who: Caller) -> list[tuple[Any, Any]]:
    """Return the suspensions that wait for this officer as the second person."""
    return [
        (one, suspension)
        for one, suspension in store.unconfirmed_suspensions(session)
        if may_suspend(one) and suspension.by != who.person_id
    ]


def _uploads(session: Session, who: Caller) -> list[tuple[ImportRun, Dataset]]:
    """Return the uploads that wait for this officer: files to check, and marked files that others sent.

    The authority is shown the marked ones only.
    """
    authority = who.has(Role.AUTHORITY)
    found = uploads.waiting_for_stewards(session, source_unit_id=None if authority else who.unit_id)
    return [
        (run, dataset)
        for run, dataset in found
        if (run.by != who.person_id if run.state == RunState.QUARANTINED else not authority)
    ]


def _held(session: Session, who: Caller, *, now: datetime) -> list[Any]:
    """Return the new versions that are held for grants, for the data's stewards and the authority."""
    return held_for(session, unit_id=who.unit_id, authority=who.has(Role.AUTHORITY), now=now)


def _loaded(session: Session, who: Caller) -> list[tuple[DatasetVersion, Dataset, str]]:
    """Return the loaded versions that wait for this officer, each with what they are to do."""
    unit_id = None if who.has(Role.AUTHORITY) else who.unit_id
    found = history.waiting(session, source_unit_id=unit_id)
    steps = ((row, dataset, step_of(session, dataset, row)) for row, dataset in found)
    return [(row, dataset, step) for row, dataset, step in steps if step]


def _recalls(session: Session, who: Caller) -> list[tuple[Recall, Dataset]]:
    """Return the recalls of rows that wait for this officer as the second person."""
    unit_id = None if who.has(Role.AUTHORITY) else who.unit_id
    return [
        (row, dataset)
        for row, dataset in recall_store.waiting(session, source_unit_id=unit_id)
        if row.filed_by != who.person_id
    ]
