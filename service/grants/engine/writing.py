"""Writing a whole view in one format, from its Parquet parts in their order."""

from collections.abc import Sequence
from pathlib import Path

from service.grants.engine.building import ZSTD, BuiltFile, described
from service.grants.engine.opening import literal, number, opened, parquet
from service.grants.rules import Format

CHUNK = 1 << 20


def write_file(parts: Sequence[Path], format: Format, folder: Path) -> BuiltFile:
    """Make the file of a view in `folder`: the same parts give the same bytes."""
    target = folder / f"whole.{format}"
    with opened(folder, *parts) as connection:
        rows = number(connection, f"SELECT count(*) FROM {parquet(parts)}")
        if format is Format.PARQUET:
            connection.execute(f"COPY (FROM {parquet(parts)}) TO {literal(target)} {ZSTD}")
        else:
            raw = folder / "raw.csv"
            connection.execute(f"COPY (FROM {parquet(parts)}) TO {literal(raw)} (FORMAT csv, HEADER)")
            with_crlf(raw, target)
            raw.unlink()
    return described(target, format, rows)


def with_crlf(raw: Path, csv: Path) -> None:
    """Write `raw` with the record ends of RFC 4180 (CRLF), leaving line feeds inside quoted fields alone.

    What stands outside quotes is every second part between quotes; a doubled quote only adds an empty part.
    """
    outside = True
    with raw.open("rb") as source, csv.open("wb") as target:
        while chunk := source.read(CHUNK):
            parts = chunk.split(b'"')
            first = 0 if outside else 1
            parts[first::2] = [part.replace(b"\n", b"\r\n") for part in parts[first::2]]
            target.write(b'"'.join(parts))
            outside = outside == (len(parts) % 2 == 1)
