"""Pure helpers of the pages: working days, texts in two languages, statistics of the register."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from service.base.beijing import BEIJING
from service.base.errors import Refusal
from service.screening.rules import column_shown as column_shown

Works = Callable[[date], bool]


def working_days_before(now: datetime, days: int, *, works: Works) -> datetime:
    """Return the instant, UTC, such that `days` whole working days (Beijing) lie between it and `now`."""
    day, left = now.astimezone(BEIJING).date(), days
    while left:
        day -= timedelta(days=1)
        left -= works(day)
    return datetime.combine(day, time.min, BEIJING).astimezone(UTC)


def refusals_by_clause(verdicts: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return how many refusals each rule had a hand in, most first; "" stands for those that no rule asked for.

    Of the rules that a request met, those of the gravest outcome count; one that only sets conditions refuses nothing.
    """
    counted: Counter[str] = Counter()
    for verdict in verdicts:
        hits = [rule for rule in verdict.get("rules", []) if rule["state"] == "hit"]
        graver = ([rule["id"] for rule in hits if rule["outcome"] == outcome] for outcome in ("prohibit", "review"))
        counted.update(next(filter(None, graver), [""]))
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def kinds_of(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Yield a kind of refusal and everything below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)


# ---- grants ----------------------------------------------------------------------------------------------------------


def days_left(ends_at: datetime, *, now: datetime) -> int:
    """Return how many days, begun ones counted as whole, lie between `now` and an end; 0 after it."""
    return max(0, -((now - ends_at) // timedelta(days=1)))


def share_of(starts_at: datetime, ends_at: datetime, *, now: datetime) -> int:
    """Return how much of a term is over at `now`, in whole percent from 0 to 100."""
    return round(100 * min(1, max(0, (now - starts_at) / (ends_at - starts_at))))


def bars(values: Sequence[int]) -> dict[str, Any]:
    """Return bars over a 600 × 140 field: the top of the axis, and x, y, width and height of each.

    What is not nothing is at least 1 high; the axis ends at 1, 2 or 5 times a power of ten.
    """
    top = _round_up(max(values, default=0))
    step = 600 / max(1, len(values))
    drawn = []
    for place, value in enumerate(values):
        height = max(1.0, 140 * value / top) if value else 0.0
        at = {"x": round(place * step + step * 0.12, 1), "width": round(step * 0.76, 1)}
        drawn.append({**at, "y": round(140 - height, 1), "height": round(height, 1)})
    return {"top": top, "bars": drawn}


def _round_up(value: int) -> int:
    power = 10
    while power < value:
        power *= 10
    return next(top for top in (power // 5, power // 2, power) if top >= value)


def problems() -> list[type[Refusal]]:
    """Return every kind of refusal that a program may meet, one a code, in the order of their codes."""
    kinds = {kind.code: kind for kind in kinds_of(Refusal)}
    return [kinds[code] for code in sorted(kinds)]


def cell(value: object) -> str:
    """Return a value as a cell of CSV that no spreadsheet takes for a formula; lists are parted by spaces."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value if value is not None else "")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
