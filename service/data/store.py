"""SQL of the data plane."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func

from service.base.db import Session, col, select
from service.base.ids import new_id
from service.data.tables import UsageEvent


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
