"""Filters of rows: typed strictly, every fault found at once, nothing else let through."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.beijing import BEIJING
from service.data.rules import filters
from service.data.rules.filters import BadFilter, Columns, Faults, FilterNotGranted, FilterUnknown, Group, Term
from service.data.rules.refusals import BadParameter, CursorExpired
from service.data.rules.rows import (
    CursorElsewhere,
    Order,
    Page,
    Query,
    demand_same,
    flag_of,
    open_cursor,
    query_of,
    seal_cursor,
    whole_limit_of,
)

TYPES = {
    "name": "string", "count": "integer", "share": "number", "day": "date", "at": "datetime", "open": "boolean",
}  # fmt: skip
COLUMNS = Columns(TYPES, (*TYPES, "plate"))
GOOD = {
    "string": "西湖", "integer": 5, "number": 2.5, "date": "2026-01-31", "datetime": "2026-01-31T08:00:00+08:00",
    "boolean": True,
}  # fmt: skip


def read(given, columns=COLUMNS):
    faults = Faults()
    return filters.filter_of(given, columns, faults), faults.found


def faults_of(given):
    return [(fault["pointer"], fault["code"]) for fault in read(given)[1]]


def asked(**query):
    return query_of(query, COLUMNS, apply="/apply")


# ---- what holds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("op", filters.ALL_OPERATORS)
def test_every_operator_takes_values_of_its_column_s_type_or_is_refused_for_it(name, op):
    value = GOOD[TYPES[name]]
    value = {"in": [value], "between": [value, value], "is_null": False}.get(op, value)
    found, faults = read({"column": name, "op": op, "value": value})
    if op in filters.OPERATORS[TYPES[name]]:
        assert isinstance(found, Term) and (found.column, found.op) == (name, op) and not faults
    else:
        assert [fault["code"] for fault in faults] == ["wrong-operator"]


def test_values_become_those_of_the_column():
    assert read({"column": "day", "op": "eq", "value": "2026-01-31"})[0].values == (date(2026, 1, 31),)
    moment = datetime(2026, 1, 31, 8, tzinfo=BEIJING)
    for text in ("2026-01-31T08:00:00+08:00", "2026-01-31T00:00:00Z", "2026-01-31 08:00", "2026-01-31T08:00:00.000"):
        assert read({"column": "at", "op": "ge", "value": text})[0].values == (moment,)
    assert read({"column": "name", "op": "is_null"})[0].values == (True,)


def test_groups_nest_to_their_limit_and_no_deeper():
    def nested(depth):
        told = {"column": "count", "op": "eq", "value": 1}
        for level in range(depth):
            told = {("and", "or")[level % 2]: [told]}
        return told

    assert isinstance(read(nested(8))[0], Group)
    assert faults_of(nested(9)) == [("/filter", "too-deep")]
    assert faults_of(nested(500)) == [("/filter", "too-deep")]


def test_a_hundred_terms_hold_and_one_more_does_not():
    term = {"column": "count", "op": "eq", "value": 1}
    assert len(read({"or": [term] * 100})[0].parts) == 100
    assert faults_of({"or": [term] * 101}) == [("/filter", "too-many-terms")]
    assert faults_of({"or": [term] * 10_000}) == [("/filter", "too-many-terms")]
    with pytest.raises(BadFilter):
        asked(where=["count:eq:1"] * 101)


# ---- what does not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", 1), ("name", None), ("name", "x" * 1001), ("name", "\ud800"), ("name", ["a"]),
        ("count", "1"), ("count", 1.0), ("count", True), ("count", 2**63), ("count", None),
        ("share", "1.5"), ("share", True), ("share", float("inf")), ("share", float("nan")), ("share", 10**400),
        ("day", "2026-02-30"), ("day", "20260131"), ("day", "2026-01-31T00:00"), ("day", 20260131),
        ("day", "２０26-01-31"), ("at", "2026-01-31T25:00"),
        ("at", "now"), ("at", 0), ("at", "2026-W05"), ("at", "0001-01-01T00:00:00+08:00 "),
        ("open", "true"), ("open", 1), ("open", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_names_its_place_its_column_and_what_was_expected(column, value):
    found, faults = read({"and": [{"column": column, "op": "eq", "value": value}]})
    assert found.parts == ()
    (fault,) = faults
    assert (fault["pointer"], fault["code"], fault["column"]) == ("/filter/and/0/value", "wrong-type", column)
    assert fault["message"].startswith("应为")


def test_all_that_is_wrong_is_told_at_once():
    told = faults_of(
        {
            "and": [
                {"column": "count", "op": "eq", "value": "x"},
                {"or": [{"column": "colour", "op": "eq", "value": 1}, {"column": "plate", "op": "eq", "value": "浙A"}]},
                {"column": "name", "op": "like", "value": "%"},
                {"column": "count", "op": "contains", "value": "1"},
                {"column": "count", "op": "in", "value": [1, "2", 3.0]},
                {"column": "count", "op": "between", "value": [1]},
                {"column": "count", "op": "eq", "value": 1, "sql": "1=1"},
                {"and": []},
                {"and": [], "or": []},
                "1=1",
                {"column": 5, "op": "eq", "value": 1},
            ]
        }
    )
    assert told == [
        ("/filter/and/0/value", "wrong-type"),
        ("/filter/and/1/or/0/column", "unknown-column"),
        ("/filter/and/1/or/1/column", "column-not-granted"),
        ("/filter/and/2/op", "unknown-operator"),
        ("/filter/and/3/op", "wrong-operator"),
        ("/filter/and/4/value/1", "wrong-type"),
        ("/filter/and/4/value/2", "wrong-type"),
        ("/filter/and/5/value", "wrong-value"),
        ("/filter/and/6/sql", "bad-shape"),
        ("/filter/and/7", "bad-shape"),
        ("/filter/and/8", "bad-shape"),
        ("/filter/and/9", "bad-shape"),
        ("/filter/and/10/column", "bad-shape"),
    ]


def test_the_refusal_is_the_plainest_that_says_all():
    with pytest.raises(FilterNotGranted) as closed:
        asked(filter={"column": "plate", "op": "eq", "value": "x"}, order="-plate")
    assert closed.value.facts["columns"] == "plate" and len(closed.value.facts["errors"]) == 2
    with pytest.raises(FilterUnknown):
        asked(order=["colour"])
    with pytest.raises(BadFilter) as mixed:
        asked(filter={"column": "plate", "op": "eq", "value": "x"}, order=["colour"])
    assert mixed.value.facts["count"] == 2


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
                    lambda inner: st.lists(inner) | st.dictionaries(
                        st.sampled_from(["and", "or", "column", "op", "value"]) | st.text(), inner)))  # fmt: skip
def test_whatever_the_json_there_is_a_filter_or_a_reason(told):
    found, faults = read(told)
    assert found is not None or faults


# ---- the short form, order, limits -----------------------------------------------------------------------------------


def test_the_short_form_means_what_the_json_form_means():
    short = asked(
        where=["count:between:1,5", "name:contains:a:b", "share:ge:2", "at:ge:2026-01-31T08:00", "open:is_null"]
    )
    long = asked(
        filter={
            "and": [
                {"column": "count", "op": "between", "value": [1, 5]},
                {"column": "name", "op": "contains", "value": "a:b"},
                {"column": "share", "op": "ge", "value": 2},
                {"column": "at", "op": "ge", "value": "2026-01-31T08:00"},
                {"column": "open", "op": "is_null"},
            ]
        }
    )
    assert short == long and short.digest() == long.digest()


def test_a_fault_of_the_short_form_names_its_place():
    with pytest.raises(BadFilter) as refused:
        asked(where=["count:eq:x", "name:eq:a", "open:is_null:maybe", "count", "nope:eq:1"])
    assert [fault["pointer"] for fault in refused.value.facts["errors"]] == [
        "/where/0/value", "/where/2/value", "/where/3/op", "/where/4/column",
    ]  # fmt: skip


def test_order_takes_names_with_a_minus_for_descending():
    assert asked(order="-count, name").order == (Order("count", True), Order("name"))
    dashed = Columns({"-odd": "string"}, ("-odd",))
    assert query_of({"order": ["-odd"]}, dashed, apply="").order == (Order("-odd"),)
    for wrong in ([], ["count"] * 9, ["count", "-count"], [5], {"count": 1}):
        with pytest.raises(BadFilter):
            asked(order=wrong)


def test_limits_and_flags_are_typed():
    assert (whole_limit_of(None), whole_limit_of("20000"), flag_of("true"), flag_of(None)) == (None, 20000, True, False)
    for wrong in ("0", "-1", "x", "1e3", True):
        with pytest.raises(BadParameter):
            whole_limit_of(wrong)
    with pytest.raises(BadParameter):
        flag_of("yes")


# ---- cursors ---------------------------------------------------------------------------------------------------------


def test_a_cursor_holds_for_its_filter_and_order_only():
    one, other = asked(where=["count:eq:1"]), asked(where=["count:eq:2"])
    cursor = seal_cursor(Page(7, one.columns, one.digest()), "view|grant.1", b"k" * 32)
    page = open_cursor(cursor, "view|grant.1", b"k" * 32)
    demand_same(page, one)
    for another in (other, asked(), asked(where=["count:eq:1"], order="count")):
        with pytest.raises(CursorElsewhere):
            demand_same(page, another)
    with pytest.raises(CursorExpired):
        open_cursor(cursor, "view|grant.2", b"k" * 32)


def test_values_that_look_alike_give_cursors_of_their_own():
    digests = {Query((), Term("x", "eq", (value,))).digest() for value in (1, True, "1", 1.0)}
    assert len(digests) == 4
