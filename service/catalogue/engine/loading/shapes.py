"""What goes into a reading and what comes out of it; all of it can be said in JSON, since a child process reads.

Messages travel as Chinese ids with their blanks and are put into the reader's language where they arrive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as of
from datetime import date
from pathlib import Path
from typing import Any

from service.base.i18n import N_, gettext
from service.catalogue.rules import ColumnType

MIB = 1 << 20
MOST_REFUSED = 1_000  # refused values that a report lists; all are counted


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column of the file: its heading, our name, the type to be had, its place among ours where that is another.

    One without a name is in the file and left out of what is made of it.
    """

    heading: str
    name: str
    type: ColumnType
    place: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, and afterwards how it was; None is to be found out (or does not apply).

    `encoding` is a key of text.ENCODINGS, `member` a file in a zip.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many rows may be left out: `rows` of them, or `share` of those read (0.01 is one in a hundred)."""

    rows: int | None = None
    share: float = 0.0

    def allows(self, refused: int, read: int) -> bool:
        return refused <= (self.rows if self.rows is not None else int(self.share * read))


STRICT = Tolerance()
UNKNOWN = Reading()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take of the machine.  Sizes are in bytes, times in seconds.

    `ratio` binds a packed file only where it unpacks to more than `trusted`.  `cpu` is for the smallest file;
    `cpu_per_mib` comes on top for each MiB, unpacked.  A reading may last `patience` times its CPU time.
    """

    unpacked: int = 20 << 30
    ratio: int = 200
    trusted: int = 64 * MIB
    members: int = 10_000
    columns: int = 1_000
    line: int = 2 * MIB
    memory: int = 1536 * MIB
    engine_memory: int = 512 * MIB
    cpu: float = 60.0
    cpu_per_mib: float = 0.5
    patience: float = 8.0
    files: int = 64

    def cpu_for(self, size: int) -> float:
        return self.cpu + self.cpu_per_mib * size / MIB


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Told:
    """One reason why not: the field, a message and its blanks; the blank `expected` is a message itself."""

    field: str
    message: str
    blanks: Mapping[str, Any] = of(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {"field": self.field, "message": self.message, "blanks": dict(self.blanks)}

    def error(self) -> dict[str, str]:
        blanks = dict(self.blanks)
        if "expected" in blanks:
            blanks["expected"] = gettext(str(blanks["expected"]))
        return {"field": self.field, "message": gettext(self.message, **blanks)}


class Unfit(Exception):
    """The file cannot be taken in.  Raised in the child; BadData (TooDemanding where `demanding`) in its parent."""

    def __init__(self, *faults: Told, demanding: bool = False, report: "Report | None" = None) -> None:
        super().__init__(faults[0].message if faults else "")
        self.faults = faults
        self.demanding = demanding
        self.report = report


def unfit(message: str, *, demanding: bool = False, **blanks: Any) -> Unfit:
    """Return the fault of a file as a whole."""
    return Unfit(Told("", message, blanks), demanding=demanding)


ROW_REFUSED = N_("第 %(row)s 行：%(why)s")
VALUE_REFUSED = N_("第 %(row)s 行 %(column)s：%(why)s（%(length)s 个字符：%(kinds)s）")
# Why a value or a row was refused.
REASONS = {
    "type": N_("与字段类型不符"),
    "length": N_("超过长度上限"),
    "record": N_("不是完整的一条记录"),
    "fields": N_("字段数与表头不符"),
    "unknown": N_("含有说明之外的字段"),
    "characters": N_("含有无法存储的字符"),
}


# The classes of characters that a masked value is told by.
CLASSES = {
    "han": N_("汉字"),
    "letter": N_("字母"),
    "digit": N_("数字"),
    "space": N_("空格"),
    "sign": N_("符号"),
    "control": N_("控制字符"),
    "other": N_("其他字符"),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused value, or a whole row where `column` is empty.

    `row` counts from 1 in the file, or in its `part` of several; where there is a heading, that is row 1.  `hint` masks
    the value: how long it is and which classes of characters are in it.
    """

    row: int
    part: int
    column: str
    why: str
    length: int | None = None
    classes: tuple[str, ...] = ()

    def said(self) -> str:
        """Return the line in the reader's language: where, why, and what kind of value it was."""
        why = gettext(REASONS[self.why])
        if not self.column:
            return gettext(ROW_REFUSED, row=self.row, why=why)
        kinds = " ".join(gettext(CLASSES[kind]) for kind in self.classes)
        return gettext(VALUE_REFUSED, row=self.row, column=self.column, why=why, length=self.length, kinds=kinds)


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """What is known of a column without any of its values."""

    name: str
    empty: int
    refused: int


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file's rows.  `faults` counts every refused value and row; `refused` lists the first 1,000."""

    rows_read: int
    rows_kept: int
    rows_refused: int
    faults: int
    refused: tuple[Refused, ...]
    columns: tuple[ColumnReport, ...]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the report for JSON; it holds no value of the file."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Report":
        """Return what `document` was made from."""
        lists = {
            "refused": tuple(Refused(**(one | {"classes": tuple(one["classes"])})) for one in document["refused"]),
            "columns": tuple(ColumnReport(**one) for one in document["columns"]),
            "notes": tuple(document["notes"]),
        }
        return cls(**(dict(document) | lists))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Typed Parquet in a folder of ours: its digest, size and the first and last Beijing day of its time column.

    `marks` are the secrecy marks that the file bears; one with any must be kept apart.
    """

    path: Path
    sha256: str
    rows: int
    bytes: int
    period_from: date | None
    period_to: date | None
    format: str
    reading: Reading
    report: Report
    marks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        dates = {"period_from": self.period_from, "period_to": self.period_to}
        said = {name: day.isoformat() if day else None for name, day in dates.items()}
        return asdict(self) | {"path": str(self.path)} | said

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Loaded":
        """Return what `document` was made from."""
        dates = {name: document[name] and date.fromisoformat(document[name]) for name in ("period_from", "period_to")}
        parts = {
            "path": Path(document["path"]),
            "reading": Reading(**document["reading"]),
            "report": Report.of(document["report"]),
            "marks": tuple(document["marks"]),
        }
        return cls(**(dict(document) | dates | parts))


@dataclass(frozen=True, slots=True)
class Guess:
    """A column of a file that is looked at: its heading, the type that its first rows suggest, their kinds."""

    heading: str
    type: ColumnType
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a file looks like, without a value of it.

    `sheets` and `members` are what may be chosen among; `mapping` names for each known column the heading that seems to
    be it, where there is one.
    """

    format: str
    reading: Reading
    columns: tuple[Guess, ...]
    sheets: tuple[str, ...]
    members: tuple[str, ...]
    marks: tuple[str, ...]
    mapping: Mapping[str, str] = of(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Inspected":
        """Return what `document` was made from."""
        columns = tuple(
            Guess(one["heading"], ColumnType(one["type"]), tuple(one["first"])) for one in document["columns"]
        )
        tuples = {name: tuple(document[name]) for name in ("sheets", "members", "marks")}
        return cls(**(dict(document) | tuples | {"columns": columns, "reading": Reading(**document["reading"])}))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reading is: `stage` is reading, checking or writing; `bytes` of `of` were read, `rows` found."""

    stage: str
    rows: int
    bytes: int
    of: int


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of the child's work: `load`, or `inspect` (then `wanted` and `time_column` do not matter)."""

    act: str
    source: Path
    folder: Path
    wanted: Sequence[Wanted]
    time_column: str | None
    reading: Reading
    tolerance: Tolerance
    limits: Limits

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"source": str(self.source), "folder": str(self.folder)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Job":
        """Return what `document` was made from."""
        wanted = [Wanted(**(one | {"type": ColumnType(one["type"])})) for one in document["wanted"]]
        parts = {
            "source": Path(document["source"]),
            "folder": Path(document["folder"]),
            "wanted": wanted,
            "reading": Reading(**document["reading"]),
            "tolerance": Tolerance(**document["tolerance"]),
            "limits": Limits(**document["limits"]),
        }
        return cls(**(dict(document) | parts))
