"""What waits for an officer."""

from datetime import datetime, timedelta
from typing import Any

from flask.typing import ResponseReturnValue

from service.applications import store as applications
from service.applications.store import Work
from service.base import clock, db, http
from service.base.access import OFFICERS, Role, caller, requires
from service.base.db import Session
from service.home import store
from service.home.web.parts import may_suspend, pages
from service.people import store as people
from service.policy import engine as policy
from service.policy.rules.calendar import working_days_between

INSTANT = timedelta(microseconds=1)  # a deadline at 24:00 falls on the day before


@pages.get("/inbox")
@requires(*OFFICERS)
def inbox() -> ResponseReturnValue:
    """Show an officer what waits, what is due first on top."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        cases = [_case(session, work, now=now) for work in applications.open_for(session, who, now=now)]
        waiting = [
            (one, suspension)
            for one, suspension in store.unconfirmed_suspensions(session)
            if may_suspend(one) and suspension.by != who.person_id
        ]
        units = len(people.awaiting(session)) if who.has(Role.AUTHORITY) else None
        return http.page("home/inbox.html", cases=cases, suspensions=waiting, units=units)


def _case(session: Session, work: Work, *, now: datetime) -> dict[str, Any]:
    case = work.application
    left = working_days_between(now, case.due_at - INSTANT, works=policy.current().calendar.works) if case.due_at else 0
    return {
        "application": case,
        "unit": people.unit(session, case.unit_id),
        "dataset": {"zh": work.dataset_title_zh, "en": work.dataset_title_en},
        "role": case.step_role,
        "due": case.due_at,
        "overdue": work.overdue,
        "days_left": left,
    }
