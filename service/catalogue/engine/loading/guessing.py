"""Looking at an upload before anybody says what its columns are: headings, types that its first rows suggest."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from service.catalogue.engine.loading import archives, notation, sheets, text
from service.catalogue.engine.loading.checking import connect
from service.catalogue.engine.loading.reading import (
    FIRST,
    Part,
    Seen,
    Tell,
    csv_reading,
    describe,
    own_parquet,
    parts,
    reading_parquet,
    scan,
    sheet_of,
    text_of,
)
from service.catalogue.engine.loading.shapes import Guess, Inspected, Job, Reading, unfit
from service.catalogue.rules import ColumnType

LOOKED_AT = 1_000  # rows from which a type is guessed
SHOWN = 5  # rows of which the kinds are told
PATTERNS = (
    (ColumnType.INTEGER, re.compile(r"[+-]?[0-9]{1,18}")),
    (ColumnType.NUMBER, re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")),
    (ColumnType.DATE, re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
    (ColumnType.DATETIME, re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}.*")),
    (ColumnType.BOOLEAN, re.compile(r"true|false", re.IGNORECASE)),
)
CODE = re.compile(r"0[0-9]+")  # a leading nought is no number's: codes keep theirs as text
NATIVE = (
    (re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?"), ColumnType.INTEGER),
    (re.compile(r"FLOAT|DOUBLE|DECIMAL.*"), ColumnType.NUMBER),
    (re.compile(r"DATE"), ColumnType.DATE),
    (re.compile(r"TIMESTAMP.*"), ColumnType.DATETIME),
    (re.compile(r"BOOLEAN"), ColumnType.BOOLEAN),
)
Rows = list[Sequence[str | None]]


def inspect(job: Job, seen: Seen, tell: Tell) -> Inspected:
    """Return what the upload looks like; raises Unfit for what cannot be read at all."""
    members = _members(job)
    with parts(job, seen, tell) as (kind, reading, found):
        look = {"csv": _csv, "json": _json, "xlsx": _sheet, "parquet": _parquet}[kind]
        reading, names, guesses, sheet_names = look(found[0], job, reading, seen)
    if len(names) > job.limits.columns:
        raise unfit(sheets.TOO_WIDE, most=job.limits.columns)
    columns = tuple(Guess(name, *guess) for name, guess in zip(names, guesses, strict=True))
    return Inspected(kind, reading, columns, tuple(sheet_names), members, tuple(seen.marks))


def _members(job: Job) -> tuple[str, ...]:
    if archives.is_plain_zip(job.source):
        with archives.opened(job.source, job.limits) as packed:
            return tuple(archives.shown(member) for member in archives.data_members(packed))
    return ()


Looked = tuple[Reading, list[str], list[tuple[ColumnType, tuple[str, ...]]], list[str]]


def _csv(part: Part, job: Job, reading: Reading, seen: Seen) -> Looked:
    reading = csv_reading(part, reading, seen, None)
    with text_of(part, job, str(reading.encoding), job.limits.line) as (source, _at):
        records = text.csv_records(source, str(reading.delimiter), job.limits.line)
        taken = [fields for _row, fields, _lines in islice(records, LOOKED_AT + 1) if fields is not None]
    names = taken[0] if taken else []
    return reading, names, _guesses(names, taken[1:]), []


def _json(part: Part, job: Job, reading: Reading, seen: Seen) -> Looked:
    encoding = text.settled(part.open, reading)
    with text_of(part, job, encoding, job.limits.unpacked) as (source, _at):
        taken = [record for _row, record in islice(notation.records(source, job.limits.line), LOOKED_AT)]
    names = list(dict.fromkeys(name for record in taken for name in record))
    for record in taken[:FIRST]:
        seen.mark(record, map(notation.as_text, record.values()))
    rows: Rows = [[notation.as_text(record.get(name)) for name in names[: job.limits.columns]] for record in taken]
    settled = Reading(encoding=encoding, member=reading.member)
    return settled, names, _guesses(names, rows), []


def _sheet(part: Part, job: Job, reading: Reading, seen: Seen) -> Looked:
    assert part.file is not None
    headings = [column.heading for column in job.wanted]
    with sheet_of(part.file, job, reading, seen, headings) as (book, sheet, names, below):
        rows: Rows = [
            [sheets.as_text(cell, ColumnType.STRING) for cell in cells]
            for row, cells in islice(sheets.rows(sheet), LOOKED_AT)
            if row > below
        ]
        settled = Reading(sheet=str(sheet.title), member=reading.member)
        return settled, names, _guesses(names, rows), [one.title for one in book.worksheets]


def _parquet(part: Part, job: Job, reading: Reading, seen: Seen) -> Looked:
    connection = connect(job)
    try:
        file = own_parquet(part, job)
        described = describe(connection, file)
        with reading_parquet():
            rows = connection.execute(f"SELECT * FROM {scan(file)} LIMIT {SHOWN}").fetchall()
    finally:
        connection.close()
    names = [name for name, _type in described]
    seen.mark(names)
    kinds = [
        next((kind for form, kind in NATIVE if form.fullmatch(type_)), ColumnType.STRING) for _n, type_ in described
    ]
    first = [tuple("empty" if row[n] is None else kind.value for row in rows) for n, kind in enumerate(kinds)]
    return Reading(member=reading.member), names, list(zip(kinds, first, strict=True)), []


def _guesses(names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> list[tuple[ColumnType, tuple[str, ...]]]:
    held = list(rows)
    return [_guess([row[n] if n < len(row) else None for row in held]) for n in range(len(names))]


def _guess(values: Sequence[str | None]) -> tuple[ColumnType, tuple[str, ...]]:
    """Return the type that all of `values` have, text where they have none, and the kinds of the first."""
    kinds = {kind_of(value) for value in values if value}
    if kinds == {ColumnType.INTEGER, ColumnType.NUMBER}:
        kinds = {ColumnType.NUMBER}
    if kinds == {ColumnType.DATE, ColumnType.DATETIME}:
        kinds = {ColumnType.DATETIME}
    first = tuple(kind_of(value).value if value else "empty" for value in values[:SHOWN])
    return (kinds.pop() if len(kinds) == 1 else ColumnType.STRING), first


def kind_of(value: str) -> ColumnType:
    """Return the narrowest type that `value` has."""
    if CODE.fullmatch(value):
        return ColumnType.STRING
    return next((kind for kind, form in PATTERNS if form.fullmatch(value)), ColumnType.STRING)
