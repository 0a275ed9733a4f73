"""SQL of what stands out in the use of grants."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func
from sqlalchemy import select as sql_select

from service.base.db import Session, col, insert_or_ignore, select
from service.data.tables import ClientNetwork, UsageDay, UsageEvent, UsageFlag


def used_on(session: Session, day: date) -> list[tuple[str, str, int, int]]:
    """Return (grant, dataset, rows, bytes) of every grant that was read under on a Beijing day."""
    found = session.execute(
        sql_select(col(UsageDay.grant_id), col(UsageDay.dataset_id), func.sum(UsageDay.rows), func.sum(UsageDay.size))
        .where(col(UsageDay.day) == day, col(UsageDay.grant_id) != "")
        .group_by(col(UsageDay.grant_id), col(UsageDay.dataset_id))
    ).all()
    return [(grant_id, dataset_id, int(rows), int(size)) for grant_id, dataset_id, rows, size in found]


def sizes_before(session: Session, grant_id: str, *, since: date, before: date) -> dict[date, tuple[int, int]]:
    """Return (rows, bytes) of each day on which a grant was read under, from `since` on and before `before`."""
    found = session.execute(
        sql_select(col(UsageDay.day), func.sum(UsageDay.rows), func.sum(UsageDay.size))
        .where(col(UsageDay.grant_id) == grant_id, col(UsageDay.day) >= since, col(UsageDay.day) < before)
        .group_by(col(UsageDay.day))
    ).all()
    return {day: (int(rows), int(size)) for day, rows, size in found}


def networks_since(session: Session, at: datetime, *, limit: int) -> list[tuple[str, str, str, str, datetime]]:
    """Return (client, network, grant, dataset, first instant) of what clients read from since `at`, oldest first."""
    first = func.min(UsageEvent.at)
    found = session.execute(
        sql_select(
            col(UsageEvent.client_id), col(UsageEvent.network), func.min(UsageEvent.grant_id),
            func.min(UsageEvent.dataset_id), first,
        )
        .where(col(UsageEvent.at) >= at, col(UsageEvent.client_id).is_not(None), col(UsageEvent.network).is_not(None))
        .group_by(col(UsageEvent.client_id), col(UsageEvent.network))
        .order_by(first)
        .limit(limit)
    ).all()  # fmt: skip
    return [(client, network, grant, dataset, at) for client, network, grant, dataset, at in found]


def know_network(session: Session, client_id: str, network: str, *, now: datetime) -> bool:
    """Write down that a client reads from a network; False when it was known."""
    return insert_or_ignore(session, ClientNetwork, client_id=client_id, network=network, first_at=now)


def other_networks(session: Session, client_id: str, network: str) -> bool:
    """Whether a client was known to read from another network."""
    asked = select(ClientNetwork.network).where(ClientNetwork.client_id == client_id, ClientNetwork.network != network)
    return session.exec(asked.limit(1)).first() is not None


def flag(session: Session, about: str, **values: object) -> bool:
    """Write a flag down once; False when it is there."""
    return insert_or_ignore(session, UsageFlag, about=about, **values)


def flags_of_dataset(session: Session, dataset_id: str, *, limit: int = 20) -> Sequence[UsageFlag]:
    """Return what stood out in the use of a dataset, newest first."""
    asked = select(UsageFlag).where(UsageFlag.dataset_id == dataset_id)
    return session.exec(asked.order_by(col(UsageFlag.at).desc(), col(UsageFlag.about)).limit(limit)).all()
