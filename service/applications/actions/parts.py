"""Parts of every act: the case's lock, its position, its history with the audit event, and who is told."""

from datetime import datetime

from service.applications import rules, store
from service.applications.actions.reading import describe, snapshot_of, subject
from service.applications.rules import Actor, Position, State, Step, Verb
from service.applications.tables import Application, History
from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Changed
from service.base.i18n import N_, gettext
from service.base.roles import Role
from service.catalogue.tables import Dataset
from service.notices.actions import put
from service.screening import engine as judging


def own_case(session: Session, id: str, seen: int | None, by: Actor) -> Application:
    application = store.application(session, id)
    rules.own(by, application.unit_id)
    if seen is not None:
        expect(session, application, seen)
    return application


def expect(session: Session, application: Application, seen: int) -> None:
    """Raise Changed, with the difference, unless the case still stands at version `seen`.

    Of a version that nobody could see (a draft's, one to come) the difference is the version itself.
    """
    if application.version == seen:
        return
    before = store.seen_at(session, application.id, seen)
    changes = describe(rules.diff(before, snapshot_of(application))) if before else []
    changes = changes or [gettext("版本：%(before)s → %(after)s", before=seen, after=application.version)]
    raise Changed(N_("申请已有变动，请看过变动后重新办理。"), seen=seen, version=application.version, changes=changes)


def take(session: Session, application: Application) -> None:
    """Take the case's lock by raising its version; Changed when another transaction was faster."""
    seen = application.version
    if not store.move(session, application, seen=seen):
        expect(session, store.application(session, application.id), seen)
        raise Changed(seen=seen)
    session.refresh(application)


def position(application: Application) -> Position:
    return Position(State(application.state), application.step)


def steps(application: Application) -> tuple[Step, ...]:
    return rules.steps_of(application.route) if application.route else ()


def enter(application: Application, there: Position, *, now: datetime) -> None:
    """Put the case at a position; a step's clock runs from the moment it is entered."""
    application.state, application.step, application.updated_at = there.state.value, there.step, now
    application.step_role, application.due_at = None, None
    if there.state is State.IN_REVIEW:
        step = steps(application)[there.step]
        application.step_role = step.role.value
        application.due_at = judging.due(now, step.days)


def note(session: Session, application: Application, verb: Verb, *, by: Actor, now: datetime, **facts: object) -> None:
    """Write what the case is now into its history, and the act into the log, both at the case's version."""
    version = application.version
    session.add(
        History(
            application_id=application.id, version=version, verb=verb.value, by=by.person_id, at=now,
            snapshot=snapshot_of(application).document(),
        )
    )  # fmt: skip
    session.flush()
    told = {"state": application.state, "step": application.step, "dataset": application.dataset_id,
            "unit": application.unit_id, **facts}  # fmt: skip
    record(session, subject=subject(application.id), version=version, kind=f"application:{verb.value}",
           by=by.person_id, now=now, facts=told)  # fmt: skip


def tell(
    session: Session, application: Application, dataset: Dataset, kind: str, *, now: datetime,
    to_unit: str | None = None, to_role: Role | None = None,
) -> None:  # fmt: skip
    facts = {
        "application": application.id,
        "number": application.number or "",
        "dataset": dataset.title,
        "due": application.due_at.isoformat() if application.due_at else now.isoformat(),
    }
    put(session, kind=kind, facts=facts, now=now, to_unit=to_unit, to_role=to_role.value if to_role else None)


def tell_unit(session: Session, application: Application, dataset: Dataset, kind: str, *, now: datetime) -> None:
    tell(session, application, dataset, kind, now=now, to_unit=application.unit_id)


def tell_holder(session: Session, application: Application, dataset: Dataset, kind: str, *, now: datetime) -> None:
    """Tell whoever holds the case now: the source unit's stewards, or the authority's reviewers."""
    step = store.current_step(application)
    if step is None:
        return
    unit = dataset.source_unit_id if step.role is Role.STEWARD else None
    tell(session, application, dataset, kind, now=now, to_unit=unit, to_role=step.role)
