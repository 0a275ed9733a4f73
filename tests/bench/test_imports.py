"""Large uploads: how long a reading takes and how much memory, beside DuckDB alone on the same file in the same minute.

DuckDB alone infers nothing here and checks nothing: it reads the CSV with the types that the manifest says and writes
the same Parquet.  Memory is a promise and fails; time is printed.  QIANTANG_BENCH_MIB sets another size than 2 GiB.
"""

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from service.catalogue.engine import loading
from service.catalogue.engine.loading import Wanted, Worker
from service.catalogue.rules import ColumnType

MIB = int(os.environ.get("QIANTANG_BENCH_MIB", "2048"))
MOST_MEMORY = 512  # MiB
TYPES = {
    "id": ColumnType.INTEGER, "plate": ColumnType.STRING, "fee": ColumnType.NUMBER, "day": ColumnType.DATE,
    "at": ColumnType.DATETIME, "road": ColumnType.STRING,
}  # fmt: skip
WANTED = [Wanted(name, name, kind) for name, kind in TYPES.items()]


def _rows() -> Iterator[tuple[str, ...]]:
    """Yield a block of rows, which a file repeats."""
    for n in range(60_000):
        day = f"2026-01-{n % 28 + 1:02d}"
        yield (
            str(n), f"浙A{n * 7919 % 90_000 + 10_000}", f"{n * 31 % 5000 / 100}", day, f"{day} 12:{n % 60:02d}:00",
            f"三墩路{n % 977}号",
        )  # fmt: skip


def _csv(file: Path, mib: int) -> Path:
    block = "".join(",".join(row) + "\n" for row in _rows()).encode()
    with file.open("wb") as out:
        out.write((",".join(TYPES) + "\n").encode())
        while out.tell() < mib << 20:
            out.write(block)
    return file


def _jsonl(file: Path, mib: int) -> Path:
    lines = (json.dumps(dict(zip(TYPES, row, strict=True)), ensure_ascii=False) for row in _rows())
    block = ("\n".join(lines) + "\n").encode()
    with file.open("wb") as out:
        while out.tell() < mib << 20:
            out.write(block)
    return file


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("make", "name", "share"), [(_csv, "big.csv", 1.0), (_jsonl, "big.jsonl", 0.25)])
def test_a_large_file_is_read_in_little_memory(tmp_path, make, name, share):
    file = make(tmp_path / name, int(MIB * share))
    folder = tmp_path / "own"
    folder.mkdir()
    before = _cpu()
    with Worker() as worker:
        began = time.monotonic()
        loaded = loading.load(file, folder, WANTED, time_column="day", worker=worker)
        took = time.monotonic() - began
        peak = worker.peak >> 20
    cpu = _cpu() - before
    size = file.stat().st_size / (1 << 20)
    print(
        f"\n{name}: {size:.0f} MiB, {loaded.rows:,} rows in {took:.0f} s ({size / took:.0f} MiB/s), {cpu:.0f} s CPU, "
    )
    print(f"    {peak} MiB of memory, {loaded.bytes >> 20} MiB of Parquet")
    if name.endswith(".csv"):
        alone = _duckdb_alone(file, tmp_path / "alone.parquet")
        print(f"    DuckDB alone, one thread, unchecked: {alone:.0f} s CPU; ours takes {cpu / alone:.1f} times that")
    assert peak <= MOST_MEMORY


def _duckdb_alone(file: Path, target: Path) -> float:
    columns = (
        "{'id': 'BIGINT', 'plate': 'VARCHAR', 'fee': 'DOUBLE', 'day': 'DATE', 'at': 'TIMESTAMPTZ', 'road': 'VARCHAR'}"
    )
    began = time.process_time()
    with duckdb.connect(config={"threads": 1}) as connection:
        source = f"read_csv('{file}', columns = {columns}, header = true, auto_detect = false)"
        connection.execute(f"COPY (FROM {source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return time.process_time() - began


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
