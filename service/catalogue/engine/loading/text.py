"""Text of unknown origin: which encoding, which delimiter, and its records one by one.

A line may not be longer than a limit says: a file without an end of line would otherwise be held in memory as one.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from service.base.i18n import N_
from service.catalogue.engine.loading.shapes import MIB, Reading, unfit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# By the names that are stated and may be asked for: Python's.
ENCODINGS = {
    "utf-8": "utf-8-sig", "utf-8-bom": "utf-8-sig", "utf-16": "utf-16", "gb18030": "gb18030", "big5": "big5hkscs",
}  # fmt: skip
ALIASES = {"utf8": "utf-8", "utf-8-sig": "utf-8-bom", "utf16": "utf-16", "gbk": "gb18030", "gb2312": "gb18030"}
DELIMITERS = {",": N_("逗号"), ";": N_("分号"), "\t": N_("制表符"), "|": N_("竖线")}
HEAD = MIB  # bytes that are looked at to find an encoding and a delimiter
LOOKED_AT = 50  # records that are looked at to find a delimiter

UNKNOWN_ENCODING = N_("文件编码应为 UTF-8、UTF-16（带 BOM）或 GB 18030")
NO_SUCH_ENCODING = N_("不支持编码 %(name)s")
NO_SUCH_DELIMITER = N_("分隔符应为逗号、分号、制表符或竖线")
BROKEN_TEXT = N_("第 %(line)s 行含有不属于 %(encoding)s 编码的字节（内容不予显示）；如编码判断有误，可指定编码")
LONG_LINE = N_("文件中有一行超过 %(most)s 字节")
OPEN_QUOTE = N_("第 %(row)s 行的引号没有结束")
CUT_OFF = N_("文件不完整：解压后的大小与所写的不符")
TOO_LARGE = N_("文件解压后超过 %(most)s 字节")

Opener = Callable[[], BinaryIO]
Texts = io.TextIOWrapper


class Bounded(io.RawIOBase):
    """Bytes on their way: counted, told on, and refused where a line or all of them grow beyond the limit.

    `size` is how many there must be; a packed file may say more than it has.
    """

    def __init__(self, raw: BinaryIO, *, line: int, most: int, size: int | None, told: Callable[[int], None]) -> None:
        self.raw, self.line, self.most, self.size, self.told = raw, line, most, size, told
        self.position = 0
        self.since_end = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        chunk = self.raw.read(len(view))
        view[: len(chunk)] = chunk
        self.position += len(chunk)
        if not chunk and self.size is not None and self.position != self.size:
            raise unfit(CUT_OFF)
        self._measure(chunk)
        self.told(self.position)
        return len(chunk)

    def _measure(self, chunk: bytes) -> None:
        if self.position > self.most:
            raise unfit(TOO_LARGE, demanding=True, most=self.most)
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self.since_end = self.since_end + len(chunk) if last < 0 else len(chunk) - last
        if self.since_end > self.line:
            raise unfit(LONG_LINE, most=self.line)


def encoding_of(head: bytes) -> str | None:
    """Return the name of the encoding that `head`, a file's beginning, is in; None where it is none that we read.

    A UTF-8 file with a few broken bytes is still said to be UTF-8: GB 18030 would make other characters of it.
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-bom"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        return None
    if head.isascii():
        return "utf-8"
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    broken = text.count("\ufffd")
    whole = sum(character > "\x7f" for character in text) - broken
    if whole > 9 * broken:
        return "utf-8"
    try:
        codecs.getincrementaldecoder("gb18030")().decode(head)
    except UnicodeDecodeError:
        return "utf-8" if whole > broken else None
    return "gb18030"


def named(encoding: str) -> str:
    """Return the name under which we know `encoding`; raises Unfit where it is none that we read."""
    name = encoding.lower().replace("_", "-")
    name = ALIASES.get(name, name)
    if name not in ENCODINGS:
        raise unfit(NO_SUCH_ENCODING, name=encoding[:40])
    return name


def settled(open_source: Opener, reading: Reading) -> str:
    """Return the encoding to read with: the one asked for, else the one found.

    A file that begins in plain ASCII is looked at where that ends.
    """
    if reading.encoding is not None:
        return named(reading.encoding)
    with open_source() as raw:
        head = raw.read(HEAD)
        found = encoding_of(head)
        while found == "utf-8" and head and head.isascii():
            head = raw.read(HEAD)
            found = encoding_of(head) if head else found  # after ASCII, a character begins where a chunk does
    if found is None:
        raise unfit(UNKNOWN_ENCODING)
    return found


def head_of(open_source: Opener, encoding: str) -> str:
    """Return the beginning of the text, broken bytes replaced; one that is whole ends in an end of line."""
    with open_source() as raw:
        data = raw.read(HEAD)
    try:
        text = codecs.getincrementaldecoder(ENCODINGS[encoding])("replace").decode(data)
    except UnicodeError:  # UTF-16 that does not say in which order its bytes are
        raise unfit(BROKEN_TEXT, line=1, encoding=encoding.upper()) from None
    return text if len(data) == HEAD else text + "\n"


def delimiter_of(head: str, headings: Sequence[str] | None = None) -> str:
    """Return the delimiter of the CSV that begins with `head`; a comma where none is in it.

    The one that makes the expected headings wins; else the one that cuts most records into equally many fields.
    """
    scores = []
    for order, delimiter in enumerate(DELIMITERS):
        records = first_records(head, delimiter)
        if headings is not None and records and records[0] == list(headings):
            return delimiter
        fields = len(records[0]) if records else 1
        equal = sum(len(record) == fields for record in records)
        if fields > 1:
            scores.append((equal / len(records), fields, -order, delimiter))
    return max(scores)[3] if scores else ","


def first_records(head: str, delimiter: str) -> list[list[str]]:
    """Return the first whole records of `head`."""
    found: list[list[str]] = []
    lines = io.StringIO(head, newline="")
    try:
        for record in csv.reader(lines, delimiter=delimiter):
            found += [record] if record else []
            if len(found) > LOOKED_AT:
                break
    except csv.Error:
        pass
    return found if head.endswith(("\n", "\r")) else found[:-1] or found


@contextmanager
def decoded(bounded: Bounded, encoding: str, open_source: Opener) -> Iterator[io.TextIOWrapper]:
    """Give the text of `bounded`; a byte that is not of its encoding raises Unfit with its line."""
    text = io.TextIOWrapper(io.BufferedReader(bounded, MIB), encoding=ENCODINGS[encoding], newline="")
    try:
        yield text
    except UnicodeError:
        raise unfit(BROKEN_TEXT, line=_broken_line(open_source, encoding), encoding=encoding.upper()) from None


def _broken_line(open_source: Opener, encoding: str) -> int:
    """Return the number of the first line with a byte that is not of `encoding`."""
    decoder = codecs.getincrementaldecoder(ENCODINGS[encoding])()
    lines, last = 1, ""
    with open_source() as raw:
        while True:
            chunk = raw.read(MIB)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as fault:
                text = fault.object[: fault.start].decode(ENCODINGS[encoding], "ignore")
                return lines + _ends(text, last)
            except UnicodeError:  # UTF-16 without its mark
                return lines
            lines += _ends(text, last)
            last = text[-1:]
            if not chunk:
                return lines


def _ends(text: str, before: str) -> int:
    """Return how many lines end in `text`, which follows `before`; CR LF is one end."""
    split = before == "\r" and text.startswith("\n")
    return text.count("\n") + text.count("\r") - text.count("\r\n") - split


def csv_records(text: io.TextIOWrapper, delimiter: str, line: int) -> Iterator[tuple[int, list[str] | None, int]]:
    """Yield (row, fields, lines) for each record; fields are None where it is none, blank lines are left out.

    `row` counts records and blank lines from 1; `lines` is how many lines of text the record takes.  Raises Unfit for
    a quote that does not end: everything after it would be lost as one record.
    """
    csv.field_size_limit(line)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    row = end = 0
    while True:
        row += 1
        start = end
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            if "unexpected end" in str(fault) or "limit" in str(fault):
                raise unfit(OPEN_QUOTE, row=row) from None
            end = reader.line_num
            yield row, None, end - start
            continue
        end = reader.line_num
        if fields:
            yield row, fields, end - start
