"""Joins of nouns from several slices, for the pages that show them together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, update

from service.applications.tables import Application, Decision
from service.audit.tables import Event, Leaf
from service.base.db import Session, col, select
from service.base.roles import Role
from service.catalogue.tables import Dataset
from service.data.tables import UsageEvent
from service.grants import store as grants
from service.grants.tables import Grant, Handback, Suspension
from service.oauth.tables import Client, Token
from service.people.tables import LoginSession, Person, Unit
from service.screening.tables import ListEdition, Screening


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant with the unit that holds it and the dataset that it opens."""

    grant: Grant
    unit: Unit
    dataset: Dataset


def derived(session: Session, dataset_id: str) -> Sequence[Dataset]:
    """Return the published datasets that were derived from one."""
    return session.exec(
        select(Dataset)
        .where(Dataset.derived_from == dataset_id, Dataset.state == "published")
        .order_by(col(Dataset.id))
    ).all()


def grants_seen_by(session: Session, roles: Collection[Role], unit_id: str) -> list[Granted]:
    """Return the grants that a person may know of, the one that ends last first."""
    return _granted(session, grants.seen_by(roles, unit_id))


def granted(session: Session, grant_id: str) -> Granted | None:
    """Return one grant with its unit and dataset; None when there is none."""
    found = _granted(session, Grant.id == grant_id)
    return found[0] if found else None


def unconfirmed_suspensions(session: Session) -> list[tuple[Granted, Suspension]]:
    """Return the open suspensions that nobody has confirmed, oldest first."""
    rows = session.exec(
        select(Grant, Unit, Dataset, Suspension)
        .join(Suspension, col(Suspension.grant_id) == Grant.id)
        .join(Unit, col(Unit.id) == Grant.unit_id)
        .join(Dataset, col(Dataset.id) == Grant.dataset_id)
        .where(col(Suspension.confirmed_at).is_(None), col(Suspension.lifted_at).is_(None))
        .order_by(col(Suspension.at))
    ).all()
    return [(Granted(grant, unit, dataset), suspension) for grant, unit, dataset, suspension in rows]


def refusals(session: Session, *, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many refusals there are, and the verdicts that the newest `limit` of them were taken on."""
    refused = Decision.verb == "refuse"
    total = session.exec(select(func.count()).select_from(Decision).where(refused)).one()
    newest = session.exec(
        select(Screening.verdict)
        .join(Decision, col(Decision.screening_id) == Screening.id)
        .where(refused)
        .order_by(col(Decision.id).desc())
        .limit(limit)
    ).all()
    return int(total), [dict(verdict) for verdict in newest]


def editions(session: Session, digests: Sequence[str]) -> list[str]:
    """Return "list edition" of each list digest, in order."""
    rows = session.exec(
        select(ListEdition)
        .where(col(ListEdition.digest).in_(digests))
        .order_by(col(ListEdition.list_id), col(ListEdition.edition))
    ).all()
    return [f"{row.list_id} {row.edition}" for row in rows]


def void_entries(session: Session, *, now: datetime) -> None:
    """End every session and revoke every token: after a restore nobody is still let in by what was issued before."""
    session.execute(update(LoginSession).where(col(LoginSession.ended_at).is_(None)).values(ended_at=now))
    session.execute(update(Token).where(col(Token.revoked_at).is_(None)).values(revoked_at=now))


def _granted(session: Session, where: object) -> list[Granted]:
    rows = session.exec(
        select(Grant, Unit, Dataset)
        .join(Unit, col(Unit.id) == Grant.unit_id)
        .join(Dataset, col(Dataset.id) == Grant.dataset_id)
        .where(where)  # type: ignore[arg-type]
        .order_by(col(Grant.ends_at).desc())
    ).all()
    return [Granted(grant, unit, dataset) for grant, unit, dataset in rows]


# ---- the public register -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registered:
    """A grant as everybody may know of it: whose, of what, under which case number; `ended` before its last day."""

    grant: Grant
    unit: Unit
    dataset: Dataset
    number: str
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class RegisterFilter:
    """Which entries: `domain` a key domain, `state` running or over, `before` the id of the entry after the page."""

    domain: str = ""
    state: str = ""
    before: str = ""


def registered(
    session: Session, asked: RegisterFilter, *, cutoff: datetime, now: datetime, limit: int
) -> list[Registered]:
    """Return the grants made at or before `cutoff`, newest first."""
    where = [*_in_state(asked.state, now), *([Dataset.key_domain == asked.domain] if asked.domain else [])]
    if asked.before:
        where.append(Grant.id < asked.before)
    return _registered(session, Grant.created_at <= cutoff, *where, limit=limit)


def registered_as(session: Session, number: str, *, cutoff: datetime) -> list[Registered]:
    """Return the entries of one case number, in the register since `cutoff` or before."""
    return _registered(session, Grant.created_at <= cutoff, Application.number == number, limit=100)


def register_totals(session: Session, *, cutoff: datetime, now: datetime) -> tuple[int, int, int]:
    """Return how many entries the register has, how many of them run at `now`, and how many units hold them."""
    entries, units = session.exec(
        select(func.count(), func.count(func.distinct(Grant.unit_id))).where(Grant.created_at <= cutoff)
    ).one()
    running = session.exec(_counted(now).where(Grant.created_at <= cutoff)).one()
    return int(entries), int(running), int(units)


def live_grants(session: Session, *, now: datetime) -> int:
    """Return how many grants are read under at `now`: begun, not ended, not given back, not suspended."""
    open_suspension = select(Suspension.grant_id).where(col(Suspension.lifted_at).is_(None))
    return int(session.exec(_counted(now).where(col(Grant.id).not_in(open_suspension))).one())


def _counted(now: datetime) -> Any:
    return (
        select(func.count(col(Grant.id)))
        .outerjoin(Handback, col(Handback.grant_id) == col(Grant.id))
        .where(Grant.starts_at <= now, Grant.ends_at > now, col(Handback.grant_id).is_(None))
    )


def _in_state(state: str, now: datetime) -> list[Any]:
    if state == "running":
        return [Grant.ends_at > now, col(Handback.grant_id).is_(None)]
    return [or_(col(Grant.ends_at) <= now, col(Handback.grant_id).is_not(None))] if state == "over" else []


def _registered(session: Session, *where: Any, limit: int) -> list[Registered]:
    asked = (
        select(Grant, Unit, Dataset)
        .add_columns(col(Application.number), col(Handback.at))
        .join(Unit, col(Unit.id) == Grant.unit_id)
        .join(Dataset, col(Dataset.id) == Grant.dataset_id)
        .join(Application, col(Application.id) == Grant.application_id)
        .outerjoin(Handback, col(Handback.grant_id) == col(Grant.id))
        .where(*where)
        .order_by(col(Grant.id).desc())
        .limit(limit)
    )
    return [Registered(*row) for row in session.execute(asked).all()]


def newest(session: Session, *, limit: int) -> list[tuple[Dataset, Unit]]:
    """Return the datasets published last, with their source units."""
    rows = session.exec(
        select(Dataset, Unit)
        .join(Unit, col(Unit.id) == Dataset.source_unit_id)
        .where(Dataset.state == "published")
        .order_by(col(Dataset.published_at).desc(), col(Dataset.id))
        .limit(limit)
    ).all()
    return [(dataset, unit) for dataset, unit in rows]


def sealed_event(session: Session, subject: str, kind: str) -> tuple[Event, int] | None:
    """Return the first event of a kind about a subject with its place in the tree; None while it waits for its seal."""
    found = session.exec(
        select(Event, Leaf.position)
        .join(Leaf, col(Leaf.event_id) == col(Event.id))
        .where(Event.subject == subject, Event.kind == kind)
        .order_by(col(Event.version))
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])


# ---- what was read ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """One answer with the name of who asked: of the system, or of the person where it was one."""

    event: UsageEvent
    system: str | None
    person: str | None


def reads(session: Session, grant_id: str, *, before: str = "", limit: int) -> list[Read]:
    """Return the answers under a grant, newest first: the last ones, or those before one of them (its id)."""
    asked = (
        select(UsageEvent, Client.name, Person.name)
        .outerjoin(Client, col(Client.id) == UsageEvent.client_id)
        .outerjoin(Person, col(Person.id) == UsageEvent.person_id)
        .where(UsageEvent.grant_id == grant_id)
    )
    if before:
        asked = asked.where(UsageEvent.id < before)
    rows = session.exec(asked.order_by(col(UsageEvent.id).desc()).limit(limit)).all()
    return [Read(event, system, person) for event, system, person in rows]


def granted_of(session: Session, dataset_id: str) -> list[Granted]:
    """Return all grants on a dataset, the one that ends last first."""
    return _granted(session, Grant.dataset_id == dataset_id)
