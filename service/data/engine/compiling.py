"""From a query to the one DuckDB statement that answers it.

Values are bound, never written into the statement; the only names in it are those of the view's own columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from service.catalogue.engine.closed import identifier, literal
from service.data.rules.filters import Filter, Group, Term
from service.data.rules.rows import NotQueryable, Query
from service.grants.engine.opening import parquet

PLACE = (identifier("file_index"), identifier("file_row_number"))  # where a row lies, of which file and therein
COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
SPREAD = 100  # values of an `in` that are compared one by one, which lets row groups be left out


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a view, and how many rows it has."""

    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Source:
    """A view's files in their order, and what their columns are: `physical` from the first file's schema."""

    parts: tuple[Part, ...]
    physical: dict[str, str]

    def place(self, row: int) -> tuple[int, int]:
        """Return in which file row `row` of the view lies, and at which place therein."""
        for index, part in enumerate(self.parts):
            if row < part.rows:
                return index, row
            row -= part.rows
        return len(self.parts), 0

    def before(self, index: int) -> int:
        """Return how many rows lie in the files before the one at `index`."""
        return sum(part.rows for part in self.parts[:index])


def demand_places(source: Source) -> None:
    """Raise NotQueryable when the places of rows cannot be asked for: a column of the view has their name."""
    names = [name for name in source.physical if identifier(name.casefold()) in PLACE]
    if names:
        raise NotQueryable(columns=", ".join(names))


@dataclass(slots=True)
class Bound:
    """The values of a statement, each under a name of ours: read as variables of the connection."""

    values: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"getvariable('{name}')"


@dataclass(frozen=True, slots=True)
class Statement:
    """What DuckDB runs: the text, its values, and the files it may read."""

    text: str
    values: dict[str, Any]
    files: tuple[str, ...]


def rows_statement(
    source: Source, query: Query, fields: Sequence[str], *, start: int = 0, after: Sequence[Any] | None = None,
    limit: int | None = None,
) -> Statement:  # fmt: skip
    """Return the statement for `fields` (expressions) of a query's rows from row `start` of the view on.

    With an order of its own, `after` are the values by which row `start` is sorted: rows behind it in that order come.
    """
    bound = Bound()
    first, place = source.place(start) if not query.order else (0, 0)
    parts = source.parts[first:]
    conditions = [where(query.filter, source, bound)] if query.filter else []
    if place:
        here = f"{PLACE[1]} >= {bound.add(place)}"
        conditions.append(here if len(parts) == 1 else f"({PLACE[0]} > 0 OR {here})")
    if after is not None:
        conditions.append(_behind(query, after, source.place(start), bound))
    text = f"SELECT {', '.join(fields)} FROM {parquet([part.path for part in parts])}{_all(conditions)}"
    if query.order:
        text += f" ORDER BY {', '.join([*_sorting(query), *PLACE])}"
    if limit is not None:
        text += f" LIMIT {int(limit)}"
    return Statement(text, bound.values, tuple(str(part.path) for part in parts))


def count_statement(source: Source, found: Filter | None, most: int) -> Statement:
    """Return the statement that counts the rows of a filter, up to `most`."""
    bound = Bound()
    paths = [part.path for part in source.parts]
    conditions = [where(found, source, bound)] if found else []
    text = f"SELECT count(*) FROM (SELECT 1 FROM {parquet(paths)}{_all(conditions)} LIMIT {int(most)})"
    return Statement(text, bound.values, tuple(map(str, paths)))


def row_statement(source: Source, columns: Sequence[str], row: int) -> Statement:
    """Return the statement for one row of the view."""
    index, place = source.place(row)
    bound = Bound()
    path = source.parts[index].path
    condition = f"{PLACE[1]} = {bound.add(place)}"
    names = ", ".join(map(identifier, columns))
    return Statement(f"SELECT {names} FROM {parquet([path])} WHERE {condition}", bound.values, (str(path),))


# ---- conditions -----------------------------------------------------------------------------------------------------


def where(found: Filter, source: Source, bound: Bound) -> str:
    """Return a filter as a condition."""
    if isinstance(found, Term):
        return _term(found, source, bound)
    return _group(found, source, bound)


def _group(found: Group, source: Source, bound: Bound) -> str:
    joint = " AND " if found.joint == "and" else " OR "
    return f"({joint.join(where(part, source, bound) for part in found.parts)})"


def _term(term: Term, source: Source, bound: Bound) -> str:
    name = identifier(term.column)
    if term.op == "is_null":
        return f"{name} IS {'' if term.values[0] else 'NOT '}NULL"
    values = [_physical(value, source.physical[term.column]) for value in term.values]
    if term.op == "between":
        return f"{name} BETWEEN {bound.add(values[0])} AND {bound.add(values[1])}"
    if term.op == "contains":
        return f"contains({name}, {bound.add(values[0])})"
    if term.op != "in":
        return f"{name} {COMPARISONS[term.op]} {bound.add(values[0])}"
    if len(values) > SPREAD:
        return f"list_contains({bound.add(_alike(values))}, {name})"
    return f"{name} IN ({', '.join(bound.add(value) for value in values)})"


def _alike(values: list[Any]) -> list[Any]:
    """Return values of one type: whole numbers among fractions become fractions."""
    mixed = {type(value) for value in values} == {int, float}
    return [float(value) for value in values] if mixed else values


def _physical(value: Any, kind: str) -> Any:
    """Return a value as the file has it: a column of times without a zone holds Beijing's."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) and "tz=" not in kind else value


def _all(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _sorting(query: Query) -> list[str]:
    return [f"{identifier(one.column)} {'DESC' if one.descending else 'ASC'} NULLS LAST" for one in query.order]


def _behind(query: Query, values: Sequence[Any], place: tuple[int, int], bound: Bound) -> str:
    """Return the condition for rows that come behind the one with `values` at `place`, in the query's order."""
    index, number = bound.add(place[0]), bound.add(place[1])
    condition = f"({PLACE[0]} > {index} OR ({PLACE[0]} = {index} AND {PLACE[1]} > {number}))"
    for one, value in reversed(list(zip(query.order, values, strict=True))):
        name = identifier(one.column)
        if value is None:
            condition = f"({name} IS NULL AND {condition})"
            continue
        here, sign = bound.add(value), "<" if one.descending else ">"
        condition = f"({name} {sign} {here} OR {name} IS NULL OR ({name} = {here} AND {condition}))"
    return condition


# ---- what is shown --------------------------------------------------------------------------------------------------

PLAIN_SINCE = 694_195_200_000_000  # 1992-01-01 in Beijing, in µs: no clock was put forward there since
PLAIN_UNTIL = 253_402_214_400_000_000  # 9999-12-31


def shown(columns: Sequence[str], physical: dict[str, str], kind: str) -> list[str]:
    """Return the expressions of an export's columns: as they are, or as the text that `kind` (csv, jsonl) has."""
    if kind == "csv":
        return [f"{_csv(name, physical[name])} AS {identifier(name)}" for name in columns]
    if kind == "jsonl":
        pairs = [f"{literal(name)}, {_json(name, physical[name])}" for name in columns]
        return [f"json_object({', '.join(pairs)})::VARCHAR || chr(10) AS line"]
    return [identifier(name) for name in columns]


def _csv(name: str, physical: str) -> str:
    """Return a column as the file in CSV has it; instants in Beijing's time, computed without the slow calendar."""
    column = identifier(name)
    if not physical.startswith("timestamp") or "tz=" not in physical:
        return column
    text = f"CAST({_beijing(column)} AS VARCHAR) || '+08'"
    return f"CASE WHEN {_plain(column)} THEN {text} ELSE CAST({column} AS VARCHAR) END"


def _json(name: str, physical: str) -> str:
    """Return a column as a page in JSON has it."""
    column = identifier(name)
    if physical in ("double", "float"):
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    if not physical.startswith("timestamp"):
        return column
    if "tz=" not in physical:
        return _iso(column, "''")
    slow = f"replace(CAST({column} AS VARCHAR), ' ', 'T') || ':00'"
    return f"CASE WHEN {_plain(column)} THEN {_iso(_beijing(column), literal('+08:00'))} ELSE {slow} END"


def _iso(moment: str, offset: str) -> str:
    """Return a time as ISO 8601, with six decimals where it has fractions of a second."""
    whole = f"replace(CAST({moment} AS VARCHAR), ' ', 'T')"
    return (
        f"CASE WHEN epoch_us({moment}) % 1000000 = 0 THEN {whole} "
        f"ELSE strftime({moment}, '%Y-%m-%dT%H:%M:%S.%f') END || {offset}"
    )


def _beijing(column: str) -> str:
    return f"make_timestamp(epoch_us({column}) + 28800000000)"


def _plain(column: str) -> str:
    return f"isfinite({column}) AND epoch_us({column}) BETWEEN {PLAIN_SINCE} AND {PLAIN_UNTIL}"
