"""Sums over the rows of a view, by the values of columns; where a smallest group binds, with the keys of its cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from service.catalogue.engine.closed import identifier
from service.data.engine import pool
from service.data.engine.compiling import PLACE, Bound, Part, Source, demand_places, where
from service.data.engine.job import Job
from service.data.engine.paging import SORTING, SORTING_SECONDS
from service.data.engine.rows import as_json, source_of
from service.data.rules.aggregates import MOST_CELLS, Aggregation, Measure, cell_name, noisy
from service.grants.engine.opening import parquet


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of an answer; `names` tell cells that a budget counts, `more` that some are missing."""

    columns: list[dict[str, str]]
    rows: list[dict[str, object]]
    names: tuple[str, ...]
    more: bool


def aggregate(parts: Sequence[Part], asked: Aggregation) -> Cells:
    """Return the cells of an aggregation, sorted by what they are grouped by."""
    source = source_of(parts)
    fields = [f"{_measure(one)} AS {identifier(one.name)}" for one in asked.measures]
    table = pool.whole(_job(source, asked, fields, [], Bound()))
    rows = as_json(table)
    return Cells(_described(table), rows[:MOST_CELLS], (), len(rows) > MOST_CELLS)


def count_cells(parts: Sequence[Part], asked: Aggregation, k: int, key: bytes, salts: Sequence[str]) -> Cells:
    """Return the counts of the cells that have at least `k` rows, each off by what its rows' keys say.

    A row's key is a hash of where it lies (its part's checksum, one of `salts`, and its place therein) under `key`: the
    same rows have the same sum, and who does not know the key learns nothing from it.
    """
    bound = Bound()
    place = f"list_extract({bound.add(list(salts))}, {PLACE[0]}::BIGINT + 1) || ':' || {PLACE[1]}"
    row_key = f"md5_number({bound.add(key.hex())} || ':' || {place}) % 4294967296"
    names = [one.name for one in asked.measures]
    fields = ["count(*)::BIGINT AS cell_rows", f"sum(({row_key})::HUGEINT)::VARCHAR AS cell_key"]
    source = source_of(parts)
    demand_places(source)
    table = pool.whole(_job(source, asked, fields, [f"count(*) >= {bound.add(k)}"], bound))
    width = len(asked.group)
    counts = table.column(width).to_pylist()
    keys = [int(text) for text in table.column(width + 1).to_pylist()]
    shown = as_json(table.select(range(width))) if width else [{} for _count in counts]
    rows = [
        {**row, **dict.fromkeys(names, noisy(count, cell, k))}
        for row, count, cell in zip(shown, counts, keys, strict=True)
    ]
    described = [*_described(table.select(range(width))), *({"name": name, "type": "integer"} for name in names)]
    told = tuple(cell_name(cell) for cell in keys[:MOST_CELLS])
    return Cells(described, rows[:MOST_CELLS], told, len(rows) > MOST_CELLS)


def _job(source: Source, asked: Aggregation, fields: list[str], having: list[str], bound: Bound) -> Job:
    groups = [identifier(name) for name in asked.group]
    paths = [part.path for part in source.parts]
    condition = f" WHERE {where(asked.filter, source, bound)}" if asked.filter else ""
    text = f"SELECT {', '.join([*groups, *fields])} FROM {parquet(paths)}{condition}"
    if groups:
        text += f" GROUP BY {', '.join(groups)}"
    if having:
        text += f" HAVING {' AND '.join(having)}"
    if groups:
        text += f" ORDER BY {', '.join(f'{name} NULLS LAST' for name in groups)}"
    text += f" LIMIT {MOST_CELLS + 1}"
    files = tuple(map(str, paths))
    return Job(text, bound.values, files, "arrow", "", memory=SORTING, cpu_seconds=SORTING_SECONDS, holding=True)


def _measure(one: Measure) -> str:
    if one.column is None:
        return "count(*)::BIGINT"
    name = identifier(one.column)
    if one.function == "quantile":
        return f"quantile_cont({name}::DOUBLE, {one.share!r})"
    if one.function == "sum":
        return f"sum({name})::DOUBLE"
    return f"{one.function}({name})"


def _described(table: pa.Table) -> list[dict[str, str]]:
    return [{"name": field.name, "type": _type(field.type)} for field in table.schema]


def _type(kind: pa.DataType) -> str:
    """Return a type as the catalogue calls it."""
    if pa.types.is_timestamp(kind):
        return "datetime"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    return "string" if pa.types.is_string(kind) else "number"
