"""Synthetic tables for the demonstration: generated from a fixed seed, about nobody."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from service.base.beijing import BEIJING
from service.catalogue.engine.synthetic import city, economy, mobility, records, society
from service.catalogue.engine.synthetic.chance import Chance, Rows

# By the name that a manifest calls; a generator is named as what it makes.
GENERATORS: dict[str, Callable[[Chance], Rows]] = {
    maker.__name__: maker
    for maker in (*records.MAKERS, *mobility.MAKERS, *society.MAKERS, *economy.MAKERS, *city.MAKERS)
}


def write(name: str, seed: int, folder: Path) -> Path:
    """Generate the table `name` into `folder` and return its Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = GENERATORS[name](Chance(seed))
    file = folder / "generated.parquet"
    pq.write_table(pa.table(rows), file)
    return file


def divide(file: Path, column: str) -> tuple[Path, Path]:
    """Write the rows of a table before the last Beijing day of `column`, and those of that day; return both files."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    days = [moment.astimezone(BEIJING).date() if isinstance(moment, datetime) else moment
            for moment in table[column].to_pylist()]  # fmt: skip
    last = max(days)
    first, rest = file.with_name("before.parquet"), file.with_name("last-day.parquet")
    is_last = [day == last for day in days]
    pq.write_table(table.filter(pc.invert(is_last)), first)
    pq.write_table(table.filter(is_last), rest)
    return first, rest


def without(file: Path, column: str) -> Path:
    """Write a table without one of its columns and return the file."""
    import pyarrow.parquet as pq

    narrower = file.with_name("narrower.parquet")
    pq.write_table(pq.read_table(file).drop_columns([column]), narrower)
    return narrower
