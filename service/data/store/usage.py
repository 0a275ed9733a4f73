"""SQL of what was read: one row an answer, and the sums by day that all pages and quotas are read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlalchemy.sql.elements import ColumnElement

from service.base.beijing import day_of
from service.base.db import Session, add_to_sums, col, select
from service.base.ids import new_id
from service.data.tables import UsageDay, UsageEvent

SUMS = ("requests", "rows", "size")


@dataclass(frozen=True, slots=True)
class Usage:
    """What was read in a stretch of time: answers, rows, bytes."""

    answers: int = 0
    rows: int = 0
    size: int = 0
    last: datetime | None = None


def note_usage(session: Session, *, now: datetime, day: date | None = None, **answer: Any) -> None:
    """Write down one answer, which counts on the Beijing day `day`; `answer` holds UsageEvent's other columns."""
    event = UsageEvent(id=new_id(now), at=now, **answer)
    session.add(event)
    session.flush()
    line = {
        "grant_id": event.grant_id or "", "day": day or day_of(now), "dataset_id": event.dataset_id,
        "client_id": event.client_id or "", "face": event.face, "requests": 1, "rows": event.rows, "size": event.size,
        "last_at": now,
    }  # fmt: skip
    add_to_sums(session, UsageDay, SUMS, [line], latest=("last_at",))


def usage_of_grant(session: Session, grant_id: str, *, limit: int = 20, before: str = "") -> Sequence[UsageEvent]:
    """Return the answers under a grant, newest first: the last ones, or those before one of them (its id)."""
    asked = select(UsageEvent).where(UsageEvent.grant_id == grant_id)
    if before:
        asked = asked.where(UsageEvent.id < before)
    return session.exec(asked.order_by(col(UsageEvent.id).desc()).limit(limit)).all()


def totals_of_grant(session: Session, grant_id: str) -> tuple[int, int, int]:
    """Return how many answers, rows and bytes a grant has had."""
    found = usage_since(session, [grant_id], since=date.min).get(grant_id, Usage())
    return found.answers, found.rows, found.size


def usage_by_day(session: Session, grant_id: str, *, since: date) -> dict[date, Usage]:
    """Return what was read under a grant from a Beijing day on, by day; days without an answer are left out."""
    rows = session.execute(
        sql_select(col(UsageDay.day), *_sums())
        .where(col(UsageDay.grant_id) == grant_id, col(UsageDay.day) >= since)
        .group_by(col(UsageDay.day))
        .order_by(col(UsageDay.day))
    ).all()
    return {day: _usage(*sums) for day, *sums in rows}


def usage_since(session: Session, grant_ids: Sequence[str], *, since: date) -> dict[str, Usage]:
    """Return what was read under each of several grants from a Beijing day on."""
    rows = session.execute(
        sql_select(col(UsageDay.grant_id), *_sums())
        .where(col(UsageDay.grant_id).in_(grant_ids), col(UsageDay.day) >= since)
        .group_by(col(UsageDay.grant_id))
    ).all()
    return {str(grant_id): _usage(*sums) for grant_id, *sums in rows}


def last_uses(session: Session, grant_id: str) -> dict[str, datetime]:
    """Return when each client last read something under a grant."""
    rows = session.execute(
        sql_select(col(UsageDay.client_id), func.max(col(UsageDay.last_at)))
        .where(col(UsageDay.grant_id) == grant_id, col(UsageDay.client_id) != "")
        .group_by(col(UsageDay.client_id))
    ).all()
    return {str(client_id): at for client_id, at in rows}


# ---- of a dataset ---------------------------------------------------------------------------------------------------


def dataset_by_day(session: Session, dataset_id: str, *, since: date) -> dict[date, Usage]:
    """Return what was read of a dataset from a Beijing day on, by day."""
    return {day: used for (day,), used in _of_dataset(session, dataset_id, since, col(UsageDay.day)).items()}


def dataset_by_grant(session: Session, dataset_id: str, *, since: date) -> dict[str, Usage]:
    """Return what was read of a dataset from a Beijing day on, by grant; "" for what was read without one."""
    return {grant: used for (grant,), used in _of_dataset(session, dataset_id, since, col(UsageDay.grant_id)).items()}


def dataset_by_face(session: Session, dataset_id: str, *, since: date) -> dict[str, Usage]:
    """Return what was read of a dataset from a Beijing day on, by the way it was read."""
    return {face: used for (face,), used in _of_dataset(session, dataset_id, since, col(UsageDay.face)).items()}


def _of_dataset(session: Session, dataset_id: str, since: date, *by: Any) -> dict[tuple[Any, ...], Usage]:
    rows = session.execute(
        sql_select(*by, *_sums())
        .where(col(UsageDay.dataset_id) == dataset_id, col(UsageDay.day) >= since)
        .group_by(*by)
        .order_by(*by)
    ).all()
    return {tuple(row[: len(by)]): _usage(*row[len(by) :]) for row in rows}


def _sums() -> tuple[ColumnElement[Any], ...]:
    return (
        func.sum(col(UsageDay.requests)),
        func.sum(col(UsageDay.rows)),
        func.sum(col(UsageDay.size)),
        func.max(col(UsageDay.last_at)),
    )


def _usage(answers: int, rows: int, size: int, last: datetime) -> Usage:
    return Usage(int(answers), int(rows), int(size), last)
