"""Large files and slow readers against the clock, with nginx's own sending of the same file in the same run.

Ratios and times are printed beside their goals to be read; nothing here fails on a slow machine.
"""

import gc
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import fronting, running
from tests.clients import test_nginx_delivery as delivery
from tests.clients.test_nginx_delivery import GRANTED, PUBLIC, Place, path_of
from tests.clients.test_readers import reader

pytestmark = pytest.mark.timeout(900)

SIZE = 512 << 20
READERS, RATE, SECONDS = 64, 500_000, 8
ROUNDS = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A demo that hands files to nginx, on http before the service; a large object in a public and a granted view."""
    folder = tmp_path_factory.mktemp("delivery")
    with running.demo(folder, QIANTANG_OFFLOAD="nginx") as site:
        (folder / "front").mkdir()
        upstream = int(site.base_url.rpartition(":")[2])
        with fronting.fronted(folder / "front", upstream, store=site.home / "store", secure=False) as front:
            content = os.urandom(1 << 20) * (SIZE >> 20)
            delivery.enlarge(site, content)
            yield Place(site, front, b"", delivery.token_of(site))


@pytest.fixture(scope="module")
def alone(place: Place) -> Iterator[running.Running]:
    """The same service once more, sending everything itself."""
    with running.serving(place.site.home, {}) as site:
        yield site


def test_a_large_file_by_each_way(place: Place, alone: running.Running, tmp_path: Path) -> None:
    bearer = f"Authorization: Bearer {place.token}\r\n"
    with plain_nginx(tmp_path, place.site.home / "store") as (direct, server):
        ways: dict[str, tuple[int, str, str, Callable[[], list[int]]]] = {
            "nginx itself": (direct, "/views/large.csv", "", lambda: [server]),
            "without a grant, by nginx": (place.front.port, path_of(PUBLIC), "", lambda: processes(place)),
            "under a grant, in slices": (place.front.port, path_of(GRANTED), bearer, lambda: processes(place)),
            "by the service alone": (port_of(alone), path_of(PUBLIC), "", lambda: tree(alone.process.pid)),
            "under a grant, alone": (port_of(alone), path_of(GRANTED), bearer, lambda: tree(alone.process.pid)),
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (port, path, header, of) in ways.items():
                took[name].append(fetched(port, path, header, of))
    base = statistics.median(rate for rate, _ in took["nginx itself"])
    for name, goal in zip(ways, (1, 0.95, 0.4, 0.4, 0.4), strict=True):
        rate = statistics.median(one for one, _ in took[name])
        cpu = statistics.median(one for _, one in took[name])
        say(f"  {name}: {rate / 1e9:.2f} GB/s, {rate / base:.2f} x (goal {goal}), {cpu:.2f} CPU s/GB")


def test_slow_readers_and_a_page_meanwhile(alone: running.Running) -> None:
    worker = next(pid for pid in running.children(alone.process.pid) if "service.worker" in running.command_of(pid))
    timed(alone, 200)
    say(f"  a page alone: {told(timed(alone, 200))}")
    for wave in (1, 2):
        before = memory(worker)
        with ExitStack() as open_readers:
            began = time.monotonic()
            sockets = [open_readers.enter_context(reader(alone, path_of(PUBLIC))) for _ in range(READERS)]
            for one in sockets:
                assert one.recv(1000).startswith(b"HTTP/1.1 200 ")
            first = time.monotonic() - began
            with slowly(sockets):
                page = timed(alone, 300)
                grown = memory(worker) - before
        say(f"  wave {wave}: {READERS} readers at 0.5 MB/s answered within {first:.2f} s (goal 2); "
            f"a page {told(page)} (goal 10 at p99); memory +{grown / READERS * 100:.1f} MB per 100")  # fmt: skip


@contextmanager
def slowly(sockets: list[socket.socket]) -> Iterator[None]:
    """Read from all sockets at RATE each, in a process of its own, until the block ends."""
    if (pid := os.fork()) == 0:
        began, got = time.monotonic(), [0] * len(sockets)
        while time.monotonic() - began < SECONDS * 4:
            time.sleep(0.02)
            due = RATE * (time.monotonic() - began)
            for number, one in enumerate(sockets):
                if got[number] < due:
                    got[number] += len(one.recv(int(due - got[number])))
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def plain_nginx(folder: Path, store: Path) -> Iterator[tuple[int, int]]:
    """Run nginx over the folder of objects, with nothing else to do; give its port and process."""
    port = running.free_port()
    config = folder / "plain.conf"
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in fronting.TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user} worker_processes 1; master_process off; daemon off; pid {folder}/p; error_log {folder}/e.log;\n"
        f"events {{ }} http {{ {temporary} access_log off; sendfile on;\n"
        f"server {{ listen 127.0.0.1:{port}; root {store}; }} }}\n"
    )
    command = [str(fronting.slicing_nginx()), "-p", str(folder), "-c", str(config)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        running.await_port(port, server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(10)


def fetched(port: int, path: str, header: str, of: Callable[[], list[int]]) -> tuple[float, float]:
    """Return bytes a second and CPU seconds a GB of the processes `of`, for one reading of the file."""
    before = sum(map(cpu, of()))
    with socket.create_connection(("127.0.0.1", port), timeout=120) as one:
        began = time.perf_counter()
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n".encode())
        came, into = 0, bytearray(1 << 20)
        while size := one.recv_into(into):
            came += size
        took = time.perf_counter() - began
    assert came > SIZE
    return came / took, (sum(map(cpu, of())) - before) / (came / 1e9)


def timed(site: running.Running, times: int) -> list[float]:
    """Return the times of a page in ms, sorted; this process collects no garbage meanwhile."""
    gc.disable()
    connection = http.client.HTTPConnection(urlsplit(site.base_url).netloc, timeout=60)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", "/datasets")
        connection.getresponse().read()
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    gc.enable()
    return sorted(took)


def told(took: list[float]) -> str:
    return f"{took[len(took) // 2]:.1f} ms p50, {took[len(took) * 99 // 100]:.1f} ms p99"


def processes(place: Place) -> list[int]:
    return [*tree(place.site.process.pid), *tree(place.front.process)]


def tree(pid: int) -> list[int]:
    return [pid, *running.children(pid)]


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Return a process's proportional share of memory in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def port_of(site: running.Running) -> int:
    return int(site.base_url.rpartition(":")[2])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
