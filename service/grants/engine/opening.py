"""A DuckDB that sees what it is shown and nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.catalogue.engine.closed import close_to, connected, literal
from service.grants.engine import watching

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Held:
    """A database that is open already, and what it sees."""

    connection: "DuckDBPyConnection"
    folder: Path
    files: frozenset[Path]

    def sees(self, folder: Path, files: Sequence[Path]) -> bool:
        return folder == self.folder and all(file in self.files or file.parent == folder for file in files)


_held: ContextVar[Held | None] = ContextVar("held", default=None)


@contextmanager
def held(folder: Path, *files: Path) -> Iterator[None]:
    """Open one database for all steps of a job: opening one costs as much as cutting a small part."""
    with opened(folder, *files) as connection:
        mark = _held.set(Held(connection, folder, frozenset(files)))
        try:
            yield
        finally:
            _held.reset(mark)


@contextmanager
def opened(folder: Path, *files: Path) -> Iterator["DuckDBPyConnection"]:
    """Open a database in memory that sees `folder` and `files` only, loads no extensions and reads days as Beijing's.

    It spills into `folder`, and cannot be told otherwise.  One that is held and sees as much is used.
    """
    if (there := _held.get()) is not None and there.sees(folder, files):
        yield there.connection
        return

    with connected(threads=2, memory=MEMORY, spill=folder / "spill") as connection:
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        close_to(connection, files, folder)
        with watching.watched(connection):
            yield connection


def parquet(files: Sequence[Path]) -> str:
    """Return the expression that reads files of one schema in their order."""
    listed = ", ".join(map(literal, files))
    return f"read_parquet([{listed}], hive_partitioning = false, filename = false, union_by_name = false)"


def number(connection: "DuckDBPyConnection", query: str, values: dict[str, Any] | None = None) -> int:
    row = connection.execute(query, values or {}).fetchone()
    return int(row[0]) if row else 0
