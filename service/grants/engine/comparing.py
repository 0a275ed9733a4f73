"""Counting rows that are to be had against rows that are had already.  No session, no clock, and no row gets out.

Keyed tokens are left out: two values have the same token when they are the same, so that groups are what they were.
Cells stand for their rows: those of the cells that go out.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.grants.engine.compiling import unordered
from service.grants.engine.jobs import Compare, Side, Smallest
from service.grants.engine.opening import identifier, opened
from service.grants.engine.treating import Keys
from service.grants.rules import Recipe
from service.grants.rules.groups import released
from service.grants.rules.transforms import OfRows, Token

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AFTER, BEFORE = "after_rows", "before_rows"


def compare(job: Compare) -> Smallest:
    """Return the smallest groups of the whole, of what came and of what went; None for each that reaches k."""
    sides = [side for side in (job.after, job.before) if side is not None]
    with opened(job.folder, *dict.fromkeys(path for side in sides for path in side.sources)) as connection:
        whole = None if released(job.after.recipe.transforms) else _whole(connection, job)
        if job.before is None:
            return Smallest(whole)
        (_changed if job.alike else _entire)(connection, job, job.before)
        came, gone = (_least(connection, job, *pair) for pair in ((AFTER, BEFORE), (BEFORE, AFTER)))
    return Smallest(whole, came, gone)


def _whole(connection: "DuckDBPyConnection", job: Compare) -> int | None:
    _table(connection, "whole", job.after, job.after.sources, f"SELECT {_named(job.by)} FROM held")
    return _smallest(connection, "whole", job)


def _entire(connection: "DuckDBPyConnection", job: Compare, before: Side) -> None:
    """Put down all rows of both sides that go out, as far as both can be told apart by them."""
    for name, side in ((AFTER, job.after), (BEFORE, before)):
        kept = f"SELECT {_named(job.common)} FROM held"
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
        _table(connection, name, side, side.own, f"SELECT {_named(job.common)} FROM held{conditions}")


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


def _least(connection: "DuckDBPyConnection", job: Compare, here: str, there: str) -> int | None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE differing AS FROM {here} EXCEPT ALL FROM {there}")
    return _smallest(connection, "differing", job)


def _smallest(connection: "DuckDBPyConnection", table: str, job: Compare) -> int | None:
    grouped = f" GROUP BY {_named(job.by)}" if job.by else ""
    counted = f"SELECT count(*) AS n FROM {table}{grouped} HAVING count(*) > 0"
    row = connection.execute(f"SELECT min(n) FROM ({counted})").fetchone()
    smallest = None if row is None or row[0] is None else int(row[0])
    return smallest if smallest is not None and smallest < job.k else None


def _named(columns: Sequence[str]) -> str:
    """Return columns for a list; where there are none, something to count by."""
    return ", ".join(identifier(name) for name in columns) or "1"
