"""The stage: text of any format, put down row by row as one Parquet file of ours before it is typed.

Columns are `r`, the row's number in the upload, and c1 … cn, as text.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.catalogue.engine.loading.shapes import MIB, MOST_REFUSED, Refused

MOST_CELLS = 400_000  # held at once; a Python text takes 50 bytes and more
MOST_ROWS = 16_384


class Stage:
    """A file that `rows` are put on.  What is no row is noted by `refuse`: `lost` lines, `counts` by why."""

    def __init__(self, path: Path, width: int, part: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.arrow, self.path, self.width, self.part = pa, path, width, part
        self.schema = pa.schema([("r", pa.int64())] + [(f"c{n}", pa.string()) for n in range(1, width + 1)])
        self.file = pq.ParquetWriter(path, self.schema, compression="lz4", use_dictionary=False, write_statistics=False)
        self.numbers: list[int] = []
        self.held: list[Sequence[str | None]] = []
        self.most = max(1, min(MOST_ROWS, MOST_CELLS // width))
        self.rows = self.lost = 0
        self.refused: list[Refused] = []
        self.counts: Counter[str] = Counter()
        self.since = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self.file.close()

    def put(self, row: int, cells: Sequence[str | None], position: int) -> None:
        """Take a row of exactly `width` cells; `position` is how far its source was read, in bytes."""
        self.numbers.append(row)
        self.held.append(cells)
        if len(self.held) >= self.most or position - self.since > 8 * MIB:
            self.since = position
            self._flush()

    def refuse(self, row: int, why: str, *, fields: int | None = None, lines: int = 1) -> None:
        """Note a row that is no record; `lines` of the upload go with it."""
        self.counts[why] += 1
        self.lost += lines
        if len(self.refused) < MOST_REFUSED:
            self.refused.append(Refused(row, self.part, "", why, length=fields))

    def _flush(self) -> None:
        if not self.held:
            return
        try:
            columns = self._columns()
        except UnicodeEncodeError:
            self._leave_out_unwritable()
            columns = self._columns()
        if self.numbers:
            numbers = self.arrow.array(self.numbers, self.arrow.int64())
            self.file.write_batch(self.arrow.record_batch([numbers, *columns], schema=self.schema))
        self.rows += len(self.numbers)
        self.numbers, self.held = [], []

    def _columns(self) -> list[Any]:
        kind = self.arrow.string()
        return [self.arrow.array(column, kind) for column in zip(*self.held, strict=True)]

    def _leave_out_unwritable(self) -> None:
        """Refuse the rows with half a character in them, which JSON can write and UTF-8 cannot."""
        kept = []
        for row, cells in zip(self.numbers, self.held, strict=True):
            if any(cell and _unwritable(cell) for cell in cells):
                self.refuse(row, "characters")
            else:
                kept.append((row, cells))
        self.numbers, self.held = [row for row, _cells in kept], [cells for _row, cells in kept]


def _unwritable(cell: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in cell)
