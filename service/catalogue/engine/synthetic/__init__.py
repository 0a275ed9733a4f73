"""Synthetic tables for the demonstration: generated from a fixed seed, about nobody."""

from collections.abc import Callable
from pathlib import Path

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
