"""Processes that belong together: a child ends with its parent, however the parent ended."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

POLL_SECONDS = 0.5
GRACE_SECONDS = 6.0


def end_with(parent: int) -> None:
    """End this process soon after the process `parent` is its parent no longer.

    A parent that was killed cannot stop its children; one left behind would hold the port and work on unseen.
    """
    threading.Thread(target=_watch, args=(parent,), name="end-with-parent", daemon=True).start()


def end_with_maker() -> None:
    """End this process soon after the one whose `multiprocessing` made it; nothing to do in any other process."""
    if maker := multiprocessing.parent_process():
        end_with(int(maker.pid or 0))


def distrust_folder() -> None:
    """Import nothing from the folder that the service was started in, and no pandas at all.

    The web server puts that folder first on the path, and Arrow looks for pandas wherever it can: a script of that
    name, saved there by whoever tries our scripts, would run inside the service.
    """
    sys.path[:] = [place for place in sys.path if place]
    sys.meta_path.insert(0, _NoPandas())


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("the service does without pandas", name=fullname)
        return None


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
