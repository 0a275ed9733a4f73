"""`qiantang demo` as a separate process, as a stranger runs it; loaded once a session and copied from there."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import servers

START_SECONDS = 180
STOP_SECONDS = 20


@dataclass
class Running:
    """A demo that serves.  `demo` is what it wrote to demo.json."""

    base_url: str
    home: Path
    demo: dict[str, Any]
    process: subprocess.Popen[bytes]
    log: Path  # what it writes to stderr: JSON lines

    def account(self, role: str, number: int = 0) -> dict[str, str]:
        """Return the demo's account of a role: login, password, unit."""
        found: list[dict[str, str]] = [entry for entry in self.demo["accounts"] if entry["role"] == role]
        return found[number]


@contextmanager
def demo(folder: Path, *, now: str = "", **variables: str) -> Iterator[Running]:
    """Serve the demo from a copy of the loaded one, in `folder`; `now` is QIANTANG_NOW."""
    home = folder / "home"
    if not home.exists():
        shutil.copytree(loaded(), home)
    with serving(home, {**variables, **({"QIANTANG_NOW": now} if now else {})}) as running:
        yield running


def loaded() -> Path:
    """Return a HOME into which the demo was loaded; the first of all workers that asks loads it."""
    home = Path(os.environ[servers.FOLDER]) / "demo"
    with servers.only_once("demo") as first:
        if first:
            with serving(home, {}):
                pass
    return home


@contextmanager
def serving(home: Path, variables: Mapping[str, str], *, command: str = "demo", port: int = 0) -> Iterator[Running]:
    """Run `qiantang demo` (or `run`) on `home` and a port, a free one if 0, until the block ends; stop it by its id."""
    port = port or free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QIANTANG_")}
    environment = {**inherited, "QIANTANG_HOME": str(home), "QIANTANG_PORT": str(port), **variables}
    log = home.with_name(f"{home.name}-{port}.log")
    with log.open("ab") as errors, log.with_suffix(".out").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", command], env=environment, stdout=output, stderr=errors
        )
    base_url = f"http://127.0.0.1:{port}"
    try:
        _await(base_url, process, log)
        file = home / "demo.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        yield Running(base_url, home, known, process, log)
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end and wait for it; end it the hard way when it does not."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a service and its children at once, each by its id: what a crash of the machine does to them."""
    victims = [process.pid, *children(process.pid)]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    for pid in victims[1:]:
        await_end(pid)


def children(pid: int) -> list[int]:
    """Return the ids of a process's living children, the oldest first."""
    return [each for each in _pids() if _state(each) == ("alive", pid)]


def command_of(pid: int) -> str:
    """Return a process's command line, empty when it has ended."""
    if _state(pid)[0] != "alive":
        return ""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()


def _pids() -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _state(pid: int) -> tuple[str, int]:
    """Return whether a process is alive or ended, and its parent."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "ended", 0
    return ("ended" if state in "ZX" else "alive"), int(parent)


def await_end(*pids: int, seconds: float = STOP_SECONDS) -> None:
    """Wait until none of the processes is there; RuntimeError naming those that stay."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if _state(pid)[0] == "alive"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"still there: {left}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = STOP_SECONDS) -> None:
    """Wait until something listens on the port; RuntimeError when the process ends before, or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered well."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _await(base_url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if answers(f"{base_url}/healthz"):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the service did not start: {log.read_text(errors='replace')[-3000:]}")
