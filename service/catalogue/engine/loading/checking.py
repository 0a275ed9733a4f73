"""Typing what was staged: which values hold, which rows are left out, and the Parquet that is made of the rest."""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.base.i18n import N_
from service.catalogue.engine.closed import close_to, connected, literal, sha256
from service.catalogue.engine.loading.reading import NOT_PARQUET, Opened, Seen, Tell, opened, reading_parquet
from service.catalogue.engine.loading.shapes import (
    MIB,
    MOST_REFUSED,
    ColumnReport,
    Job,
    Loaded,
    Refused,
    Report,
    Told,
    Unfit,
    Wanted,
    unfit,
)
from service.catalogue.engine.loading.sheets import ERRORS
from service.catalogue.rules import ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_VALUE = 10_000  # characters of one value
ROW_GROUP = 65_536  # rows
MOST_CELLS = 1 << 23  # of a row group: it is held in memory while it is written
AT_ONCE = 40  # columns that are checked in one statement
MOST_COLUMNS = 100  # whose refused values are listed
MASKED = 400  # characters of a refused value that its hint is made from
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
FROM_CELL = f"CASE WHEN {{c}} NOT IN ({', '.join(map(repr, ERRORS))}) THEN {{c}} END"
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

WRONG_TYPE = N_("第 %(row)s 行起共 %(count)s 个值不符：%(expected)s（值不予显示）")
TOO_LONG = N_("第 %(row)s 行起共 %(count)s 个值超过 %(most)s 个字（值不予显示）")
BROKEN_ROWS = {
    "record": N_("第 %(row)s 行起共 %(count)s 行不是完整的记录（引号或分隔不对；内容不予显示）"),
    "fields": N_("第 %(row)s 行起共 %(count)s 行的字段数与表头不符（内容不予显示）"),
    "unknown": N_("第 %(row)s 条起共 %(count)s 条记录含有说明之外的字段（内容不予显示）"),
    "characters": N_("第 %(row)s 条起共 %(count)s 条记录含有无法存储的字符（内容不予显示）"),
}
TOO_MANY_REFUSED = N_("共 %(read)s 行，其中 %(refused)s 行不符，超过允许略去的行数")


@dataclass(frozen=True, slots=True)
class Checked:
    """SQL by column: the typed value, whether one was given and is none, whether it is too long."""

    values: tuple[str, ...]
    wrong: tuple[str, ...]
    long: tuple[str, ...]

    def bad(self, faulty: Sequence[int]) -> str:
        """Return SQL for "this row does not hold"; only the columns `faulty`, by place, have values that do not."""
        tests = [test for n in faulty for test in (self.wrong[n], self.long[n]) if test != "false"]
        return " OR ".join(f"coalesce({test}, false)" for test in tests) or "false"


def load(job: Job, seen: Seen, tell: Tell) -> Loaded:
    """Write the upload as typed Parquet into the job's folder, in its own row order, and report on it.

    The same file, columns and reading give the same bytes.  Raises Unfit with every fault found where more rows do not
    hold than the job tolerates; nothing stays in the folder then but what its caller deletes with it.
    """
    connection = connect(job)
    try:
        upload = opened(job, connection, seen, tell)
        checked = _checked(upload, job.wanted)
        tell("checking", 0, job.source.stat().st_size)
        report, faulty = _report(connection, upload, checked, job, seen)
        target = job.folder / "data.parquet"
        tell("writing", report.rows_read, job.source.stat().st_size)
        _write(connection, upload, checked, faulty, job.wanted, target)
        return _measure(connection, target, job, upload, report, seen)
    finally:
        connection.close()


def connect(job: Job) -> "DuckDBPyConnection":
    """Return a DuckDB that sees nothing but the job's folder and cannot be told otherwise.

    One thread keeps the row order and makes the bytes the same each time.
    """
    connection = connected(threads=1, memory=f"{job.limits.engine_memory // MIB}MiB", spill=job.folder)
    close_to(connection, (), job.folder)
    return connection


def _checked(upload: Opened, wanted: Sequence[Wanted]) -> Checked:
    values, wrong, long = [], [], []
    for n, (column, found) in enumerate(zip(wanted, upload.types, strict=True), 1):
        cell = upload.format == "xlsx" and column.type is ColumnType.STRING
        text = bool(column.name) and column.type is ColumnType.STRING and found == "VARCHAR"
        value = FROM_CELL.format(c=f"c{n}") if cell else _value(f"c{n}", found, column.type)
        value = value if column.name else f"c{n}"
        values.append(value)
        wrong.append("false" if value == f"c{n}" else f"{_given(f'c{n}', found)} AND ({value}) IS NULL")
        long.append(f"length(c{n}) > {LONGEST_VALUE}" if text else "false")
    return Checked(tuple(values), tuple(wrong), tuple(long))


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


# ---- the report ------------------------------------------------------------------------------------------------------


def _report(
    connection: "DuckDBPyConnection", upload: Opened, checked: Checked, job: Job, seen: Seen
) -> tuple[Report, list[int]]:
    """Return what became of the rows, and the places of columns with values that do not hold.

    Raises Unfit, with the report, where too many rows do not hold.
    """
    rows, asked = _counts(connection, upload, checked)
    columns = tuple(
        ColumnReport(column.name, empty, wrong + long)
        for column, (empty, wrong, _first, long, _at) in zip(job.wanted, asked, strict=True)
    )
    faulty = _faulty(columns)
    bad = _bad_rows(connection, upload, checked, faulty)
    read, refused = rows + seen.lost, bad + seen.lost
    faults = seen.counts.total() + sum(column.refused for column in columns)
    listed = [*seen.refused, *_refused(connection, upload, checked, job.wanted, columns)]
    listed.sort(key=lambda one: (one.part, one.row))
    named = tuple(column for column in columns if column.name)
    report = Report(read, read - refused, refused, faults, tuple(listed[:MOST_REFUSED]), named, tuple(seen.notes))
    if not job.tolerance.allows(refused, read):
        told = [*_told_rows(seen), *_told_values(job.wanted, asked)]
        if job.tolerance.rows or job.tolerance.share:
            told.insert(0, Told("", TOO_MANY_REFUSED, {"read": read, "refused": refused}))
        raise Unfit(*told, report=report)
    return report, faulty


def _counts(connection: "DuckDBPyConnection", upload: Opened, checked: Checked) -> tuple[int, list[tuple[int, ...]]]:
    """Return rows, and for each column: empty values; mistyped, first mistyped; too long, first too long.

    Some columns at a time: the engine plans a thousand at once for minutes.
    """
    found: list[tuple[int, ...]] = []
    rows = 0
    with reading_parquet() if upload.claimed is not None else nullcontext():
        for start in range(0, len(checked.values), AT_ONCE):
            columns = range(start, min(start + AT_ONCE, len(checked.values)))
            asked = ", ".join(_asked(n, checked) for n in columns)
            counts = _row(connection, f"SELECT count(*), {asked} FROM ({upload.relation})")
            rows = counts[0]
            found += [counts[at : at + 5] for at in range(1, len(counts), 5)]
    if upload.claimed not in (None, rows):
        raise unfit(NOT_PARQUET)
    return rows, found


def _asked(n: int, checked: Checked) -> str:
    tests = ", ".join(
        f"count(*) FILTER ({test}), min(r) FILTER ({test})" for test in (checked.wrong[n], checked.long[n])
    )
    return f"count(*) - count(c{n + 1}), {tests}"


def _faulty(columns: Sequence[ColumnReport]) -> list[int]:
    return [n for n, column in enumerate(columns) if column.refused]


def _bad_rows(connection: "DuckDBPyConnection", upload: Opened, checked: Checked, faulty: Sequence[int]) -> int:
    if not faulty:
        return 0
    return _row(connection, f"SELECT count(*) FROM ({upload.relation}) WHERE {checked.bad(faulty)}")[0]


def _row(connection: "DuckDBPyConnection", statement: str) -> tuple[int, ...]:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


def _refused(
    connection: "DuckDBPyConnection",
    upload: Opened,
    checked: Checked,
    wanted: Sequence[Wanted],
    columns: Sequence[ColumnReport],
) -> list[Refused]:
    """Return the first refused values with masked hints."""
    faulty = _faulty(columns)[:MOST_COLUMNS]
    if not faulty:
        return []
    asked = [
        f"{checked.wrong[n]}, {checked.long[n]}, length(CAST(c{n + 1} AS VARCHAR)), "
        f"CASE WHEN ({checked.wrong[n]}) OR ({checked.long[n]}) THEN left(CAST(c{n + 1} AS VARCHAR), {MASKED}) END"
        for n in faulty
    ]
    rows = connection.execute(
        f"SELECT p, r, {', '.join(asked)} FROM ({upload.relation}) WHERE {checked.bad(faulty)} LIMIT {MOST_REFUSED}"
    ).fetchall()
    found = [
        Refused(row[1], row[0], wanted[n].name, "length" if long else "type", length, classes_of(value))
        for row in rows
        for n, wrong, long, length, value in _by_column(row[2:], faulty)
        if wrong or long
    ]
    return found[:MOST_REFUSED]


def _by_column(cells: Sequence[Any], faulty: Sequence[int]) -> list[tuple[int, bool, bool, int, str]]:
    return [(n, *cells[at * 4 : at * 4 + 4]) for at, n in enumerate(faulty)]


CLASSES = {
    "Nd": "digit", "Lo": "other", "Lu": "letter", "Ll": "letter", "Zs": "space", "Cc": "control",
}  # fmt: skip
HAN = re.compile(r"[\u3400-\u9fff]")


def classes_of(value: str | None) -> tuple[str, ...]:
    """Return which classes of characters a value has: han, letter, digit, space, control, sign, other."""
    found = set()
    for character in value or "":
        kind = unicodedata.category(character)
        sign = "sign" if kind[0] in "PS" else "other"
        found.add("han" if HAN.match(character) else CLASSES.get(kind, sign))
    return tuple(sorted(found))


def _told_rows(seen: Seen) -> list[Told]:
    """Return one fault for each way in which rows are no records."""
    found = []
    for why, message in BROKEN_ROWS.items():
        rows = [one.row for one in seen.refused if one.why == why]
        if rows:
            found.append(Told("", message, {"row": rows[0], "count": seen.counts[why]}))
    return found


def _told_values(wanted: Sequence[Wanted], asked: Sequence[Sequence[int]]) -> list[Told]:
    """Return for each column the first row that does not hold, and how many do not."""
    found = []
    for column, (_empty, wrong, first_wrong, long, first_long) in zip(wanted, asked, strict=True):
        if long:
            found.append(Told(column.heading, TOO_LONG, {"row": first_long, "count": long, "most": LONGEST_VALUE}))
        elif wrong:
            blanks = {"row": first_wrong, "count": wrong, "expected": EXPECTED[column.type]}
            found.append(Told(column.heading, WRONG_TYPE, blanks))
    return found


# ---- the result ------------------------------------------------------------------------------------------------------


def _write(
    connection: "DuckDBPyConnection",
    upload: Opened,
    checked: Checked,
    faulty: Sequence[int],
    wanted: Sequence[Wanted],
    target: Path,
) -> None:
    kept = [
        (column.place, value, column.name) for value, column in zip(checked.values, wanted, strict=True) if column.name
    ]
    chosen = ", ".join(f'{value} AS "{name}"' for _place, value, name in sorted(kept, key=lambda one: one[0]))
    group = max(2_048, min(ROW_GROUP, MOST_CELLS // len(kept) // 2_048 * 2_048))
    connection.execute(
        f"COPY (SELECT {chosen} FROM ({upload.relation}) WHERE NOT ({checked.bad(faulty)}))"
        f" TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
    )


def _measure(
    connection: "DuckDBPyConnection", target: Path, job: Job, upload: Opened, report: Report, seen: Seen
) -> Loaded:
    """Return what is known of the result; its rows are those that the report says were kept."""
    kinds = {column.name: column.type for column in job.wanted}
    column = job.time_column if kinds.get(job.time_column or "") in (ColumnType.DATE, ColumnType.DATETIME) else None
    period = f'CAST(min("{column}") AS DATE), CAST(max("{column}") AS DATE)' if column else "NULL, NULL"
    row = connection.execute(f"SELECT count(*), {period} FROM read_parquet({literal(target)})").fetchone()
    assert row is not None
    if row[0] != report.rows_kept:
        raise unfit(NOT_PARQUET)
    return Loaded(
        target, sha256(target), int(row[0]), target.stat().st_size, row[1], row[2], upload.format, upload.reading,
        report, tuple(seen.marks),
    )  # fmt: skip
