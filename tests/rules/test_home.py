"""Working days of the register, statistics of refusals, and what a dataset's page says of a column."""

from datetime import UTC, date, datetime, timedelta

import pytest

from service.home import rules


def weekday(day: date) -> bool:
    return day.weekday() < 5


def rule(outcome: str, state: str) -> dict[str, str]:
    return {"id": "TR-001", "outcome": outcome, "state": state}


def verdict(*own: dict[str, str], own_outcome: str = "review", missing: tuple[str, ...] = ()) -> dict[str, object]:
    return {"own": list(own), "own_outcome": own_outcome, "missing": list(missing)}


def test_five_working_days_before_a_monday_is_the_monday_before():
    monday = datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert rules.working_days_before(monday, 5, works=weekday) == datetime(2026, 11, 15, 16, tzinfo=UTC)


def test_a_column_shows_what_holds_for_everybody_and_that_it_may_become_stricter():
    shown = rules.column_shown(verdict(rule("condition", "hit"), rule("review", "unknown")))
    assert (shown["outcome"], shown["depends"]) == ("condition", True)


def test_a_prohibited_column_depends_on_nobody():
    shown = rules.column_shown(verdict(rule("prohibit", "hit"), rule("review", "unknown"), own_outcome="prohibit"))
    assert (shown["outcome"], shown["depends"]) == ("prohibit", False)


def test_an_unclassified_column_is_never_shown_as_harmless():
    shown = rules.column_shown(verdict(rule("prohibit", "unknown"), missing=("columns.f17",)))
    assert shown["outcome"] == "review"


def test_refusals_are_counted_by_the_rules_that_hit():
    verdicts = [
        {"rules": [rule("prohibit", "hit")]},
        {"rules": [rule("prohibit", "hit"), {**rule("review", "unknown"), "id": "CO-001"}]},
        {"rules": []},
    ]
    assert rules.refusals_by_clause(verdicts) == [("TR-001", 2), ("", 1)]


def test_a_rule_that_only_sets_conditions_is_no_reason_of_a_refusal():
    conditional = {**rule("condition", "hit"), "id": "TR-015"}
    assert rules.refusals_by_clause([{"rules": [rule("prohibit", "hit"), conditional]}]) == [("TR-001", 1)]
    assert rules.refusals_by_clause([{"rules": [conditional]}]) == [("", 1)]


# ---- grants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "days"), [(-1, 0), (0, 0), (1, 1), (24, 1), (25, 2), (240, 10)])
def test_a_day_that_has_begun_counts_as_left(hours, days):
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert rules.days_left(now + timedelta(hours=hours), now=now) == days


def test_a_term_is_over_from_nothing_to_all_of_it():
    start = datetime(2026, 11, 24, tzinfo=UTC)
    shares = [rules.share_of(start, start + timedelta(days=10), now=start + timedelta(days=d)) for d in (-1, 0, 5, 12)]
    assert shares == [0, 0, 50, 100]


@pytest.mark.parametrize(("most", "top"), [(0, 2), (2, 2), (3, 5), (9, 10), (150, 200), (20_000, 20_000)])
def test_the_axis_ends_at_a_round_number(most, top):
    assert rules.bars([0, most])["top"] == top


def test_what_is_not_nothing_can_be_seen():
    drawn = rules.bars([0, 1, 100_000])["bars"]
    assert [bar["height"] for bar in drawn] == [0.0, 1.0, 140.0]
    assert all(bar["x"] >= 0 and bar["x"] + bar["width"] <= 600 for bar in drawn)
