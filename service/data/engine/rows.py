"""Reading a released view: a page of rows straight from its Parquet files, or by a statement in this process."""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.base.beijing import BEIJING
from service.base.errors import Unavailable
from service.catalogue.engine.closed import connected
from service.data.engine.compiling import Part, Source, Statement
from service.data.rules.rows import QueryTooHeavy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 8192  # rows decoded at a time
FOOTERS = 256  # of files that were read last
PAGE_SECONDS = 10  # that a page's statement may take
AT_ONCE = 4  # statements in one process
MEMORY = "200MB"


def rows(file: Path, columns: Sequence[str], *, start: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` rows from row `start` (counted from 0) of one file with only `columns`, as JSON values."""
    return page([Part(file, footer(file).num_rows)], columns, start=start, limit=limit)


def page(parts: Sequence[Part], columns: Sequence[str], *, start: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` rows from row `start` of a view's files on.

    Skips whole files and row groups before the page and stops decoding after it.
    """
    found: list[dict[str, Any]] = []
    for part in parts:
        if start < part.rows and len(found) < limit:
            found += _of_file(part.path, columns, start=start, limit=limit - len(found))
        start = max(0, start - part.rows)
    return found


def _of_file(file: Path, columns: Sequence[str], *, start: int, limit: int) -> list[dict[str, Any]]:
    metadata = footer(file)
    groups, offset = _groups(metadata, start, limit)
    skip, left, found = start - offset, limit, []
    with pq.ParquetFile(file, metadata=metadata) as source:
        batches = source.iter_batches(batch_size=BATCH, row_groups=groups, columns=list(columns)) if groups else ()
        for batch in batches:
            part = batch.slice(skip, left) if skip < batch.num_rows else None
            skip = max(0, skip - batch.num_rows)
            if part is not None:
                found += as_json(part.select(list(columns)))
                left -= part.num_rows
            if not left:
                break
    return found


# ---- footers --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Footers:
    """Footers of the files read last.  A key's bytes never change; the name of its file tells the key."""

    held: "OrderedDict[str, pq.FileMetaData]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, file: Path) -> pq.FileMetaData:
        key = str(file)
        with self.lock:
            if (found := self.held.get(key)) is not None:
                self.held.move_to_end(key)
                return found
        found = pq.read_metadata(file)
        with self.lock:
            self.held[key] = found
            while len(self.held) > FOOTERS:
                self.held.popitem(last=False)
        return found


_footers = _Footers()


def footer(file: Path) -> pq.FileMetaData:
    """Return a file's footer, read once."""
    return _footers.get(file)


def source_of(parts: Sequence[Part]) -> Source:
    """Return a view's files with what the first of them says of its columns."""
    schema = footer(parts[0].path).schema.to_arrow_schema()
    return Source(tuple(parts), {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)})


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


# ---- statements -----------------------------------------------------------------------------------------------------

_connection: "DuckDBPyConnection | None" = None
_connecting = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)


def fetched(statement: Statement, *, seconds: float = PAGE_SECONDS) -> pa.Table:
    """Run a statement whose answer is small and whose memory is bounded in this process.

    QueryTooHeavy after `seconds`, Unavailable when too many are at it.
    """
    import duckdb

    if not _places.acquire(timeout=seconds):
        raise Unavailable(retry_after=5)
    try:
        connection = _cursor()
        alarm = threading.Timer(seconds, connection.interrupt)
        alarm.start()
        try:
            for name, value in statement.values.items():
                connection.execute(f"SET VARIABLE {name} = ?", [value])
            return connection.sql(statement.text).to_arrow_table()
        except duckdb.InterruptException:
            raise QueryTooHeavy() from None
        except duckdb.OutOfMemoryException:
            raise Unavailable(retry_after=5) from None
        finally:
            alarm.cancel()
            connection.close()
    finally:
        _places.release()


def _cursor() -> "DuckDBPyConnection":
    """Return a connection to this process's database, which keeps the footers of what it read."""
    global _connection
    with _connecting:
        if _connection is None:
            _connection = connected(threads=1, memory=MEMORY)
            _connection.execute("SET GLOBAL parquet_metadata_cache = true")
        cursor = _connection.cursor()
    cursor.execute("SET TimeZone = 'Asia/Shanghai'")
    return cursor


# ---- values ---------------------------------------------------------------------------------------------------------


def as_json(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """Return rows as JSON can hold them."""
    names = batch.schema.names
    return [dict(zip(names, row, strict=True)) for row in _values(batch)]


def _values(table: pa.RecordBatch | pa.Table) -> Iterator[tuple[Any, ...]]:
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
