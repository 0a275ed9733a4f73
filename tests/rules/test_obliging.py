"""From conditions to steps: what a verdict asks is compiled, or it is not met."""

import pytest

from service.grants.rules.obliging import Asked, Setting, compiled
from service.grants.rules.transforms import document, read, said

CARD, AT, DAY = Asked("card", "string", "transit.card_no"), Asked("at", "datetime", "time.event"), Asked(
    "day", "date", "time.date"
)  # fmt: skip
LAT, LON = Asked("lat", "number", "geo.point"), Asked("lon", "number", "geo.point")
HOUR, WHERE, AREA = Asked("hour", "string", "time.hour"), Asked("dz", "string", "geo.address"), Asked(
    "qx", "string", "geo.district"
)  # fmt: skip
UNKNOWN = Asked("f", "string", None)
TOKENS = {"kind": "transform", "semantics": ["transit.card_no"], "method": "keyed_hash", "to": "key.grant_token"}


def steps(obligation, *columns, **setting):
    """Return the steps that see to an obligation; None when nothing does."""
    found = compiled([obligation], Setting(columns, **setting))
    assert found.met in ((), (obligation,))
    return [document(step) for step in found.steps] if found.met else None


def test_a_key_is_replaced_by_a_token_of_the_grant():
    assert steps(TOKENS, CARD, AT) == [{"kind": "token", "column": "card"}]
    assert steps(TOKENS, AT) == []
    assert steps(TOKENS | {"semantics": ["transit"]}, CARD) == [{"kind": "token", "column": "card"}]


def test_a_column_that_nobody_classified_might_be_what_is_meant():
    assert steps(TOKENS, UNKNOWN) is None
    assert steps({"kind": "coarsen_time", "minutes": 15}, UNKNOWN) is None
    assert steps({"kind": "coarsen_spatial", "metres": 500}, UNKNOWN) is None
    assert steps({"kind": "min_group", "k": 5}, UNKNOWN) is None
    assert steps({"kind": "aggregate_only"}, UNKNOWN) is None


@pytest.mark.parametrize(
    ("method", "to", "step"),
    [
        ("mask", None, {"kind": "mask", "column": "card", "first": 1, "last": 1}),
        ("truncate", "4", {"kind": "truncate", "column": "card", "characters": 4}),
        ("truncate", None, None), ("bucket", "10", None), ("generalise", "4", None), ("truncate", "0", None),
    ],
)  # fmt: skip
def test_a_method_needs_what_it_is_done_by(method, to, step):
    wanted = {"kind": "transform", "semantics": ["transit"], "method": method, "to": to}
    assert steps(wanted, CARD) == (step and [step])


@pytest.mark.parametrize(
    ("minutes", "unit", "every"),
    [(15, "minute", 15), (7, "minute", 8), (61, "minute", 72), (1440, "day", 1), (1441, "week", 1),
     (20_000, "month", 1), (100_000, "quarter", 1), (10**6, "year", 1)],
)  # fmt: skip
def test_times_are_coarsened_to_the_finest_step_that_is_coarse_enough(minutes, unit, every):
    [step] = steps({"kind": "coarsen_time", "minutes": minutes}, AT) or [None]
    assert (step["unit"], step["every"]) == (unit, every)


def test_a_day_is_coarse_enough_up_to_a_day_and_a_written_hour_up_to_an_hour():
    assert steps({"kind": "coarsen_time", "minutes": 1440}, DAY) == []
    assert len(steps({"kind": "coarsen_time", "minutes": 1441}, DAY)) == 1
    assert steps({"kind": "coarsen_time", "minutes": 60}, HOUR) == []
    assert steps({"kind": "coarsen_time", "minutes": 61}, HOUR) is None


def test_what_is_stored_coarse_enough_stays_as_it_is():
    assert steps({"kind": "coarsen_time", "minutes": 15}, AT, temporal_min=15) == []
    assert steps({"kind": "coarsen_spatial", "metres": 500}, WHERE, spatial_m=500) == []


def test_coordinates_are_put_on_a_grid_and_addresses_cannot_be():
    found = steps({"kind": "coarsen_spatial", "metres": 500}, LAT, LON, AREA)
    assert [(step["column"], step["axis"], step["metres"]) for step in found] == [
        ("lat", "latitude", 500), ("lon", "longitude", 500),
    ]  # fmt: skip
    assert steps({"kind": "coarsen_spatial", "metres": 500}, WHERE) is None
    assert steps({"kind": "coarsen_spatial", "metres": 20_000}, AREA) is None


def test_small_groups_are_told_by_what_identifies_in_combination():
    wanted = {"kind": "min_group", "k": 20}
    assert steps(wanted, AREA, AT, quasi={"geo.district"}) == [{"kind": "suppress", "columns": ["qx"], "k": 20}]
    assert steps(wanted, AREA, AT) is None  # cells may be counts already


def test_only_counts_go_out_where_only_aggregates_may():
    number = Asked("pay", "number", "finance.amount")
    found = compiled([{"kind": "aggregate_only"}, {"kind": "min_group", "k": 20}], Setting((AREA, number)))
    assert [document(step) for step in found.steps] == [
        {"kind": "aggregate", "by": ["qx"], "sums": [], "k": 20, "noise": 2, "count": "rows"}
    ]
    assert len(found.met) == 2


def test_two_conditions_on_one_column_are_not_both_met():
    other = TOKENS | {"method": "mask"}
    found = compiled([TOKENS, other], Setting((CARD,)))
    assert found.met == (TOKENS,)


def test_a_quota_is_met_by_the_gate():
    found = compiled([{"kind": "quota", "rows_per_day": 1000}], Setting((AT,)))
    assert found.quota == {"rows_per_day": 1000} and len(found.met) == 1


def test_a_step_says_what_it_does():
    found = read([
        {"kind": "coarsen_time", "column": "at", "unit": "minute", "every": 15},
        {"kind": "suppress", "columns": ["qx", "age"], "k": 5}, {"kind": "bucket", "column": "age", "edges": [0, 18]},
        {"kind": "aggregate", "by": []},
    ])  # fmt: skip
    assert [said(step, lambda text: text) for step in found] == [
        "时间精确到15 分钟", "字段 qx、age 取值相同的不足 5 行的，整组不提供", "归并为给定区间（0、18），取下限",
        "只提供总行数与合计，不足 10 行的不提供，行数带有至多 2 的固定扰动",
    ]  # fmt: skip
