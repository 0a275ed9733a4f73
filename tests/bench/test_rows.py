"""Rows of 20 million: pages, exports beside DuckDB alone, and Datasette on a smaller table, all in one run.

The table is made once, in QIANTANG_BENCH_DIR when that is set.
"""

import http.client
import io
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.data import engine
from service.data.engine import Part, pool
from service.data.rules.filters import Term
from service.data.rules.rows import Order, Query
from tests import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROWS = 20_000_000
PEER = "datasette==0.65.5"
SHOWN = ("line", "ts", "station", "passengers", "weather")
TWO_MILLION = Term("line", "between", (10, 14))
MADE = """COPY (SELECT (i // 400000)::INTEGER AS line,
  TIMESTAMPTZ '2025-01-01 00:00:00+08' + INTERVAL (i % 400000 * 20) SECOND AS ts,
  'S' || lpad((hash(i) % 900)::VARCHAR, 4, '0') AS station, (hash(i + 1) % 5000)::BIGINT AS passengers,
  (hash(i + 2) % 100000) / 100.0::DOUBLE AS speed,
  CASE WHEN hash(i + 3) % 17 = 0 THEN NULL
    ELSE ['晴', '阴', '雨', '雪', '雾'][1 + (hash(i + 4) % 5)::INT] END AS weather,
  (DATE '2025-01-01' + (i % 400000 // 4320)::INTEGER) AS day, hash(i + 5) % 2 = 0 AS peak,
  CASE WHEN hash(i + 6) % 10 = 0 THEN NULL ELSE (hash(i + 7) % 1000000) END::BIGINT AS amount,
  'R' || (hash(i + 8) % 1000000)::VARCHAR AS ref FROM range({rows}) t(i))
TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"""


def made(path: Path, rows: int) -> list[Part]:
    if not path.exists():
        draft = path.with_suffix(".draft")
        with duckdb.connect(config={"threads": 2, "memory_limit": "3GB"}) as connection:
            connection.execute("SET TimeZone = 'Asia/Shanghai'")
            connection.execute(MADE.format(path=draft, rows=rows))
        draft.rename(path)
    return [Part(path, rows)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    if kept := os.environ.get("QIANTANG_BENCH_DIR"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


@pytest.fixture(scope="module")
def view(folder: Path) -> list[Part]:
    return made(folder / "rows.parquet", ROWS)


def spent(act: Callable[[], Any], times: int = 30, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return how long `act` took each time, in milliseconds by `clock`, sorted; the first call warms up."""
    act()
    found = []
    for _time in range(times):
        begun = clock()
        act()
        found.append((clock() - begun) * 1000)
    return sorted(found)


PAGES = {
    "first": (Query(SHOWN), 0),
    "middle": (Query(SHOWN), 13_000_000),
    "filtered": (Query(SHOWN, Term("line", "eq", (40,))), None),
    "filtered, later": (Query(SHOWN, Term("passengers", "lt", (100,))), 15_000_000),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_hundred_rows_takes_ten_milliseconds(view, name):
    query, start = PAGES[name]
    rounds = [spent(lambda: engine.read_page(view, query, start, 100), 10) for _round in range(7)]
    found = min(statistics.median(one) for one in rounds)  # what else the machine does only ever adds
    computed = statistics.median(spent(lambda: engine.read_page(view, query, start, 100), 30, time.process_time))
    print(f"\npage {name}: p50 {found:.1f} ms by the wall in the best round of seven, {computed:.1f} ms of CPU")
    assert min(found, computed) <= 10


def test_a_page_in_an_order_of_its_own_and_an_exact_count_end(view):
    query = Query(SHOWN, TWO_MILLION, (Order("passengers", True),))
    found = spent(lambda: engine.read_page(view, query, None, 100), 3)
    counted = spent(lambda: engine.counted(view, TWO_MILLION), 5)
    print(f"\nordered page of 2 M: {found[0]:.0f} ms; count up to 10,000: {counted[0]:.1f} ms")


ALONE = """
import duckdb, json, resource, sys
text, target = sys.argv[1:3]
c = duckdb.connect(config={"threads": 2, "memory_limit": "256MB"})
c.execute("SET TimeZone = 'Asia/Shanghai'")
c.execute("SET enable_progress_bar = false")
before = resource.getrusage(resource.RUSAGE_SELF)
if target == "arrow":
    import pyarrow.ipc
    reader = c.sql(text).to_arrow_reader(65536)
    with open(sys.argv[3], "wb") as sink, pyarrow.ipc.new_stream(sink, reader.schema) as out:
        before = resource.getrusage(resource.RUSAGE_SELF)
        for batch in reader:
            out.write_batch(batch)
else:
    c.execute(f"COPY ({text}) TO {target}")
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""
TARGETS = {
    "csv": "'{folder}/alone' (FORMAT csv, HEADER)",
    "jsonl": "'{folder}/alone' (FORMAT json)",
    "arrow": "arrow",
    "parquet": "'{folder}/alone' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)",
}


def alone(view: list[Part], kind: str, folder: Path) -> float:
    """Return the CPU seconds of DuckDB alone writing the same rows in the same format."""
    text = f"SELECT {', '.join(SHOWN)} FROM read_parquet('{view[0].path}') WHERE line BETWEEN 10 AND 14"
    target = TARGETS[kind].format(folder=folder)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, text, target, str(folder / "alone")], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def exported(view: list[Part], kind: str) -> tuple[float, float, int, dict[str, int]]:
    """Return CPU seconds of both processes, milliseconds to the first byte, rows, and the child's peak memory in MB."""
    children = [child.process.pid for child in pool._mine().idle]
    begun, before = time.perf_counter(), own_cpu() + sum(map(cpu, children))
    answer = engine.export(view, Query(SHOWN, TWO_MILLION), kind)
    first = (time.perf_counter() - begun) * 1000
    rows = sum(more for _data, more in answer)
    used = own_cpu() + sum(map(cpu, children)) - before
    status = Path(f"/proc/{answer._child.process.pid}/status").read_text()
    names = ("VmHWM", "RssAnon")
    memory = {line.split(":")[0]: int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith(names)}
    return used, first, rows, memory


@pytest.mark.parametrize("kind", TARGETS)
def test_an_export_of_two_million_rows_costs_no_more_than_duckdb_alone(view, folder, kind):
    pool.warm()
    pool.settle()
    time.sleep(2)  # until the children are done with their start
    rounds = []
    for _round in range(5):
        ours, first, rows, memory = exported(view, kind)
        assert rows == 2_000_000
        rounds.append((ours / alone(view, kind, folder), first, memory))
    ratio, first = min(one[0] for one in rounds), min(one[1] for one in rounds)
    print(f"\nexport {kind}: {ratio:.2f} x DuckDB's CPU, first byte {first:.0f} ms, memory {rounds[0][2]} MB")
    assert ratio <= (1.25 if kind == "arrow" else 1.1)  # Arrow is cleared of old memory on its way, and little else
    if kind != "parquet":  # whose footer tells its length: it is written before it is sent
        assert first <= 50  # on a machine that does nothing else


def test_an_export_of_all_rows_needs_no_more_memory(view):
    answer = engine.export(view, Query(SHOWN), "csv")
    pid, rows, peak = answer._child.process.pid, 0, 0
    for count, (_data, more) in enumerate(answer):
        rows += more
        if count % 100 == 0:
            told = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            peak = max(peak, *(int(line.split()[1]) for line in told if line.startswith("Pss:")))
    print(f"\nexport of {rows} rows: child's PSS at most {peak >> 10} MB")
    assert rows == ROWS and peak >> 10 <= 150


# ---- over HTTP, beside Datasette -------------------------------------------------------------------------------------


def test_rows_against_datasette(tmp_path):
    """Both serve the demo's flights, 337,000 rows of 18 columns, as CSV and as a page of a hundred in JSON."""
    with running.serving(tmp_path / "home", {}) as site:
        ours = f"{site.base_url}/api/v1/datasets/flights/rows"
        with urllib.request.urlopen(f"{ours}?format=parquet", timeout=300) as answer:
            table = pq.read_table(io.BytesIO(answer.read()))
        peer_file = tmp_path / "peer.db"
        make_peer_file(table, peer_file)
        port = running.free_port()
        server = subprocess.Popen(
            [datasette(tmp_path), "serve", "-i", peer_file, "-p", str(port), "--setting", "sql_time_limit_ms", "60000",
             "--setting", "max_csv_mb", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            running.await_port(port, server, seconds=120)
            peer = f"http://127.0.0.1:{port}/peer/records"
            rate = [mb_per_second(f"{ours}?format=csv", 30), mb_per_second(f"{peer}.csv?_stream=on&_size=max", 30)]
            page = [pages_per_second(f"{ours}?limit=100"), pages_per_second(f"{peer}.json?_size=100&_nocount=1")]
        finally:
            running.stop(server)
    print(f"\nCSV {rate[0]:.1f} and {rate[1]:.2f} MB/s: {rate[0] / rate[1]:.0f} x Datasette")
    print(f"pages {page[0]:.0f} and {page[1]:.0f} a second: {page[0] / page[1]:.1f} x Datasette")
    assert rate[0] >= 10 * rate[1]
    assert page[0] >= 5 * page[1]


def make_peer_file(table: pa.Table, target: Path) -> None:
    texts = table.cast(pa.schema([(field.name, pa.string()) if pa.types.is_temporal(field.type) else field
                                  for field in table.schema]))  # fmt: skip
    names = ", ".join(f'"{name}"' for name in table.column_names)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute(f"create table records (id integer primary key, {names})")
        marks = ", ".join("?" for _name in table.column_names)
        for batch in texts.to_batches(10_000):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            connection.executemany(f"insert into records ({names}) values ({marks})", rows)
        connection.commit()


def mb_per_second(address: str, seconds: float) -> float:
    """Return how fast an answer comes, read to its end or for `seconds`; the best of three."""
    best = 0.0
    for _round in range(3):
        begun, size = time.perf_counter(), 0
        with urllib.request.urlopen(address, timeout=300) as answer:
            while (piece := answer.read(1 << 20)) and time.perf_counter() - begun < seconds:
                size += len(piece)
        best = max(best, size / 1e6 / (time.perf_counter() - begun))
    return best


def pages_per_second(address: str) -> float:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    path = address.split(urllib.parse.urlsplit(address).netloc, 1)[1]

    def fetch() -> None:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()

    return 1000 / statistics.median(spent(fetch, 60))


def datasette(folder: Path) -> Path:
    """Return the peer's command, installed from the package index into an environment of its own."""
    place = folder / "peer"
    venv.create(place, with_pip=True)
    subprocess.run([place / "bin" / "pip", "install", "-q", PEER], check=True)
    return place / "bin" / "datasette"
