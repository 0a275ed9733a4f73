"""SQL of grants, of what stopped or ended them, and of their reminders."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, true, update
from sqlalchemy.sql.elements import ColumnElement

from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import Changed, NotFound
from service.base.roles import Role
from service.catalogue.tables import Dataset
from service.grants.rules import SEE_ALL, VersionState
from service.grants.tables import Grant, GrantTask, GrantVersion, Handback, Reminder, Suspension

# ---- grants ---------------------------------------------------------------------------------------------------------


def grant(session: Session, grant_id: str) -> Grant:
    """Return a grant; NotFound."""
    if (found := session.get(Grant, grant_id)) is None:
        raise NotFound()
    return found


def tasks(session: Session, grant_id: str) -> Sequence[GrantTask]:
    """Return the dated duties of a grant, the first due on top."""
    asked = select(GrantTask).where(GrantTask.grant_id == grant_id)
    return session.exec(asked.order_by(col(GrantTask.due_on), col(GrantTask.id))).all()


def of_application(session: Session, application_id: str, dataset_id: str) -> Grant | None:
    """Return the grant that an application won on a dataset."""
    return session.exec(
        select(Grant).where(Grant.application_id == application_id, Grant.dataset_id == dataset_id)
    ).first()


def live(session: Session, unit_id: str, *, now: datetime) -> Sequence[Grant]:
    """Return the grants under which `unit_id` may read at `now`, soonest to end first."""
    return session.exec(
        select(Grant)
        .where(Grant.unit_id == unit_id, Grant.starts_at <= now, now < Grant.ends_at, ~_suspended(), ~returned())
        .order_by(col(Grant.ends_at), col(Grant.id))
    ).all()


def unended(session: Session, unit_id: str, *, now: datetime) -> Sequence[Grant]:
    """Return the grants of a unit that have not reached their end at `now`, suspended and handed back ones too, soonest
    to end first.
    """
    asked = select(Grant).where(Grant.unit_id == unit_id, now < Grant.ends_at)
    return session.exec(asked.order_by(col(Grant.ends_at), col(Grant.id))).all()


def of_unit(session: Session, unit_id: str) -> Sequence[Grant]:
    """Return all grants that a unit has or had, the one that ends last first."""
    return session.exec(
        select(Grant).where(Grant.unit_id == unit_id).order_by(col(Grant.ends_at).desc(), col(Grant.id))
    ).all()


def visible(session: Session, roles: Collection[Role], unit_id: str, *, limit: int = 500) -> Sequence[Grant]:
    """Return the grants that a person may know of, the one that ends last first."""
    query = select(Grant).where(seen_by(roles, unit_id)).order_by(col(Grant.ends_at).desc(), col(Grant.id))
    return session.exec(query.limit(limit)).all()


def seen_by(roles: Collection[Role], unit_id: str) -> ColumnElement[bool]:
    """Return `rules.may_see` as a condition on Grant, for lists."""
    if SEE_ALL & set(roles):
        return true()
    own = col(Grant.unit_id) == unit_id
    sourced = select(Dataset.id).where(Dataset.source_unit_id == unit_id)
    return or_(own, col(Grant.dataset_id).in_(sourced)) if Role.STEWARD in roles else own


def move(session: Session, found: Grant) -> int:
    """Count a grant's version up from the one that was read and return it; Changed when somebody was faster."""
    seen = found.version
    swap = update(Grant).where(col(Grant.id) == found.id, col(Grant.version) == seen).values(version=seen + 1)
    if session.execute(swap).rowcount != 1:  # type: ignore[attr-defined]
        raise Changed(seen=seen)
    session.refresh(found)
    return seen + 1


# ---- versions --------------------------------------------------------------------------------------------------------


def grant_versions(session: Session, grant_id: str) -> Sequence[GrantVersion]:
    """Return the versions of the dataset that were judged or held for a grant, the newest first."""
    newest = col(GrantVersion.number).desc()
    return session.exec(select(GrantVersion).where(GrantVersion.grant_id == grant_id).order_by(newest)).all()


def judged(session: Session, grant_id: str, number: int) -> bool:
    """Whether a version may be read under a grant."""
    found = session.get(GrantVersion, (grant_id, number))
    return found is not None and found.state == VersionState.JUDGED


def note_version(
    session: Session, grant_id: str, number: int, *, state: str, now: datetime, reasons: Sequence[object] = (),
    screening_id: str | None = None,
) -> None:  # fmt: skip
    """Write down how a version was judged for a grant; a later judgement of the same version takes its place."""
    there = session.get(GrantVersion, (grant_id, number))
    row = there or GrantVersion(grant_id=grant_id, number=number, state=state, at=now)
    row.state, row.at, row.reasons, row.screening_id = str(state), now, list(reasons), screening_id
    session.add(row)


# ---- suspensions ----------------------------------------------------------------------------------------------------


def open_suspension(session: Session, grant_id: str) -> Suspension | None:
    """Return the suspension that holds a grant now; None when there is none."""
    return session.exec(
        select(Suspension).where(Suspension.grant_id == grant_id, col(Suspension.lifted_at).is_(None))
    ).first()


def open_suspensions(session: Session, grant_ids: Sequence[str]) -> dict[str, Suspension]:
    """Return the open suspensions of several grants, by grant."""
    rows = session.exec(
        select(Suspension).where(col(Suspension.grant_id).in_(grant_ids), col(Suspension.lifted_at).is_(None))
    )
    return {row.grant_id: row for row in rows}


def suspensions(session: Session, grant_id: str) -> Sequence[Suspension]:
    """Return all that ever held a grant, oldest first."""
    asked = select(Suspension).where(Suspension.grant_id == grant_id)
    return session.exec(asked.order_by(col(Suspension.at), col(Suspension.id))).all()


def handback(session: Session, grant_id: str) -> Handback | None:
    """Return when and by whom a grant was given back; None when it was not."""
    return session.get(Handback, grant_id)


def handbacks(session: Session, grant_ids: Sequence[str]) -> dict[str, Handback]:
    """Return which of several grants were given back, by grant."""
    return {row.grant_id: row for row in session.exec(select(Handback).where(col(Handback.grant_id).in_(grant_ids)))}


def note_handback(session: Session, grant_id: str, *, by: str, reason: str | None, now: datetime) -> bool:
    """Write down that a grant is given back; False when it was already."""
    return insert_or_ignore(session, Handback, grant_id=grant_id, by=by, at=now, reason=reason)


def unflagged(session: Session, *, limit: int) -> Sequence[tuple[Grant, Suspension]]:
    """Return the open suspensions that nobody has confirmed and the authority was not told of, oldest first."""
    rows = session.exec(
        select(Grant, Suspension)
        .join(Suspension, col(Suspension.grant_id) == Grant.id)
        .where(col(Suspension.confirmed_at).is_(None), col(Suspension.lifted_at).is_(None))
        .where(col(Suspension.flagged_at).is_(None))
        .order_by(col(Suspension.at))
        .limit(limit)
    ).all()
    return [(found, suspension) for found, suspension in rows]


def claim_flag(session: Session, suspension_id: str, *, now: datetime) -> bool:
    """Note that the authority is being told; False when another replica does so or it is no longer needed."""
    claim = (
        update(Suspension)
        .where(col(Suspension.id) == suspension_id, col(Suspension.flagged_at).is_(None))
        .where(col(Suspension.confirmed_at).is_(None), col(Suspension.lifted_at).is_(None))
        .values(flagged_at=now)
    )
    return session.execute(claim).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def _suspended() -> ColumnElement[bool]:
    return exists().where(col(Suspension.grant_id) == Grant.id, col(Suspension.lifted_at).is_(None)).correlate(Grant)


def returned() -> ColumnElement[bool]:
    """Return whether a grant was handed back, as a condition on Grant."""
    return exists().where(col(Handback.grant_id) == Grant.id).correlate(Grant)


# ---- reminders ------------------------------------------------------------------------------------------------------


def reminders_due(
    session: Session, days: int, *, more_than: timedelta, at_most: timedelta, now: datetime, limit: int
) -> Sequence[Grant]:
    """Return the grants whose end is that far away and that have not had the reminder of `days` days."""
    sent = exists().where(col(Reminder.grant_id) == Grant.id, col(Reminder.days) == days).correlate(Grant)
    return session.exec(
        select(Grant)
        .where(
            Grant.starts_at <= now, Grant.ends_at > now + more_than, Grant.ends_at <= now + at_most, ~sent, ~returned()
        )
        .order_by(col(Grant.ends_at), col(Grant.id))
        .limit(limit)
    ).all()


def claim_reminder(session: Session, grant_id: str, *, days: int, now: datetime) -> bool:
    """Note that the reminder `days` ahead is being sent; False when another replica got there first."""
    return insert_or_ignore(session, Reminder, grant_id=grant_id, days=days, at=now)
