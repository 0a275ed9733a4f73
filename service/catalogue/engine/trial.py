"""Trial rows: drawn from what a profile tells, by a process that never sees a row.

Each column is drawn by itself, so that nothing of how columns belong together is in them either.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

UNIT_DAYS = {"day": 1, "week": 7, "month": 28, "quarter": 84, "year": 365, "decade": 3_650}


def rows(profile: Mapping[str, Any], types: Mapping[str, str], *, seed: str, count: int) -> list[dict[str, Any]]:
    """Return `count` rows of the columns of which enough is told; none when there is no such column.

    The same profile and seed give the same rows.
    """
    columns = {name: told for name, told in profile["columns"].items() if name in types and drawable(told)}
    if not columns:
        return []
    return [
        {name: _value(told, types[name], Draw(f"{seed}/{name}/{n}")) for name, told in columns.items()}
        for n in range(count)
    ]


def drawable(told: Mapping[str, Any]) -> bool:
    """Whether a column's profile holds something to draw from."""
    return not told["closed"] and bool(told.get("bins") or told.get("values"))


class Draw:
    """Numbers that follow from a text and from nothing else."""

    def __init__(self, text: str) -> None:
        self._bytes = self._stream(text)

    def share(self) -> float:
        """Return a number from 0 up to but not including 1."""
        return next(self._bytes)

    def _stream(self, text: str) -> Iterator[float]:
        n = 0
        while True:
            yield int.from_bytes(sha256(f"{text}/{n}".encode()).digest()[:6]) / 2**48
            n += 1


def _value(told: Mapping[str, Any], kind: str, draw: Draw) -> Any:
    if draw.share() * 100 < told["nulls"]:
        return None
    if values := told.get("values"):
        return str(_one(values, draw)["value"])
    bins = told["bins"]
    one = _one(bins, draw)
    if told["unit"] == "hour":
        return _moment(told, one, draw)
    if isinstance(told["unit"], str):
        return _day(one, told["unit"], draw)
    return _number(one, float(told["unit"]), kind, draw)


def _one(cells: Sequence[Mapping[str, Any]], draw: Draw) -> Mapping[str, Any]:
    """Return one of the cells, each as likely as it has rows."""
    left = draw.share() * sum(cell["rows"] for cell in cells)
    for cell in cells:
        left -= cell["rows"]
        if left < 0:
            return cell
    return cells[-1]


def _ends(one: Mapping[str, Any], step: float) -> tuple[float, float]:
    """Return a bin's ends; an open one is as wide as one step."""
    start = one["to"] - step if one["from"] is None else one["from"]
    return start, start + step if one["to"] is None else one["to"]


def _number(one: Mapping[str, Any], step: float, kind: str, draw: Draw) -> float:
    start, end = _ends(one, step)
    value = start + draw.share() * (end - start)
    if kind == "integer":
        return int(value // 1)
    digits = 2 if step >= 1 else 4
    return round(value, digits)


def _moment(told: Mapping[str, Any], one: Mapping[str, Any], draw: Draw) -> str:
    """Return a moment on one of the days between which nearly all lie, at an hour of the bin, in quarters."""
    first, last = (date.fromisoformat(day) for day in told["range"])
    day = first + timedelta(days=int(draw.share() * ((last - first).days + 1)))
    hour = one["from"] + int(draw.share() * (one["to"] - one["from"]))
    return f"{datetime.combine(day, time(hour, 15 * int(draw.share() * 4))):%Y-%m-%d %H:%M}"


def _day(one: Mapping[str, Any], unit: str, draw: Draw) -> str:
    span = timedelta(days=UNIT_DAYS[unit])
    end = date.fromisoformat(one["to"]) if one["to"] else date.fromisoformat(one["from"]) + span
    start = date.fromisoformat(one["from"]) if one["from"] else end - span
    return (start + timedelta(days=int(draw.share() * max((end - start).days, 1)))).isoformat()
