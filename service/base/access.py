"""Who may call what.  Every view carries one `requires(...)`; the app refuses to start when one does not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g

from service.base.errors import FreshLoginRequired, LoginRequired, NotAllowed, PersonRequired, Refusal
from service.base.roles import FIRM, OFFICERS, PERSONS, READERS, Role

__all__ = [
    "FIRM",
    "OFFICERS",
    "PERSONS",
    "READERS",
    "Access",
    "Caller",
    "Role",
    "admit",
    "caller",
    "caller_or_none",
    "requires",
]

P = ParamSpec("P")
R = TypeVar("R")
FRESH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Caller:
    """The person behind a request, read from the session once per request."""

    person_id: str
    name: str
    unit_id: str
    roles: frozenset[Role]
    session_id: str
    authenticated_at: datetime
    now: datetime

    @property
    def fresh(self) -> bool:
        """Whether the password was typed within the last 15 minutes."""
        return self.now - self.authenticated_at <= FRESH

    def has(self, *roles: Role) -> bool:
        return bool(self.roles & set(roles))


@dataclass(frozen=True, slots=True)
class Access:
    """What a view demands; read by the router's checks, by the tests and by docs/permissions.md."""

    roles: frozenset[Role]
    fresh: bool = False


def requires(*roles: Role, fresh: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only these roles call a view; `fresh` demands the password again after 15 minutes.

    PUBLIC lets everybody in.  CLIENT says that the view authenticates a machine's credential itself (token endpoint,
    data plane) and is checked by the gate.
    """
    demand = Access(frozenset(roles), fresh)

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            admit(demand)
            return view(*args, **kwargs)

        guarded.access = demand  # type: ignore[attr-defined]
        return guarded

    return mark


def admit(demand: Access) -> None:
    """Raise unless the caller of this request satisfies `demand`."""
    if demand.roles & {Role.PUBLIC, Role.CLIENT}:
        return
    who: Caller | None = g.get("caller")
    if who is None:
        raise _nobody(demand)
    if not who.roles & demand.roles:
        raise NotAllowed()
    if demand.fresh and not who.fresh:
        raise FreshLoginRequired()


def _nobody(demand: Access) -> Refusal:
    """Return the refusal for a request without a person; one whose session has lapsed types the password again."""
    if g.get("bearer"):
        return PersonRequired()
    return FreshLoginRequired() if demand.fresh and g.get("lapsed") else LoginRequired()


def caller() -> Caller:
    """Return the person behind this request; LoginRequired when there is none."""
    who: Caller | None = g.get("caller")
    if who is None:
        raise LoginRequired()
    return who


def caller_or_none() -> Caller | None:
    """Return the person behind this request, or None for a visitor."""
    who: Caller | None = g.get("caller")
    return who
