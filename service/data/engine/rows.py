"""Reading a released view: a page of rows straight from its Parquet file."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.base.beijing import BEIJING

BATCH = 8192  # rows decoded at a time


def rows(file: Path, columns: Sequence[str], *, start: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` rows from row `start` (counted from 0) with only `columns`, as JSON values.

    Skips whole row groups before the page and stops decoding after it.
    """
    source = pq.ParquetFile(file)
    groups, offset = _groups(source.metadata, start, limit)
    skip, left, found = start - offset, limit, []
    for batch in source.iter_batches(batch_size=BATCH, row_groups=groups, columns=list(columns)) if groups else ():
        part = batch.slice(skip, left) if skip < batch.num_rows else None
        skip = max(0, skip - batch.num_rows)
        if part is not None:
            found += [dict(zip(columns, row, strict=True)) for row in _values(part.select(list(columns)))]
            left -= part.num_rows
        if not left:
            break
    return found


def _groups(metadata: pq.FileMetaData, start: int, limit: int) -> tuple[list[int], int]:
    """Return the row groups that hold rows start … start+limit, and the first row of the first of them."""
    groups: list[int] = []
    first, offset = 0, 0
    for index in range(metadata.num_row_groups):
        size = metadata.row_group(index).num_rows
        if first + size > start and first < start + limit:
            offset = offset if groups else first
            groups.append(index)
        first += size
    return groups, offset


def _values(table: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    lists = [[_json(value) for value in column.to_pylist()] for column in table.columns]
    return zip(*lists, strict=True)


def _json(value: Any) -> Any:
    """Return a value as JSON can hold it; an instant in Beijing's time, as the CSV file has it."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(BEIJING).isoformat()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Decimal):
        return float(value)
    return value
