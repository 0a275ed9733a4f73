"""SQL of the data plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, cast, func
from sqlalchemy import select as sql_select
from sqlalchemy.sql.elements import ColumnElement

from service.base.db import Session, col, select
from service.base.ids import new_id
from service.data.tables import UsageEvent


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read in a stretch of time: answers, rows, bytes."""

    answers: int = 0
    rows: int = 0
    size: int = 0
    last: datetime | None = None


def note_usage(session: Session, *, now: datetime, **answer: Any) -> None:
    """Write down one answer; `answer` holds UsageEvent's other columns."""
    session.add(UsageEvent(id=new_id(now), at=now, **answer))


def usage_of_grant(session: Session, grant_id: str, *, limit: int = 20) -> Sequence[UsageEvent]:
    """Return the last answers under a grant, newest first."""
    return session.exec(
        select(UsageEvent).where(UsageEvent.grant_id == grant_id).order_by(col(UsageEvent.id).desc()).limit(limit)
    ).all()


def totals_of_grant(session: Session, grant_id: str) -> tuple[int, int, int]:
    """Return how many answers, rows and bytes a grant has had."""
    answers, rows, size = session.exec(
        select(
            func.count(col(UsageEvent.id)),
            func.coalesce(func.sum(UsageEvent.rows), 0),
            func.coalesce(func.sum(UsageEvent.size), 0),
        ).where(UsageEvent.grant_id == grant_id)
    ).one()
    return int(answers), int(rows), int(size)


def usage_by_day(session: Session, grant_id: str, *, since: datetime) -> dict[date, Usage]:
    """Return what was read under a grant from `since` on, by Beijing day; days without an answer are left out."""
    day = _beijing_day(session)
    rows = session.execute(
        sql_select(day, *_sums())
        .where(col(UsageEvent.grant_id) == grant_id, col(UsageEvent.at) >= since)
        .group_by(day)
        .order_by(day)
    ).all()
    return {_as_date(found): _usage(*sums) for found, *sums in rows}


def usage_since(session: Session, grant_ids: Sequence[str], *, since: datetime) -> dict[str, Usage]:
    """Return what was read under each of several grants from `since` on."""
    rows = session.execute(
        sql_select(col(UsageEvent.grant_id), *_sums())
        .where(col(UsageEvent.grant_id).in_(grant_ids), col(UsageEvent.at) >= since)
        .group_by(col(UsageEvent.grant_id))
    ).all()
    return {str(grant_id): _usage(*sums) for grant_id, *sums in rows}


def last_uses(session: Session, grant_id: str) -> dict[str, datetime]:
    """Return when each client last read something under a grant."""
    rows = session.execute(
        sql_select(col(UsageEvent.client_id), func.max(col(UsageEvent.at)))
        .where(col(UsageEvent.grant_id) == grant_id, col(UsageEvent.client_id).is_not(None))
        .group_by(col(UsageEvent.client_id))
    ).all()
    return {str(client_id): at for client_id, at in rows}


def _sums() -> tuple[ColumnElement[Any], ...]:
    return (
        func.count(col(UsageEvent.id)),
        func.coalesce(func.sum(col(UsageEvent.rows)), 0),
        func.coalesce(func.sum(col(UsageEvent.size)), 0),
        func.max(col(UsageEvent.at)),
    )


def _usage(answers: int, rows: int, size: int, last: datetime) -> Usage:
    return Usage(int(answers), int(rows), int(size), last)


def _beijing_day(session: Session) -> ColumnElement[Any]:
    """Return the Beijing date of an event as the engine computes it; instants are stored in UTC on both."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.timezone("Asia/Shanghai", col(UsageEvent.at)), Date)
    return func.date(col(UsageEvent.at), "+8 hours")


def _as_date(found: date | str) -> date:
    """Return a day that PostgreSQL gives as a date and SQLite as a text."""
    return found if isinstance(found, date) else date.fromisoformat(found)
