"""Finding and taking out rows of a stored part (DuckDB).  What was looked for and what was found is shown to nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.catalogue.engine import closed
from service.catalogue.engine.closed import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLACE = "file_row_number"
AS_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A part without the rows that were recalled: where it lies, its digest, its size in rows and bytes."""

    path: Path
    sha256: str
    rows: int
    bytes: int


def places(part: Path, column: str, values: Sequence[str], folder: Path) -> list[int]:
    """Return the places, counted from 0, of the rows of `part` whose `column` is one of `values`, in order.

    Values are compared as text, as a steward reads them in the file; a column that the part does not have holds none.
    `folder` is empty and ours.
    """
    with closed.opened(folder, part) as connection:
        if column not in _columns(connection, part):
            return []
        wanted = f"CAST({identifier(column)} AS VARCHAR) IN (SELECT unnest($values))"
        asked = f"SELECT {PLACE} FROM {_numbered(part)} WHERE {wanted} ORDER BY {PLACE}"
        found = connection.execute(asked, {"values": list(values)}).fetchall()
    return [int(place) for (place,) in found]


def without(part: Path, rows: Sequence[int], folder: Path) -> Rewritten:
    """Write `part` into `folder` without the rows at those places; the others keep their order.

    The same part and places give the same bytes.  ValueError when the part does not have all of those places: then it
    is another part than the one they were found in.
    """
    target = folder / "part.parquet"
    with closed.opened(folder, part) as connection:
        names = [identifier(name) for name in _columns(connection, part)]
        before = _count(connection, part)
        if len(set(rows)) != len(rows) or (rows and not 0 <= min(rows) <= max(rows) < before):
            raise ValueError("these places are not places of this part")
        connection.execute("CREATE TEMP TABLE gone AS SELECT unnest($rows) AS place", {"rows": list(rows)})
        kept = f"{PLACE} NOT IN (SELECT place FROM gone)"
        chosen = f"SELECT {', '.join(names)} FROM {_numbered(part)} WHERE {kept} ORDER BY {PLACE}"
        connection.execute(f"COPY ({chosen}) TO {literal(target)} {AS_PARQUET}")
        left = _count(connection, target)
    if left != before - len(rows):
        raise ValueError("rows went missing that were not recalled")
    return Rewritten(target, closed.sha256(target), left, target.stat().st_size)


def _columns(connection: "DuckDBPyConnection", part: Path) -> list[str]:
    """Return the names of a part's columns, in order."""
    found = connection.execute("DESCRIBE SELECT * FROM read_parquet($source)", {"source": str(part)}).fetchall()
    return [str(row[0]) for row in found]


def _numbered(part: Path) -> str:
    return f"read_parquet({literal(part)}, file_row_number = true, hive_partitioning = false)"


def _count(connection: "DuckDBPyConnection", part: Path) -> int:
    row = connection.execute("SELECT count(*) FROM read_parquet($source)", {"source": str(part)}).fetchone()
    return int(row[0]) if row else 0
