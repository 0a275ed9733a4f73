"""Reading a data file that somebody else wrote into typed Parquet that is ours.

A file is copied under our own name before DuckDB opens it: a name from outside may be a pattern that reads its
neighbours.  In SQL its columns are c1 … cn; headings from outside never become SQL.  Refused values are never shown.
"""

import csv
import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from service.base.i18n import N_, gettext
from service.catalogue.rules import BadData, ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_VALUE = 10_000  # characters of one value
LONGEST_LINE = 2 << 20  # bytes of one CSV record
ENCODINGS = ("utf-8-sig", "gb18030")
STORED = {
    ColumnType.STRING: "VARCHAR", ColumnType.INTEGER: "BIGINT", ColumnType.NUMBER: "DOUBLE",
    ColumnType.DATE: "DATE", ColumnType.DATETIME: "TIMESTAMPTZ", ColumnType.BOOLEAN: "BOOLEAN",
}  # fmt: skip
# How text becomes a value; NULL where it does not.  `{c}` is one of c1 … cn.
FROM_TEXT = {
    ColumnType.STRING: "{c}",
    ColumnType.INTEGER: "CASE WHEN regexp_full_match({c}, '[+-]?[0-9]{{1,18}}') THEN CAST({c} AS BIGINT) END",
    ColumnType.NUMBER: "CASE WHEN isfinite(TRY_CAST({c} AS DOUBLE)) THEN CAST({c} AS DOUBLE) END",
    ColumnType.DATE: "CASE WHEN regexp_full_match({c}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
    " THEN TRY_CAST({c} AS DATE) END",
    ColumnType.DATETIME: "CASE WHEN regexp_matches({c}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9]{{2}}:[0-9]{{2}}')"
    " THEN TRY_CAST({c} AS TIMESTAMPTZ) END",
    ColumnType.BOOLEAN: "CASE lower({c}) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false"
    " WHEN '0' THEN false END",
}  # fmt: skip
EXPECTED = {
    ColumnType.STRING: N_("应为文字"),
    ColumnType.INTEGER: N_("应为整数"),
    ColumnType.NUMBER: N_("应为数字"),
    ColumnType.DATE: N_("日期格式应为 YYYY-MM-DD"),
    ColumnType.DATETIME: N_("时刻格式应为 YYYY-MM-DD HH:MM，可带时区"),
    ColumnType.BOOLEAN: N_("应为是或否"),
}
WHOLE = "CASE WHEN {c} = floor({c}) AND abs({c}) < 9007199254740992 THEN CAST({c} AS BIGINT) END"
NATIVE_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
NATIVE_FLOATS = {"FLOAT", "DOUBLE"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column as the manifest has it: the file's heading, our name, the type to be had."""

    heading: str
    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Loaded:
    """Typed Parquet in a folder of ours: its digest, size and the first and last Beijing day of its time column."""

    path: Path
    sha256: str
    rows: int
    bytes: int
    period_from: date | None
    period_to: date | None


def load(source: Path, folder: Path, wanted: Sequence[Wanted], *, time_column: str | None = None) -> Loaded:
    """Write `source` (CSV or Parquet) as typed Parquet into `folder`, in its own row order.

    The same file and columns give the same bytes.  Raises BadData with every fault found.
    """
    parquet = source.suffix.lower() == ".parquet"
    copy = folder / ("upload.parquet" if parquet else "upload.csv")
    if parquet:
        shutil.copyfile(source, copy)
    else:
        _transcode(source, copy)
    target = folder / "data.parquet"
    connection = _connection(folder)
    try:
        relation, types = _open_parquet(connection, copy, wanted) if parquet else _open_csv(copy, wanted)
        values = [_value(f"c{n}", types[n - 1], column.type) for n, column in enumerate(wanted, 1)]
        _check(connection, relation, wanted, values, types)
        _write(connection, relation, wanted, values, target)
        return _measure(connection, target, wanted, time_column)
    finally:
        connection.close()
        copy.unlink(missing_ok=True)


def _connection(folder: Path) -> "DuckDBPyConnection":
    """Return a DuckDB that sees nothing but `folder` and cannot be told otherwise.

    One thread keeps the row order and makes the bytes the same each time.
    """
    import duckdb

    connection = duckdb.connect(config={"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    connection.execute(f"SET temp_directory = {_quoted(folder)}")
    connection.execute(f"SET allowed_directories = [{_quoted(folder)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _transcode(source: Path, copy: Path) -> None:
    """Copy a text file as UTF-8; BadData when it is neither UTF-8 nor GB 18030."""
    for encoding in ENCODINGS:
        try:
            with source.open(encoding=encoding, newline="") as old, copy.open("w", encoding="utf-8", newline="") as new:
                shutil.copyfileobj(old, new, 1 << 20)
        except UnicodeDecodeError:
            continue
        return
    raise _bad("", N_("文件编码应为 UTF-8 或 GB 18030"))


def _open_csv(copy: Path, wanted: Sequence[Wanted]) -> tuple[str, list[str]]:
    try:
        with copy.open(encoding="utf-8", newline="") as file:
            headings = next(csv.reader(file), [])
    except csv.Error:
        raise _bad("", N_("第 1 行不是有效的 CSV 表头")) from None
    _compare(headings, wanted)
    columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(1, len(wanted) + 1))
    relation = (
        f"read_csv({_quoted(copy)}, columns = {{{columns}}}, header = true, auto_detect = false, delim = ',', "
        f"quote = '\"', escape = '\"', nullstr = '', strict_mode = true, max_line_size = {LONGEST_LINE})"
    )
    return relation, ["VARCHAR"] * len(wanted)


def _open_parquet(connection: "DuckDBPyConnection", copy: Path, wanted: Sequence[Wanted]) -> tuple[str, list[str]]:
    import duckdb

    try:
        found = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({_quoted(copy)})").fetchall()
    except duckdb.Error:
        raise _bad("", N_("不是有效的 Parquet 文件")) from None
    _compare([row[0] for row in found], wanted)
    names = ", ".join(f"c{n}" for n in range(1, len(wanted) + 1))
    relation = f"(SELECT * FROM read_parquet({_quoted(copy)})) AS upload({names})"
    return relation, [row[1] for row in found]


def _compare(headings: Sequence[str], wanted: Sequence[Wanted]) -> None:
    """Raise BadData unless the file has exactly the manifest's columns, in its order."""
    expected = [column.heading for column in wanted]
    if list(headings) == expected:
        return
    errors = [_error(name, N_("文件中缺少这一字段")) for name in expected if name not in headings]
    unknown = [n for n, name in enumerate(headings, 1) if name not in expected]
    errors += [_error(f"c{n}", N_("文件第 %(n)s 列不在说明之中"), n=n) for n in unknown]
    if len(set(headings)) < len(headings):
        errors.append(_error("", N_("文件表头有重复的字段")))
    if not errors:
        errors.append(_error("", N_("文件的字段顺序与说明不一致")))
    raise BadData(errors=errors)


def _value(name: str, found: str, wanted: ColumnType) -> str:
    """Return SQL for a stored value of type `wanted` from a column of DuckDB type `found`; NULL where it is none."""
    if found == "VARCHAR":
        return FROM_TEXT[wanted].format(c=name)
    if wanted is ColumnType.INTEGER and found in NATIVE_FLOATS:
        return WHOLE.format(c=name)
    if wanted is ColumnType.NUMBER and found in NATIVE_FLOATS:
        return f"CASE WHEN isfinite({name}) THEN CAST({name} AS DOUBLE) END"
    if wanted in (ColumnType.INTEGER, ColumnType.NUMBER) and found in NATIVE_INTEGERS:
        return f"CAST({name} AS {STORED[wanted]})"
    if wanted is ColumnType.DATETIME and found.startswith("TIMESTAMP"):
        return f"CAST({name} AS TIMESTAMPTZ)"
    if found == STORED[wanted]:
        return name
    return f"CAST(NULL AS {STORED[wanted]})"


def _given(name: str, found: str) -> str:
    """Return SQL for "there is a value"; a float's NaN is what some writers put for none."""
    return f"({name} IS NOT NULL AND NOT isnan({name}))" if found in NATIVE_FLOATS else f"{name} IS NOT NULL"


def _check(
    connection: "DuckDBPyConnection",
    relation: str,
    wanted: Sequence[Wanted],
    values: Sequence[str],
    types: Sequence[str],
) -> None:
    """Raise BadData with, for each column, the first row (the heading is row 1) that does not hold, and how many."""
    asked = []
    for n, (value, found) in enumerate(zip(values, types, strict=True), 1):
        wrong = f"{_given(f'c{n}', found)} AND ({value}) IS NULL"
        large = f"length(c{n}) > {LONGEST_VALUE}" if found == "VARCHAR" else "false"
        asked += [f"count(*) FILTER ({test}), min(n) FILTER ({test})" for test in (wrong, large)]
    numbered = f"(SELECT *, row_number() OVER () + 1 AS n FROM {relation})"
    counts = _run(connection, f"SELECT {', '.join(asked)} FROM {numbered}")
    errors = []
    for position, column in enumerate(wanted):
        mistyped, first_mistyped, oversized, first_oversized = counts[position * 4 : position * 4 + 4]
        if oversized:
            blanks = {"row": first_oversized, "count": oversized, "most": LONGEST_VALUE}
            errors.append(_error(column.heading, TOO_LONG, **blanks))
        elif mistyped:
            blanks = {"row": first_mistyped, "count": mistyped}
            errors.append(_error(column.heading, WRONG_TYPE, expected=gettext(EXPECTED[column.type]), **blanks))
    if errors:
        raise BadData(errors=errors)


WRONG_TYPE = N_("第 %(row)s 行起共 %(count)s 个值不符：%(expected)s（值不予显示）")
TOO_LONG = N_("第 %(row)s 行起共 %(count)s 个值超过 %(most)s 个字（值不予显示）")
BROKEN_ROW = N_("第 %(row)s 行不是有效的 CSV 记录（列数、引号或长度不对；内容不予显示）")


def _run(connection: "DuckDBPyConnection", statement: str) -> tuple[int, ...]:
    """Run one statement over the upload and return its only row.

    DuckDB's own message repeats the line that it stumbled over; only the line's number is taken from it.
    """
    import duckdb

    try:
        row = connection.execute(statement).fetchone()
    except duckdb.InvalidInputException as fault:
        line = re.search(r"on Line: (\d+)", str(fault))
        raise _bad("", BROKEN_ROW, row=line[1] if line else "?") from None
    assert row is not None
    return tuple(row)


def _write(
    connection: "DuckDBPyConnection", relation: str, wanted: Sequence[Wanted], values: Sequence[str], target: Path
) -> None:
    chosen = ", ".join(f'{value} AS "{column.name}"' for value, column in zip(values, wanted, strict=True))
    connection.execute(
        f"COPY (SELECT {chosen} FROM {relation}) TO {_quoted(target)} (FORMAT parquet, COMPRESSION zstd)"
    )


def _measure(
    connection: "DuckDBPyConnection", target: Path, wanted: Sequence[Wanted], time_column: str | None
) -> Loaded:
    kinds = {column.name: column.type for column in wanted}
    timed = kinds.get(time_column or "") in (ColumnType.DATE, ColumnType.DATETIME)
    period = f'CAST(min("{time_column}") AS DATE), CAST(max("{time_column}") AS DATE)' if timed else "NULL, NULL"
    row = connection.execute(f"SELECT count(*), {period} FROM read_parquet({_quoted(target)})").fetchone()
    assert row is not None
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Loaded(target, digest, int(row[0]), target.stat().st_size, row[1], row[2])


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _error(field: str, message: str, **blanks: object) -> dict[str, str]:
    return {"field": field, "message": gettext(message, **blanks)}


def _bad(field: str, message: str, **blanks: object) -> BadData:
    return BadData(errors=[_error(field, message, **blanks)])
