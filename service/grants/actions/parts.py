"""What the acts on grants share: who may do them, and whom they tell."""

from datetime import date, datetime

from service.audit import actions as audit
from service.base.db import Session
from service.base.errors import NotFound
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.grants import rules, store
from service.grants.tables import Grant
from service.notices import actions as notices
from service.people import store as people

SYSTEM = "system"


def overseen(session: Session, grant_id: str, by: str) -> Grant:
    """Return a grant that the person `by` may oversee; NotFound for all others, as if it did not exist."""
    grant, person = store.grant(session, grant_id), people.person(session, by)
    allowed = rules.may_oversee(
        people.roles_of(session, by), unit_id=person.unit_id, holder_unit_id=grant.unit_id,
        source_unit_id=catalogue.dataset(session, grant.dataset_id).source_unit_id,
    )  # fmt: skip
    if not allowed:
        raise NotFound()
    return grant


def record(
    session: Session, grant: Grant, kind: str, *, by: str, now: datetime, version: int = 1, **facts: object
) -> None:
    """Tell the log what happened to a grant."""
    audit.record(session, subject=f"grant:{grant.id}", version=version, kind=kind, by=by, now=now, facts=facts)


def tell_unit(session: Session, grant: Grant, kind: str, *, now: datetime, **facts: object) -> None:
    notices.put(session, kind=kind, to_unit=grant.unit_id, facts=about(session, grant, **facts), now=now)


def tell_officers(session: Session, grant: Grant, kind: str, *, now: datetime, **facts: object) -> None:
    source = catalogue.dataset(session, grant.dataset_id).source_unit_id
    told = about(session, grant, **facts)
    notices.put(session, kind=kind, to_role=Role.AUTHORITY, facts=told, now=now)
    notices.put(session, kind=kind, to_unit=source, to_role=Role.STEWARD, facts=told, now=now)


def about(session: Session, grant: Grant, **facts: object) -> dict[str, object]:
    return {"grant": grant.id, "dataset": catalogue.dataset(session, grant.dataset_id).title, **facts}


def weekday(day: date) -> bool:
    return day.weekday() < 5
