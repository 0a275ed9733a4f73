"""Stores to try: a folder, a bucket, a bucket behind a proxy that misbehaves; and how they are used."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.base import blobs
from tests.between import Between, between

LARGE = 20 << 20  # bytes: goes into a bucket in three parts
KINDS = ("folder", "bucket")
CONNECTED = """
from pathlib import Path
from service.base import blobs
blobs.connect({url!r}, Path({copies!r}))
"""


@dataclass
class Place:
    """A store on its own, and where it lies."""

    kind: str
    url: str
    folder: Path

    def connect(self, copies: str = "copies") -> None:
        blobs.connect(self.url, self.folder / copies)


@dataclass
class Far(Place):
    """A bucket behind a proxy that misbehaves by order."""

    way: Between


@contextmanager
def far_bucket(bucket: str, folder: Path) -> Iterator[Far]:
    """Lend an empty bucket behind a proxy, connected."""
    port = int(bucket.rpartition(":")[2].split("&")[0])
    with between(port) as way:
        made = Far("bucket", bucket.replace(str(port), str(way.port)), folder, way)
        made.connect()
        yield made


def keep(key: str, content: bytes, folder: Path) -> None:
    file = folder / f"given-{threading.get_ident()}"
    file.write_bytes(content)
    blobs.put(key, file)


def script(place: Place, body: str, *before: str) -> "subprocess.Popen[bytes]":
    """Start a process that is connected to the same store and runs `body`."""
    text = CONNECTED.format(url=place.url, copies=str(place.folder / "copies")) + body
    return subprocess.Popen([*before, sys.executable, "-c", text], stdout=subprocess.PIPE)


def kill(child: "subprocess.Popen[bytes]") -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


def wait_for(met: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)
