"""The files of a view: their names and formats, conditions on them and ranges of their bytes (RFC 9110)."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

MOST_RANGES = 16
ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
RANGE = re.compile(r"(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing a view down: its name, the ending of its file and its media type."""

    name: str
    suffix: str
    media_type: str


FORMATS = {
    one.name: one
    for one in (
        Format("parquet", "parquet", "application/vnd.apache.parquet"),
        Format("csv", "csv", "text/csv; charset=utf-8"),
        Format("excel", "csv", "text/csv; charset=utf-8"),
        Format("csv.zst", "csv.zst", "application/zstd"),
        Format("jsonl", "jsonl", "application/jsonl"),
        Format("arrow", "arrow", "application/vnd.apache.arrow.file"),
    )
}
FILES = {f"data.{one.suffix}": one.media_type for one in FORMATS.values()}


def format_of(name: str, purpose: str | None) -> Format | None:
    """Return what a file's name asks for; `data.csv?for=excel` is a format of its own.  None for no file of ours."""
    if purpose is not None:
        return FORMATS["excel"] if (name, purpose) == ("data.csv", "excel") else None
    suffix = name.removeprefix("data.")
    return FORMATS.get(suffix) if name.startswith("data.") and suffix != "excel" else None


# ---- conditions -----------------------------------------------------------------------------------------------------


def names(header: str | None, etag: str, *, strong: bool) -> bool:
    """Whether a list of entity tags, or `*`, names the file whose strong tag is `etag` (without quotes).

    If-Match compares strongly, If-None-Match weakly (RFC 9110 8.8.3.2).
    """
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(tag == etag and not (weak and strong) for weak, tag in ETAG.findall(header))


def holds(if_range: str | None, etag: str) -> bool:
    """Whether If-Range lets a range be served: absent, or exactly this strong tag; a date never does (it is weak)."""
    return if_range is None or if_range.strip() == f'"{etag}"'


def digest_field(sha256: str) -> str:
    """Return Repr-Digest's value (RFC 9530) for a SHA-256 in hex: of the whole file, whatever part is sent."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def disposition(plain: str, full: str) -> str:
    """Return Content-Disposition for a download: an ASCII name, and the full one for those who know RFC 8187."""
    ascii_name = re.sub(r"[^A-Za-z0-9._-]", "_", plain)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(full, safe='')}"


# ---- ranges ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of a file, `start` up to but not including `end`."""

    start: int
    end: int

    def field(self, size: int) -> str:
        """Return Content-Range's value."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def byte_ranges(header: str | None, size: int) -> tuple[ByteRange, ...] | None:
    """Return the ranges that `header` asks for, in its order; None for none or a malformed one: the whole file.

    Ranges beyond the end are left out; those that overlap or touch become one, at the place of the first of them.
    Raises ValueError (416) when none is left, or when more than MOST_RANGES were asked for.
    """
    asked = _parsed(header)
    if asked is None:
        return None
    if len(asked) > MOST_RANGES:
        raise ValueError("too many ranges")
    found = [one for first, last in asked if (one := _placed(first, last, size)) is not None]
    if not found:
        raise ValueError("no range lies in the file")
    return _joined(found)


def _parsed(header: str | None) -> list[tuple[str, str]] | None:
    """Return (first, last) of each range, each in digits or empty; None when the header does not hold as a whole."""
    unit, equals, text = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    matches = [RANGE.fullmatch(part.strip(" \t")) for part in text.split(",") if part.strip(" \t")]
    asked = [(match[1], match[2]) for match in matches if match]
    if not asked or len(asked) < len(matches) or any(_senseless(*pair) for pair in asked):
        return None
    return asked


def _senseless(first: str, last: str) -> bool:
    return not (first or last) or bool(first and last and _number(last) < _number(first))


def _number(digits: str) -> int:
    """Return a number; one of more digits than any file has bytes stands for all of them."""
    return int(digits) if len(digits) <= 20 else 10**20


def _placed(first: str, last: str, size: int) -> ByteRange | None:
    if not first:
        start, end = max(0, size - _number(last)), size
    else:
        start, end = _number(first), min(size, _number(last) + 1) if last else size
    return ByteRange(start, end) if start < end else None


def _joined(ranges: Iterable[ByteRange]) -> tuple[ByteRange, ...]:
    joined: list[ByteRange] = []
    for one in ranges:
        near = [each for each in joined if each.start <= one.end and one.start <= each.end]
        if not near:
            joined.append(one)
            continue
        place = joined.index(near[0])
        whole = ByteRange(min(each.start for each in (one, *near)), max(each.end for each in (one, *near)))
        joined = [each for each in joined if each not in near]
        joined.insert(place, whole)
    return tuple(joined)


# ---- several ranges in one body (RFC 9110 14.6) ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a multipart body: text of ours, then bytes of the file where `part` is not None."""

    text: bytes
    part: ByteRange | None


def multipart(parts: Iterable[ByteRange], size: int, media_type: str, boundary: str) -> tuple[Piece, ...]:
    """Return the pieces of a multipart/byteranges body in order; the last one has no bytes of the file."""
    pieces = [
        Piece(
            f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {one.field(size)}\r\n\r\n".encode(), one
        )
        for one in parts
    ]
    return (*pieces, Piece(f"\r\n--{boundary}--\r\n".encode(), None))


def length_of(pieces: Iterable[Piece]) -> int:
    """Return how many bytes the pieces are together."""
    return sum(len(one.text) + (one.part.end - one.part.start if one.part else 0) for one in pieces)
