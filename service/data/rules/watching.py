"""What about the use of a grant stands out, so that a person should look at it; nothing follows from it by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

BEFORE = 14  # days that a day is compared with
AT_LEAST = 3  # days that there must be to compare with: everybody's first days are unlike those before
TIMES = 5
FLOOR_ROWS = 100_000
FLOOR_SIZE = 100 << 20
WORDS = {"rows": {"zh": "行数", "en": "rows"}, "bytes": {"zh": "字节数", "en": "bytes"}}


@dataclass(frozen=True, slots=True)
class Sudden:
    """That a day's rows or bytes are far beyond what is usual for a grant.  `what` is rows or bytes."""

    what: str
    today: int
    usual: int


def sudden(day: date, today: tuple[int, int], before: Mapping[date, tuple[int, int]]) -> Sudden | None:
    """Return what of a day's (rows, bytes) is more than TIMES the median of the days before, and above the floor.

    Days without use count as nothing from the first use on.  None while a grant is younger than AT_LEAST days.
    """
    days = _days(day, before)
    if len(days) < AT_LEAST:
        return None
    for place, what, floor in ((1, "bytes", FLOOR_SIZE), (0, "rows", FLOOR_ROWS)):
        usual = median(before.get(one, (0, 0))[place] for one in days)
        if today[place] > max(floor, TIMES * usual):
            return Sudden(what, today[place], int(usual))
    return None


def _days(day: date, before: Mapping[date, tuple[int, int]]) -> list[date]:
    """Return the days to compare with: the last BEFORE, from the first with any use on."""
    last = [day - timedelta(days=back) for back in range(BEFORE, 0, -1)]
    first = min((one for one in last if one in before), default=day)
    return [one for one in last if one >= first]
