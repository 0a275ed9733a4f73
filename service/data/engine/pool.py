"""The children of this process: a few that wait for work, so that an export's first byte need not wait for a start."""

import io
import os
import pickle
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pyarrow as pa

from service.base import children, log
from service.base.errors import Unavailable
from service.data.engine.job import HEAD, Job
from service.data.rules.rows import QueryTooHeavy

SPARE = 2  # children that are started before they are asked for
KEPT = 4  # that wait at most
MOST = 12  # answers under way at once in one process
LAST_JOB = 50  # after which a child is replaced: what it kept of memory goes with it
WAIT_SECONDS = 2.0  # for one of the MOST places
FIRST_SECONDS = 60  # until the first bytes of an answer
SILENT_SECONDS = 600  # between two pieces of an answer
BUFFER = 1 << 20


class EngineBroken(Exception):
    """A child ended without its answer's end, or told of a fault by its kind.  The answer is no whole."""


@dataclass(slots=True)
class Child:
    """One child process and the line to it."""

    process: "subprocess.Popen[bytes]"
    line: socket.socket
    jobs: int = 0

    def end(self) -> None:
        """Close the line, which ends the child at whatever it is, and bury it."""
        self.line.close()
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class _Pool:
    owner: int
    idle: list[Child] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST))
    starting: bool = False


_pool: _Pool | None = None
_lock = threading.Lock()


def warm() -> None:
    """Start the spare children in the background, unless they are there."""
    pool = _mine()
    with pool.lock:
        if pool.starting or len(pool.idle) >= SPARE:
            return
        pool.starting = True
    threading.Thread(target=_fill, args=(pool,), name="data-children", daemon=True).start()


def close() -> None:
    """End the children that wait."""
    pool = _mine()
    with pool.lock:
        idle, pool.idle = pool.idle, []
    for child in idle:
        child.end()


def run(job: Job) -> "Answer":
    """Return the pieces of a job's answer, each with how many rows it holds; the first is there when this returns.

    Unavailable when there is no place, QueryTooHeavy when nothing came in time.  EngineBroken in the middle means that
    what came is no whole.  Close the answer to end the child.
    """
    answer = Answer(job)
    try:
        answer.start()
    except BaseException:
        answer.close()
        raise
    return answer


def whole(job: Job) -> pa.Table:
    """Return all of a small answer in Arrow; QueryTooHeavy when it does not come to its end."""
    answer = run(job)
    try:
        pieces = [piece for piece, _rows in answer]
    except (TimeoutError, EngineBroken):
        raise QueryTooHeavy() from None
    finally:
        answer.close()
    return pa.ipc.open_stream(io.BytesIO(b"".join(pieces))).read_all()


class Answer:
    """Frames of one child, with its own folder for what it spills; no generator, so that closing never waits."""

    def __init__(self, job: Job) -> None:
        self._pool, self._child = _mine(), None  # type: tuple[_Pool, Child | None]
        if not self._pool.places.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(retry_after=5)
        self._folder = tempfile.mkdtemp(prefix="qiantang-rows-")
        self._job = replace(job, folder=self._folder)
        self._first: tuple[bytes, int] | None = None
        self._open, self._whole = True, False

    def start(self) -> None:
        self._child = child = _take(self._pool)
        child.jobs += 1
        body = pickle.dumps(self._job)
        child.line.settimeout(FIRST_SECONDS)
        child.line.sendall(len(body).to_bytes(8, "big") + body)
        try:
            self._first = self._frame(child)
        except (TimeoutError, EngineBroken) as fault:
            log.info("data", "a query was given up", fault=str(fault))
            raise QueryTooHeavy() from None
        child.line.settimeout(SILENT_SECONDS)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        return self

    def __next__(self) -> tuple[bytes, int]:
        try:
            found, self._first = self._first, None
            if found is None and self._child is not None and not self._whole:
                found = self._frame(self._child)
        except BaseException:
            self.close()
            raise
        if found is None:
            self.close()
            raise StopIteration
        return found

    def _frame(self, child: Child) -> tuple[bytes, int] | None:
        """Return the next piece; None at the end."""
        kind, rows, size = HEAD.unpack(_exactly(child.line, HEAD.size))
        data = _exactly(child.line, size)
        if kind == b"d":
            return data, rows
        self._whole = True  # the child waits for its next job
        if kind == b"e":
            raise EngineBroken(data.decode())
        return None

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._child is not None:
            _give_back(self._pool, self._child, reusable=self._whole)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._pool.places.release()

    def __del__(self) -> None:
        self.close() if hasattr(self, "_open") else None


def _exactly(line: socket.socket, size: int) -> bytes:
    """Return so many bytes from a line; as one piece where the system gives them so, which copies them once only."""
    found: list[bytes] = []
    while size:
        more = line.recv(size, socket.MSG_WAITALL)
        if not more:
            raise EngineBroken("ended")
        found.append(more)
        size -= len(more)
    return found[0] if len(found) == 1 else b"".join(found)


def _mine() -> _Pool:
    """Return this process's pool: one made before a fork belongs to the parent."""
    global _pool
    with _lock:
        if _pool is None or _pool.owner != os.getpid():
            _pool = _Pool(os.getpid())
        return _pool


def _take(pool: _Pool) -> Child:
    with pool.lock:
        child = pool.idle.pop() if pool.idle else None
        last = not pool.idle
    if last:
        warm()
    if child is not None and child.process.poll() is not None:
        child.end()
        return _take(pool)
    return child or _start()


def _give_back(pool: _Pool, child: Child, *, reusable: bool) -> None:
    with pool.lock:
        if reusable and child.jobs < LAST_JOB and len(pool.idle) < KEPT:
            pool.idle.append(child)
            return
    child.end()


def _fill(pool: _Pool) -> None:
    try:
        while len(pool.idle) < SPARE:
            child = _start()
            with pool.lock:
                pool.idle.append(child)
    except OSError as fault:
        log.error("data", "a child could not be started", fault=type(fault).__name__)
    finally:
        pool.starting = False


def _start() -> Child:
    """Start a child that knows nothing of our settings; it ends when our end of the line is closed."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    with theirs:
        process = subprocess.Popen(
            children.command("service.data.engine.child", str(theirs.fileno())), pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL, env=children.known(), start_new_session=True,
        )  # fmt: skip
    return Child(process, ours)


def settle(seconds: float = 5.0) -> None:
    """Wait until the spare children are started: for measurements."""
    end = time.monotonic() + seconds
    with suppress(RuntimeError):
        while len(_mine().idle) < SPARE and time.monotonic() < end:
            time.sleep(0.05)
