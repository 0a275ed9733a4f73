"""Counting rows that are to be had against rows that are had already.  No session, no clock, and no row gets out.

Keyed tokens are left out: two values have the same token when they are the same, so that groups are what they were.
Cells stand for their rows: those of the cells that go out.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.catalogue.engine.closed import identifier
from service.grants.engine.compiling import unordered
from service.grants.engine.jobs import Compare, Side, Smallest
from service.grants.engine.opening import opened
from service.grants.engine.treating import Keys
from service.grants.rules import Recipe
from service.grants.rules.groups import released
from service.grants.rules.transforms import OfRows, Token

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AFTER, BEFORE = "after_rows", "before_rows"
MARK = '"qiantang row mark"'  # no column of a view is called so


def compare(job: Compare) -> Smallest:
    """Return the smallest groups of the whole, of what came and of what went; None for each that reaches k."""
    sides = [side for side in (job.after, job.before) if side is not None]
    with opened(job.folder, *dict.fromkeys(path for side in sides for path in side.sources)) as connection:
        whole = None if released(job.after.recipe.transforms) else _whole(connection, job)
        if job.before is None:
            return Smallest(whole)
        (_changed if job.alike else _entire)(connection, job, job.before)
        came, gone = _least(connection, job)
    return Smallest(whole, came, gone)


def _whole(connection: "DuckDBPyConnection", job: Compare) -> int | None:
    _table(connection, "whole", job.after, job.after.sources, f"SELECT {_named(job.by)} FROM held")
    return _smallest(connection, "whole", job)


def _entire(connection: "DuckDBPyConnection", job: Compare, before: Side) -> None:
    """Put down all rows of both sides that go out, as far as both can be told apart by them."""
    for name, side in ((AFTER, job.after), (BEFORE, before)):
        kept = f"SELECT {_marked(job)} FROM held"
        if step := released(side.recipe.transforms):
            by, k = step
            partition = f"PARTITION BY {_named(by)}" if by else ""
            kept += f" QUALIFY count(*) OVER ({partition}) >= {int(k)}"
        _table(connection, name, side, side.sources, kept)


def _changed(connection: "DuckDBPyConnection", job: Compare, before: Side) -> None:
    """Put down the rows of the parts that only one side holds.

    Of groups that go out on both sides only: one that begins or ceases to go out is as large as it has to be.
    """
    sides = ((AFTER, job.after), (BEFORE, before))
    step = released(job.after.recipe.transforms)
    conditions = ""
    if step is not None:
        by, k = step
        for name, side in sides:
            grouped = f" GROUP BY {_named(by)}" if by else ""
            counted = f"SELECT {_named(by)} FROM held{grouped} HAVING count(*) >= {int(k)}"
            _table(connection, f"{name}_groups", side, side.sources, counted)
        conditions = " WHERE " + " AND ".join(_among(f"{name}_groups", by) for name, _side in sides)
    for name, side in sides:
        _table(connection, name, side, side.own, f"SELECT {_marked(job)} FROM held{conditions}")


def _among(groups: str, by: Sequence[str]) -> str:
    same = [f"{groups}.{identifier(name)} IS NOT DISTINCT FROM held.{identifier(name)}" for name in by]
    return f"EXISTS (SELECT 1 FROM {groups}{' WHERE ' if same else ''}{' AND '.join(same)})"


def _table(connection: "DuckDBPyConnection", name: str, side: Side, paths: Sequence[Path], query: str) -> None:
    """Keep what a query makes of `held`, the rows of some parts; where there are none, of no rows of the side's types.

    Other statements are made of counts and names only: values are bound.
    """
    select, values = unordered(connection, paths or side.sources, _plain(side.recipe), Keys())
    none = "" if paths else " LIMIT 0"
    connection.execute(f"CREATE TEMP TABLE {name} AS WITH held AS (FROM ({select}){none}) {query}", values)


def _plain(recipe: Recipe) -> Recipe:
    steps = tuple(step for step in recipe.transforms if not isinstance(step, OfRows | Token))
    return replace(recipe, transforms=steps)


def _marked(job: Compare) -> str:
    """Return what is put down of a row: what it is counted by, and a hash of all that can be compared of it."""
    return ", ".join([*map(identifier, job.by), f"hash({_named(job.common)}) AS {MARK}"])


def _least(connection: "DuckDBPyConnection", job: Compare) -> tuple[int | None, int | None]:
    """Return the smallest groups of rows that came and of rows that went; each as often as it is there more often."""
    both = f"SELECT *, 1 AS side FROM {AFTER} UNION ALL SELECT *, -1 FROM {BEFORE}"
    changed = f"SELECT * EXCLUDE (side), sum(side) AS more FROM ({both}) GROUP BY ALL HAVING sum(side) <> 0"
    connection.execute(f"CREATE TEMP TABLE differing AS {changed}")
    by = "".join(f"{identifier(name)}, " for name in job.by)
    found = []
    for sign in ("more", "-more"):
        counted = f"SELECT {by}sum({sign}) AS n FROM differing WHERE {sign} > 0 GROUP BY ALL"
        found.append(_below(connection, f"SELECT min(n) FROM ({counted})", job.k))
    return found[0], found[1]


def _smallest(connection: "DuckDBPyConnection", table: str, job: Compare) -> int | None:
    grouped = f" GROUP BY {_named(job.by)}" if job.by else ""
    counted = f"SELECT count(*) AS n FROM {table}{grouped} HAVING count(*) > 0"
    return _below(connection, f"SELECT min(n) FROM ({counted})", job.k)


def _below(connection: "DuckDBPyConnection", query: str, k: int) -> int | None:
    row = connection.execute(query).fetchone()
    smallest = None if row is None or row[0] is None else int(row[0])
    return smallest if smallest is not None and smallest < k else None


def _named(columns: Sequence[str]) -> str:
    """Return columns for a list; where there are none, something to count by."""
    return ", ".join(identifier(name) for name in columns) or "1"
