"""Turning a recipe into the one query that makes its rows: values are bound, identifiers are ones that the file has."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.catalogue.engine.closed import identifier
from service.grants.engine.treating import ROW_KEY, Bound, Keys, aggregated, expression, row_key, suppressed
from service.grants.rules import BadRecipe, Recipe
from service.grants.rules.transforms import Aggregate, OfRows, Suppress

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Physical types that already are of a declared type; everything else is cast.  ENUM never is: its dictionary holds the
# values of rows that were left out.
FAMILIES = {
    "string": r"VARCHAR",
    "integer": r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?",
    "number": r"DOUBLE|FLOAT|DECIMAL\(.*\)|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?",
    "date": r"DATE",
    "datetime": r"TIMESTAMP.*",
    "boolean": r"BOOLEAN",
}
TARGETS = {
    "string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP",
    "boolean": "BOOLEAN",
}  # fmt: skip
READ = "read_parquet($source, hive_partitioning = false, filename = false, union_by_name = false)"


def compiled(
    connection: "DuckDBPyConnection", sources: Sequence[Path], recipe: Recipe, keys: Keys
) -> tuple[str, dict[str, Any]]:
    """Return the one query of a recipe over parts of a version, and its bound values.

    Rows are ordered by the view's own columns only: in the source's order two views of one table could be joined row by
    row.  BadRecipe when the parts do not have what the recipe names.
    """
    select, values = unordered(connection, sources, recipe, keys)
    return f"{select} ORDER BY ALL", values


def unordered(
    connection: "DuckDBPyConnection", sources: Sequence[Path], recipe: Recipe, keys: Keys
) -> tuple[str, dict[str, Any]]:
    """Return the query of a recipe for what only counts its rows and gives none of them away."""
    bound = Bound({"source": [str(path) for path in sources]})
    described = connection.execute(f"DESCRIBE SELECT * FROM {READ}", bound.values).fetchall()
    physical = {str(row[0]): str(row[1]) for row in described}
    if missing := [name for name in recipe.columns if name not in physical]:
        raise BadRecipe(f"the stored version has no column {', '.join(missing)}")
    values = [_typed(name, kind, physical[name]) for name, kind in zip(recipe.columns, recipe.types, strict=True)]
    conditions = [*_period(recipe, physical, bound.values), *_areas(recipe, physical, bound.values)]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    chosen = ", ".join(_chosen(recipe, values, bound, keys))
    return _rows(recipe, f"SELECT {chosen} FROM {READ}{where}", bound), bound.values


def _chosen(recipe: Recipe, values: list[str], bound: Bound, keys: Keys) -> Iterator[str]:
    """Yield one expression for each granted column, as it comes out, and the rows' key where cells are made noisy."""
    steps = {step.column: step for step in recipe.transforms if not isinstance(step, OfRows)}
    for name, kind, value in zip(recipe.columns, recipe.types, values, strict=True):
        step = steps.get(name)
        yield f"{expression(value, step, kind, bound, keys) if step else value} AS {identifier(name)}"
    if any(isinstance(step, Aggregate) for step in recipe.transforms):
        yield f"{row_key(values, bound, keys)} AS {identifier(ROW_KEY)}"


def _rows(recipe: Recipe, select: str, bound: Bound) -> str:
    """Return the query with groups that are too small left out, or with cells in the place of rows."""
    for step in recipe.transforms:
        if isinstance(step, Suppress):
            select = suppressed(select, step, bound)
        elif isinstance(step, Aggregate):
            select = aggregated(select, step, [name for name in recipe.columns if name in step.by], bound)
    return select


def _typed(name: str, declared: str, physical: str) -> str:
    quoted = identifier(name)
    if re.fullmatch(FAMILIES[declared], physical):
        return quoted
    return f"CAST({quoted} AS {TARGETS[declared]})"


def _period(recipe: Recipe, physical: dict[str, str], values: dict[str, Any]) -> Iterator[str]:
    """Yield the conditions on the time column; a row whose time is missing or no date is left out."""
    if recipe.since is None and recipe.until is None:
        return
    name = recipe.time_column
    if name is None or not re.fullmatch(r"DATE|TIMESTAMP.*|VARCHAR", physical.get(name, "")):
        raise BadRecipe("the stored version has no column of dates for the period")
    day = f"TRY_CAST({identifier(name)} AS DATE)"
    if recipe.since is not None:
        values["since"] = recipe.since
        yield f"{day} >= $since"
    if recipe.until is not None:
        values["until"] = recipe.until
        yield f"{day} <= $until"


def _areas(recipe: Recipe, physical: dict[str, str], values: dict[str, Any]) -> Iterator[str]:
    if not recipe.areas:
        return
    name = recipe.area_column
    if name is None or name not in physical:
        raise BadRecipe("the stored version has no column for the areas")
    values["areas"] = list(recipe.areas)
    yield f"list_contains($areas, CAST({identifier(name)} AS VARCHAR))"
