"""Beijing's zone and calendar days: the part of time that rules may know (base.clock reads the database)."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


def day_of(at: datetime) -> date:
    """Return the Beijing calendar day of an instant."""
    return at.astimezone(BEIJING).date()


def beijing_date(at: datetime) -> str:
    """Return the Beijing calendar day of an instant as YYYY-MM-DD."""
    return day_of(at).isoformat()


def end_of_day(day: date) -> datetime:
    """Return 24:00 Beijing time of `day`, which is 00:00 of the next: the open end of what lasts through `day`."""
    return datetime.combine(day + timedelta(days=1), time.min, BEIJING)


def last_day(end: datetime) -> date:
    """Return the last Beijing day on which something that ends at `end` (open) still holds: the day a letter names."""
    return day_of(end - timedelta(microseconds=1))
