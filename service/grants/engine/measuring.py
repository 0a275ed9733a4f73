"""Reading the bytes of a view again before any of them goes out: what is worse than the recipe promises?"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.catalogue.engine.closed import identifier, literal
from service.grants import rules
from service.grants.engine.building import ROW_GROUP, BuiltFile
from service.grants.engine.opening import number, opened
from service.grants.engine.treating import Bound, Keys, expression
from service.grants.engine.writing import BOM, FORMULA, harmless
from service.grants.rules import Format, Promise, Recipe
from service.grants.rules.transforms import Aggregate, OfColumn, Suppress, Token

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

MANY = 10_000  # distinct suspicious values of a column that are looked at one by one


def measure_part(part: BuiltFile, recipe: Recipe) -> list[str]:
    """Return what is worse than the recipe promises, one reason each; empty when nothing is.

    A reason is a code, for some with the column after a colon: columns, rows, order, metadata, hidden-name, token,
    precision, min-group, small-cell, plate, identity-number, phone.
    """
    if reasons := _footer_faults(part.path, recipe.promise, part.rows):
        return reasons
    with opened(part.path.parent, part.path) as connection:
        reasons += _order_faults(part.path)
        reasons += _treatment_faults(connection, f"read_parquet({literal(part.path)})", recipe)
        reasons += _value_faults(connection, f"read_parquet({literal(part.path)})", recipe)
    return reasons


def measure_file(file: BuiltFile, format: Format, promise: Promise, rows: int) -> list[str]:
    """Return what of a whole file is not as its parts.

    columns, rows, metadata, hidden-name, csv-header, csv-rows, formula, jsonl-keys, jsonl-rows, arrow-schema,
    arrow-rows.
    """
    return MEASURERS[format](file.path, promise, rows)


def footer(path: Path) -> bytes:
    """Return the footer of a Parquet file: schema, statistics and metadata, without the magic and its length."""
    with path.open("rb") as source:
        source.seek(-8, 2)
        length = int.from_bytes(source.read(4), "little")
        source.seek(-8 - length, 2)
        return source.read(length)


def _footer_faults(path: Path, promise: Promise, rows: int) -> list[str]:
    import pyarrow.parquet as pq

    found = pq.read_metadata(path)
    reasons: list[str] = []
    if tuple(found.schema.to_arrow_schema().names) != promise.columns:
        reasons.append("columns")
    if found.num_rows != rows:
        reasons.append("rows")
    if found.metadata or not str(found.created_by).startswith("DuckDB version"):
        reasons.append("metadata")
    held = footer(path)
    return reasons + [f"hidden-name:{name}" for name in promise.hidden if _names(held, name)]


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


# ---- whole files ----------------------------------------------------------------------------------------------------


def _csv_faults(path: Path, promise: Promise, rows: int) -> list[str]:
    return _separated_faults(path, promise.columns, rows)


def _separated_faults(path: Path, columns: Sequence[str], rows: int, mark: bytes = b"") -> list[str]:
    if _header(path) != mark + ",".join(map(_csv_field, columns)).encode() + b"\r\n":
        return ["csv-header"]
    with opened(path.parent, path) as connection:
        return [] if number(connection, f"SELECT count(*) FROM {_cells(path, columns)}") == rows else ["csv-rows"]


def _excel_faults(path: Path, promise: Promise, rows: int) -> list[str]:
    """Besides, no text may begin as a formula does."""
    columns = [harmless(name) for name in promise.columns]
    if reasons := _separated_faults(path, columns, rows, BOM):
        return reasons
    texts = [identifier(name) for name, kind in zip(columns, promise.types, strict=True) if kind == "string"]
    with opened(path.parent, path) as connection:
        computed = " OR ".join(f"regexp_matches({text}, '{FORMULA}')" for text in texts) or "false"
        found = number(connection, f"SELECT count(*) FROM {_cells(path, columns)} WHERE {computed}")
    return ["formula"] if found else []


def _cells(path: Path, columns: Sequence[str]) -> str:
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return f"read_csv({literal(path)}, header = true, auto_detect = false, columns = {{{names}}})"


def _header(path: Path) -> bytes:
    if path.suffix != ".zst":
        with path.open("rb") as source:
            return source.readline()
    import pyarrow as pa

    with pa.CompressedInputStream(str(path), "zstd") as packed:
        head: bytes = packed.read(1 << 20)
    return head[: head.find(b"\n") + 1]


def _csv_field(name: str) -> str:
    return identifier(name) if re.search(r'[",\r\n]', name) else name


def _jsonl_faults(path: Path, promise: Promise, rows: int) -> list[str]:
    with opened(path.parent, path) as connection:
        lines = f"read_ndjson_objects({literal(path)})"
        keys = connection.execute(f"SELECT DISTINCT json_keys(json) FROM {lines} LIMIT 2").fetchall()
        count = number(connection, f"SELECT count(*) FROM {lines}")
    wrong = keys != [(list(promise.columns),)] if rows else bool(keys)
    return (["jsonl-keys"] if wrong else []) + (["jsonl-rows"] if count != rows else [])


def _arrow_faults(path: Path, promise: Promise, rows: int) -> list[str]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as found:
        fields = list(found.schema)
        plain = found.schema.metadata is None and not any(field.metadata for field in fields)
        decoded = not any(pa.types.is_dictionary(field.type) for field in fields)
        same = tuple(field.name for field in fields) == promise.columns
        count = sum(found.get_batch(index).num_rows for index in range(found.num_record_batches))
    return ([] if plain and decoded and same else ["arrow-schema"]) + ([] if count == rows else ["arrow-rows"])


MEASURERS: dict[Format, Callable[[Path, Promise, int], list[str]]] = {
    Format.PARQUET: _footer_faults,
    Format.CSV: _csv_faults,
    Format.EXCEL: _excel_faults,
    Format.CSV_ZST: _csv_faults,
    Format.JSONL: _jsonl_faults,
    Format.ARROW: _arrow_faults,
}

# ---- parts ----------------------------------------------------------------------------------------------------------


def _order_faults(part: Path) -> list[str]:
    """Compare each row with the one before it in the file: none may fall, by the view's columns from left to right.

    Batch by batch: sorting all rows by their place first takes longer than making the view did.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    last: pa.RecordBatch | None = None
    for batch in pq.ParquetFile(part).iter_batches(ROW_GROUP):
        rows = pa.Table.from_batches([last, batch] if last is not None else [batch]).combine_chunks()
        if _falls(rows):
            return ["order"]
        last = batch.slice(batch.num_rows - 1)
    return []


def _falls(rows: "pa.Table") -> bool:
    """Whether any row is less than the one before it; nothing is the greatest value, and next to it what is no number.

    Columns are looked at as long as there are rows that the ones before left equal.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    equal = None
    for column in rows.columns:
        rank = pc.if_else(pc.is_null(column), 2, 0)
        if pa.types.is_floating(column.type):
            rank = pc.if_else(pc.and_kleene(pc.is_valid(column), pc.is_nan(column)), 1, rank)
        before, here = column.slice(0, len(column) - 1), column.slice(1)
        rank_before, rank_here = rank.slice(0, len(rank) - 1), rank.slice(1)
        plain = pc.and_(pc.equal(rank_before, 0), pc.equal(rank_here, 0))
        less = pc.or_(pc.less(rank_here, rank_before), pc.and_(plain, pc.fill_null(pc.less(here, before), False)))
        if pc.any(pc.and_(less, equal) if equal is not None else less).as_py():
            return True
        alike = pc.and_(
            pc.equal(rank_here, rank_before), pc.or_(pc.invert(plain), pc.fill_null(pc.equal(here, before), False))
        )
        equal = alike if equal is None else pc.and_(equal, alike)
        if not pc.any(equal).as_py():
            return False
    return False


def _value_faults(connection: "DuckDBPyConnection", view: str, recipe: Recipe) -> list[str]:
    """Look for plates, identity numbers and phones in columns that were not judged as such; tokens must be tokens."""
    reasons = []
    meant = dict(zip(recipe.columns, recipe.semantics, strict=True))
    tokens = {step.column for step in recipe.transforms if isinstance(step, Token)}
    for name, kind in zip(recipe.promise.columns, recipe.promise.types, strict=True):
        semantic = meant.get(name)
        if name in tokens:
            reasons += [] if _all_tokens(connection, view, name) else [f"token:{name}"]
            continue
        if kind == "string":
            found = _kinds_in(connection, view, name)
        elif kind == "integer":
            found = _phones_in(connection, view, name)
        else:
            continue
        reasons += [f"{one}:{name}" for one in sorted(found) if not rules.judged_as(one, semantic)]
    return reasons


def _treatment_faults(connection: "DuckDBPyConnection", view: str, recipe: Recipe) -> list[str]:
    """Do each step again: what it was done to it does not change; and count the groups and the cells that are there."""
    reasons = []
    for step in recipe.transforms:
        if isinstance(step, Suppress):
            fields = ", ".join(identifier(name) for name in step.columns)
            small = f"SELECT count(*) FROM (SELECT 1 FROM {view} GROUP BY {fields} HAVING count(*) < $k)"
            reasons += ["min-group"] if number(connection, small, {"k": step.k}) else []
        elif isinstance(step, Aggregate):
            small = f"SELECT count(*) FROM {view} WHERE {identifier(step.count)} < $k"
            reasons += ["small-cell"] if number(connection, small, {"k": step.k}) else []
        elif not isinstance(step, Token) and step.column in recipe.promise.columns:
            reasons += [] if _coarse(connection, view, step, recipe.promise) else [f"precision:{step.column}"]
    return reasons


def _coarse(connection: "DuckDBPyConnection", view: str, step: OfColumn, promise: Promise) -> bool:
    bound, column = Bound(), identifier(step.column)
    kind = promise.types[promise.columns.index(step.column)]
    again = expression(column, step, kind, bound, Keys())
    changed = f"SELECT count(*) FROM {view} WHERE {again} IS DISTINCT FROM {column}"
    return number(connection, changed, bound.values) == 0


def _all_tokens(connection: "DuckDBPyConnection", view: str, name: str) -> bool:
    column = identifier(name)
    others = f"SELECT count(*) FROM {view} WHERE NOT regexp_full_match({column}, '[0-9a-f]{{32}}')"
    return number(connection, others) == 0


def _kinds_in(connection: "DuckDBPyConnection", view: str, name: str) -> set[str]:
    column = identifier(name)
    suspects = f"SELECT DISTINCT {column} FROM {view} WHERE regexp_matches({column}, $pattern) LIMIT {MANY}"
    values = connection.execute(suspects, {"pattern": rules.SUSPECT}).fetchall()
    return {kind for (value,) in values for kind in rules.detected(str(value))}


def _phones_in(connection: "DuckDBPyConnection", view: str, name: str) -> set[str]:
    """Numbers look like phones by chance; most of twenty different ones do not."""
    column = identifier(name)
    counts = f"SELECT count(*), count(*) FILTER ({column} BETWEEN 13000000000 AND 19999999999) FROM "
    row = connection.execute(f"{counts} (SELECT DISTINCT {column} FROM {view} WHERE {column} IS NOT NULL)").fetchone()
    total, like = row or (0, 0)
    return {"phone"} if total >= 20 and 2 * like > total else set()
