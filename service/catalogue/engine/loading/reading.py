"""From an upload of any format to one SQL relation of ours: p (part), r (row in it), c1 … cn.

Text formats are staged as text; Parquet is copied under our own name, since a name from outside may be a pattern that
reads its neighbours.  Headings from outside never become SQL.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZipFile, ZipInfo, is_zipfile

from service.base.i18n import N_
from service.catalogue.engine.closed import literal
from service.catalogue.engine.loading import archives, marks, notation, sheets, text
from service.catalogue.engine.loading.shapes import Job, Reading, Refused, Told, Unfit, Wanted, unfit
from service.catalogue.engine.loading.staging import Stage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

Tell = Callable[[str, int, int], None]  # stage, rows, bytes
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARQUET = b"PAR1"
LONGEST_FOOTER = 16 << 20  # bytes
TOLD_EACH = 512  # rows
FIRST = 6  # records that are looked at for marks

OLD_WORKBOOK = N_("旧版 .xls 文件或加密的工作簿不能导入，请另存为未加密的 .xlsx")
NOT_PARQUET = N_("不是有效的 Parquet 文件")
OTHER_PARTS = N_("压缩包中各文件的字段类型不一致")
MISSING = N_("文件中缺少这一字段")
UNKNOWN = N_("文件第 %(n)s 列不在说明之中")
TWICE = N_("文件表头有重复的字段")
OTHER_ORDER = N_("文件的字段顺序与说明不一致")
SEVERAL_ENCODINGS = N_("压缩包中各文件的编码不同，已分别识别")


@dataclass(slots=True)
class Seen:
    """What was noticed on the way; it stands even where the file is refused later."""

    marks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    def mark(self, titles: Iterable[str], cells: Iterable[str | None] = ()) -> None:
        self.marks += [mark for mark in marks.found(titles, cells) if mark not in self.marks]

    def take(self, stage: Stage) -> None:
        self.refused += stage.refused
        self.counts += stage.counts
        self.lost += stage.lost


@dataclass(frozen=True, slots=True)
class Part:
    """One file to read: on disk, or in a zip, where it must have the size that the zip says."""

    number: int
    format: str
    open: Callable[[], BinaryIO]
    size: int | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The upload as SQL, the DuckDB types of c1 … cn, how it was read, and how many rows it says it has."""

    format: str
    reading: Reading
    relation: str
    types: tuple[str, ...]
    claimed: int | None = None


def format_of(source: Path) -> str:
    """Return csv, json, xlsx, parquet or zip: by what the file is, and by its name between texts."""
    with source.open("rb") as file:
        head = file.read(8)
    suffix = source.suffix.lower()
    if head.startswith(OLD_EXCEL):
        raise unfit(OLD_WORKBOOK)
    if head.startswith(PARQUET) or suffix == ".parquet":
        return "parquet"
    if head.startswith(b"PK") or suffix in (".xlsx", ".zip"):
        return _packed_format(source)
    return archives.FORMATS.get(suffix) or _text_format(source)


def _packed_format(source: Path) -> str:
    if not is_zipfile(source):
        raise unfit(sheets.NOT_A_WORKBOOK if source.suffix.lower() == ".xlsx" else archives.NOT_A_ZIP)
    return "zip" if archives.is_plain_zip(source) else "xlsx"


def _text_format(source: Path) -> str:
    encoding = text.settled(lambda: source.open("rb"), Reading())
    head = text.head_of(lambda: source.open("rb"), encoding).lstrip()
    return "json" if head[:1] in ("[", "{") else "csv"


@contextmanager
def parts(job: Job, seen: Seen, tell: Tell) -> Iterator[tuple[str, Reading, list[Part]]]:
    """Give the upload's format, what is known of its reading, and its parts in the order of their names."""
    kind = format_of(job.source)
    if kind != "zip":
        yield kind, replace(job.reading, member=None), [Part(1, kind, lambda: job.source.open("rb"), file=job.source)]
        return
    with archives.opened(job.source, job.limits) as packed:
        members = archives.data_members(packed)
        seen.mark([Path(archives.shown(member)).stem for member in members])
        chosen = archives.chosen(members, job.reading.member)
        reading = replace(job.reading, member=archives.shown(chosen[0]) if len(chosen) == 1 else None)
        found = [_member(packed, member, n, job, tell) for n, member in enumerate(chosen, 1)]
        yield found[0].format, reading, found


def _member(packed: ZipFile, member: ZipInfo, n: int, job: Job, tell: Tell) -> Part:
    """Return a member as a part; what must be read from its end is unpacked under a name of ours."""
    kind = archives.format_of(member)
    if kind in ("csv", "json"):
        return Part(n, kind, lambda: packed.open(member), size=member.file_size)  # type: ignore[arg-type,return-value]
    file = _own_name(job, n, kind)
    archives.unpack(packed, member, file, job.limits, lambda done: tell("reading", 0, done))
    return Part(n, kind, lambda: file.open("rb"), file=file)


def opened(job: Job, connection: "DuckDBPyConnection", seen: Seen, tell: Tell) -> Opened:
    """Bring the upload onto the stage; raises Unfit where it has other columns than `wanted` or cannot be read."""
    with parts(job, seen, tell) as (kind, reading, found):
        if kind == "parquet":
            return _open_parquet(job, connection, found, reading, seen)
        stage = {"csv": _stage_csv, "json": _stage_json, "xlsx": _stage_sheet}[kind]
        readings = [stage(part, job, reading, seen, tell) for part in found]
    settled = readings[0]
    if len({one.encoding for one in readings}) > 1:
        settled = replace(settled, encoding=None)
        seen.notes.append(SEVERAL_ENCODINGS)
    names = ", ".join(f"nullif(c{n}, '') AS c{n}" for n in range(1, len(job.wanted) + 1))
    selects = [
        f"SELECT {part.number} AS p, r, {names} FROM read_parquet({literal(_stage_file(job, part))})" for part in found
    ]
    return Opened(kind, settled, " UNION ALL ".join(selects), ("VARCHAR",) * len(job.wanted))


# ---- text ------------------------------------------------------------------------------------------------------------


class Position:
    """How far a source was read, in bytes."""

    bytes = 0

    def told(self, position: int) -> None:
        self.bytes = position


@contextmanager
def text_of(part: Part, job: Job, encoding: str, line: int) -> Iterator[tuple[text.Texts, Position]]:
    """Give a part's text and how far it was read; no line of it may be longer than `line` bytes."""
    at = Position()
    with part.open() as raw:
        bounded = text.Bounded(raw, line=line, most=job.limits.unpacked, size=part.size, told=at.told)
        with text.decoded(bounded, encoding, part.open) as source:
            yield source, at


def _stage_csv(part: Part, job: Job, reading: Reading, seen: Seen, tell: Tell) -> Reading:
    reading = csv_reading(part, reading, seen, [column.heading for column in job.wanted])
    with (
        text_of(part, job, str(reading.encoding), job.limits.line) as (source, at),
        Stage(_stage_file(job, part), len(job.wanted), part.number) as stage,
    ):
        records = text.csv_records(source, str(reading.delimiter), job.limits.line)
        _row, headings, _lines = next(records, (1, [], 1))
        compare(headings or [], job.wanted, job.limits.columns)
        for row, fields, lines in records:
            if fields is None:
                stage.refuse(row, "record", lines=lines)
            elif len(fields) != stage.width:
                stage.refuse(row, "fields", fields=len(fields), lines=lines)
            else:
                stage.put(row, fields, at.bytes)
            if not row % TOLD_EACH:
                tell("reading", row, at.bytes)
    seen.take(stage)
    return reading


def csv_reading(part: Part, reading: Reading, seen: Seen, headings: Sequence[str] | None) -> Reading:
    """Return the encoding and the delimiter to read `part` with, and note the marks at its head."""
    if reading.delimiter is not None and reading.delimiter not in text.DELIMITERS:
        raise unfit(text.NO_SUCH_DELIMITER)
    encoding = text.settled(part.open, reading)
    head = text.head_of(part.open, encoding)
    delimiter = reading.delimiter or text.delimiter_of(head, headings)
    first = text.first_records(head, delimiter)[:FIRST]
    seen.mark(chain(*first[:1]), chain(*first[1:]))
    return replace(reading, encoding=encoding, delimiter=delimiter, sheet=None)


def _stage_json(part: Part, job: Job, reading: Reading, seen: Seen, tell: Tell) -> Reading:
    encoding = text.settled(part.open, reading)
    headings = [column.heading for column in job.wanted]
    known, met = set(headings), set[str]()
    with (
        text_of(part, job, encoding, job.limits.unpacked) as (source, at),
        Stage(_stage_file(job, part), len(headings), part.number) as stage,
    ):
        for row, record in notation.records(source, job.limits.line):
            if row <= FIRST:
                seen.mark(record, map(notation.as_text, record.values()))
            met |= record.keys() & known
            if record.keys() <= known:
                stage.put(row, [notation.as_text(record.get(name)) for name in headings], at.bytes)
            else:
                stage.refuse(row, "unknown", fields=len(record))
            if not row % TOLD_EACH:
                tell("reading", row, at.bytes)
    if row_count := stage.rows + stage.lost:
        _demand_met(headings, met, row_count)
    seen.take(stage)
    return replace(reading, encoding=encoding, delimiter=None, sheet=None)


def _demand_met(headings: Sequence[str], met: set[str], rows: int) -> None:
    """Raise Unfit where a column is in none of `rows` records."""
    missing = [Told(name, MISSING) for name in headings if name not in met]
    if missing and rows:
        raise Unfit(*missing)


def _stage_sheet(part: Part, job: Job, reading: Reading, seen: Seen, tell: Tell) -> Reading:
    assert part.file is not None
    wanted, types = job.wanted, [column.type for column in job.wanted]
    headings = [column.heading for column in wanted]
    with sheet_of(part.file, job, reading, seen, headings) as (_book, sheet, names, below):
        compare(names, wanted, job.limits.columns)
        with Stage(_stage_file(job, part), len(wanted), part.number) as stage:
            for row, cells in sheets.rows(sheet):
                if row <= below:
                    continue
                if len(cells) > len(wanted):
                    stage.refuse(row, "fields", fields=len(cells))
                    continue
                padded = (*cells, *(None,) * (len(wanted) - len(cells)))
                stage.put(row, list(map(sheets.as_text, padded, types)), 0)
                if not row % TOLD_EACH:
                    tell("reading", row, 0)
        seen.take(stage)
        return replace(reading, sheet=str(sheet.title), encoding=None, delimiter=None)


@contextmanager
def sheet_of(
    file: Path, job: Job, reading: Reading, seen: Seen, headings: Sequence[str]
) -> Iterator[tuple["Workbook", "ReadOnlyWorksheet", list[str], int]]:
    """Give the workbook, the sheet to read, its headings and the number of their row; marks are noted."""
    with archives.opened(file, job.limits) as packed:
        sheets.demand_plain(packed)
        seen.notes += sheets.notes(packed)
    with sheets.workbook(file) as book:
        seen.mark([sheet.title for sheet in book.worksheets])
        sheet = sheets.choose(book, reading.sheet, headings)
        first = sheets.first_rows(sheet)
        row = sheets.heading_row(first, headings) if headings else sheets.likely_heading(first)
        below = row or (first[0][0] if first else 0)
        names = next(([cell.strip() for cell in cells] for number, cells in first if number == below), [])
        above = [cells for number, cells in first if number < below]
        seen.mark([*names, *chain(*above)], chain(*(cells for _number, cells in first[:FIRST])))
        yield book, sheet, names, below


# ---- Parquet ---------------------------------------------------------------------------------------------------------


def _open_parquet(
    job: Job, connection: "DuckDBPyConnection", found: Sequence[Part], reading: Reading, seen: Seen
) -> Opened:
    files = [own_parquet(part, job) for part in found]
    described = [describe(connection, file) for file in files]
    for columns in described:
        seen.mark([name for name, _type in columns])
        compare([name for name, _type in columns], job.wanted, job.limits.columns)
    types = {tuple(kind for _name, kind in columns) for columns in described}
    if len(types) > 1:
        raise unfit(OTHER_PARTS)
    names = ", ".join(f"c{n}" for n in range(1, len(job.wanted) + 1))
    selects = [
        f"SELECT {part.number} AS p, row_number() OVER () AS r, * FROM (SELECT * FROM {scan(file)}) AS upload({names})"
        for part, file in zip(found, files, strict=True)
    ]
    settled = replace(reading, encoding=None, delimiter=None, sheet=None)
    claimed = sum(rows_claimed(connection, file) for file in files)
    return Opened("parquet", settled, " UNION ALL ".join(selects), types.pop(), claimed)


def own_parquet(part: Part, job: Job) -> Path:
    """Return the part as a file under our own name, whose footer is where it says and not larger than any needs."""
    assert part.file is not None
    own = _own_name(job, part.number, "parquet")
    if part.file != own:
        shutil.copyfile(part.file, own)
    size = own.stat().st_size
    with own.open("rb") as file:
        file.seek(max(0, size - 8))
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
    if magic != PARQUET or length > min(LONGEST_FOOTER, size - 12):
        raise unfit(NOT_PARQUET)
    return own


def scan(file: Path) -> str:
    return f"read_parquet({literal(file)}, hive_partitioning = false)"


def describe(connection: "DuckDBPyConnection", file: Path) -> list[tuple[str, str]]:
    """Return the names and the DuckDB types of a Parquet file's columns."""
    with reading_parquet():
        found = connection.execute(f"DESCRIBE SELECT * FROM {scan(file)}").fetchall()
    return [(str(row[0]), str(row[1])) for row in found]


def rows_claimed(connection: "DuckDBPyConnection", file: Path) -> int:
    """Return how many rows a Parquet file's footer says that there are."""
    with reading_parquet():
        row = connection.execute(f"SELECT num_rows FROM parquet_file_metadata({literal(file)})").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def reading_parquet() -> Iterator[None]:
    """Turn what the engine says of a Parquet file that is none into Unfit; its message may repeat values."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        raise unfit(NOT_PARQUET) from None


# ---- columns ---------------------------------------------------------------------------------------------------------


def compare(headings: Sequence[str], wanted: Sequence[Wanted], most: int) -> None:
    """Raise Unfit unless the file has exactly the manifest's columns, in its order."""
    expected = [column.heading for column in wanted]
    if list(headings) == expected:
        return
    if len(headings) > most:
        raise unfit(sheets.TOO_WIDE, most=most)
    faults = [Told(name, MISSING) for name in expected if name not in headings]
    faults += [Told(f"c{n}", UNKNOWN, {"n": n}) for n, name in enumerate(headings, 1) if name not in expected]
    if len(set(headings)) < len(headings):
        faults.append(Told("", TWICE))
    raise Unfit(*(faults or [Told("", OTHER_ORDER)]))


def _own_name(job: Job, number: int, kind: str) -> Path:
    return job.folder / f"upload-{number}.{kind}"


def _stage_file(job: Job, part: Part) -> Path:
    return job.folder / f"stage-{part.number}.parquet"
