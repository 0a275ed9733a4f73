"""Joins of nouns from several slices, for the pages that show them together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, update

from service.applications.tables import Decision
from service.base.db import Session, col, select
from service.base.roles import Role
from service.catalogue.tables import Dataset
from service.grants import store as grants
from service.grants.tables import Grant, Suspension
from service.oauth.tables import Token
from service.people.tables import LoginSession, Unit
from service.screening.tables import ListEdition, Screening


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant with the unit that holds it and the dataset that it opens."""

    grant: Grant
    unit: Unit
    dataset: Dataset


def domains(session: Session) -> Sequence[tuple[str, int]]:
    """Return how many published datasets each key domain has, most first."""
    size = func.count(col(Dataset.id))
    found = session.exec(
        select(Dataset.key_domain, size)
        .where(Dataset.state == "published")
        .group_by(col(Dataset.key_domain))
        .order_by(size.desc(), col(Dataset.key_domain))
    ).all()
    return [(str(domain), int(count)) for domain, count in found]


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


def issued_before(session: Session, cutoff: datetime) -> list[Granted]:
    """Return the grants made at or before `cutoff`, newest first: what the public register shows."""
    return sorted(_granted(session, Grant.created_at <= cutoff), key=lambda one: one.grant.created_at, reverse=True)


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


def refusal_verdicts(session: Session) -> list[dict[str, Any]]:
    """Return the verdict that each refusal was taken on, for the register's statistics."""
    rows = session.exec(
        select(Screening.verdict)
        .join(Decision, col(Decision.screening_id) == Screening.id)
        .where(Decision.verb == "refuse")
    ).all()
    return [dict(verdict) for verdict in rows]


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
