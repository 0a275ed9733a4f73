"""XLSX, row by row.  Links to other files are never followed; a formula counts as what the file says it came to.

Every cell becomes the text that its column's type is read from, so that a date is a date and 5.0 is 5.
"""

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from service.base.i18n import N_
from service.catalogue.engine.loading.shapes import unfit
from service.catalogue.rules import ColumnType

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

MOST_ROWS = 1_048_576  # what the format itself allows
HEADING_WITHIN = 20  # rows in which the heading may stand, below a title
EXACT = 2**53
ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!", "#GETTING_DATA")

NOT_A_WORKBOOK = N_("不是有效的 XLSX 文件")
HAS_A_DOCTYPE = N_("XLSX 文件中含有不允许的 XML 声明")
NO_SUCH_SHEET = N_("没有所指定的工作表")
NO_SHEET = N_("XLSX 文件中没有工作表")
TOO_MANY_ROWS = N_("工作表超过 %(most)s 行")
LINKS_IGNORED = N_("文件引用了其他文件；这些引用未被读取")
TOO_WIDE = N_("文件超过 %(most)s 列")


@contextmanager
def workbook(file: Path) -> "Iterator[Workbook]":
    """Give the workbook in `file`; raises Unfit for one that is broken."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except MemoryError:
            raise
        except Exception:  # openpyxl lets out whatever the broken part made it stumble over
            raise unfit(NOT_A_WORKBOOK) from None
        try:
            yield book
        finally:
            book.close()


def demand_plain(packed: ZipFile) -> None:
    """Raise Unfit for a part with a document type: entities are how XML is made to grow or to read other files."""
    for member in packed.infolist():
        if member.filename.endswith((".xml", ".rels")):
            with packed.open(member) as part:
                if b"<!DOCTYPE" in part.read(4096).replace(b"\0", b""):
                    raise unfit(HAS_A_DOCTYPE)


def notes(packed: ZipFile) -> list[str]:
    linked = any(name.startswith("xl/externalLinks/") for name in packed.namelist())
    return [LINKS_IGNORED] if linked else []


def choose(book: "Workbook", wanted: str | None, headings: Sequence[str]) -> "ReadOnlyWorksheet":
    """Return the sheet asked for; else the first with the headings, else the first that is not hidden."""
    sheets: list[Any] = list(book.worksheets)
    if wanted is not None:
        named = [sheet for sheet in sheets if sheet.title == wanted]
        if not named:
            raise unfit(NO_SUCH_SHEET)
        return named[0]  # type: ignore[no-any-return]
    seen = [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets
    if not seen:
        raise unfit(NO_SHEET)
    fitting = [sheet for sheet in seen if headings and heading_row(first_rows(sheet), headings) is not None]
    return (fitting or seen)[0]  # type: ignore[no-any-return]


def rows(sheet: "ReadOnlyWorksheet") -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield (row, cells) for each row that has any, counted from 1; what the sheet says of its size is not used."""
    sheet.reset_dimensions()
    count = 0
    try:
        for cells in sheet.iter_rows(values_only=True):  # type: ignore[misc]
            count += 1
            if count > MOST_ROWS:
                raise unfit(TOO_MANY_ROWS, most=MOST_ROWS)
            last = len(cells)
            while last and cells[last - 1] in (None, ""):
                last -= 1
            if last:
                yield count, cells[:last]
    except (SyntaxError, ValueError, LookupError, TypeError, AttributeError, BadZipFile, EOFError, zlib.error):
        raise unfit(NOT_A_WORKBOOK) from None


def first_rows(sheet: "ReadOnlyWorksheet") -> list[tuple[int, list[str]]]:
    """Return the rows among which the heading stands, as text."""
    found = []
    for row, cells in rows(sheet):
        if row > HEADING_WITHIN:
            break
        found.append((row, [as_text(cell, ColumnType.STRING) or "" for cell in cells]))
    return found


def heading_row(first: Sequence[tuple[int, Sequence[str]]], headings: Sequence[str]) -> int | None:
    """Return the number of the row that has all of `headings`; None where none has."""
    wanted = set(headings)
    return next((row for row, cells in first if wanted <= {cell.strip() for cell in cells}), None)


def likely_heading(first: Sequence[tuple[int, Sequence[str]]]) -> int | None:
    """Return the number of the row that is most likely the heading: the first of the widest; titles stand above it."""
    widths = {row: sum(bool(cell.strip()) for cell in cells) for row, cells in first}
    return max(widths, key=lambda row: (widths[row], -row), default=None)


def as_text(value: object, kind: ColumnType) -> str | None:
    """Return a cell as text for a column of type `kind`; a moment at midnight is a day unless a moment is wanted."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
    if isinstance(value, datetime):
        day = value.time() == time() and kind is not ColumnType.DATETIME
        return value.date().isoformat() if day else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
