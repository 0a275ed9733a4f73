"""Who and what the demo is made of, and when things in it happened."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from service.applications.rules import Person as Actor
from service.base.beijing import BEIJING, day_of
from service.base.db import Session
from service.base.roles import Role
from service.people import store as persons
from service.policy import engine as policy
from service.policy.engine import reading

SYSTEM = "demo"
AGE = timedelta(days=90)  # how long ago the demo's service began
MORNING, STEP = time(9, 30), timedelta(minutes=20)


@cache
def cast() -> dict[str, Any]:
    """Return who and what the demo is made of."""
    found: dict[str, Any] = reading.read(Path(str(resources.files("service.home") / "cast.yaml"))).data
    return found


def beginning(at: datetime) -> datetime:
    """Return when the demo's service began, seen from `at`: not before the lists that judge in it were in force."""
    first = max((each.effective.start for each in policy.current().lists), default=day_of(at))
    in_force = datetime.combine(first, time(), BEIJING).astimezone(UTC)
    return min(at, max(at - AGE, in_force))


def moment(at: datetime, days: int, order: int) -> datetime:
    """Return the moment of an act `days` working days before `at`, the `order`th of its case; `at` itself for 0."""
    if days == 0:
        return at
    works, day = policy.current().calendar.works, day_of(at)
    while days:
        day -= timedelta(days=1)
        days -= works(day)
    return max(beginning(at), datetime.combine(day, MORNING, BEIJING).astimezone(UTC) + order * STEP)


def actor(session: Session, role: Role, *, unit: str | None = None) -> Actor:
    """Return the first person of the demo who has a role, in a unit where one is named."""
    found = persons.persons_with(session, role, unit_id=unit)[0]
    return Actor(found.id, found.unit_id, persons.roles_of(session, found.id))
