"""The child process that runs what could eat a web worker's memory or time: orders, aggregates, exports.

It knows no session, no store and no secret: it is given a statement, files and a socket.  It may hold no more memory
than `DATA_BYTES`, computes no longer than its job allows, and ends when the other end of its socket is closed,
whatever it is at.  Answers go out in frames: kind, rows, length, bytes; `d` data, `z` the end, `e` a fault.
"""

import itertools
import os
import pickle
import resource
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from service.base import processes
from service.catalogue.engine.closed import close_to, connected, literal
from service.data.engine.job import HEAD, Job

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DATA_BYTES = 1 << 30  # private memory that the system gives a child at most
BATCH = 16_384  # rows
BATCHES = {"csv": BATCH, "jsonl": BATCH, "arrow": 4 * BATCH}
PIECE = 1 << 20  # bytes of a spooled file in one frame
ROW_GROUP = 65_536


def main(number: int) -> None:
    """Serve jobs from the socket with descriptor `number` until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.distrust_folder()
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    with socket.socket(fileno=number) as line:
        threading.Thread(target=_end_with, args=(line.fileno(),), daemon=True).start()
        while True:
            connection = _ready()
            job = _receive(line)
            if job is None:
                os._exit(0)
            _limit_cpu(job.cpu_seconds)
            _answer(line, connection, job)
            connection.close()


def _end_with(number: int) -> None:
    """End this process once the other end of its socket is gone: nobody waits for the answer."""
    poll = select.poll()
    poll.register(number, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    poll.poll()
    os._exit(1)


def _ready() -> "DuckDBPyConnection":
    """Return a database that has done everything once that only the first statement pays for."""
    import pyarrow.csv

    connection = connected(threads=1, memory="100MB")
    connection.sql("SELECT json_object('a', strftime(now(), '%Y')) AS a").to_arrow_reader(1).read_all()
    assert pyarrow.csv
    return connection


def _limit_cpu(seconds: int) -> None:
    """Let this process compute `seconds` more: a soft limit may be moved."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))


def _receive(line: socket.socket) -> Job | None:
    """Return the next job; None when there will be none.  What comes is the web worker's own, nobody else's."""
    head = _exactly(line, 8)
    if head is None:
        return None
    body = _exactly(line, int.from_bytes(head, "big"))
    found = pickle.loads(body) if body is not None else None
    return found if isinstance(found, Job) else None


def _exactly(line: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        more = line.recv(size - len(found))
        if not more:
            return None
        found += more
    return bytes(found)


def _answer(line: socket.socket, connection: "DuckDBPyConnection", job: Job) -> None:
    try:
        _open(connection, job)
        for rows, data in _pieces(connection, job):
            line.sendall(HEAD.pack(b"d", rows, len(data)))
            line.sendall(data)
    except Exception as fault:  # told to the parent by its kind alone: its text may hold values
        name = type(fault).__name__.encode()
        line.sendall(HEAD.pack(b"e", 0, len(name)) + name)
        return
    line.sendall(HEAD.pack(b"z", 0, 0))


def _open(connection: "DuckDBPyConnection", job: Job) -> None:
    """Show the database the job's files and folder and nothing else, and bind the job's values."""
    connection.execute(f"SET memory_limit = {literal(job.memory)}")
    connection.execute(f"SET temp_directory = {literal(job.folder + '/spill')}")
    for text in job.setup:
        connection.execute(text)
    for name, value in job.values.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    close_to(connection, job.files, job.folder)


def _pieces(connection: "DuckDBPyConnection", job: Job) -> Iterator[tuple[int, Any]]:
    if job.kind == "parquet":
        return _parquet(connection, job)
    reader = connection.sql(job.text).to_arrow_reader(BATCHES[job.kind])
    batches = iter(reader)
    if job.holding:  # what cannot be sorted is told before an answer begins
        batches = itertools.chain(list(itertools.islice(batches, 1)), batches)
    return {"csv": _csv, "jsonl": _jsonl, "arrow": _arrow}[job.kind](reader.schema, batches)


class _Sink:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        found = b"".join(self.held)
        self.held.clear()
        return found


def _csv(schema: Any, batches: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield RFC 4180: CRLF, a heading, empty values as nothing and empty texts as two quotes."""
    import pyarrow.csv

    sink = _Sink()
    writer = pyarrow.csv.CSVWriter(sink, schema, write_options=pyarrow.csv.WriteOptions(eol="\r\n", batch_size=BATCH))
    yield 0, sink.take()
    for batch in batches:
        writer.write_batch(batch)
        yield batch.num_rows, sink.take()


def _jsonl(_schema: Any, batches: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the lines of each batch as they lie in memory one behind the other."""
    for batch in batches:
        column = batch.column(0)
        _valid, offsets, data = column.buffers()
        first, last = (
            int.from_bytes(memoryview(offsets)[4 * at : 4 * at + 4], "little")
            for at in (column.offset, column.offset + len(column))
        )
        yield batch.num_rows, memoryview(data)[first:last]


def _arrow(schema: Any, batches: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the messages of an IPC stream: the schema, one for each batch, the end."""
    from service.grants.engine.scrub import scrubbed, scrubbed_schema

    yield 0, scrubbed_schema(schema).serialize()
    for batch in batches:
        yield batch.num_rows, scrubbed(batch).serialize()
    yield 0, b"\xff\xff\xff\xff\0\0\0\0"


def _parquet(connection: "DuckDBPyConnection", job: Job) -> Iterator[tuple[int, bytes]]:
    """Write the file, then send it: its length and its footer are known at its end only."""
    path = os.path.join(job.folder, "rows.parquet")
    zstd = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    row = connection.execute(f"COPY ({job.text}) TO {literal(path)} {zstd}").fetchone()
    rows = int(row[0]) if row else 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        sent = told = 0
        while piece := file.read(PIECE):
            sent += len(piece)
            share = rows * sent // size
            yield share - told, piece
            told = share


if __name__ == "__main__":
    with suppress(BrokenPipeError, ConnectionError):
        main(int(sys.argv[1]))
