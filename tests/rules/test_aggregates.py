"""What may be asked of sums over rows, and what of it where a smallest group binds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.data.rules import aggregates as rules
from service.data.rules.aggregates import AggregateClosed, Aggregation, Measure, Smallest
from service.data.rules.filters import BadFilter, Columns, Term

COLUMNS = Columns(
    {"lot": "string", "minutes": "integer", "at": "datetime", "open": "boolean"}, ("lot", "minutes", "plate")
)
SMALLEST = Smallest(10, ("lot",))


def asked(**query):
    return rules.aggregation_of(query, COLUMNS, apply="/apply")


def test_rows_are_counted_where_nothing_else_is_asked():
    assert asked() == Aggregation((), (Measure("count"),))
    assert [one.name for one in asked(measures=[{"function": "quantile", "column": "minutes", "q": 0.9}]).measures] == [
        "quantile_0.9_minutes"
    ]


@pytest.mark.parametrize(
    "measure",
    [
        "count", {"function": "sum"}, {"function": "sum", "column": "lot"}, {"function": "max", "column": "open"},
        {"function": "quantile", "column": "minutes", "q": 1.1},
        {"function": "quantile", "column": "minutes", "q": True},
        {"function": "count", "as": "n"}, {"function": "sum(minutes)", "column": "minutes"},
        {"function": "avg", "column": "plate"},
    ],
)  # fmt: skip
def test_a_measure_that_does_not_fit_is_refused(measure):
    with pytest.raises(BadFilter if measure != {"function": "avg", "column": "plate"} else rules.Refusal):
        asked(measures=[measure])


@pytest.mark.parametrize("query", [
    {"group": "lot"}, {"group": ["lot"] * 9}, {"group": ["lot", "lot"]}, {"measures": []},
    {"measures": [{"function": "count"}] * 2},
])  # fmt: skip
def test_groups_and_measures_are_lists_of_different_names(query):
    with pytest.raises(BadFilter):
        asked(**query)


def test_where_a_smallest_group_binds_rows_are_counted_by_listed_columns_only():
    rules.demand_allowed(Aggregation(("lot",), (Measure("count"),), Term("lot", "eq", ("P1",))), SMALLEST)
    for found in (
        Aggregation(("minutes",), (Measure("count"),)),
        Aggregation((), (Measure("count"),), Term("minutes", "ge", (5,))),
        *(Aggregation((), (Measure(function, "minutes"),)) for function in rules.FUNCTIONS),
    ):
        with pytest.raises(AggregateClosed):
            rules.demand_allowed(found, SMALLEST)


@given(st.integers(10, 10**6), st.integers(0, 2**80))
def test_a_noisy_count_is_never_far_off_and_never_below_the_smallest(count, cell):
    told = rules.noisy(count, cell, 10)
    assert abs(told - count) <= rules.NOISE and told >= 10 and told == rules.noisy(count, cell, 10)


def test_the_noise_takes_every_value_alike():
    told = [rules.noisy(100, cell, 10) - 100 for cell in range(1000)]
    assert {value: told.count(value) for value in set(told)} == {-2: 200, -1: 200, 0: 200, 1: 200, 2: 200}


def test_the_budget_counts_new_cells_only():
    assert not rules.over_budget(rules.BUDGET, [])
    assert not rules.over_budget(rules.BUDGET - 1, ["a"])
    assert rules.over_budget(rules.BUDGET, ["a"])
