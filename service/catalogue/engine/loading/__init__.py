"""Reading a data file that somebody else wrote into typed Parquet that is ours, in a child process with limits.

CSV and TSV, XLSX, JSON and JSONL, Parquet, and a zip of one of them (or of several parts of one schema).  How a file
was read is found out, stated and can be corrected; what did not hold is told by row and column, never with its value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from service.catalogue.engine.loading.matching import matched
from service.catalogue.engine.loading.shapes import (
    CLASSES,
    REASONS,
    STRICT,
    UNKNOWN,
    USUAL,
    Inspected,
    Job,
    Limits,
    Loaded,
    Progress,
    Reading,
    Refused,
    Report,
    Tolerance,
    Wanted,
)
from service.catalogue.engine.loading.worker import Fault, Hear, Worker

__all__ = [
    "CLASSES", "REASONS", "STRICT", "SUFFIXES", "Fault", "Inspected", "Limits", "Loaded", "Progress", "Reading",
    "Refused", "Report", "Tolerance", "UNKNOWN", "Wanted", "Worker", "inspect", "load",
]  # fmt: skip
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet", ".zip")


def load(
    source: Path,
    folder: Path,
    wanted: Sequence[Wanted],
    *,
    time_column: str | None = None,
    reading: Reading = UNKNOWN,
    tolerance: Tolerance = STRICT,
    limits: Limits = USUAL,
    hear: Hear | None = None,
    worker: Worker | None = None,
) -> Loaded:
    """Write `source` as typed Parquet into `folder`, which is empty and ours, in its own row order.

    The same file, columns and reading give the same bytes.  Raises BadData with every fault found (TooDemanding for a
    file that met a limit), Unavailable when the disk is full; `.report` and `.marks` of a refusal say what is known.
    A `worker` reads one file after another; without one, a child is started for this file alone.
    """
    job = Job("load", source.absolute(), folder.absolute(), wanted, time_column, reading, tolerance, limits)
    if worker is not None:
        return worker.load(job, hear)
    with Worker() as own:
        return own.load(job, hear)


def inspect(
    source: Path,
    folder: Path,
    *,
    reading: Reading = UNKNOWN,
    known: Mapping[str, Sequence[str]] | None = None,
    limits: Limits = USUAL,
    worker: Worker | None = None,
) -> Inspected:
    """Return what `source` looks like, without a value of it; `folder` is empty and ours.

    `known` holds what each column of a dataset, by its name, may be called in a file; the answer's `mapping` says which
    heading seems to be which.  Raises as `load` does.
    """
    job = Job("inspect", source.absolute(), folder.absolute(), (), None, reading, STRICT, limits)
    if worker is not None:
        found = worker.inspect(job)
    else:
        with Worker() as own:
            found = own.inspect(job)
    headings = [column.heading for column in found.columns]
    return replace(found, mapping=matched(headings, known or {}))
