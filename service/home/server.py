"""Starting the service: one web server, one `jobs` child; stopping one stops the other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from granian import Granian
from granian.constants import Interfaces

from service.base.settings import Settings

BLOCKING_THREADS = 16
BACKLOG = 1024
BACKPRESSURE = 64  # requests a worker takes in at once; the others wait in the backlog


def serve(settings: Settings, *, host: str = "127.0.0.1") -> None:
    """Serve until SIGINT or SIGTERM; workers and the jobs child read their settings from the environment.

    SQLite has one writer at a time, so one web worker serves it; on PostgreSQL there is a worker for each core.
    """
    sqlite = settings.database_url.startswith("sqlite")
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
        log_access=False,
        log_level="warning",  # type: ignore[arg-type]
    )
    with _jobs_child():
        server.serve()


def port_of(base_url: str) -> int:
    """Return the port that a base URL names; 443 or 80 where it names none."""
    parts = urlsplit(base_url)
    return parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def _jobs_child() -> Iterator[None]:
    child = subprocess.Popen([sys.executable, "-m", "service.cli", "jobs"])
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
