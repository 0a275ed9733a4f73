"""Rows over HTTP: filters, order, formats, counts, aggregates on the loaded demo; the granted columns and no other."""

import csv
import io
import json
from datetime import datetime
from urllib.parse import quote

import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from service.base.beijing import BEIJING
from tests.http.conftest import ORIGIN
from tests.http.test_data import GRANTED, ordered, problem, stored

LONG = {"column": "duration_min", "op": "ge", "value": 300}


def asked(world, token, method="rows", **query):
    """Send a query as a POST's body."""
    return world.app.test_client().post(
        f"/api/v1/datasets/{world.dataset}/{method}", base_url=ORIGIN, json=query,
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip


def walked(world, token, query):
    """Return every row of a query, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        answer = world.rows(token, f"?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        found += answer.json["rows"]
        cursor = answer.json["next"]
    return found


def usage(world):
    return [tuple(row) for row in world.found("select face, rows, whole from usageevent order by id")]


# ---- filters and orders ----------------------------------------------------------------------------------------------


def test_a_filter_finds_its_rows_once_over_all_pages(world):
    token = world.token()
    expected = [row for row in stored(world) if row["duration_min"] is not None and row["duration_min"] >= 300]
    assert 0 < len(expected) < 20_000
    text = quote(json.dumps(LONG))
    found = walked(world, token, f"limit=700&filter={text}")
    assert ordered(found) == ordered(expected) == [tuple(row.values()) for row in found]
    assert walked(world, token, "limit=9999&where=duration_min:ge:300") == found
    posted = asked(world, token, filter=LONG, limit=50)
    assert posted.status_code == 200 and posted.json["rows"] == found[:50]


def test_an_order_of_one_s_own_shows_every_row_once(world):
    found = walked(world, world.token(), "limit=6000&order=-duration_min,entry_time&select=duration_min,entry_time")
    assert len(found) == 20_000
    lengths = [row["duration_min"] for row in found]
    assert lengths == sorted(lengths, reverse=True)
    assert sorted(map(str, found)) == sorted(
        str({name: row[name] for name in ("duration_min", "entry_time")}) for row in stored(world)
    )


def test_a_count_is_exact_up_to_ten_thousand(world):
    token = world.token()
    expected = sum((row["duration_min"] or 0) >= 300 for row in stored(world))
    few = world.rows(token, "?limit=1&count=true&where=duration_min:ge:300").json
    assert (few["count"], few["exact"]) == (min(expected, 10_000), expected <= 10_000)
    many = world.rows(token, "?limit=1&count=true&where=duration_min:ge:0").json
    assert (many["count"], many["exact"]) == (10_000, False)
    whole = world.rows(token, "?limit=1&count=true").json
    assert (whole["count"], whole["exact"]) == (20_000, True)
    assert "count" not in world.rows(token, "?limit=1").json


def test_a_cursor_of_another_query_says_which_it_is(world):
    token = world.token()
    cursor = world.rows(token, "?limit=5&where=duration_min:ge:300").json["next"]
    problem(world.rows(token, f"?cursor={cursor}"), 400, "cursor-expired")
    problem(world.rows(token, f"?cursor={cursor}&where=duration_min:ge:301"), 400, "cursor-expired")
    answer = world.rows(token, f"?cursor={cursor}&where=duration_min:ge:300&order=lot_id")
    assert "另一个查询" in answer.json["detail"]
    assert asked(world, token, cursor=cursor, filter=LONG).status_code == 200, "the same query in another form"


# ---- what does not hold ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "words"), [("zh", "应为整数值"), ("en", "Must be a whole number")])
def test_every_fault_is_named_at_once_in_the_reader_s_language(world, language, words):
    told = {
        "and": [
            {"column": "duration_min", "op": "ge", "value": "long"},
            {"column": "colour", "op": "eq", "value": 1},
            {"or": [{"column": "plate", "op": "eq", "value": "浙A"}, {"column": "lot_id", "op": "~", "value": "x"}]},
        ]
    }
    answer = world.rows(world.token(), f"?lang={language}&order=nothing&filter={quote(json.dumps(told))}")
    problem(answer, 400, "bad-filter")
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [
        ("/filter/and/0/value", "wrong-type"),
        ("/filter/and/1/column", "unknown-column"),
        ("/filter/and/2/or/0/column", "column-not-granted"),
        ("/filter/and/2/or/1/op", "unknown-operator"),
        ("/order/0", "unknown-column"),
    ]
    assert answer.json["errors"][0]["message"] == words
    assert answer.json["errors"][0]["column"] == "duration_min"


def test_a_column_that_was_not_granted_is_no_filter_and_no_order(world):
    token = world.token()
    for query in (
        "where=plate:eq:x",
        "order=plate",
        "order=-plate",
        "where=plate:is_null",
        "where=exit_time:ge:2026-01-01",
    ):
        answer = world.rows(token, f"?{query}")
        problem(answer, 403, "column-not-granted")
        assert answer.json["apply"].endswith("/applications/new?dataset=parking-records")
    assert ordered(walked(world, token, "limit=10000")) == ordered(stored(world))


@pytest.mark.parametrize(
    "filter",
    ["{",
     "[]", "1", '"1=1"', "null null", '{"and": [], "and": []}', '{"column":"lot_id","op":"eq","value":NaN}', "[" * 5000,
     json.dumps({"or": [LONG] * 10_000})[:1800]],
)  # fmt: skip
def test_what_is_no_filter_is_refused(world, filter):
    problem(world.rows(world.token(), f"?filter={quote(filter)}"), 400, "bad-filter")


def test_too_many_terms_too_deep_a_nest_and_too_large_a_body_are_refused(world):
    token = world.token()
    small = {"column": "duration_min", "op": "eq", "value": 1}
    answer = asked(world, token, filter={"or": [small] * 101})
    problem(answer, 400, "bad-filter")
    assert answer.json["errors"][0]["code"] == "too-many-terms"
    deep = small
    for _level in range(400):
        deep = {"and": [deep]}
    problem(asked(world, token, filter=deep), 400, "bad-filter")
    problem(asked(world, token, filter={"or": [small] * 10_000}), 413, "too-large")
    problem(asked(world, token, sql="select 1"), 422, "invalid")


@pytest.mark.parametrize(
    "value",
    ["'", '"', "'; DROP TABLE grant; --", '") OR 1=1 --', "$v0", "getvariable('v0')", "\\", "%", "\u202e", "P" * 1000]
)  # fmt: skip
def test_a_value_is_a_value_whatever_stands_in_it(world, value):
    for op in ("eq", "contains"):
        answer = asked(world, world.token(), filter={"column": "lot_id", "op": op, "value": value})
        assert (answer.status_code, answer.json["rows"]) == (200, [])


@pytest.mark.parametrize(
    "name", ['lot_id"; --', "lot_id' OR 1=1", "*", "file_row_number", "filename", "rowid", "LOT_ID", " lot_id"]
)
def test_a_name_that_is_no_column_is_unknown_wherever_it_stands(world, name):
    token = world.token()
    for query in (
        {"filter": {"column": name, "op": "is_null"}}, {"order": [name]}, {"select": [name]},
    ):  # fmt: skip
        problem(asked(world, token, **query), 400, "unknown-column")
    problem(asked(world, token, "aggregate", group=[name]), 400, "unknown-column")


# ---- formats ---------------------------------------------------------------------------------------------------------


def read(kind, data):
    if kind == "jsonl":
        return [json.loads(line) for line in data.splitlines()]
    if kind == "csv":
        rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
        return [
            {**row, "duration_min": int(row["duration_min"]), "entry_time": iso(row["entry_time"] + ":00")}
            for row in rows
        ]
    table = ipc.open_stream(data).read_all() if kind == "arrow" else pq.read_table(io.BytesIO(data))
    return [{**row, "entry_time": row["entry_time"].astimezone(BEIJING).isoformat()} for row in table.to_pylist()]


def iso(text):
    return datetime.fromisoformat(text).isoformat()


@pytest.mark.parametrize(
    ("kind", "accept"),
    [
        ("jsonl", "application/x-ndjson"),
        ("csv", "text/csv, */*;q=0.1"),
        ("arrow", "application/vnd.apache.arrow.stream"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_all_rows_come_in_every_format_and_are_written_down_once(world, kind, accept):
    token = world.token()
    expected = [row for row in stored(world) if row["duration_min"] >= 300]
    before = len(usage(world))
    answer = world.get(f"/api/v1/datasets/{world.dataset}/rows?where=duration_min:ge:300", token, Accept=accept)
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].endswith(f'.{kind}"')
    assert ordered(read(kind, answer.data)) == ordered(expected)
    assert usage(world)[before:] == [(kind, len(expected), True)]
    assert answer.headers["Cache-Control"] == "private, no-store" and "Accept" in answer.headers["Vary"]
    answer = world.rows(token, f"?format={kind}&limit=3&order=-duration_min")
    assert len(read(kind, answer.data)) == 3


def test_an_accept_that_cannot_be_met_is_406(world):
    token = world.token()
    path = f"/api/v1/datasets/{world.dataset}/rows"
    problem(world.get(path, token, Accept="text/html"), 406, "not-acceptable")
    problem(world.rows(token, "?format=xml"), 406, "not-acceptable")
    assert world.get(path, token, Accept="*/*").content_type == "application/json"
    assert world.get(path, token, Accept="text/html, application/json;q=0.5").content_type == "application/json"


def test_an_export_that_is_left_is_written_down_as_far_as_it_went(world):
    token = world.token()
    answer = world.rows(token, "?format=csv")
    next(iter(answer.response))
    answer.close()
    ((face, rows, whole),) = usage(world)[-1:]
    assert face == "csv" and rows < 20_000 and not whole


def test_an_export_ends_with_the_grant(world):
    token = world.token()
    world.suspend()
    problem(world.rows(token, "?format=csv"), 403, "grant-suspended")


# ---- aggregates ------------------------------------------------------------------------------------------------------


def test_rows_are_summed_up_by_group(world):
    answer = asked(
        world, world.token(), "aggregate", group=["lot_id"], where=["duration_min:ge:10"],
        measures=[{"function": "count"}, {"function": "sum", "column": "duration_min"},
                  {"function": "max", "column": "entry_time"},
                  {"function": "quantile", "column": "duration_min", "q": 0.5}],
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    expected = {}
    for row in stored(world):
        if row["duration_min"] >= 10:
            expected.setdefault(row["lot_id"], []).append(row)
    assert [row["lot_id"] for row in answer.json["rows"]] == sorted(expected)
    for row in answer.json["rows"]:
        group = expected[row["lot_id"]]
        assert row["count"] == len(group)
        assert row["sum_duration_min"] == sum(one["duration_min"] for one in group)
        assert row["max_entry_time"] == max(one["entry_time"] for one in group)
    assert answer.json["more"] is False and "noise" not in answer.json


def test_a_bad_aggregate_names_every_fault(world):
    answer = asked(
        world, world.token(), "aggregate", group=["plate", 5],
        measures=[{"function": "median"}, {"function": "sum", "column": "lot_id"},
                  {"function": "quantile", "column": "duration_min", "q": 2},
                  {"function": "sum"}, {"function": "count", "sql": "1"}],
    )  # fmt: skip
    problem(answer, 400, "bad-filter")
    assert [one["pointer"] for one in answer.json["errors"]] == [
        "/group/0", "/group/1", "/measures/0/function", "/measures/1/column", "/measures/2/q", "/measures/3/column",
        "/measures/4",
    ]  # fmt: skip


@pytest.fixture
def bound(world):
    """A world whose grant's rows were cut for a smallest group of 40 by lot and length."""
    steps = [{"kind": "suppress", "columns": ["lot_id", "duration_min"], "k": 40}]
    world.change('update "grant" set transforms = :steps where id = :id', steps=json.dumps(steps), id=world.grant)
    return world


def test_where_a_smallest_group_binds_small_cells_are_left_out_and_counts_are_off_by_the_same(bound):
    token = bound.token()
    groups = {}
    for row in stored(bound):
        groups[row["lot_id"], row["duration_min"]] = groups.get((row["lot_id"], row["duration_min"]), 0) + 1
    first = asked(bound, token, "aggregate", group=["lot_id", "duration_min"])
    assert first.status_code == 200, first.text
    assert (first.json["smallest"], first.json["noise"]) == (40, 2)
    told = {(row["lot_id"], row["duration_min"]): row["count"] for row in first.json["rows"]}
    assert set(told) == {group for group, count in groups.items() if count >= 40}
    again = asked(bound, token, "aggregate", group=["lot_id", "duration_min"])
    assert again.json == first.json, "asked twice, nothing is learnt"
    lots = asked(bound, token, "aggregate", group=["lot_id"])
    counts = {}
    for (lot, _minutes), count in groups.items():
        counts[lot] = counts.get(lot, 0) + count
    off = [row["count"] - counts[row["lot_id"]] for row in lots.json["rows"]]
    assert all(abs(one) <= 2 for one in off) and any(off)
    for lot in sorted(counts)[:3]:
        alone = asked(bound, token, "aggregate", where=[f"lot_id:eq:{lot}"])
        assert alone.json["rows"][0]["count"] == next(row["count"] for row in lots.json["rows"] if row["lot_id"] == lot)


def test_where_a_smallest_group_binds_nothing_but_counts_by_listed_columns_goes_out(bound):
    token = bound.token()
    answer = asked(
        bound, token, "aggregate", group=["entry_time"], where=["entry_time:ge:2026-01-01"],
        measures=[{"function": "max", "column": "duration_min"}, {"function": "count", "column": "lot_id"}],
    )  # fmt: skip
    problem(answer, 403, "aggregate-not-allowed")
    assert answer.json["k"] == 40
    assert [one["pointer"] for one in answer.json["errors"]] == ["/measures/0", "/measures/1", "/group/0", "/filter"]


def test_a_unit_has_a_budget_of_different_cells(bound, monkeypatch):
    from service.data.rules import aggregates

    token = bound.token()
    lots = len(asked(bound, token, "aggregate", group=["lot_id"]).json["rows"])
    ((told,),) = bound.found("select count(*) from told_cell")
    assert told == lots
    monkeypatch.setattr(aggregates, "BUDGET", lots)
    problem(asked(bound, token, "aggregate"), 429, "cell-budget-spent")
    assert asked(bound, token, "aggregate", group=["lot_id"]).status_code == 200, "what was told may be told again"
    assert bound.found("select count(*) from told_cell") == [(lots,)]


def test_the_granted_columns_are_the_fixture_s():
    assert GRANTED == ["lot_id", "entry_time", "duration_min"]
