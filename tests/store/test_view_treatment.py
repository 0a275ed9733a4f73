"""What the steps of a recipe make of rows: by their definition, once and again, and under one key only."""

import hashlib
import hmac
import math
from collections import Counter
from datetime import date, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.base import derived
from service.grants import engine
from service.grants.engine.treating import Bound, expression
from service.grants.rules import BadTransform, Described
from service.grants.rules.transforms import CoarsenSpace, CoarsenTime, Mask, Token, read
from tests.store import granted
from tests.store.viewing import PEPPER, cut, keys, recipe

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}
ENGINE = duckdb.connect(config={"threads": 1})
local = datetime.fromisoformat  # what a column has that knows no zone
slow = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def treated(step, kind, values, key=None):
    """Return what a step makes of values of a declared type."""
    [step], bound = read([step]), Bound()
    made = expression("x", step, kind, bound, key or keys())
    names = ", ".join(f"CAST({bound.put(value)} AS {TYPES[kind]})" for value in values)
    found = ENGINE.execute(f"SELECT {made} FROM (SELECT unnest([{names}]) AS x)", bound.values).fetchall()
    return [row[0] for row in found]


# ---- columns --------------------------------------------------------------------------------------------------------


def test_a_mask_keeps_the_ends_and_hides_short_values_whole(tmp_path):
    step = {"kind": "mask", "column": "x", "first": 3, "last": 4}
    shown = treated(step, "string", ["13812345678", "1381234", "浙江省杭州市西湖区", "", None])
    assert shown == ["138****5678", "*******", "浙江省**市西湖区", "", None]


def test_text_is_cut_and_areas_to_their_level(tmp_path):
    assert treated({"kind": "truncate", "column": "x", "characters": 2}, "string", ["杭州市", "x", None]) == [
        "杭州", "x", None,
    ]  # fmt: skip
    assert treated({"kind": "coarsen_area", "column": "x", "digits": 4}, "integer", [330106, None]) == [
        "3301", None,
    ]  # fmt: skip


def test_numbers_fall_to_the_lower_end_of_their_bucket(tmp_path):
    assert treated({"kind": "bucket", "column": "x", "width": 10}, "integer", [-1, 0, 9, 10, None]) == [
        -10, 0, 0, 10, None,
    ]  # fmt: skip
    edges = {"kind": "bucket", "column": "x", "edges": [0, 18, 60]}
    assert treated(edges, "number", [-5.0, 17.9, 18.0, 99.0, None]) == [0, 0, 18, 60, None]


@pytest.mark.parametrize(
    ("unit", "every", "expected"),
    [
        ("minute", 15, local("2026-11-25T17:45")), ("hour", 6, local("2026-11-25T12:00")),
        ("day", 1, local("2026-11-25")), ("week", 1, local("2026-11-23")), ("month", 1, local("2026-11-01")),
        ("quarter", 1, local("2026-10-01")), ("year", 1, local("2026-01-01")),
    ],
)  # fmt: skip
def test_an_instant_falls_to_the_beginning_of_its_step(tmp_path, unit, every, expected):
    step = {"kind": "coarsen_time", "column": "x", "unit": unit, "every": every}
    assert treated(step, "datetime", [local("2026-11-25T17:59:59.000999"), None]) == [expected, None]


def test_a_day_falls_to_the_beginning_of_its_month_and_stays_by_the_clock(tmp_path):
    day = date(2026, 11, 25)
    month, hour = ({"kind": "coarsen_time", "column": "x", "unit": unit} for unit in ("month", "hour"))
    assert treated(month, "date", [day]) == [date(2026, 11, 1)]
    assert treated(hour, "date", [day]) == [day]


@pytest.mark.parametrize("latitude", [18.2, 30.27, 45.7, 53.4])
def test_a_cell_of_the_grid_is_nowhere_finer_than_its_metres(latitude):
    """East to west a degree shrinks towards the north: the cell is wide enough at the north end too."""
    bound = Bound()
    expression("x", CoarsenSpace(column="x", axis="longitude", metres=500), "number", bound, keys())
    [degrees] = bound.values.values()
    assert degrees * 111_320 * math.cos(math.radians(latitude)) >= 500


def test_a_token_is_a_keyed_hash_by_the_book(tmp_path):
    key = derived.key(PEPPER, "token", "1", "g1")
    expected = hmac.new(key, "浙A12345".encode(), hashlib.sha256).hexdigest()[:32]
    assert treated({"kind": "token", "column": "x"}, "string", ["浙A12345", None]) == [expected, None]


def test_a_token_needs_a_key(tmp_path):
    with pytest.raises(ValueError, match="key"):
        treated({"kind": "token", "column": "x"}, "string", ["x"], engine.Keys())


@slow
@given(
    values=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12), min_size=1)
)
def test_tokens_are_one_to_one_within_a_namespace_and_share_nothing_across(tmp_path, values):
    step = {"kind": "token", "column": "x"}
    ours = treated(step, "string", values)
    assert len(set(zip(values, ours, strict=True))) == len(set(values)) == len(set(ours))
    theirs = treated(step, "string", values, keys("g2"))
    assert not set(ours) & set(theirs)


STEPS = [
    ({"kind": "mask", "column": "x", "first": 1, "last": 2}, "string", st.text("ab浙*", max_size=9)),
    ({"kind": "truncate", "column": "x", "characters": 3}, "string", st.text("ab浙", max_size=9)),
    ({"kind": "bucket", "column": "x", "width": 7}, "integer", st.integers(-(10**9), 10**9)),
    ({"kind": "bucket", "column": "x", "width": 5}, "number", st.floats(-1e9, 1e9)),
    ({"kind": "bucket", "column": "x", "edges": [-3, 0.5, 18]}, "number", st.floats(-1e9, 1e9)),
    (
        {"kind": "coarsen_time", "column": "x", "unit": "minute", "every": 15},
        "datetime",
        st.datetimes(local("1971-01-01"), local("2100-01-01")),
    ),
    ({"kind": "coarsen_time", "column": "x", "unit": "quarter"}, "date", st.dates(date(1971, 1, 1), date(2100, 1, 1))),
    ({"kind": "coarsen_space", "column": "x", "axis": "longitude", "metres": 500}, "number", st.floats(73, 135)),
    ({"kind": "coarsen_area", "column": "x", "digits": 4}, "string", st.text("0123456789", max_size=12)),
]


@pytest.mark.parametrize(
    ("step", "kind", "some"), STEPS, ids=lambda each: each["kind"] if isinstance(each, dict) else ""
)
def test_a_step_done_twice_is_a_step_done_once(tmp_path, step, kind, some):
    @slow
    @given(st.lists(some, min_size=1, max_size=20))
    def holds(values):
        once = treated(step, kind, values)
        assert treated(step, kind, once) == once

    holds()


# ---- rows -----------------------------------------------------------------------------------------------------------


def _table(**columns):
    return pa.table(columns)


PEOPLE = (Described("area", "string", None), Described("age", "integer", None), Described("pay", "number", None))


def _people(steps, tmp_path, table, name="part", key=None):
    chosen = recipe(("area", "age", "pay"), described=PEOPLE, steps=steps)
    made = cut(table, chosen, tmp_path, name, key)
    assert engine.measure_part(made, chosen) == []
    return pq.read_table(made.path)


def _crowd():
    areas = ["西湖"] * 40 + ["上城"] * 12 + ["滨江"] * 3
    return _table(area=areas, age=[20 + n % 2 for n in range(55)], pay=[float(n) for n in range(55)])


def test_groups_that_are_too_small_are_left_out_after_columns_were_treated(tmp_path):
    rows = _people([{"kind": "suppress", "columns": ["area", "age"], "k": 7}], tmp_path, _crowd(), "fine")
    assert Counter(rows["area"].to_pylist()) == {"西湖": 40}
    coarse = [
        {"kind": "bucket", "column": "age", "width": 10},
        {"kind": "suppress", "columns": ["area", "age"], "k": 7},
    ]
    rows = _people(coarse, tmp_path, _crowd(), "coarse")
    assert Counter(rows["area"].to_pylist()) == {"西湖": 40, "上城": 12}


def test_groups_are_counted_after_the_row_filter(tmp_path):
    source = granted.records()
    steps = [{"kind": "suppress", "columns": ["lot_id"], "k": 150}]
    days = {"from": "2026-09-01", "to": "2026-09-02"}
    assert cut(source, recipe(steps=[]), tmp_path, "all").rows == 2_000
    assert cut(source, recipe(row_filter=days, steps=steps), tmp_path, "two days").rows == 0


def test_cells_are_counted_with_noise_that_is_the_same_for_the_same_rows(tmp_path):
    step = {"kind": "aggregate", "by": ["area"], "k": 5, "sums": [{"column": "pay", "low": 0.0, "high": 10.0}]}
    first = _people([step], tmp_path, _crowd(), "first").to_pylist()
    shuffled = _crowd().take(pa.array(list(range(54, -1, -1))))
    assert _people([step], tmp_path, shuffled, "again").to_pylist() == first
    found = {row["area"]: row for row in first}
    assert set(found) == {"西湖", "上城"}
    assert abs(found["西湖"]["rows"] - 40) <= 2 and abs(found["上城"]["rows"] - 12) <= 2
    for row in found.values():
        assert row["pay"] <= 10.0 * row["rows"]


def test_noise_does_not_depend_on_who_asks_but_on_the_key_of_the_dataset(tmp_path):
    step = {"kind": "aggregate", "by": ["area", "age"], "k": 2, "noise": 10}
    many = _table(area=[f"a{n % 40}" for n in range(4000)], age=[1] * 4000, pay=[1.0 * n for n in range(4000)])
    ours = _people([step], tmp_path, many, "ours", keys("g1"))
    theirs = _people([step], tmp_path, many, "theirs", keys("g2"))
    other = _people([step], tmp_path, many, "other", keys("g1", "another-dataset"))
    assert ours.equals(theirs)
    assert not ours.equals(other)
    errors = [count - 100 for count in ours["rows"].to_pylist()]
    assert max(map(abs, errors)) <= 10 and len(set(errors)) > 8


def test_no_count_says_that_a_cell_was_smaller_than_allowed(tmp_path):
    step = {"kind": "aggregate", "by": ["area"], "k": 100, "noise": 10}
    many = _table(area=[f"a{n % 40}" for n in range(4000)], age=[1] * 4000, pay=[1.0 * n for n in range(4000)])
    assert min(_people([step], tmp_path, many)["rows"].to_pylist()) >= 100


# ---- views ----------------------------------------------------------------------------------------------------------


def test_tokens_of_two_grants_do_not_join_and_renewals_do(tmp_path):
    steps = [{"kind": "token", "column": "plate"}]
    source = granted.records()
    tokens = {}
    for name, namespace in (("first", "g1"), ("renewal", "g1"), ("other", "g2")):
        chosen = recipe(("plate", "minutes"), steps=steps, namespace=namespace)
        made = cut(source, chosen, tmp_path, name, keys(namespace))
        assert engine.measure_part(made, chosen) == []
        assert not [plate for plate in source["plate"].to_pylist() if plate.encode() in made.path.read_bytes()]
        tokens[name] = pq.read_table(made.path)["plate"].to_pylist()
    assert tokens["first"] == tokens["renewal"]
    assert not set(tokens["first"]) & set(tokens["other"])
    assert len(set(tokens["first"])) == len(set(source["plate"].to_pylist()))


def test_two_views_with_tokens_joined_by_row_number_find_no_more_true_pairs_than_chance(tmp_path):
    source = granted.records(4_000, seed=3)
    plates = sorted(set(source["plate"].to_pylist()))
    views, who = {}, {}
    for namespace in ("g1", "g2"):
        chosen = recipe(("plate",), steps=[{"kind": "token", "column": "plate"}], namespace=namespace)
        views[namespace] = pq.read_table(cut(source, chosen, tmp_path, namespace, keys(namespace)).path)["plate"]
        made = treated({"kind": "token", "column": "x"}, "string", plates, keys(namespace))
        who[namespace] = dict(zip(made, plates, strict=True))
    pairs = zip(views["g1"].to_pylist(), views["g2"].to_pylist(), strict=True)
    assert sum(who["g1"][left] == who["g2"][right] for left, right in pairs) <= 9  # chance gives one on average


def test_a_column_that_should_hold_tokens_and_does_not_is_found(tmp_path):
    chosen = recipe(("plate",), steps=[{"kind": "token", "column": "plate"}])
    plain = cut(granted.records(50), recipe(("plate",)), tmp_path)
    assert engine.measure_part(plain, chosen) == ["token:plate"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"kind": "coarsen_time", "column": "entry_time", "unit": "day"}, "precision:entry_time"),
        ({"kind": "bucket", "column": "minutes", "width": 60}, "precision:minutes"),
        ({"kind": "mask", "column": "vehicle_type"}, "precision:vehicle_type"),
        ({"kind": "truncate", "column": "lot_id", "characters": 2}, "precision:lot_id"),
        ({"kind": "suppress", "columns": ["lot_id", "entry_time"], "k": 5}, "min-group"),
    ],
    ids=lambda each: each["kind"] if isinstance(each, dict) else "",
)
def test_a_view_that_is_finer_than_its_steps_is_found(tmp_path, step, reason):
    """Built by another recipe than it is measured by: as if the builder had forgotten the step."""
    untreated = cut(granted.records(500), recipe(), tmp_path)
    assert reason in engine.measure_part(untreated, recipe(steps=[step]))


def test_a_cell_that_is_too_small_is_found(tmp_path):
    chosen = recipe(("area", "age", "pay"), described=PEOPLE, steps=[{"kind": "aggregate", "by": ["area"], "k": 5}])
    finer = recipe(("area", "age", "pay"), described=PEOPLE, steps=[{"kind": "aggregate", "by": ["area"], "k": 2}])
    assert engine.measure_part(cut(_crowd(), finer, tmp_path), chosen) == ["small-cell"]


def test_keys_and_steps_name_a_view_and_a_namespace_only_where_it_enters():
    token, mask = [{"kind": "token", "column": "plate"}], [{"kind": "mask", "column": "plate"}]
    cell = [{"kind": "aggregate", "by": ["lot_id"]}]
    digests = {
        recipe(("plate", "lot_id"), steps=steps, namespace=namespace).digest()
        for steps in (token, mask, cell) for namespace in ("g1", "g2")
    }  # fmt: skip
    assert len(digests) == 4
    assert recipe(steps=token[:0], namespace="g1").digest() == recipe(namespace="g2").digest()


@pytest.mark.parametrize(
    "steps",
    [
        [{"kind": "token", "column": "colour"}], [{"kind": "truncate", "column": "entry_time", "characters": 2}],
        [{"kind": "mask", "column": "lot_id"}, {"kind": "token", "column": "lot_id"}],
        [{"kind": "suppress", "columns": ["plate"], "k": 5}], [{"kind": "aggregate", "by": ["plate"]}],
        [{"kind": "aggregate", "by": ["lot_id"], "count": "minutes"}], [{"kind": "shuffle"}], [{"kind": "mask"}],
        [{"kind": "bucket", "column": "minutes"}], [{"kind": "suppress", "columns": ["lot_id"], "k": 1}],
        [{"kind": "coarsen_time", "column": "entry_time", "unit": "minute", "every": 7}],
        [{"kind": "suppress", "columns": ["lot_id"], "k": 5}, {"kind": "aggregate", "by": ["lot_id"]}],
        [{"kind": "aggregate", "by": ["lot_id"], "sums": [{"column": "vehicle_type", "low": 0.0, "high": 1.0}]}],
    ],
)  # fmt: skip
def test_a_step_that_does_not_fit_makes_no_recipe(steps):
    with pytest.raises(BadTransform):
        recipe(steps=steps)


def test_steps_are_typed():
    assert read([{"kind": "mask", "column": "x"}, {"kind": "token", "column": "y"}]) == (
        Mask(column="x"),
        Token(column="y"),
    )
    assert CoarsenTime(column="x", unit="hour", every=6).minutes == 360
