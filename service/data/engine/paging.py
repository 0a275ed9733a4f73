"""Pages of rows: the view's own order, filtered, or in an order of the caller's; never a row twice, none left out."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from service.data.engine import pool
from service.data.engine.compiling import (
    PLACE,
    Part,
    Source,
    Statement,
    count_statement,
    demand_places,
    row_statement,
    rows_statement,
    shown,
)
from service.data.engine.job import Job
from service.data.engine.rows import as_json, fetched, page, source_of
from service.data.rules.filters import Filter
from service.data.rules.rows import COUNTED, Page, Query

SORTING = "110MB"  # memory of a statement that holds rows back; what does not fit is spilled
SORTING_SECONDS = 60  # of computing

Read = tuple[list[dict[str, Any]], Page | None]


def read_page(parts: Sequence[Part], query: Query, start: int | None, limit: int) -> Read:
    """Return up to `limit` rows as JSON values, and the page behind them; `start` is None for the first page."""
    if not parts:
        return [], None
    if not query.order and query.filter is None:
        return _plain(parts, query, start or 0, limit)
    source = source_of(parts)
    demand_places(source)
    table = _sorted(source, query, start, limit) if query.order else _filtered(source, query, start or 0, limit)
    return _shown(table, source, query, limit)


def counted(parts: Sequence[Part], found: Filter | None) -> tuple[int, bool]:
    """Return how many rows a filter finds and whether that is all: beyond COUNTED it only says that there are more."""
    if found is None or not parts:
        return sum(part.rows for part in parts), True
    table = fetched(count_statement(source_of(parts), found, COUNTED + 1))
    count = int(table.column(0)[0].as_py())
    return min(count, COUNTED), count <= COUNTED


def export(
    parts: Sequence[Part], query: Query, kind: str, *, start: int | None = None, limit: int | None = None
) -> pool.Answer:
    """Return the bytes of a query's rows as `kind`, in pieces, each with how many rows it holds.

    `start` is where a page's cursor points, as for `read_page`.
    """
    source = source_of(parts)
    if query.order or start:
        demand_places(source)
    after = _after(source, query, start) if query.order and start is not None else None
    fields = shown(query.columns, source.physical, kind)
    statement = rows_statement(source, query, fields, start=start or 0, after=after, limit=limit)
    return pool.run(_job(statement, kind, holding=bool(query.order)))


def _job(statement: Statement, kind: str, *, holding: bool) -> Job:
    if not holding:
        return Job(statement.text, statement.values, statement.files, kind, "")
    return Job(statement.text, statement.values, statement.files, kind, "", memory=SORTING, cpu_seconds=SORTING_SECONDS)


def _plain(parts: Sequence[Part], query: Query, start: int, limit: int) -> Read:
    found = page(parts, query.columns, start=start, limit=limit)
    after = start + len(found)
    more = found and after < sum(part.rows for part in parts)
    return found, Page(after, query.columns) if more else None


def _filtered(source: Source, query: Query, start: int, limit: int) -> pa.Table:
    """Return one row more than the page has, with their places; the file in which it begins is asked by itself.

    Asked together with the others, its row groups before the page would be read.
    """
    fields = [*shown(query.columns, source.physical, "arrow"), *_places(source, start)]
    first, _place = source.place(start)
    alone = Source(source.parts[: first + 1], source.physical)
    table = fetched(rows_statement(alone, query, fields, start=start, limit=limit + 1))
    rest = source.parts[first + 1 :]
    if table.num_rows > limit or not rest:
        return table
    begin = source.before(first + 1)
    fields = [*shown(query.columns, source.physical, "arrow"), *_places(source, begin)]
    more = fetched(rows_statement(source, query, fields, start=begin, limit=limit + 1 - table.num_rows))
    return pa.concat_tables([table, more.cast(table.schema)])


def _places(source: Source, start: int) -> list[str]:
    """Return the expressions of where a row lies: which file of the whole view, and where therein."""
    return [f"({PLACE[0]} + {source.place(start)[0]})::BIGINT AS place_file", f"{PLACE[1]} AS place_row"]


def _sorted(source: Source, query: Query, start: int | None, limit: int) -> pa.Table:
    after = _after(source, query, start) if start is not None else None
    fields = [*shown(query.columns, source.physical, "arrow"), f"{PLACE[0]}::BIGINT AS place_file", PLACE[1]]
    statement = rows_statement(source, query, fields, start=start or 0, after=after, limit=limit + 1)
    return pool.whole(_job(statement, "arrow", holding=True))


def _after(source: Source, query: Query, row: int) -> list[Any]:
    """Return the values by which a row is sorted: a cursor holds its place only."""
    names = [one.column for one in query.order]
    table = fetched(row_statement(source, names, row))
    values = [column[0].as_py() for column in table.columns]
    return [_bare(value, source.physical[name]) for name, value in zip(names, values, strict=True)]


def _bare(value: Any, kind: str) -> Any:
    return value.replace(tzinfo=None) if kind.startswith("timestamp") and "tz=" not in kind and value else value


def _shown(table: pa.Table, source: Source, query: Query, limit: int) -> Read:
    width = len(query.columns)
    found = as_json(table.slice(0, limit).select(range(width)))
    if table.num_rows <= limit:
        return found, None
    last = limit - 1 if query.order else limit
    _demand_ascending(table, width) if not query.order else None
    index, place = (int(table.column(width + at)[last].as_py()) for at in (0, 1))
    return found, Page(source.before(index) + place, query.columns, query.digest())


def _demand_ascending(table: pa.Table, width: int) -> None:
    """Raise RuntimeError when rows came out of their order, as from a database with several threads: some were lost."""
    places = list(zip(*(table.column(width + at).to_pylist() for at in (0, 1)), strict=True))
    if places != sorted(places):
        raise RuntimeError("the rows of a page are out of order")
