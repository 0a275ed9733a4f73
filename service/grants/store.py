"""SQL of grants and released views."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, true, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel.sql.expression import SelectOfScalar

from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import Changed, NotFound
from service.base.roles import Role
from service.catalogue.tables import Dataset
from service.grants.rules import SEE_ALL, ViewState
from service.grants.tables import Grant, GrantTask, Handback, ReleasedView, Reminder, Suspension

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
        .where(Grant.unit_id == unit_id, Grant.starts_at <= now, now < Grant.ends_at, ~_suspended(), ~_returned())
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


def _returned() -> ColumnElement[bool]:
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
            Grant.starts_at <= now, Grant.ends_at > now + more_than, Grant.ends_at <= now + at_most, ~sent, ~_returned()
        )
        .order_by(col(Grant.ends_at), col(Grant.id))
        .limit(limit)
    ).all()


def claim_reminder(session: Session, grant_id: str, *, days: int, now: datetime) -> bool:
    """Note that the reminder `days` ahead is being sent; False when another replica got there first."""
    return insert_or_ignore(session, Reminder, grant_id=grant_id, days=days, at=now)


# ---- views ----------------------------------------------------------------------------------------------------------


def view(session: Session, view_id: str) -> ReleasedView:
    """Return a view in any state; NotFound."""
    if (found := session.get(ReleasedView, view_id)) is None:
        raise NotFound()
    return found


def view_of(session: Session, grant_id: str) -> ReleasedView | None:
    """Return the view that serves a grant: ready, of its dataset version and epoch; None when there is none."""
    return session.exec(_views_of(grant_id).where(ReleasedView.state == ViewState.READY)).first()


def view_state(session: Session, grant_id: str) -> str:
    """Return the state of the view of a grant's version and epoch; `building` when nobody has begun."""
    states = {found.state for found in session.exec(_views_of(grant_id))}
    order = (ViewState.READY, ViewState.QUARANTINED)
    return next((state for state in order if state in states), ViewState.BUILDING)


def _views_of(grant_id: str) -> SelectOfScalar[ReleasedView]:
    return (
        select(ReleasedView)
        .join(Grant, col(Grant.id) == ReleasedView.grant_id)
        .where(Grant.id == grant_id, ReleasedView.dataset_version == Grant.dataset_version)
        .where(ReleasedView.epoch == Grant.epoch)
        .order_by(col(ReleasedView.built_at).desc())
    )


def public_view(session: Session, dataset_id: str) -> ReleasedView | None:
    """Return the standing public view of a dataset; None when it has none."""
    return session.exec(
        select(ReleasedView)
        .where(ReleasedView.dataset_id == dataset_id, col(ReleasedView.grant_id).is_(None))
        .where(ReleasedView.state == ViewState.READY)
        .order_by(col(ReleasedView.serves_from).desc(), col(ReleasedView.id).desc())
    ).first()


def without_view(session: Session, *, now: datetime, retake_before: datetime, limit: int) -> Sequence[str]:
    """Return the ids of grants that have not ended and whose view nobody has made or is making; oldest first.

    A quarantined view counts as made: a person looks at it.  A claim from before `retake_before` counts as nobody's.
    """
    made = (
        exists()
        .where(col(ReleasedView.grant_id) == Grant.id, col(ReleasedView.dataset_version) == Grant.dataset_version)
        .where(col(ReleasedView.epoch) == Grant.epoch)
        .where((col(ReleasedView.state) != ViewState.BUILDING) | (col(ReleasedView.claimed_at) > retake_before))
        .correlate(Grant)
    )
    return session.exec(
        select(Grant.id).where(Grant.ends_at > now, ~made, ~_returned()).order_by(col(Grant.created_at)).limit(limit)
    ).all()


def claim_view(
    session: Session, values: dict[str, object], *, retake_before: datetime, quarantined: bool = False
) -> ReleasedView | None:
    """Return the row to build, claimed at values["claimed_at"]; None when it is made or somebody is at it.

    A claim from before `retake_before` is taken over, and its first owner can no longer settle it.  With `quarantined`
    a view that was held back is made and measured again.
    """
    if insert_or_ignore(session, ReleasedView, **values):
        return view(session, str(values["id"]))
    if (there := same_view(session, values)) is None:
        return None
    free = (col(ReleasedView.state) == ViewState.BUILDING) & (col(ReleasedView.claimed_at) <= retake_before)
    if quarantined:
        free = free | (col(ReleasedView.state) == ViewState.QUARANTINED)
    retake = (
        update(ReleasedView)
        .where(col(ReleasedView.id) == there.id, col(ReleasedView.claimed_at) == there.claimed_at, free)
        .values(state=ViewState.BUILDING.value, claimed_at=values["claimed_at"], tries=there.tries + 1)
    )
    if session.execute(retake).rowcount != 1:  # type: ignore[attr-defined]
        return None
    session.refresh(there)
    return there


def same_view(session: Session, values: dict[str, object]) -> ReleasedView | None:
    """Return the view of the same subject, version, epoch and recipe, in any state."""
    same = [
        getattr(ReleasedView, name) == values[name] for name in ("subject", "dataset_version", "epoch", "recipe_digest")
    ]
    return session.exec(select(ReleasedView).where(*same)).first()


def settle_view(session: Session, view_id: str, *, claimed_at: datetime, **values: object) -> bool:
    """End a build that this worker still holds the claim on; False when the claim was retaken."""
    settle = (
        update(ReleasedView)
        .where(col(ReleasedView.id) == view_id, col(ReleasedView.state) == ViewState.BUILDING)
        .where(col(ReleasedView.claimed_at) == claimed_at)
        .values(**values)
    )
    return session.execute(settle).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def serve_from(session: Session, view_id: str, *, now: datetime) -> None:
    """Make a ready public view the one that serves from `now` on."""
    session.execute(update(ReleasedView).where(col(ReleasedView.id) == view_id).values(serves_from=now))
