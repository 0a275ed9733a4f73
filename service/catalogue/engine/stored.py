"""Opening parts that lie in the store: a DuckDB that sees them and one folder of ours, and nothing else."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AS_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"


@contextmanager
def opened(folder: Path, *files: Path) -> Iterator["DuckDBPyConnection"]:
    """Open a database in memory that reads and writes `folder` and reads `files`, and cannot be told otherwise.

    One thread keeps the order of rows and makes the bytes the same each time; days are Beijing's.
    """
    import duckdb

    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1, "memory_limit": "1GB", "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False, "autoload_known_extensions": False,
    }  # fmt: skip
    with duckdb.connect(":memory:", config=limits) as connection:
        connection.execute("SET TimeZone = 'Asia/Shanghai'")
        connection.execute(f"SET allowed_directories = [{literal(folder)}]")
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def columns(connection: "DuckDBPyConnection", file: Path) -> list[str]:
    """Return the names of a Parquet file's columns, in order."""
    found = connection.execute("DESCRIBE SELECT * FROM read_parquet($source)", {"source": str(file)}).fetchall()
    return [str(row[0]) for row in found]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
