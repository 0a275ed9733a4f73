"""Child processes for work on other people's files: they know none of our settings, and their limits kill them alone.

Here: what such a child may know, and the parent's side of one that is asked in lines of JSON.  The children that answer
queries frame bytes on a socket instead (data.engine.pool): lines would copy and encode every piece of an export.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

# Where Python and its files are, and how people write here: no address, no secret.
KNOWN = (
    "PATH", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR",
)  # fmt: skip
# Pools that reserve ahead would count against a limit on memory.
SPARING = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "PYTHONUTF8": "1"}


def known() -> dict[str, str]:
    """Return the part of our environment that a child gets."""
    return {name: os.environ[name] for name in KNOWN if name in os.environ}


def command(module: str, *words: str) -> list[str]:
    """Return the words that run a module of ours; what lies in the folder that we were started in is not imported."""
    return [sys.executable, "-P", "-m", module, *words]


class Child:
    """A child process that hears documents and says documents, one a line, in JSON.  For one thread."""

    def __init__(self, module: str) -> None:
        self.process = subprocess.Popen(
            command(module), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            env=known() | SPARING, start_new_session=True,
        )  # fmt: skip
        self._heard = b""

    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, document: Any) -> None:
        """Tell the child a document; BrokenPipeError when it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(document).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """Return what the child says next; None when it ended.  TimeoutError when it says nothing for so long."""
        assert self.process.stdout is not None
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._heard:
                if not ready.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                if not (chunk := os.read(self.process.stdout.fileno(), 1 << 16)):
                    return None
                self._heard += chunk
        line, _end, self._heard = self._heard.partition(b"\n")
        words: dict[str, Any] = json.loads(line)
        return words

    def how(self) -> tuple[int, str]:
        """Wait for its end; return its exit code, negative for a signal, and the signal's name or empty."""
        code = self.process.wait()
        return code, signal.Signals(-code).name if code < 0 else ""

    def end(self) -> None:
        """End the child, whatever it is at."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it was not told any more
                    pipe.close()
        self.process.wait()
