"""The child process that makes views: it has no session, no store, and no more memory than it is given.

It reads one job a line and answers with lines: progress as a share of one, and the end.  It ends with whoever made it,
and by itself when it has had nothing to do for a while.
"""

import errno
import json
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.base import processes
from service.grants.engine import jobs, watching
from service.grants.engine.building import cut_part
from service.grants.engine.comparing import compare
from service.grants.engine.measuring import measure_file, measure_part
from service.grants.engine.opening import held
from service.grants.engine.writing import write_file
from service.grants.rules import BadTransform

DATA_BYTES = 3 << 30  # private memory at most: the database's own limit, its threads, Arrow's batches
CPU_SECONDS = 300  # for any job, and one more for each PER_SECOND bytes of its sources
PER_SECOND = 100_000
IDLE_SECONDS = 60.0
TELL_SECONDS = 1.0


def main() -> None:
    processes.distrust_folder()
    processes.end_with(os.getppid())
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold keys and rows
    _say({"ready": True})
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        if not (line := sys.stdin.buffer.readline()):
            return
        _say(_answer(json.loads(line)))


def _answer(words: Mapping[str, Any]) -> dict[str, Any]:
    try:
        job = jobs.heard(words)
        _limit(job)
        over = threading.Event()
        threading.Thread(target=_tell, args=(over,), daemon=True).start()
        try:
            return {"done": jobs.told(_do(job))}
        finally:
            over.set()
    except BadTransform as fault:
        return {"bad": str(fault)}
    except MemoryError:
        return {"fault": "memory"}
    except Exception as fault:
        return {"fault": _kind(fault)}


def _do(job: jobs.Job) -> jobs.Made | jobs.Smallest:
    if isinstance(job, jobs.Compare):
        return compare(job)
    with held(job.folder, *_files(job)):
        if isinstance(job, jobs.Cut):
            file = cut_part(job.sources, job.recipe, job.folder, job.keys)
            return jobs.Made(file, tuple(measure_part(file, job.recipe)))
        file = write_file(job.parts, job.format, job.folder, job.promise)
        return jobs.Made(file, tuple(measure_file(file, job.format, job.promise, job.rows)))


def _kind(fault: Exception) -> str:
    """Return what may be told of a fault: messages of engines repeat the values that they stumbled over."""
    full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in str(fault):
        return "disk"
    if type(fault).__name__ == "OutOfMemoryException" or type(fault).__name__ == "ArrowMemoryError":
        return "disk" if "max_temp_directory_size" in str(fault) else "memory"
    return type(fault).__name__


def _limit(job: jobs.Job) -> None:
    """Let the process compute so many seconds more, by what it has to read."""
    files = _files(job)
    size = sum(file.stat().st_size for file in files)
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + size // PER_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _files(job: jobs.Job) -> tuple[Path, ...]:
    if isinstance(job, jobs.Compare):
        return (*job.after.sources, *(job.before.sources if job.before else ()))
    return job.sources if isinstance(job, jobs.Cut) else job.parts


def _tell(over: threading.Event) -> None:
    while not over.wait(TELL_SECONDS):
        _say({"share": watching.share(), "at": time.monotonic()})


def _say(words: Mapping[str, Any]) -> None:
    """Write one whole line: two threads tell, and a pipe takes a short line at once."""
    os.write(1, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    main()
