"""The child process that reads uploads: limits first, then one job after another, in JSON, a line each.

It dies with its parent, whose end of the pipe closes.  What it says of a fault of ours is where, never a value.
"""

import errno
import gc
import json
import os
import queue
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.catalogue.engine.loading.archives import unpacked_size
from service.catalogue.engine.loading.checking import load
from service.catalogue.engine.loading.guessing import inspect
from service.catalogue.engine.loading.reading import Seen
from service.catalogue.engine.loading.shapes import Job, Limits, Unfit, unfit
from service.catalogue.engine.loading.worker import TOO_MUCH_MEMORY, TOO_MUCH_SPACE

BETWEEN = 0.25  # seconds between two words of progress
SPARE = 64 << 20  # bytes of a file beyond what an upload may unpack to


def main() -> None:
    """Answer jobs from standard input until it ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    gc.disable()  # a row is a list: millions of them would be walked again and again; nothing here makes cycles
    _say(out, {"ready": True})
    while True:
        job = Job.of(json.loads(jobs.get()))
        cpu = job.limits.cpu_for(unpacked_size(job.source, job.limits))
        _say(out, {"cpu": cpu})
        _say(out, _answer(job, cpu, _teller(out)) | {"peak": _peak()})
        os.chdir("/")  # the folder is its owner's to delete
        gc.collect(1)  # what the job left; the libraries themselves grow old after the first


def _listen(jobs: "queue.SimpleQueue[str]") -> None:
    """Pass on each line; end the process, whatever it is at, when no more can come."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _say(out: Any, words: dict[str, Any]) -> None:
    out.write(json.dumps(words) + "\n")
    out.flush()


def _teller(out: Any) -> Callable[[str, int, int], None]:
    """Return what tells progress, now and then and at each new stage."""
    last, at = "", 0.0

    def tell(stage: str, rows: int, done: int) -> None:
        nonlocal last, at
        if stage == last and time.monotonic() - at < BETWEEN:
            return
        last, at = stage, time.monotonic()
        _say(out, {"progress": [stage, rows, done]})

    return tell


def _peak() -> int:
    """Return the most memory that this process has had, in bytes.

    getrusage would count the parent's too: the child begins in its memory.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)


def confine(limits: Limits, cpu: float) -> None:
    """Set the limits for a job: memory, `cpu` seconds from now on, size of files, open files, no core.

    Not RLIMIT_AS: engines reserve far more addresses than they use.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = {
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime + cpu) + 1,
        resource.RLIMIT_FSIZE: limits.unpacked + SPARE,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        _soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _answer(job: Job, cpu: float, tell: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Return what became of `job`, as words for its parent."""
    seen = Seen()
    try:
        confine(job.limits, cpu)
        os.chdir(job.folder)
        done = (load if job.act == "load" else inspect)(job, seen, tell)
    except Unfit as fault:
        return _refusal(fault, seen)
    except Exception as fault:
        return _demanding(fault, seen) or {"fault": _place(fault)}
    return {"done": done.document()}


def _refusal(fault: Unfit, seen: Seen) -> dict[str, Any]:
    return {
        "refused": [{"field": one.field, "message": one.message, "blanks": dict(one.blanks)} for one in fault.faults],
        "demanding": fault.demanding,
        "marks": seen.marks,
        "report": fault.report.document() if fault.report else None,
    }


def _demanding(fault: Exception, seen: Seen) -> dict[str, Any] | None:
    """Return the refusal of a file that met a limit; None for any other fault."""
    names = {kind.__name__ for kind in type(fault).__mro__}
    if names & {"MemoryError", "OutOfMemoryException", "ArrowMemoryError"}:
        return _refusal(unfit(TOO_MUCH_MEMORY, demanding=True), seen)
    code = _errno(fault)
    if code == errno.EFBIG:
        return _refusal(unfit(TOO_MUCH_SPACE, demanding=True), seen)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return {"full": True}
    return None


def _errno(fault: Exception) -> int | None:
    """Return the system's number of a fault; the engine has it as words only."""
    if isinstance(fault, OSError):
        return fault.errno
    codes = (errno.EFBIG, errno.ENOSPC, errno.EDQUOT)
    return next((code for code in codes if os.strerror(code) in str(fault)), None)


def _place(fault: Exception) -> str:
    """Return what kind of fault it was and where in our code, without its message, which may repeat a value."""
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if "service" in Path(frame.filename).parts]
    last = frames[-1] if frames else None
    return f"{type(fault).__name__} at {Path(last.filename).name}:{last.lineno}" if last else type(fault).__name__


if __name__ == "__main__":
    main()
