"""Deadlines by the Beijing calendar, and the routes that hold them."""

from datetime import UTC, date, datetime, timedelta

import holidays
import pytest
from pydantic import ValidationError

from service.base.beijing import BEIJING, last_day
from service.policy.rules.calendar import WorkCalendar, Year, due, read_clock, working_days_between
from service.policy.rules.routes import Route, route_for
from tests.policies.lists import shipped

CALENDAR = shipped().calendar


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("start", "days", "last"),
    [
        ("2026-09-30", 5, "2026-10-13"),
        ("2026-09-18", 15, "2026-10-15"),
        ("2026-02-13", 5, "2026-02-27"),
        ("2026-04-30", 20, "2026-06-01"),
        ("2026-11-23", 20, "2026-12-21"),
    ],
)
def test_working_days_skip_holidays_and_count_exchanged_weekends(start, days, last):
    deadline = due(noon(start), working_days=days, works=CALENDAR.works)
    assert last_day(deadline).isoformat() == last
    assert deadline.astimezone(BEIJING) == datetime.fromisoformat(f"{last}T00:00:00").replace(
        tzinfo=BEIJING
    ) + timedelta(1)


def test_a_deadline_ends_at_midnight_in_beijing_and_is_told_in_utc():
    deadline = due(noon("2026-11-23"), working_days=1, works=CALENDAR.works)
    assert deadline == datetime(2026, 11, 24, 16, tzinfo=UTC)


def test_the_first_day_is_beijings_and_not_londons():
    late_monday_in_utc = datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert last_day(due(late_monday_in_utc, working_days=1, works=CALENDAR.works)) == date(2026, 11, 25)


def test_a_deadline_in_a_year_not_announced_is_provisional():
    last = last_day(due(noon("2026-12-24"), working_days=10, works=CALENDAR.works))
    assert last == date(2027, 1, 8)
    assert CALENDAR.provisional(last)
    assert not CALENDAR.provisional(date(2026, 12, 31))


def test_a_year_without_a_file_has_weekends_and_fixed_days():
    assert not CALENDAR.works(date(2028, 10, 2))
    assert CALENDAR.works(date(2028, 10, 9))
    assert CALENDAR.provisional(date(2028, 10, 9))


@pytest.mark.parametrize("year", [2026, 2027])
def test_our_calendar_agrees_with_the_holidays_package(year):
    others = holidays.China(years=year)
    day = date(year, 1, 1)
    while day.year == year:
        assert CALENDAR.works(day) == others.is_working_day(day), day
        day += timedelta(days=1)


def test_working_days_between_counts_after_the_first_day():
    assert working_days_between(noon("2026-09-30"), noon("2026-10-13"), works=CALENDAR.works) == 5
    assert working_days_between(noon("2026-10-13"), noon("2026-09-30"), works=CALENDAR.works) == 0


def test_a_clock_needs_a_day_and_a_zone():
    with pytest.raises(ValueError):
        due(noon("2026-11-23"), working_days=0, works=CALENDAR.works)
    with pytest.raises(ValueError):
        due(datetime.fromisoformat("2026-11-23T12:00:00"), working_days=1, works=CALENDAR.works)


@pytest.mark.parametrize(
    "change",
    [
        {"days_off": [{"date": "2025-01-01", "name": {"zh": "x", "en": "x"}}]},
        {"days_worked": [{"date": "2026-01-05", "name": {"zh": "x", "en": "x"}}]},
        {"days_off": [{"date": "2026-01-01", "name": {"zh": "x", "en": "x"}}] * 2},
    ],
)
def test_a_calendar_that_does_not_hold_together_is_refused(change):
    year = {"format": "calendar/1", "year": 2026, "state": "announced", "basis": {"zh": "x", "en": "x"}, "days_off": []}
    assert WorkCalendar([Year.of(year)]).works(date(2026, 1, 5))
    with pytest.raises(ValidationError):
        Year.of(year | change)


def test_every_request_has_a_route_whose_steps_fit_its_total():
    for route in shipped().routes:
        assert route.running_days <= route.total.working_days
        assert [step.role for step in route.steps] == ["steward", "authority"]
        assert all(step.basis.kind != "law" for step in route.steps), "no deadline has been verified as law"


@pytest.mark.parametrize(
    ("outcome", "level", "id"),
    [
        ("pass", 2, "default"),
        ("condition", 1, "default"),
        ("review", 2, "review"),
        ("prohibit", 1, "review"),
        ("review", 3, "level3"),
        ("pass", None, "level3"),
    ],
)
def test_the_route_follows_from_verdict_and_level(outcome, level, id):
    found = route_for(shipped().routes, outcome=outcome, domains=["transport"], level=level, delivery="api")
    assert found.id == id


def test_a_frozen_route_is_plain_json_with_the_basis_of_each_clock():
    frozen = route_for(shipped().routes, outcome="pass", domains=[], level=1, delivery="download").frozen()
    assert frozen["total"]["working_days"] == 15
    assert [(step["role"], step["working_days"], step["basis"]["kind"]) for step in frozen["steps"]] == [
        ("steward", 5, "analogy"),
        ("authority", 10, "assumption"),
    ]
    assert len(frozen["digest"]) == 64


def test_a_route_ends_with_the_authority():
    plain = shipped().routes[0].written()
    with pytest.raises(ValidationError):
        Route.of(plain | {"steps": plain["steps"][:1]})


def test_no_route_is_an_error_and_not_a_guess():
    with pytest.raises(LookupError):
        route_for([], outcome="pass", domains=[], level=1, delivery="api")


# ---- a clock as it is read ------------------------------------------------------------------------------------------


def read(at: str, *, start: str = "2026-11-16", days: int = 10):
    return read_clock(
        due(noon(start), working_days=days, works=CALENDAR.works), total=days, now=noon(at), calendar=CALENDAR
    )


def test_a_running_clock_counts_what_is_left_after_today_and_says_which_day_today_is():
    clock = read("2026-11-23")
    assert (clock.state, clock.left, clock.nth, clock.total) == ("running", 5, 5, 10)
    assert clock.last == date(2026, 11, 30)
    assert clock.ticks == ("past",) * 4 + ("today",) + ("next",) * 5


def test_on_the_day_of_submission_no_day_has_passed_yet():
    clock = read("2026-11-16")
    assert (clock.state, clock.left, clock.nth) == ("running", 10, 0)
    assert clock.ticks == ("next",) * 10


def test_a_day_off_is_no_day_of_the_clock():
    clock = read("2026-11-22")
    assert (clock.state, clock.left, clock.nth) == ("running", 6, 0)
    assert clock.ticks == ("past",) * 4 + ("next",) * 6


def test_on_its_last_day_a_clock_is_due_and_not_late():
    clock = read("2026-11-30")
    assert (clock.state, clock.left, clock.late, clock.nth) == ("today", 0, 0, 10)


def test_the_last_day_lasts_to_midnight_in_beijing():
    end = due(noon("2026-11-16"), working_days=10, works=CALENDAR.works)
    before, after = end - timedelta(seconds=1), end
    assert read_clock(end, total=10, now=before, calendar=CALENDAR).state == "today"
    assert read_clock(end, total=10, now=after, calendar=CALENDAR).state == "late"


@pytest.mark.parametrize(("at", "late"), [("2026-12-01", 1), ("2026-12-05", 4), ("2026-12-07", 5)])
def test_a_late_clock_counts_the_working_days_since(at, late):
    clock = read(at)
    assert (clock.state, clock.left, clock.late) == ("late", 0, late)
    assert set(clock.ticks) == {"past"}


def test_the_saturday_after_a_friday_is_late_by_no_working_day_yet():
    clock = read("2026-11-28", start="2026-11-20", days=5)
    assert (clock.last, clock.state, clock.late) == (date(2026, 11, 27), "late", 0)


def test_a_clock_without_an_end_stands_still():
    clock = read_clock(None, total=5, now=noon("2026-11-23"), calendar=CALENDAR)
    assert (clock.state, clock.last, clock.ticks) == ("paused", None, ())


def test_a_clock_of_more_than_twenty_days_has_no_ticks():
    assert len(read("2026-11-23", days=20).ticks) == 20
    assert read("2026-11-23", days=21).ticks == ()


def test_a_clock_that_ends_in_a_year_not_announced_is_provisional():
    assert read("2026-12-24", start="2026-12-24").provisional
    assert not read("2026-11-23").provisional
