"""Reading views: the same rows as plain Python finds, each once, in every format, whatever stands in them."""

import csv
import io
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.base.beijing import BEIJING
from service.data import engine
from service.data.engine import Part, pool
from service.data.engine.compiling import rows_statement, shown
from service.data.engine.job import Job
from service.data.engine.rows import source_of
from service.data.rules.aggregates import Aggregation, Measure
from service.data.rules.filters import Filter, Group, Term
from service.data.rules.rows import NotQueryable, Order, Page, Query, QueryTooHeavy

bounded = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
ODD = [
    "a",
    "it's",
    '"; --',
    "'; DROP TABLE x; --",
    "",
    "浙A·12345",
    "a,b",
    "行\r\n二",
    "%",
    "_",
    "\\",
    "é",
    "😀",
    "NULL",
]
COUNT = 'count"; --'
NAMES = ("select", COUNT, "share", "day", "at", "local", "open", "混合 名")
MOMENT = datetime(2026, 1, 31, 8, tzinfo=BEIJING)


def row(number: int) -> dict[str, Any]:
    def some(value: Any, every: int) -> Any:
        return None if number % every == 0 else value

    return {
        "select": some(ODD[number * 7 % len(ODD)], 11),
        COUNT: some(number * 13 % 40 - 5, 9),
        "share": some((number * 17 % 50) / 4 - 3, 8),
        "day": some(date(2026, 1, 1) + timedelta(days=number * 5 % 60), 10),
        "at": some(MOMENT + timedelta(minutes=number * 7 % 300, microseconds=number % 2 * 5), 12),
        "local": some(MOMENT.replace(tzinfo=None) + timedelta(hours=number % 9), 13),
        "open": some(number % 3 == 0, 7),
        "混合 名": "固定",
    }


ROWS = [row(number) for number in range(330)]
TYPES = {
    "select": pa.string(), COUNT: pa.int64(), "share": pa.float64(), "day": pa.date32(),
    "at": pa.timestamp("us", "UTC"), "local": pa.timestamp("us"), "open": pa.bool_(), "混合 名": pa.string(),
}  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> list[Part]:
    """A view of four files, one of them empty, each of several row groups."""
    folder = tmp_path_factory.mktemp("view")
    found, start = [], 0
    for index, size in enumerate((100, 0, 7, 223)):
        table = pa.Table.from_pylist(ROWS[start : start + size], schema=pa.schema(TYPES))
        pq.write_table(table, folder / f"{index}'.parquet", row_group_size=32)
        found.append(Part(folder / f"{index}'.parquet", size))
        start += size
    return found


def as_shown(given: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo:
            return value.astimezone(BEIJING).isoformat()
        return value.isoformat() if isinstance(value, date) else value

    return {name: plain(value) for name, value in given.items()}


# ---- the same in plain Python ----------------------------------------------------------------------------------------

TESTS: dict[str, Callable[..., bool]] = {
    "eq": lambda x, v: x == v, "ne": lambda x, v: x != v, "lt": lambda x, v: x < v, "le": lambda x, v: x <= v,
    "gt": lambda x, v: x > v, "ge": lambda x, v: x >= v, "in": lambda x, *v: x in v,
    "between": lambda x, low, high: low <= x <= high, "contains": lambda x, v: v in x,
}  # fmt: skip


def holds(found: Filter, one: dict[str, Any]) -> bool:
    if isinstance(found, Group):
        return (all if found.joint == "and" else any)(holds(part, one) for part in found.parts)
    value = one[found.column]
    if found.op == "is_null":
        return (value is None) is found.values[0]
    wanted = [
        v.replace(tzinfo=None) if found.column == "local" and isinstance(v, datetime) else v for v in found.values
    ]
    return value is not None and TESTS[found.op](value, *wanted)


def sorted_rows(rows: list[dict[str, Any]], order: tuple[Order, ...]) -> list[dict[str, Any]]:
    """Sort by the last column first: each sort leaves equal rows where they were."""
    found = list(rows)
    for one in reversed(order):
        name, down = one.column, one.descending
        held = sorted((row for row in found if row[name] is not None), key=partial(_key, name), reverse=down)
        found = held + [row for row in found if row[name] is None]
    return found


def _key(name: str, row: dict[str, Any]) -> Any:
    return row[name].encode() if isinstance(row[name], str) else row[name]


VALUES = {
    "select": st.sampled_from(ODD) | st.text(max_size=3).filter(lambda text: text.isprintable()),
    COUNT: st.integers(-10, 45) | st.sampled_from([2**63 - 1, -(2**63)]),
    "share": st.integers(-5, 12) | st.floats(-5, 12, allow_nan=False).map(lambda x: round(x * 4) / 4),
    "day": st.dates(date(2025, 12, 25), date(2026, 3, 5)),
    "at": st.integers(-100, 400).map(lambda m: MOMENT + timedelta(minutes=m)),
    "local": st.integers(-3, 12).map(lambda h: MOMENT + timedelta(hours=h)),
    "open": st.booleans(),
    "混合 名": st.sampled_from(["固定", "别的"]),
}


@st.composite
def terms(draw) -> Term:
    name = draw(st.sampled_from(NAMES))
    ops = ["eq", "ne", "in", "is_null"]
    ops += [] if name == "open" else ["lt", "le", "gt", "ge", "between"]
    ops += ["contains"] if name in ("select", "混合 名") else []
    op = draw(st.sampled_from(ops))
    if op == "is_null":
        return Term(name, op, (draw(st.booleans()),))
    count = {"between": 2, "in": draw(st.sampled_from([1, 3, 120]))}.get(op, 1)
    return Term(name, op, tuple(draw(st.lists(VALUES[name], min_size=count, max_size=count))))


filters = st.recursive(
    terms(),
    lambda inner: st.builds(Group, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)  # fmt: skip


def walk(parts, query: Query, limit: int) -> list[dict[str, Any]]:
    """Return all rows of a query, page by page."""
    found: list[dict[str, Any]] = []
    more: Page | None = Page(0, query.columns)
    start: int | None = None
    while more is not None:
        rows, more = engine.read_page(parts, query, start, limit)
        found += rows
        assert len(rows) == limit or more is None
        start = more.start if more else None
    return found


@bounded
@given(filters, st.sampled_from([1000, 50, 7]))
def test_any_filter_finds_what_plain_python_finds_page_by_page(parts, found, limit):
    expected = [as_shown(one) for one in ROWS if holds(found, one)]
    assert walk(parts, Query(NAMES, found), limit) == expected
    assert engine.counted(parts, found) == (len(expected), True)


@few
@given(st.none() | filters, st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), st.data())
def test_any_order_shows_every_row_once_empty_values_last(parts, found, names, data):
    order = tuple(Order(name, data.draw(st.booleans())) for name in names)
    expected = [as_shown(one) for one in sorted_rows(ROWS, order) if found is None or holds(found, one)]
    assert walk(parts, Query(NAMES, found, order), 100) == expected


def test_without_a_filter_pages_cross_files(parts):
    for limit in (1000, 99, 100, 3):
        assert walk(parts, Query(NAMES), limit) == [as_shown(one) for one in ROWS]
    assert engine.counted(parts, None) == (330, True)


def test_a_column_that_is_called_like_a_place_is_read_but_not_queried(tmp_path):
    pq.write_table(pa.table({"File_Row_Number": [7, 8, 9]}), tmp_path / "v.parquet")
    view, names = [Part(tmp_path / "v.parquet", 3)], ("File_Row_Number",)
    assert walk(view, Query(names), 2) == [{"File_Row_Number": number} for number in (7, 8, 9)]
    assert exported(view, Query(names, Term(names[0], "ge", (8,))), "csv") == (b'"File_Row_Number"\r\n8\r\n9\r\n', 2)
    for query in (Query(names, Term(names[0], "ge", (8,))), Query(names, None, (Order(names[0]),))):
        with pytest.raises(NotQueryable):
            walk(view, query, 2)


# ---- exports ---------------------------------------------------------------------------------------------------------


def exported(parts, query: Query, kind: str, **more: Any) -> tuple[bytes, int]:
    pieces = list(engine.export(parts, query, kind, **more))
    return b"".join(data for data, _rows in pieces), sum(rows for _data, rows in pieces)


FOUND = Term(COUNT, "ge", (0,))
EXPECTED = [one for one in ROWS if holds(FOUND, one)]


def test_jsonl_has_the_values_of_the_page(parts):
    data, rows = exported(parts, Query(NAMES, FOUND), "jsonl")
    assert [json.loads(line) for line in data.splitlines()] == [as_shown(one) for one in EXPECTED]
    assert rows == len(EXPECTED)


def test_csv_tells_empty_values_from_empty_texts_and_keeps_every_letter(parts):
    data, rows = exported(parts, Query(("select", COUNT, "at"), FOUND), "csv")
    told = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [one["select"] for one in told] == [one["select"] or "" for one in EXPECTED]
    moments = [datetime.fromisoformat(one["at"] + ":00") if one["at"] else None for one in told]
    assert moments == [one["at"] for one in EXPECTED]
    assert data.startswith(b'"select","count""; --","at"\r\n') and rows == len(EXPECTED)
    assert data.count(b'\n"",') == sum(one["select"] == "" for one in EXPECTED)


def test_arrow_and_parquet_have_the_types_of_the_view(parts):
    query = Query(NAMES, FOUND, (Order("day", True),))
    expected = [one[COUNT] for one in sorted_rows(EXPECTED, query.order)]
    stream, _rows = exported(parts, query, "arrow")
    table = ipc.open_stream(stream).read_all()
    assert table.column(COUNT).to_pylist() == expected
    assert [field.type for field in table.schema][:4] == list(TYPES.values())[:4]
    file, rows = exported(parts, query, "parquet")
    assert pq.read_table(io.BytesIO(file)).column(COUNT).to_pylist() == expected and rows == len(expected)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "arrow", "parquet"])
def test_an_export_of_nothing_is_whole_and_one_may_begin_at_a_cursor(parts, kind):
    _data, rows = exported(parts, Query(NAMES, Term("select", "eq", ("nowhere",))), kind)
    assert rows == 0
    assert exported(parts, Query(NAMES), kind, start=95)[1] == 235
    assert exported(parts, Query(NAMES), kind, start=105, limit=9)[1] == 9


def test_old_and_odd_instants_are_told_alike_everywhere(tmp_path):
    days = [(1890, 1, 1), (1988, 7, 1), (2026, 1, 1, 0, 0, 0, 50), (1992, 1, 1)]
    moments = [*(datetime(*day, tzinfo=UTC) for day in days), None]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC")), "x": [1.5, math.nan, math.inf, None, -0.0]})
    pq.write_table(table, tmp_path / "v.parquet")
    view = [Part(tmp_path / "v.parquet", 5)]
    page, _more = engine.read_page(view, Query(("at", "x")), None, 10)
    lines = [json.loads(line) for line in exported(view, Query(("at", "x")), "jsonl")[0].splitlines()]
    assert [one["x"] for one in lines] == [one["x"] for one in page] == [1.5, None, None, None, 0]
    assert [one["at"] and datetime.fromisoformat(one["at"]) for one in lines[1:]] == moments[1:]
    assert lines[1:4] == page[1:4]


# ---- children --------------------------------------------------------------------------------------------------------


def test_a_statement_that_grows_too_big_is_given_up_and_the_next_one_served(parts):
    source = source_of(parts)
    statement = rows_statement(source, Query(("select",)), shown(("select",), source.physical, "arrow"))
    bomb = "SELECT list(repeat('x', 1000) || i || j) AS x FROM range(100000) t(i), range(100) u(j)"
    with pytest.raises(QueryTooHeavy):
        pool.whole(Job(bomb, {}, statement.files, "arrow", "", holding=True))
    assert pool.whole(Job(statement.text, statement.values, statement.files, "arrow", "")).num_rows == 330


def test_a_child_reads_no_other_file_and_writes_none(parts, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("secret\n")
    (file, *_others) = [str(part.path) for part in parts]
    for text in (
        f"SELECT * FROM read_csv('{other}')",
        f"SELECT * FROM read_parquet('{parts[2].path}')",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('HOME') AS x",
    ):
        with pytest.raises(QueryTooHeavy):
            pool.whole(Job(text, {}, (file,), "arrow", "", holding=True))


def test_a_reader_who_leaves_ends_the_child_and_frees_its_folder(parts):
    source = source_of(parts)
    endless = "SELECT i FROM range(10000000000) t(i)"
    answer = pool.run(Job(endless, {}, rows_statement(source, Query(("select",)), ["1"]).files, "arrow", ""))
    child, folder = answer._child, Path(answer._folder)
    next(answer)
    assert folder.is_dir()
    answer.close()
    assert child.process.poll() is not None and not folder.exists()


def test_children_know_no_settings_of_the_service(parts, monkeypatch):
    monkeypatch.setenv("QIANTANG_SECRET_KEY", "a secret that a child must not see")
    child = pool._start()
    try:
        environment = Path(f"/proc/{child.process.pid}/environ").read_bytes()
        assert b"QIANTANG" not in environment
    finally:
        child.end()


def test_children_end_with_a_web_worker_that_was_killed(tmp_path):
    program = (
        "import time; from service.data.engine import pool; pool.warm(); pool.settle(); "
        "print(*[child.process.pid for child in pool._mine().idle], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as worker:
        children = [Path(f"/proc/{number}") for number in worker.stdout.readline().split()]
        assert len(children) == 2 and all(one.exists() for one in children)
        worker.kill()
    for _wait in range(100):
        if not any(_runs(one) for one in children):
            return
        time.sleep(0.1)
    raise AssertionError("a child outlived its worker")


def _runs(process: Path) -> bool:
    try:
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- aggregates ------------------------------------------------------------------------------------------------------


@few
@given(st.none() | filters, st.lists(st.sampled_from(["select", "open", "day"]), max_size=2, unique=True))
def test_cells_are_those_of_plain_python(parts, found, group):
    measures = (Measure("count"), Measure("count", "share"), Measure("sum", COUNT), Measure("min", "at"),
                Measure("avg", "share"))  # fmt: skip
    cells = engine.aggregate(parts, Aggregation(tuple(group), measures, found))
    expected: dict[Any, list[dict[str, Any]]] = {} if group else {(): []}
    for one in ROWS:
        if found is None or holds(found, one):
            expected.setdefault(tuple(as_shown(one)[name] for name in group), []).append(one)
    assert {tuple(row[name] for name in group) for row in cells.rows} == set(expected)
    for row in cells.rows:
        rows = expected[tuple(row[name] for name in group)]
        shares = [one["share"] for one in rows if one["share"] is not None]
        assert (row["count"], row["count_share"]) == (len(rows), len(shares))
        counts = [one[COUNT] for one in rows if one[COUNT] is not None]
        assert row[f"sum_{COUNT}"] == (sum(counts) if counts else None)
        moments = [one["at"] for one in rows if one["at"] is not None]
        assert row["min_at"] == (min(moments).isoformat() if moments else None)
        assert row["avg_share"] == (pytest.approx(sum(shares) / len(shares)) if shares else None)


def test_a_cell_s_noise_follows_its_rows_and_its_key(parts):
    salts = [f"sha-{place}" for place in range(len(parts))]
    by_day = Aggregation(("day",), (Measure("count"),))
    first = engine.count_cells(parts, by_day, 2, b"k" * 32, salts)
    assert engine.count_cells(parts, by_day, 2, b"k" * 32, salts) == first
    alone = Aggregation((), (Measure("count"),), Term("day", "eq", (date(2026, 1, 6),)))
    (row,) = [one for one in first.rows if one["day"] == "2026-01-06"]
    assert engine.count_cells(parts, alone, 2, b"k" * 32, salts).rows == [{"count": row["count"]}]
    assert engine.count_cells(parts, by_day, 2, b"o" * 32, salts).rows != first.rows
    counts = {name: sum(str(one["day"]) == name for one in ROWS) for name in {one["day"] for one in first.rows}}
    off = {one["count"] - counts[one["day"]] for one in first.rows if one["day"]}
    assert off <= {-2, -1, 0, 1, 2} and len(off) > 2
    big = engine.count_cells(parts, by_day, 28, b"k" * 32, salts)
    assert all(one["count"] >= 28 for one in big.rows) and len(big.rows) < len(first.rows)
    assert len(set(first.names)) == len(first.rows)
