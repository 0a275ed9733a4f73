"""Making the Parquet parts of a released view.  No session, no clock.

The granted rows are first copied into a table of their own, and only that table is written out: written straight from
the source, the file's schema tells whether the *source* holds empty values in rows that were not granted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.catalogue.engine.closed import literal, sha256
from service.grants.engine.compiling import compiled
from service.grants.engine.opening import number, opened
from service.grants.engine.treating import Keys
from service.grants.rules import Recipe

NO_KEYS = Keys()
ROW_GROUP = 65_536
ZSTD = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file: where it lies now, its key in the store, its SHA-256, its size in bytes and how many rows it has."""

    path: Path
    key: str
    sha256: str
    size: int
    rows: int


def cut_part(sources: Sequence[Path], recipe: Recipe, folder: Path, keys: Keys = NO_KEYS) -> BuiltFile:
    """Make what a recipe keeps of one part of a version, or of all at once, as a Parquet file in `folder`.

    The same rows give the same bytes.  Nothing of it may go out before `measure_part` finds nothing wrong with it.
    """
    target = folder / "part.parquet"
    with opened(folder, *sources) as connection:
        select, values = compiled(connection, sources, recipe, keys)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE released AS {select}", values)
        rows = number(connection, "SELECT count(*) FROM released")
        connection.execute(f"COPY (FROM released) TO {literal(target)} {ZSTD}")
        connection.execute("DROP TABLE released")  # its memory is wanted for the measuring
    return described(target, "parquet", rows)


def described(path: Path, suffix: str, rows: int) -> BuiltFile:
    digest = sha256(path)
    return BuiltFile(path, f"views/{digest}.{suffix}", digest, path.stat().st_size, rows)
