"""The files of a view, and ranges of their bytes."""

import re
from dataclasses import dataclass

FILES = {"data.parquet": "application/vnd.apache.parquet", "data.csv": "text/csv; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of a file, `start` up to but not including `end`."""

    start: int
    end: int


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """Return the single range that `header` asks for; None for none, several or a malformed one: the whole file.

    Raises ValueError when the range lies outside the file (416).
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if first and last and int(last) < int(first):
        return None
    if start >= size or start >= end:
        raise ValueError("range outside the file")
    return ByteRange(start, end)
