"""Beijing's zone and calendar day: the part of time that rules may know (base.clock reads the database)."""

from datetime import datetime
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


def beijing_date(at: datetime) -> str:
    """Return the Beijing calendar date of an instant as YYYY-MM-DD."""
    return at.astimezone(BEIJING).date().isoformat()
