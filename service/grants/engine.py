"""Making and measuring the bytes of a released view (DuckDB, Arrow).  No session, no clock.

The granted rows are first copied into a table of their own, and only that table is written out: written straight from
the source, the file's schema tells whether the *source* holds empty values in rows that were not granted.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.grants import rules
from service.grants.rules import BadRecipe, Recipe

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROW_GROUP = 65_536
CHUNK = 1 << 20
MANY = 10_000  # distinct suspicious values of a column that are looked at one by one
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


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file of a view: where it lies now, its key in the store, its SHA-256 and its size in bytes."""

    path: Path
    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class BuiltView:
    """A view as built: nothing of it may go out before `measure` finds nothing wrong with it."""

    parquet: BuiltFile
    csv: BuiltFile
    rows: int
    columns: tuple[tuple[str, str], ...]


def build_view(source: Path, recipe: Recipe, folder: Path) -> BuiltView:
    """Make the files of `recipe` from a dataset version's Parquet file `source`, in `folder`.

    Rows are ordered by the view's own columns only: in the source's order two views of one table could be joined row
    by row.  The same rows give the same bytes.  BadRecipe when the source does not have what the recipe names.
    """
    parquet, raw, csv = folder / "view.parquet", folder / "view.raw.csv", folder / "view.csv"
    with _connection(folder, source) as connection:
        select, values = _compile(connection, source, recipe)
        connection.execute(f"CREATE TEMP TABLE released AS {select}", values)
        rows = _number(connection, "SELECT count(*) FROM released")
        zstd = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        connection.execute(f"COPY (FROM released) TO {_literal(parquet)} {zstd}")
        connection.execute(f"COPY (FROM read_parquet({_literal(parquet)})) TO {_literal(raw)} (FORMAT csv, HEADER)")
    _with_crlf(raw, csv)
    raw.unlink()
    columns = tuple(zip(recipe.columns, recipe.types, strict=True))
    return BuiltView(_file(parquet, "parquet"), _file(csv, "csv"), rows, columns)


def measure(built: BuiltView, recipe: Recipe) -> list[str]:
    """Read the bytes again and return what is worse than the recipe promises, one reason each; empty when nothing is.

    A reason is a code, for some with the column after a colon: columns, rows, order, metadata, hidden-name, csv-header,
    csv-rows, plate, identity-number, phone.
    """
    if reasons := [*_footer_faults(built, recipe), *_header_faults(built, recipe)]:
        return reasons
    with _connection(built.parquet.path.parent) as connection:
        view = f"read_parquet({_literal(built.parquet.path)})"
        reasons += _order_faults(connection, built, recipe)
        reasons += _csv_faults(connection, built, recipe)
        reasons += _value_faults(connection, view, recipe)
    return reasons


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def footer(path: Path) -> bytes:
    """Return the footer of a Parquet file: schema, statistics and metadata, without the magic and its length."""
    with path.open("rb") as source:
        source.seek(-8, 2)
        length = int.from_bytes(source.read(4), "little")
        source.seek(-8 - length, 2)
        return source.read(length)


# ---- compiling ------------------------------------------------------------------------------------------------------


def _compile(connection: "DuckDBPyConnection", source: Path, recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """Return the one query of a recipe and its bound values; only identifiers that the file has are written into it."""
    values: dict[str, Any] = {"source": str(source)}
    described = connection.execute(f"DESCRIBE SELECT * FROM {READ}", values).fetchall()
    physical = {str(row[0]): str(row[1]) for row in described}
    if missing := [name for name in recipe.columns if name not in physical]:
        raise BadRecipe(f"the stored version has no column {', '.join(missing)}")
    chosen = [_expression(name, kind, physical[name]) for name, kind in zip(recipe.columns, recipe.types, strict=True)]
    conditions = [*_period(recipe, physical, values), *_areas(recipe, physical, values)]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(chosen)} FROM {READ}{where} ORDER BY ALL", values


def _expression(name: str, declared: str, physical: str) -> str:
    quoted = _identifier(name)
    if re.fullmatch(FAMILIES[declared], physical):
        return quoted
    return f"CAST({quoted} AS {TARGETS[declared]}) AS {quoted}"


def _period(recipe: Recipe, physical: dict[str, str], values: dict[str, Any]) -> Iterator[str]:
    """Yield the conditions on the time column; a row whose time is missing or no date is left out."""
    if recipe.since is None and recipe.until is None:
        return
    name = recipe.time_column
    if name is None or not re.fullmatch(r"DATE|TIMESTAMP.*|VARCHAR", physical.get(name, "")):
        raise BadRecipe("the stored version has no column of dates for the period")
    day = f"TRY_CAST({_identifier(name)} AS DATE)"
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
    yield f"list_contains($areas, CAST({_identifier(name)} AS VARCHAR))"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Path | str) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@contextmanager
def _connection(folder: Path, *files: Path) -> Iterator["DuckDBPyConnection"]:
    """Open a database in memory that sees `folder` and `files` only, loads no extensions and reads days as Beijing's.

    It spills into `folder`, and cannot be told otherwise.
    """
    import duckdb

    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2, "memory_limit": "1GB", "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False, "autoload_known_extensions": False,
    }  # fmt: skip
    with duckdb.connect(":memory:", config=limits) as connection:
        connection.execute("SET TimeZone = 'Asia/Shanghai'")
        connection.execute(f"SET allowed_directories = [{_literal(folder)}]")
        connection.execute(f"SET allowed_paths = [{', '.join(map(_literal, files))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def _number(connection: "DuckDBPyConnection", query: str, values: dict[str, Any] | None = None) -> int:
    row = connection.execute(query, values or {}).fetchone()
    return int(row[0]) if row else 0


# ---- files ----------------------------------------------------------------------------------------------------------


def _file(path: Path, suffix: str) -> BuiltFile:
    digest = sha256(path)
    return BuiltFile(path, f"views/{digest}.{suffix}", digest, path.stat().st_size)


def _with_crlf(raw: Path, csv: Path) -> None:
    """Write `raw` with the record ends of RFC 4180 (CRLF), leaving line feeds inside quoted fields alone.

    What stands outside quotes is every second part between quotes; a doubled quote only adds an empty part.
    """
    outside = True
    with raw.open("rb") as source, csv.open("wb") as target:
        while chunk := source.read(CHUNK):
            parts = chunk.split(b'"')
            first = 0 if outside else 1
            parts[first::2] = [part.replace(b"\n", b"\r\n") for part in parts[first::2]]
            target.write(b'"'.join(parts))
            outside = outside == (len(parts) % 2 == 1)


def _header(csv: Path) -> str:
    with csv.open("rb") as source:
        return source.readline().decode().removesuffix("\r\n")


def _csv_field(name: str) -> str:
    return _identifier(name) if re.search(r'[",\r\n]', name) else name


# ---- measuring ------------------------------------------------------------------------------------------------------


def _footer_faults(built: BuiltView, recipe: Recipe) -> list[str]:
    import pyarrow.parquet as pq

    found = pq.read_metadata(built.parquet.path)
    reasons: list[str] = []
    if tuple(found.schema.to_arrow_schema().names) != recipe.columns:
        reasons.append("columns")
    if found.num_rows != built.rows:
        reasons.append("rows")
    if found.metadata or not str(found.created_by).startswith("DuckDB version"):
        reasons.append("metadata")
    held = footer(built.parquet.path)
    return reasons + [f"hidden-name:{name}" for name in recipe.hidden if _names(held, name)]


def _names(held: bytes, name: str) -> bool:
    """Whether a footer holds `name` as a whole string: strings follow their length as a variable-length integer.

    One or two letters would be found in any row of numbers; for them the schema and the metadata must do.
    """
    text = name.encode()
    if len(text) < 3:
        return False
    length, prefix = len(text), bytearray()
    while length > 127:
        prefix.append(length & 127 | 128)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + text in held


def _header_faults(built: BuiltView, recipe: Recipe) -> list[str]:
    header = ",".join(_csv_field(name) for name in recipe.columns)
    return [] if _header(built.csv.path) == header else ["csv-header"]


def _csv_faults(connection: "DuckDBPyConnection", built: BuiltView, recipe: Recipe) -> list[str]:
    names = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in recipe.columns)
    reading = f"header = true, auto_detect = false, columns = {{{names}}}"
    count = _number(connection, f"SELECT count(*) FROM read_csv({_literal(built.csv.path)}, {reading})")
    return [] if count == built.rows else ["csv-rows"]


def _order_faults(connection: "DuckDBPyConnection", built: BuiltView, recipe: Recipe) -> list[str]:
    """Compare each row with the one before it in the file: none may fall, by the view's columns from left to right."""
    fields = ", ".join(_identifier(name) for name in recipe.columns)
    numbered = f"read_parquet({_literal(built.parquet.path)}, file_row_number = true)"
    row_number = _identifier("file_row_number")
    falling = f"""
        SELECT count(*) FROM (
            SELECT here, lag(here) OVER (ORDER BY place) AS before
            FROM (SELECT row({fields}) AS here, {row_number} AS place FROM {numbered})
        ) WHERE before > here"""
    return ["order"] if _number(connection, falling) else []


def _value_faults(connection: "DuckDBPyConnection", view: str, recipe: Recipe) -> list[str]:
    """Look for plates, identity numbers and phones in columns that were not judged as such."""
    reasons = []
    for name, kind, semantic in zip(recipe.columns, recipe.types, recipe.semantics, strict=True):
        if kind == "string":
            found = _kinds_in(connection, view, name)
        elif kind == "integer":
            found = _phones_in(connection, view, name)
        else:
            continue
        reasons += [f"{one}:{name}" for one in sorted(found) if not rules.judged_as(one, semantic)]
    return reasons


def _kinds_in(connection: "DuckDBPyConnection", view: str, name: str) -> set[str]:
    column = _identifier(name)
    suspects = f"SELECT DISTINCT {column} FROM {view} WHERE regexp_matches({column}, $pattern) LIMIT {MANY}"
    values = connection.execute(suspects, {"pattern": rules.SUSPECT}).fetchall()
    return {kind for (value,) in values for kind in rules.detected(str(value))}


def _phones_in(connection: "DuckDBPyConnection", view: str, name: str) -> set[str]:
    """Numbers look like phones by chance; most of twenty different ones do not."""
    column = _identifier(name)
    counts = f"SELECT count(*), count(*) FILTER ({column} BETWEEN 13000000000 AND 19999999999) FROM "
    row = connection.execute(f"{counts} (SELECT DISTINCT {column} FROM {view} WHERE {column} IS NOT NULL)").fetchone()
    total, like = row or (0, 0)
    return {"phone"} if total >= 20 and 2 * like > total else set()
