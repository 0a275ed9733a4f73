"""Draws from a fixed seed, and what the generators share.

Only `random()` of the generator is used: its sequence for a seed is promised to stay the same, so the same seed gives
the same bytes on every machine.
"""

from bisect import bisect
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, TypeVar

from service.base.beijing import BEIJING

T = TypeVar("T")
Rows = dict[str, list[Any]]

FIRST_DAY = date(2026, 3, 2)  # a Monday
SMALLEST_CELL = 10
# Relative traffic by hour of the day, from midnight.
BY_HOUR = (2, 1, 1, 1, 1, 3, 8, 16, 18, 12, 10, 10, 11, 10, 10, 11, 13, 18, 16, 11, 8, 6, 4, 3)


class Chance:
    """Draws that depend on nothing but the seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, limit: int) -> int:
        """Return a whole number from 0 up to but not including `limit`."""
        return int(self._random.random() * limit)

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def weighted(self, things: Sequence[T], ends: Sequence[int]) -> T:
        """Return one of `things`; `ends` are their running totals of weight."""
        return things[bisect(ends, self.below(ends[-1]))]

    def low(self, limit: int) -> int:
        """Return a whole number below `limit`, the smaller the likelier."""
        return min(self.below(limit), self.below(limit))

    def early(self, things: Sequence[T]) -> T:
        """Return one of `things`, the earlier the likelier."""
        return things[self.low(len(things))]

    def around(self, mean: float, spread: float) -> float:
        """Return a number within `spread` of `mean`, the nearer the likelier."""
        return mean + spread * (self._random.random() + self._random.random() - 1)


HOUR_ENDS = list(accumulate(BY_HOUR))


def moment_in(chance: Chance, days: int, *, step: int) -> datetime:
    """Return an instant within `days` from the first day, busier by day; in steps of `step` minutes, 0 for seconds."""
    minute = chance.below(60)
    second = chance.below(60) if step == 0 else 0
    hour = chance.weighted(range(24), HOUR_ENDS)
    day = FIRST_DAY + timedelta(days=chance.below(days))
    return datetime(day.year, day.month, day.day, hour, minute // max(step, 1) * max(step, 1), second, tzinfo=BEIJING)


def table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Rows:
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Return an instant of a Beijing day."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BEIJING)


def days(count: int) -> list[date]:
    """Return so many days from the first day."""
    return [FIRST_DAY + timedelta(days=number) for number in range(count)]


def months(count: int) -> list[date]:
    """Return the first days of so many months, the last of them the one before the first day's."""
    last = FIRST_DAY.year * 12 + FIRST_DAY.month - 2
    return [date(month // 12, month % 12 + 1, 1) for month in range(last - count + 1, last + 1)]
