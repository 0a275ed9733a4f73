"""What a version's columns look like, in numbers that no single row shows through.

The page with a profile is public and the rows are not, so whatever is released here is shared by at least `smallest`
rows, and by as many of whatever the table identifies (a bin of fifty rows of one vehicle is a bin of one vehicle):
bins and values below that are merged or left out, the outermost bins are open, so that no extreme is named, edges are
round, and counts are rounded down to a multiple of `smallest`, so that they move between versions by nothing or by at
least that much and no subtraction from the number of rows finds a remainder.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from service.catalogue.engine.closed import close_to, connected, identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SMALLEST = 10  # rows
SMALL = 1 << 20  # bytes of a file that is read into memory whole
MOST_BINS = 24
MOST_VALUES = 10
LONGEST = 60  # characters of a shown value
TAIL = 0.02  # share of the values on each side that the outermost bins take in
HIGHEST_TOLD = 2  # the highest level of a column whose values are told
TELLING = frozenset({"direct", "sensitive", "confidential"})
IDENTIFYING = frozenset({"key", "device"})  # branches of the semantic types, whatever their roles
NUMERIC = {"BIGINT", "DOUBLE"}
# What a bin of a calendar spans, the longest period (days) it is for, and its step.
CALENDAR = (
    ("day", 23, "1 day"), ("week", 161, "7 days"), ("month", 700, "1 month"), ("quarter", 2_100, "3 months"),
    ("year", 8_400, "1 year"), ("decade", 84_000, "10 years"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """How a table may be measured.

    Of a `closed` column only the type and the share of empty values are told.  `holders` are the columns that identify
    somebody or something: a cell holds as many as it has rows, or as each of these has different values there.
    """

    closed: frozenset[str]
    holders: tuple[str, ...] = ()
    smallest: int = SMALLEST


@dataclass(frozen=True, slots=True)
class Graded:
    """What decides whether a column may be told of; `roles` are its semantic type's, None while it has no type."""

    name: str
    level: int | None
    semantic: str | None
    roles: frozenset[str] | None


def closed_columns(
    columns: Iterable[Graded], *, prohibited: Collection[str], public: Collection[str] | None
) -> frozenset[str]:
    """Return the columns of which nothing is told but type and share of empty values.

    Those that a list prohibits, those of L3 and above or ungraded, those nobody classified, whatever identifies or is
    sensitive or confidential, and of a table that is public in part (`public`) what is not.
    """
    return frozenset(
        column.name
        for column in columns
        if column.name in prohibited
        or (public is not None and column.name not in public)
        or column.level is None
        or column.level > HIGHEST_TOLD
        or column.roles is None
        or column.roles & TELLING
        or identifies(column)
    )


def identifies(column: Graded) -> bool:
    """Whether the values of a column stand each for somebody or something."""
    return "direct" in (column.roles or ()) or (column.semantic or "").split(".")[0] in IDENTIFYING


@dataclass(frozen=True, slots=True)
class Cell:
    """Rows that lie together from `start` on; `held` is the least that they hold of anything."""

    start: float | date | None
    rows: int
    held: int
    span: int = 1


@dataclass(frozen=True, slots=True)
class Measuring:
    """One table under measurement."""

    connection: "DuckDBPyConnection"
    terms: Terms
    rows: int

    def one(self, statement: str, *values: object) -> tuple[Any, ...]:
        row = self.connection.execute(statement, list(values)).fetchone()
        assert row is not None
        return tuple(row)

    def cells(self, key: str, column: str) -> list[Cell]:
        """Return the table grouped by the expression `key`, in its order, without the rows that lack `column`."""
        held = ", ".join(["count(*)", *(f"count(DISTINCT {identifier(holder)})" for holder in self.terms.holders)])
        grouped = f"FROM data WHERE {identifier(column)} IS NOT NULL GROUP BY k ORDER BY k"
        statement = f"SELECT {key} AS k, count(*), least({held}) {grouped}"
        return [Cell(*row) for row in self.connection.execute(statement).fetchall()]

    def rounded(self, rows: int) -> int:
        """Return a count as it is released: down to a multiple of the smallest cell."""
        return rows - rows % self.terms.smallest


def measure(files: Sequence[Path], terms: Terms) -> dict[str, Any]:
    """Return the profile of a table in one or more Parquet files of the same columns.

    It is {"smallest", "columns": {name: {"type", "nulls", …}}}.

    `nulls` is a whole percentage, rounded down.  A column that is not closed has `distinct`, the power of ten below its
    number of different values, and one of: `bins` [{"from", "to", "span", "rows"}] with their `unit`; `values`
    [{"value", "rows"}] and `others`; neither, where nothing is shared by enough rows.  `merged` says that small cells
    were merged or left out.
    """
    with _opened(files) as connection:
        described = connection.execute("DESCRIBE data").fetchall()
        counted = connection.execute("SELECT count(*) FROM data").fetchone()
        measuring = Measuring(connection, terms, counted[0] if counted else 0)
        counts = _counted(connection, [name for name, *_rest in described])
        columns = {name: _column(measuring, name, kind, *counts[name]) for name, kind, *_rest in described}
    return {"smallest": terms.smallest, "columns": columns}


def _counted(connection: "DuckDBPyConnection", names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return for each column how many values it has, and how many different ones.

    Each is counted by a query of its own within one statement: several distinct counts in one query are planned slowly.
    """
    asked = (f"SELECT {at}, count({n}), count(DISTINCT {n}) FROM data" for at, n in enumerate(map(identifier, names)))
    return {
        names[at]: (filled, distinct)
        for at, filled, distinct in connection.execute(" UNION ALL ".join(asked)).fetchall()
    }


@contextmanager
def _opened(files: Sequence[Path]) -> Iterator["DuckDBPyConnection"]:
    """Open a DuckDB that sees these files alone, as the table `data`, and cannot be told otherwise.

    A small table is read once, by one thread: every statement that reads it anew, or wakes a second thread, costs more
    than what it counts.
    """
    small = sum(file.stat().st_size for file in files) <= SMALL
    with (
        TemporaryDirectory(prefix="qiantang-profile-") as spill,
        connected(threads=1 if small else 2, memory="1GB", spill=spill) as connection,
    ):
        close_to(connection, files)
        kind, shown = "TEMP TABLE" if small else "VIEW", ", ".join(map(literal, files))
        connection.execute(f"CREATE {kind} data AS SELECT * FROM read_parquet([{shown}])")
        yield connection


def _column(table: Measuring, column: str, kind: str, filled: int, distinct: int) -> dict[str, Any]:
    nulls = table.rounded(table.rows - filled) * 100 // table.rows if table.rows else 0
    if column in table.terms.closed:
        return {"closed": True, "nulls": nulls}
    found: dict[str, Any] = {"closed": False, "nulls": nulls, "distinct": int(math.log10(max(distinct, 1)))}
    if filled < 2 * table.terms.smallest:
        return found | {"merged": filled > 0}
    if kind in NUMERIC and (shape := _numbers(table, column, filled, whole=kind == "BIGINT")):
        return found | shape
    if (kind == "DATE" or kind.startswith("TIMESTAMP")) and (shape := _times(table, column, filled, kind)):
        return found | shape
    return found | _values(table, column, filled)


# ---- numbers -------------------------------------------------------------------------------------------------------


def _numbers(table: Measuring, column: str, filled: int, *, whole: bool) -> dict[str, Any] | None:
    """Return bins of equal and round width; None where nearly all values are one."""
    low, high = _inner(table, column, filled)
    if low is None or high is None or high <= low:
        return None
    step = nice_step((high - low) / (MOST_BINS - 4), whole=whole)
    first, last = math.floor(low / step), math.floor(high / step)
    name = identifier(column)
    key = f"least(greatest(CAST(floor({name} / {step!r}) AS BIGINT), {first}), {last})"
    found = {cell.start: cell for cell in table.cells(key, column)}
    cells = [Cell(_round(at * step, step), *_counts(found.get(at))) for at in range(first, last + 1)]
    bins, merged = _merged(cells, table.terms.smallest)
    return _binned(table, bins, merged=merged, unit=_round(step, step))


def nice_step(wanted: float, *, whole: bool = False) -> float:
    """Return the least 1, 2 or 5 times a power of ten that is not below `wanted`; a whole number at least 1."""
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * (1 - 1e-9))
    return max(1, round(step)) if whole else step


def _inner(table: Measuring, column: str, filled: int) -> tuple[Any, Any]:
    """Return the values between which nearly all lie, each with at least `smallest` values outside it or on it.

    Those values are of as many of whatever the table identifies: the rows of one of them move no end.  None where
    there are not so many of them.  They choose edges; of times, their days are told.
    """
    share = max(TAIL, table.terms.smallest / filled)
    name = identifier(column)
    low, high = table.one(
        f"SELECT quantile_disc({name}, ?::DOUBLE), quantile_disc({name}, ?::DOUBLE) FROM data", share, 1 - share
    )
    for holder in table.terms.holders:
        least, most = _ends(table, name, identifier(holder))
        if least is None or most is None:
            return None, None
        low, high = max(low, least), min(high, most)
    return low, high


def _ends(table: Measuring, name: str, holder: str) -> tuple[Any, Any]:
    """Return the value below or on which `smallest` different holders have one, and that above which as many do."""
    place = table.terms.smallest
    each = f"SELECT min({name}) AS l, max({name}) AS h FROM data WHERE {name} IS NOT NULL AND {holder} IS NOT NULL"
    return table.one(f"SELECT min(l, {place})[{place}], max(h, {place})[{place}] FROM ({each} GROUP BY {holder})")


def _round(value: float, step: float) -> float:
    digits = max(0, -math.floor(math.log10(step)))
    rounded = round(value, digits)
    return int(rounded) if digits == 0 else rounded


# ---- times ---------------------------------------------------------------------------------------------------------


def _times(table: Measuring, column: str, filled: int, kind: str) -> dict[str, Any] | None:
    """Return bins by hour of the day where times have hours, else by the calendar; and the days of nearly all."""
    low, high = _inner(table, column, filled)
    if low is None or high is None or high < low:
        return None
    first, last = table.one("SELECT CAST(? AS DATE), CAST(? AS DATE)", low, high)
    lasts = {"range": [first.isoformat(), last.isoformat()]}
    if kind != "DATE":
        hours = table.cells(f"hour({identifier(column)})", column)
        if len(hours) > 1:
            found = {cell.start: cell for cell in hours}
            cells = [Cell(hour, *_counts(found.get(hour))) for hour in range(24)]
            bins, merged = _merged(cells, table.terms.smallest)
            return lasts | _binned(table, bins, merged=merged, unit="hour", closed=24)
    if first == last:
        return lasts | _values(table, column, filled)
    unit, _longest, step = next((each for each in CALENDAR if (last - first).days <= each[1]), CALENDAR[-1])
    return lasts | _calendar(table, column, unit, step, first, last)


def _calendar(table: Measuring, column: str, unit: str, step: str, first: date, last: date) -> dict[str, Any]:
    low, high = table.one(f"SELECT date_trunc('{unit}', ?)::DATE, date_trunc('{unit}', ?)::DATE", first, last)
    days = [
        row[0]
        for row in table.connection.execute(
            f"SELECT CAST(unnest(generate_series(?::TIMESTAMP, ?::TIMESTAMP, INTERVAL '{step}')) AS DATE)", [low, high]
        ).fetchall()
    ]
    key = f"least(greatest(date_trunc('{unit}', {identifier(column)})::DATE, DATE '{low}'), DATE '{high}')"
    found = {cell.start: cell for cell in table.cells(key, column)}
    bins, merged = _merged([Cell(day, *_counts(found.get(day))) for day in days], table.terms.smallest)
    return _binned(table, bins, merged=merged, unit=unit)


# ---- values --------------------------------------------------------------------------------------------------------


def _values(table: Measuring, column: str, filled: int) -> dict[str, Any]:
    """Return the commonest values that enough rows share, and how many rows have others."""
    cells = table.cells(f"CAST({identifier(column)} AS VARCHAR)", column)
    shared = [cell for cell in cells if cell.held >= table.terms.smallest and len(str(cell.start)) <= LONGEST]
    shared.sort(key=lambda cell: (-cell.rows, str(cell.start)))
    shown = shared[:MOST_VALUES]
    others = table.rounded(filled - sum(cell.rows for cell in shown))
    values = [{"value": str(cell.start), "rows": table.rounded(cell.rows)} for cell in shown]
    return {"values": values, "others": others, "merged": len(shown) < len(cells)}


# ---- cells ---------------------------------------------------------------------------------------------------------


def _counts(cell: Cell | None) -> tuple[int, int]:
    return (cell.rows, cell.held) if cell else (0, 0)


def _merged(cells: Sequence[Cell], smallest: int) -> tuple[list[Cell], bool]:
    """Return neighbouring cells joined until each holds at least `smallest`, and whether any were joined.

    What is held by both of two neighbours may be the same, so a union counts for the greater of the two.
    """
    joined: list[Cell] = []
    for cell in cells:
        if joined and joined[-1].held < smallest:
            joined[-1] = _union(joined[-1], cell)
        else:
            joined.append(cell)
    if len(joined) > 1 and joined[-1].held < smallest:
        joined[-2:] = [_union(joined[-2], joined[-1])]
    if joined and joined[0].held < smallest:
        return [], True
    return joined, len(joined) < len(cells)


def _union(one: Cell, other: Cell) -> Cell:
    return Cell(one.start, one.rows + other.rows, max(one.held, other.held), one.span + other.span)


def _binned(
    table: Measuring, bins: Sequence[Cell], *, merged: bool, unit: float | str, closed: int | None = None
) -> dict[str, Any]:
    """Return bins as they are released: the outermost without an end, unless the scale itself ends at `closed`."""
    starts = [_plain(cell.start) for cell in bins]
    ends = [*starts[1:], closed]
    if closed is None and starts:
        starts[0] = None
    written = [
        {"from": start, "to": end, "span": cell.span, "rows": table.rounded(cell.rows)}
        for start, end, cell in zip(starts, ends, bins, strict=True)
    ]
    return {"bins": written if len(written) > 1 else [], "unit": unit, "merged": merged}


def _plain(start: float | date | None) -> float | str | None:
    return start.isoformat() if isinstance(start, date) else start
