"""SQL of answers on their way: what each may still take of its grant's day."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Date, bindparam, delete, func, update
from sqlalchemy import select as sql_select

from service.base.db import Session, col, select
from service.data.rules.quota import Amount
from service.data.tables import Reservation, UsageDay
from service.grants.tables import Grant


def lock_grant(session: Session, grant_id: str) -> None:
    """Let no other worker charge this grant until the transaction ends.  SQLite has one writer anyway."""
    session.execute(sql_select(col(Grant.id)).where(col(Grant.id) == grant_id).with_for_update())


def charged_on(session: Session, grant_id: str, day: date) -> Amount:
    """Return what a grant's Beijing day was charged: what is written down and what answers on their way may take.

    Both in one statement, which sees one state of the database: between two an answer could move from one to the other
    and be counted in neither.
    """
    rows, size = session.execute(_charged(), {"grant": grant_id, "day": day}).one()
    return Amount(int(rows), int(size))


@cache
def _charged() -> Any:
    """Return the statement, made once: making it anew costs more than running it."""
    return sql_select(
        _sum(UsageDay, "rows") + _sum(Reservation, "rows"), _sum(UsageDay, "size") + _sum(Reservation, "size")
    )


def _sum(table: type[UsageDay] | type[Reservation], name: str) -> Any:
    found = sql_select(func.coalesce(func.sum(getattr(table, name)), 0))
    return found.where(
        col(table.grant_id) == bindparam("grant"), col(table.day) == bindparam("day", type_=Date())
    ).scalar_subquery()


def reserve(session: Session, reservation: Reservation) -> None:
    session.add(reservation)


def enlarge(session: Session, reservation_id: str, more: Amount, *, lapses_at: datetime) -> bool:
    """Let an answer on its way take more; False when its reservation has lapsed."""
    change = (
        update(Reservation)
        .where(col(Reservation.id) == reservation_id)
        .values(rows=Reservation.rows + more.rows, size=Reservation.size + more.size, lapses_at=lapses_at)
    )
    return session.execute(change).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def keep(session: Session, reservation_id: str, sent: Amount, *, lapses_at: datetime) -> bool:
    """Write down how much of an answer was sent so far; False when its reservation has lapsed."""
    change = (
        update(Reservation)
        .where(col(Reservation.id) == reservation_id)
        .values(sent_rows=sent.rows, sent_size=sent.size, lapses_at=lapses_at)
    )
    return session.execute(change).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def release(session: Session, reservation_id: str, *, unheard_since: datetime | None = None) -> bool:
    """Drop a reservation, or only if its worker has not been heard of since; False when somebody else was first."""
    gone = delete(Reservation).where(col(Reservation.id) == reservation_id)
    if unheard_since is not None:
        gone = gone.where(col(Reservation.lapses_at) == unheard_since)
    return session.execute(gone).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def lapsed(session: Session, *, now: datetime, grant_id: str | None = None, limit: int = 100) -> Sequence[Reservation]:
    """Return the reservations whose workers have not been heard of, of one grant or of all."""
    asked = select(Reservation).where(Reservation.lapses_at <= now)
    if grant_id is not None:
        asked = asked.where(Reservation.grant_id == grant_id)
    return session.exec(asked.order_by(col(Reservation.lapses_at)).limit(limit)).all()
