"""The parent's side of making views: children that are kept for the next job, and what it means when one ends."""

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from service.grants.engine import jobs
from service.grants.engine.jobs import Compare, Cut, Job, Made, Smallest, Write
from service.grants.rules import BadTransform

KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONPYCACHEPREFIX", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
COMMAND = (sys.executable, "-P", "-m", "service.grants.engine")
BEAT_SECONDS = 15.0  # between two words on how far a job is
SILENT_SECONDS = 120.0  # without a word from the child, which speaks each second: it hangs
Hear = Callable[[float], None]


class Failed(Exception):
    """A job that did not come to its end: out of memory, of disk, of time, or by a fault; the text may be shown."""


class Child:
    """One process for one job after another."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        # Pools that reserve ahead would count against the limit on memory.
        environment |= {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            env=environment, start_new_session=True,
        )  # fmt: skip
        self.heard = b""

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it was not told any more
                    pipe.close()
        self.process.wait()

    def do(self, job: Job, hear: Hear) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(jobs.asked(job)).encode() + b"\n")
        self.process.stdin.flush()
        beat = time.monotonic()
        for words in self._words():
            if "share" in words and time.monotonic() - beat >= BEAT_SECONDS:
                beat = time.monotonic()
                hear(float(words["share"]))
            if "bad" in words:
                raise BadTransform(words["bad"])
            if "fault" in words:
                raise Failed(str(words["fault"]))
            if "done" in words:
                done: dict[str, Any] = words["done"]
                return done
        raise Failed(self._how())

    def _words(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                while b"\n" in self.heard:
                    line, _end, self.heard = self.heard.partition(b"\n")
                    yield json.loads(line)
                if not ready.select(SILENT_SECONDS):
                    raise Failed("silent")
                if not (chunk := os.read(self.process.stdout.fileno(), 1 << 16)):
                    return
                self.heard += chunk

    def _how(self) -> str:
        code = self.process.wait()
        if code == -signal.SIGXCPU:
            return "time"
        return signal.Signals(-code).name if code < 0 else f"ended with {code}"


_idle: list[Child] = []
_lock = threading.Lock()


def do(job: Cut | Write, hear: Hear) -> Made:
    """Have a job done by a child; `hear` is told its share now and then, and may raise to have it stopped.

    Raises BadTransform and Failed.
    """
    return jobs.understood(_done(job, hear))


def measured(job: Compare, hear: Hear) -> Smallest:
    """Have rows compared by a child.  Raises BadTransform and Failed."""
    return Smallest(**_done(job, hear))


def _done(job: Job, hear: Hear) -> dict[str, Any]:
    with _child() as child:
        try:
            return child.do(job, hear)
        except BrokenPipeError:
            raise Failed(child._how()) from None


@contextmanager
def _child() -> Iterator[Child]:
    """Lend a child; one that a job ended badly for is not lent again."""
    child = _taken()
    try:
        yield child
    except BaseException:
        child.end()
        raise
    with _lock:
        _idle.append(child)


@atexit.register
def close() -> None:
    """End the children that have nothing to do."""
    with _lock:
        while _idle:
            _idle.pop().end()


def _taken() -> Child:
    with _lock:
        while _idle:
            if (child := _idle.pop()).alive():
                return child
            child.end()
    return Child()
