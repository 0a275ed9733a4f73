"""Starting the service: web workers on one socket, one `jobs` child; stopping one stops the others."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from service.base import db, log
from service.base.settings import Settings

BACKLOG = 1024
# Under 10 s, both at once: who stops the service waits no longer, whatever a worker or a job is at.
STOP_SECONDS = 6
RESTART_SECONDS = 1.0  # between the end of a child and the next one
SHORT_SECONDS = 10.0  # a child that ends sooner has not got to its work
SHORT_LIVES = 5  # such ends in a row, and starting it again does not help

PYTHON = [sys.executable, "-P", "-m"]


def serve(settings: Settings, *, host: str = "127.0.0.1") -> None:
    """Serve until SIGINT or SIGTERM; workers and the jobs child read their settings from the environment.

    SQLite has one writer at a time, so one web worker serves it; on PostgreSQL there is a worker for each core.  A
    worker that ends by itself is started again; when that does not help, SystemExit with code 1.
    """
    sqlite = settings.database_url.startswith("sqlite")
    db.engine().dispose()
    ending, hopeless = threading.Event(), threading.Event()

    def give_up() -> None:
        hopeless.set()
        ending.set()

    with listening(host, settings.port) as listener, ExitStack() as children:
        children.enter_context(signals_set(ending))
        worker = [*PYTHON, "service.worker", str(listener.fileno()), str(os.getpid())]
        jobs = [*PYTHON, "service.cli", "jobs", "--parent", str(os.getpid())]
        web = [
            Keeper("web", worker, descriptor=listener.fileno(), give_up=give_up)
            for _ in range(1 if sqlite else os.cpu_count() or 1)
        ]
        children.enter_context(all_running([*web, Keeper("jobs", jobs)]))
        ending.wait()
    if hopeless.is_set():
        raise SystemExit(1)


def demand_port(host: str, port: int) -> None:
    """Raise OSError when this process cannot listen there: taken, not allowed, or no address of this machine."""
    listening_socket(host, port).close()


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen for all workers.  The socket outlives each of them: while one is replaced, callers wait in its queue."""
    with listening_socket(host, port) as listener:
        listener.listen(BACKLOG)
        yield listener


def listening_socket(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


@contextmanager
def signals_set(ending: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set `ending` until the block ends."""
    before = {sig: signal.signal(sig, lambda *_: ending.set()) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


@contextmanager
def all_running(keepers: "list[Keeper]") -> Iterator[None]:
    """Keep the children running until the block ends; then all are asked to end before any is waited for."""
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.ask_to_end()
        deadline = time.monotonic() + STOP_SECONDS
        for keeper in keepers:
            keeper.await_end(max(0.0, deadline - time.monotonic()))


class Keeper:
    """Starts a child, and starts it again whenever it ends by itself.

    `descriptor` stays open in the child.  `give_up` is called when the child ends again and again at its start.
    """

    def __init__(
        self, name: str, command: list[str], *, descriptor: int | None = None, give_up: Callable[[], None] | None = None
    ) -> None:
        self.name, self.command = name, command
        self.child: subprocess.Popen[bytes] | None = None
        self._passed = () if descriptor is None else (descriptor,)
        self._give_up = give_up
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"{name}-keeper", daemon=True)

    def start(self) -> None:
        """Start the first child and the thread that watches it."""
        self._thread.start()

    def ask_to_end(self) -> None:
        with self._lock:
            self._stopping.set()
            if self.child is not None:
                self.child.terminate()

    def await_end(self, seconds: float) -> None:
        """Wait for the child; end it the hard way when it is still there after `seconds`."""
        self._thread.join(seconds)
        if self._thread.is_alive() and self.child is not None:
            self.child.kill()
            self._thread.join()

    def _keep(self) -> None:
        short = 0
        while (child := self._spawn()) is not None:
            began = time.monotonic()
            code = child.wait()
            if self._stopping.is_set():
                return
            log.error(self.name, f"the {self.name} child ended and is started again", code=code)
            short = short + 1 if time.monotonic() - began < SHORT_SECONDS else 0
            if short == SHORT_LIVES and self._give_up is not None:
                return self._give_up()
            self._stopping.wait(RESTART_SECONDS)

    def _spawn(self) -> "subprocess.Popen[bytes] | None":
        """Start one child, in a session of its own: Ctrl-C in a terminal is for the parent, which then stops it."""
        with self._lock:
            if self._stopping.is_set():
                return None
            self.child = subprocess.Popen(self.command, start_new_session=True, pass_fds=self._passed)
            return self.child
