"""The one clock.  Edges call `now`; everything below takes `now=` as an argument."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from service.base.beijing import BEIJING as BEIJING
from service.base.beijing import beijing_date as beijing_date

_OFFSET = re.compile(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_shift = timedelta(0)


def set_shift(shift: timedelta) -> None:
    """Move this process's clock; only `qiantang demo` and tests do."""
    global _shift
    _shift = shift


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Run a block with this process's clock moved by so much more: what the demo loads happened earlier."""
    before = _shift
    set_shift(before + by)
    try:
        yield
    finally:
        set_shift(before)


def now(session: Session) -> datetime:
    """Return the present in UTC by the database's clock, so that replicas agree on what has ended.

    The value is read anew at each call (also inside one transaction).
    """
    return database_now(session) + _shift


def database_now(session: Session) -> datetime:
    """Return the database's own present in UTC, unshifted."""
    if session.get_bind().dialect.name == "postgresql":
        at: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return at.astimezone(UTC)
    text: str = session.execute(select(literal_column("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"))).scalar_one()
    return datetime.fromisoformat(text)


def system_now() -> datetime:
    """Return the machine's own time in UTC: for log lines and for turning QIANTANG_NOW into a shift."""
    return datetime.now(UTC) + _shift  # noqa: TID251 - the one place where the machine's clock is read


def parse_shift(text: str, *, at: datetime) -> timedelta:
    """Return how far QIANTANG_NOW, an ISO 8601 instant or an offset (+P400D, P2W, -PT1H), moves the clock at `at`.

    Raises ValueError when `text` is neither.
    """
    if not text:
        return timedelta(0)
    if match := _OFFSET.fullmatch(text):
        sign, *sizes = match.groups()
        weeks, days, hours, minutes, seconds = (int(size or 0) for size in sizes)
        size = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return -size if sign == "-" else size
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=BEIJING)
    return instant - at
