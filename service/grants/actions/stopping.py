"""Stopping a grant for the time being, giving it back, and reminding of its end."""

from collections.abc import Callable
from datetime import date, datetime

from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.base.roles import Role
from service.grants import rules, store
from service.grants.actions.parts import about, overseen, record, tell_officers, tell_unit, weekday
from service.grants.rules import GrantStanding
from service.grants.tables import Grant, Handback, Suspension
from service.notices import actions as notices
from service.people import store as people

SAME_PERSON = N_("暂停由一人提出、另一人确认，两人不得为同一人。")


def suspend(
    session: Session, grant_id: str, *, cause: str, by: str, now: datetime, works: Callable[[date], bool] | None = None
) -> Suspension:
    """Stop a grant at once, for the time being; a second officer confirms it or somebody lifts it.

    `works` (the calendar) dates the officers' notice.  NotFound for whoever may not oversee the grant; WrongState when
    it has ended or is suspended already.
    """
    grant = overseen(session, grant_id, by)
    here = standing_of(session, grant, now=now)
    if here in (GrantStanding.ENDED, GrantStanding.RETURNED, GrantStanding.SUSPENDED):
        raise WrongState(state=str(here))
    version = store.move(session, grant)
    suspension = Suspension(id=new_id(now), grant_id=grant_id, cause=cause, by=by, at=now)
    session.add(suspension)
    record(session, grant, "grant:suspend", by=by, now=now, version=version, suspension=suspension.id)
    tell_unit(session, grant, "grant-suspended", now=now, at=now.isoformat(), cause=cause)
    due = rules.confirmation_due(now, works=works or weekday)
    tell_officers(session, grant, "suspension-to-confirm", now=now, due=due.isoformat())
    return suspension


def confirm_suspension(session: Session, grant_id: str, *, by: str, now: datetime) -> Suspension:
    """Confirm the open suspension of a grant, as the second person.

    Raises SecondPersonRequired for the one who suspended, WrongState when there is nothing to confirm.
    """
    grant = overseen(session, grant_id, by)
    suspension = store.open_suspension(session, grant_id)
    if suspension is None or suspension.confirmed_at is not None:
        raise WrongState(state="confirmed" if suspension else "not_suspended")
    if suspension.by == by:
        raise SecondPersonRequired(SAME_PERSON)
    version = store.move(session, grant)
    suspension.confirmed_by, suspension.confirmed_at = by, now
    session.add(suspension)
    record(session, grant, "grant:confirm", by=by, now=now, version=version, suspension=suspension.id)
    tell_unit(session, grant, "suspension-confirmed", now=now)
    return suspension


def lift(session: Session, grant_id: str, *, by: str, now: datetime, reason: str | None = None) -> Suspension:
    """End the open suspension of a grant; WrongState when there is none."""
    grant = overseen(session, grant_id, by)
    if (suspension := store.open_suspension(session, grant_id)) is None:
        raise WrongState(state="not_suspended")
    version = store.move(session, grant)
    suspension.lifted_by, suspension.lifted_at, suspension.lift_reason = by, now, reason
    session.add(suspension)
    record(session, grant, "grant:lift", by=by, now=now, version=version, suspension=suspension.id)
    tell_unit(session, grant, "suspension-lifted", now=now)
    return suspension


def hand_back(session: Session, grant_id: str, *, by: str, now: datetime, reason: str | None = None) -> Handback:
    """Give a grant back before its end, for its unit; what it asks of the unit afterwards stays due.

    A grant that is suspended or has not begun may be given back too.  NotFound for whoever is no manager of the unit;
    WrongState when the grant has ended or was given back.
    """
    grant, person = store.grant(session, grant_id), people.person(session, by)
    held_by = {"unit_id": person.unit_id, "holder_unit_id": grant.unit_id}
    if not rules.may_hand_back(people.roles_of(session, by), **held_by):
        raise NotFound()
    here = standing_of(session, grant, now=now)
    if here in (GrantStanding.ENDED, GrantStanding.RETURNED):
        raise WrongState(state=str(here))
    version = store.move(session, grant)
    store.note_handback(session, grant_id, by=by, reason=reason, now=now)
    record(session, grant, "grant:handback", by=by, now=now, version=version)
    tell_unit(session, grant, "grant-returned", now=now, at=now.isoformat())
    tell_officers(session, grant, "grant-returned", now=now, at=now.isoformat())
    return Handback(grant_id=grant_id, by=by, at=now, reason=reason)


def standing_of(session: Session, grant: Grant, *, now: datetime) -> GrantStanding:
    """Return what a grant is at `now`, by its row and by what was done to it."""
    given_back = store.handback(session, grant.id)
    return rules.standing(
        grant, suspended=store.open_suspension(session, grant.id) is not None,
        returned_at=given_back.at if given_back else None, now=now,
    )  # fmt: skip


def flag(session: Session, grant: Grant, suspension: Suspension, *, due: datetime, now: datetime) -> bool:
    """Tell the authority that nobody has confirmed a suspension in time; decides nothing.

    False when another replica has told it, or when it was confirmed or lifted meanwhile.
    """
    if not store.claim_flag(session, suspension.id, now=now):
        return False
    facts = about(session, grant, due=due.isoformat())
    notices.put(session, kind="suspension-unconfirmed", to_role=Role.AUTHORITY, facts=facts, now=now)
    return True


def remind(session: Session, grant: Grant, *, days: int, now: datetime) -> bool:
    """Tell the unit that its grant ends within `days` days; False when another replica has done so."""
    if not store.claim_reminder(session, grant.id, days=days, now=now):
        return False
    tell_unit(session, grant, "grant-ends", now=now, days=days, day=last_day(grant.ends_at).isoformat())
    return True
