"""Processes that belong together: a child ends with its parent, however the parent ended."""

import multiprocessing
import os
import signal
import threading
import time

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


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
