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
def serving(home: Path, variables: Mapping[str, str]) -> Iterator[Running]:
    """Run `qiantang demo` on `home` and a free port until the block ends; stop it by its id."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QIANTANG_")}
    environment = {**inherited, "QIANTANG_HOME": str(home), **variables}
    command = [sys.executable, "-m", "service.cli", "demo", "--port", str(port)]
    log = home.with_name(f"{home.name}-{port}.log")
    with log.open("wb") as errors, log.with_suffix(".out").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=errors)
    base_url = f"http://127.0.0.1:{port}"
    try:
        _await(base_url, process, log)
        known = json.loads((home / "demo.json").read_text(encoding="utf-8"))
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(base_url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{base_url}/healthz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"the demo did not start: {log.read_text(errors='replace')[-3000:]}")
