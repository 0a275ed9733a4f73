"""Working days by the Beijing calendar, and the deadlines counted in them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from service.base.beijing import day_of, end_of_day, last_day
from service.policy.rules.models import Model, Text

# Statutory days with a fixed solar date: all that is known of a year without a file.
FIXED_DAYS = {(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)}


class Day(Model):
    date: date
    name: Text


class Year(Model):
    """The days off and the weekends worked in exchange (调休) of one year.

    `provisional`: not yet announced, computed from the statute; deadlines that touch it are counted again later.
    """

    format: Literal["calendar/1"]
    year: int
    state: Literal["announced", "provisional"]
    basis: Text
    days_off: tuple[Day, ...]
    days_worked: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def holds_together(self) -> Self:
        days = [day.date for day in (*self.days_off, *self.days_worked)]
        if len(days) != len(set(days)):
            raise PydanticCustomError("twice", "日期重复 / a day is listed twice")
        if any(day.year != self.year for day in days):
            raise PydanticCustomError("year", "日期不在本年 / a day lies in another year")
        if any(day.date.weekday() < 5 for day in self.days_worked):
            raise PydanticCustomError("worked", "调休上班日必须是周末 / a day worked in exchange is a weekend day")
        return self


class WorkCalendar:
    """The years that are known.  Any other year has weekends and the fixed statutory days, and is provisional."""

    def __init__(self, years: Iterable[Year]) -> None:
        self._years = {year.year: year for year in years}

    @cached_property
    def _off(self) -> frozenset[date]:
        return frozenset(day.date for year in self._years.values() for day in year.days_off)

    @cached_property
    def _worked(self) -> frozenset[date]:
        return frozenset(day.date for year in self._years.values() for day in year.days_worked)

    def works(self, day: date) -> bool:
        """Return whether `day` is a working day."""
        if day in self._worked:
            return True
        if day.weekday() >= 5 or day in self._off:
            return False
        return day.year in self._years or (day.month, day.day) not in FIXED_DAYS

    def provisional(self, day: date) -> bool:
        """Return whether `day` lies in a year whose days off are not yet announced."""
        return day.year not in self._years or self._years[day.year].state == "provisional"


def due(submitted: datetime, *, working_days: int, works: Callable[[date], bool]) -> datetime:
    """Return the moment by which something that came in at `submitted` must be done, in UTC.

    Counts `working_days` days (1 or more) for which `works` is true, from the day after, by the Beijing calendar; the
    deadline is 24:00 Beijing time of the last one.  Raises ValueError when `working_days` is below 1 or `submitted`
    has no zone.
    """
    if working_days < 1:
        raise ValueError("working_days must be at least 1")
    if submitted.tzinfo is None:
        raise ValueError("submitted needs a zone")
    day, left = day_of(submitted), working_days
    while left:
        day += timedelta(days=1)
        left -= works(day)
    return end_of_day(day).astimezone(UTC)


def working_days_between(start: datetime, end: datetime, *, works: Callable[[date], bool]) -> int:
    """Return how many working days lie after the Beijing day of `start` up to and with that of `end`; 0 or more."""
    day, last, count = day_of(start), day_of(end), 0
    while day < last:
        day += timedelta(days=1)
        count += works(day)
    return count


MOST_TICKS = 20  # a longer clock is told in words only
Tick = Literal["past", "today", "next"]


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline in working days, as it reads on the Beijing day `today`.

    `last` is the last day, through its 24:00; None while the clock stands still.  `left` counts the working days after
    today up to and with it, `late` those after it up to and with today.  `nth` is today's number among the `total`
    working days of the clock, 0 on a day off and outside of them.
    """

    state: Literal["running", "today", "late", "paused"]
    today: date
    last: date | None = None
    total: int = 0
    left: int = 0
    late: int = 0
    nth: int = 0
    ticks: tuple[Tick, ...] = ()
    provisional: bool = False


def read_clock(due: datetime | None, *, total: int, now: datetime, calendar: WorkCalendar) -> Clock:
    """Return how a clock of `total` working days that ends at `due` (open) reads at `now`; paused without an end.

    A clock in the past of a year whose days off were announced since is read by the days as they are known now.
    """
    today = day_of(now)
    if due is None:
        return Clock("paused", today, total=total)
    last = last_day(due)
    days = _last_working_days(last, total, works=calendar.works)
    left = working_days_between(now, end_of_day(last) - _INSTANT, works=calendar.works)
    late = working_days_between(end_of_day(last) - _INSTANT, now, works=calendar.works)
    return Clock(
        state="late" if today > last else "today" if today == last else "running",
        today=today,
        last=last,
        total=total,
        left=left,
        late=late,
        nth=days.index(today) + 1 if today in days else 0,
        ticks=tuple(_tick(day, today) for day in days) if total <= MOST_TICKS else (),
        provisional=calendar.provisional(last),
    )


_INSTANT = timedelta(microseconds=1)  # a deadline at 24:00 falls on the day before


def _last_working_days(last: date, count: int, *, works: Callable[[date], bool]) -> list[date]:
    """Return the `count` working days that end with `last`, in order; `last` itself counts whatever it is."""
    days, day = [last], last
    while len(days) < count:
        day -= timedelta(days=1)
        if works(day):
            days.append(day)
    return days[::-1]


def _tick(day: date, today: date) -> Tick:
    return "past" if day < today else "today" if day == today else "next"
