"""The parent's side of making views: children that are kept for the next job, and what it means when one ends."""

import atexit
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from service.base import children
from service.grants.engine import jobs
from service.grants.engine.jobs import Compare, Cut, Job, Made, Smallest, Write
from service.grants.rules import BadTransform

BEAT_SECONDS = 15.0  # between two words on how far a job is
SILENT_SECONDS = 120.0  # without a word from the child, which speaks each second: it hangs
Hear = Callable[[float], None]


class Failed(Exception):
    """A job that did not come to its end: out of memory, of disk, of time, or by a fault; the text may be shown."""


class Child(children.Child):
    """One process for one job after another."""

    def __init__(self) -> None:
        super().__init__("service.grants.engine")

    def do(self, job: Job, hear: Hear) -> dict[str, Any]:
        self.ask(jobs.asked(job))
        beat = time.monotonic()
        while (words := self._next()) is not None:
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
        raise self.broken()

    def _next(self) -> dict[str, Any] | None:
        try:
            return self.hear(SILENT_SECONDS)
        except TimeoutError:
            raise Failed("silent") from None

    def broken(self) -> Failed:
        """Return what it means that the child ended by itself."""
        code, name = self.how()
        return Failed("time" if code == -signal.SIGXCPU else name or f"ended with {code}")


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
            raise child.broken() from None


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
