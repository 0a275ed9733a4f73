"""Deadlines by the Beijing calendar, and the routes that hold them."""

from datetime import UTC, date, datetime, timedelta

import holidays
import pytest
from pydantic import ValidationError

from service.base.beijing import BEIJING, last_day
from service.policy.rules.calendar import WorkCalendar, Year, due, working_days_between
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
