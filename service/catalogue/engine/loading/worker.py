"""The parent's side of a reading: start the child, give it jobs, hear how far it is, end it.

A child gets none of our environment but where Python is, and dies by its own limits, by ours on time, or with us.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from service.base.children import Child
from service.base.errors import Unavailable
from service.base.i18n import N_
from service.catalogue.engine.loading.shapes import Inspected, Job, Loaded, Progress, Told
from service.catalogue.rules import BadData, TooDemanding

MODULE = "service.catalogue.engine.loading"
STARTING = 60.0  # seconds until a child must be there

TOO_MUCH_MEMORY = N_("读取这个文件所需的内存超过上限")
TOO_MUCH_SPACE = N_("读取这个文件所需的磁盘空间超过上限")
TOO_MUCH_TIME = N_("读取这个文件所需的时间超过上限")
BROKE_OFF = N_("读取这个文件的进程中断（%(how)s）")

Hear = Callable[[Progress], None]


class Fault(Exception):
    """The child failed by a fault of ours; the message says where."""


class Worker:
    """A child process for one job after another; started at the first, and anew after one that it did not survive.

    For one thread.  Use it as a context: its end is the child's.  `peak` is the most memory that it has had, in bytes.
    """

    def __init__(self) -> None:
        self.child: Child | None = None
        self.peak = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is at."""
        child, self.child = self.child, None
        if child is not None:
            child.end()

    def load(self, job: Job, hear: Hear | None = None) -> Loaded:
        """Have an upload read; raises BadData, TooDemanding, Unavailable (disk full) and Fault."""
        return Loaded.of(self._do(job, hear))

    def inspect(self, job: Job) -> Inspected:
        """Have an upload looked at; raises as `load` does."""
        return Inspected.of(self._do(job, None))

    def _do(self, job: Job, hear: Hear | None) -> Mapping[str, Any]:
        size = job.source.stat().st_size
        try:
            self._ask(job)
            for words in self._answers(job.limits.patience * self._cpu_granted(job)):
                if "progress" not in words:
                    self.peak = max(self.peak, words["peak"])
                    return _heard(words)
                if hear is not None:
                    stage, rows, done = words["progress"]
                    hear(Progress(stage, rows, done, size))
        except BrokenPipeError:
            raise self._broken_off() from None
        except (BadData, Unavailable):
            raise
        except BaseException:  # the parent is interrupted, or the child gone: nothing more can be asked of it
            self.close()
            raise
        raise self._broken_off()

    def _cpu_granted(self, job: Job) -> float:
        """Return the seconds that the child says it may compute; it knows what a packed file unpacks to."""
        words = next(self._answers(STARTING, once=True), None)
        if words is None:
            raise self._broken_off()
        return min(float(words["cpu"]), job.limits.cpu_for(job.limits.unpacked))

    def _ask(self, job: Job) -> None:
        self._started().ask(job.document())

    def _started(self) -> Child:
        """Return the running child; its start is waited for."""
        if self.child is not None and self.child.alive():
            return self.child
        self.close()
        self.child = Child(MODULE)
        if not any("ready" in words for words in self._answers(STARTING, once=True)):
            raise self._broken_off()
        return self.child

    def _answers(self, seconds: float, *, once: bool = False) -> Iterator[dict[str, Any]]:
        """Yield what the child says until it ends; after `seconds`, end the child and raise TooDemanding."""
        assert self.child is not None
        until = time.monotonic() + seconds
        while True:
            try:
                words = self.child.hear(until - time.monotonic())
            except TimeoutError:
                self.close()
                raise demanding(Told("", TOO_MUCH_TIME)) from None
            if words is None:
                return
            yield words
            if once:
                return

    def _broken_off(self) -> Exception:
        """Return what it means that the child ended by itself."""
        assert self.child is not None
        code, name = self.child.how()
        self.close()
        if code == -signal.SIGXCPU:
            return demanding(Told("", TOO_MUCH_TIME))
        if name:
            return demanding(Told("", BROKE_OFF, {"how": name}))
        return Fault(f"the process that reads uploads ended with {code}")


def demanding(*faults: Told) -> TooDemanding:
    refusal = TooDemanding(errors=[fault.error() for fault in faults])
    refusal.told = tuple(fault.document() for fault in faults)
    return refusal


def _heard(words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a child's last word on a job holds, or raise what it says."""
    if "done" in words:
        done: Mapping[str, Any] = words["done"]
        return done
    if "full" in words:
        raise Unavailable(retry_after=600)
    if "fault" in words:
        raise Fault(f"the process that reads uploads failed: {words['fault']}")
    kind = TooDemanding if words["demanding"] else BadData
    refusal = kind(errors=[Told(**one).error() for one in words["refused"]])
    refusal.told, refusal.report, refusal.marks = tuple(words["refused"]), words["report"], tuple(words["marks"])
    raise refusal
