"""When a grant is live and what a dead one says, who may know of it and stop it, when its unit is reminded."""

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from service.base.beijing import BEIJING, day_of, end_of_day, last_day
from service.base.errors import Refusal
from service.base.roles import Role
from service.grants.rules.refusals import GrantEnded, GrantNotStarted, GrantReturned, GrantSuspended

REMIND_AT = (1, 7, 30)  # days before the end


class GrantStanding(StrEnum):
    """What a grant is at a moment; computed, never stored."""

    NOT_STARTED = "not_started"
    LIVE = "live"
    SUSPENDED = "suspended"
    RETURNED = "returned"
    ENDED = "ended"


class Dated(Protocol):
    """What the rules need to know of a grant."""

    id: str
    dataset_id: str
    starts_at: datetime
    ends_at: datetime


def standing(grant: Dated, *, suspended: bool, returned_at: datetime | None, now: datetime) -> GrantStanding:
    """Return what a grant is at `now`.  An end outweighs a suspension: nobody can lift it; what was handed back before
    its last day stays handed back after it.
    """
    if returned_at is not None:
        return GrantStanding.RETURNED
    if now >= grant.ends_at:
        return GrantStanding.ENDED
    if suspended:
        return GrantStanding.SUSPENDED
    return GrantStanding.LIVE if now >= grant.starts_at else GrantStanding.NOT_STARTED


def refusal(grant: Dated, *, suspended: bool, returned_at: datetime | None, now: datetime) -> Refusal | None:
    """Return why nothing may be read under `grant` at `now`, with what to do next; None when it is live."""
    links = {"grant": grant.id, "page": f"/grants/{grant.id}", "apply": f"/applications/new?dataset={grant.dataset_id}"}
    here = standing(grant, suspended=suspended, returned_at=returned_at, now=now)
    if here is GrantStanding.RETURNED and returned_at:
        return GrantReturned(at=f"{returned_at.astimezone(BEIJING):%Y-%m-%d %H:%M}", **links)
    if here is GrantStanding.ENDED:
        return GrantEnded(end=last_day(grant.ends_at).isoformat(), **links)
    if here is GrantStanding.SUSPENDED:
        return GrantSuspended(**links)
    if here is GrantStanding.NOT_STARTED:
        return GrantNotStarted(start=f"{grant.starts_at.astimezone(BEIJING):%Y-%m-%d %H:%M}", **links)
    return None


# ---- who may see and stop a grant -----------------------------------------------------------------------------------


SEE_ALL = frozenset({Role.AUTHORITY, Role.AUDITOR})


def may_see(roles: Collection[Role], *, unit_id: str, source_unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may know of a grant: its holder, the data's own steward, authority and auditor."""
    if unit_id == holder_unit_id or SEE_ALL & set(roles):
        return True
    return Role.STEWARD in roles and unit_id == source_unit_id


def may_hand_back(roles: Collection[Role], *, unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may give a grant back: a manager of the unit that holds it, nobody else."""
    return Role.MANAGER in roles and unit_id == holder_unit_id


def may_oversee(roles: Collection[Role], *, unit_id: str, source_unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may suspend, confirm or lift: the authority, or the data's own steward.

    Nobody does it to their own unit's grant.
    """
    if unit_id == holder_unit_id:
        return False
    return Role.AUTHORITY in roles or (Role.STEWARD in roles and unit_id == source_unit_id)


def confirmation_due(at: datetime, *, works: Callable[[date], bool]) -> datetime:
    """Return the moment by which a suspension made at `at` must be confirmed: 24:00 Beijing of the next working day.

    `works` knows the year's holidays and the weekends worked in exchange (调休).  Counted here and not by the policies'
    calendar, which the data plane may not reach through this module.
    """
    day = day_of(at) + timedelta(days=1)
    while not works(day):
        day += timedelta(days=1)
    return end_of_day(day)


# ---- reminders ------------------------------------------------------------------------------------------------------


def windows() -> tuple[tuple[int, timedelta, timedelta], ...]:
    """Return (days, more than, at most) for each reminder: how far the end may be for it to be the one that is due.

    The windows do not overlap: after an outage only the nearest reminder goes out, not all three at once.
    """
    bounds = (0, *REMIND_AT)
    return tuple(
        (days, timedelta(days=before), timedelta(days=days)) for before, days in zip(bounds, REMIND_AT, strict=False)
    )
