"""A DuckDB that sees what it is shown and nothing else, and how names and files stand in its SQL."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connected(*, threads: int, memory: str, spill: Path | str = "") -> "DuckDBPyConnection":
    """Return a database in memory that loads no extensions and reads days as Beijing's; it sees everything yet.

    `memory` is DuckDB's own word (200MB); without a folder for what does not fit there it fails instead.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads, "memory_limit": memory, "temp_directory": str(spill),
        "autoinstall_known_extensions": False, "autoload_known_extensions": False,
    }  # fmt: skip
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection


def close_to(connection: "DuckDBPyConnection", files: Iterable[Path | str], folder: Path | str | None = None) -> None:
    """Let a database read `files`, read and write `folder`, and be told nothing else any more."""
    folders = [] if folder is None else [folder]
    connection.execute(f"SET allowed_directories = [{', '.join(map(literal, folders))}]")
    connection.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextmanager
def opened(folder: Path, *files: Path) -> Iterator["DuckDBPyConnection"]:
    """Open a database that reads and writes `folder` and reads `files`, and cannot be told otherwise.

    One thread keeps the order of rows and makes the bytes the same each time.
    """
    with connected(threads=1, memory="1GB", spill=folder / "spill") as connection:
        close_to(connection, files, folder)
        yield connection


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: Path | str) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
