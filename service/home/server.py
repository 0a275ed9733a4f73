"""Starting the service: one web server, one `jobs` child; stopping one stops the other."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from service.base import db, log
from service.base.settings import Settings

BLOCKING_THREADS = 16
BACKLOG = 1024
BACKPRESSURE = 64  # requests a worker takes in at once; the others wait in the backlog
# Together under 10 s: who stops the service waits no longer, whatever a worker or a job is at.
WORKERS_SECONDS = 5
JOBS_SECONDS = 4
RESTART_SECONDS = 1.0  # between the end of a jobs child and the next one

# Granian prints plain lines to stdout of its own; its loggers go the way of all others.
LOGGING: dict[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": [], "propagate": True}},
}


def serve(settings: Settings, *, host: str = "127.0.0.1") -> None:
    """Serve until SIGINT or SIGTERM; workers and the jobs child read their settings from the environment.

    SQLite has one writer at a time, so one web worker serves it; on PostgreSQL there is a worker for each core.  A
    worker that ends by itself is started again; when that does not help, SystemExit with code 1.
    """
    sqlite = settings.database_url.startswith("sqlite")
    db.engine().dispose()  # an open connection must not be shared with the workers that are forked from here
    server = Granian(
        "service.app:from_environment",
        factory=True,
        interface=Interfaces.WSGI,
        address=host,
        port=settings.port,
        workers=1 if sqlite else os.cpu_count() or 1,
        blocking_threads=BLOCKING_THREADS,
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        respawn_failed_workers=True,
        workers_kill_timeout=WORKERS_SECONDS,
        log_access=False,
        log_level="warning",  # type: ignore[arg-type]
        log_dictconfig=LOGGING,
    )
    with jobs_running():
        server.serve()


def demand_port(host: str, port: int) -> None:
    """Raise OSError when this process cannot listen there: taken, not allowed, or no address of this machine.

    The workers bind with SO_REUSEPORT: a second service would start without an error and get every other request.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


@contextmanager
def jobs_running() -> Iterator[None]:
    """Keep one jobs child running until the block ends."""
    keeper = JobsKeeper([sys.executable, "-P", "-m", "service.cli", "jobs", "--parent", str(os.getpid())])
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class JobsKeeper:
    """Starts the jobs child, and starts it again whenever it ends by itself."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="jobs-keeper", daemon=True)

    def start(self) -> None:
        """Start the first child and the thread that watches it."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the child to end and wait for it; end it the hard way when it is still there after JOBS_SECONDS."""
        with self._lock:
            self._stopping.set()
            if self.child is not None:
                self.child.terminate()
        self._thread.join(JOBS_SECONDS)
        if self._thread.is_alive() and self.child is not None:
            self.child.kill()

    def _keep(self) -> None:
        while (child := self._spawn()) is not None:
            code = child.wait()
            if not self._stopping.is_set():
                log.error("jobs", "the jobs child ended and is started again", code=code)
            self._stopping.wait(RESTART_SECONDS)

    def _spawn(self) -> "subprocess.Popen[bytes] | None":
        """Start one child, in a session of its own: Ctrl-C in a terminal is for the parent, which then stops it."""
        with self._lock:
            if self._stopping.is_set():
                return None
            self.child = subprocess.Popen(self.command, start_new_session=True)
            return self.child
