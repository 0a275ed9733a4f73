"""Many slow readers of one served process: all are served, and nobody else waits for them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from service.asgi import BODY_THREADS, REQUEST_THREADS
from tests import running
from tests.visiting import Visitor

READERS = 64
END = b"\r\n\r\n"  # of a head
WAIT = 20  # seconds that nobody should need; a stopped service would take all of them


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("readers")) as made:
        yield made


@pytest.fixture(scope="module")
def largest(site: running.Running) -> str:
    """Return the address of the largest file that needs no token: larger than what the system takes in for a reader."""
    return "/api/v1/datasets/flights/files/data.csv"


def test_readers_who_stop_reading_hold_up_neither_each_other_nor_a_page(site, largest):
    assert REQUEST_THREADS + BODY_THREADS < READERS
    with ExitStack() as readers:
        stopped = [readers.enter_context(reader(site, largest)) for _ in range(READERS)]
        first = [one.recv(1024) for one in stopped]
        assert {answer.split(b"\r\n", 1)[0] for answer in first} == {b"HTTP/1.1 200 OK"}
        visitor = Visitor(site.base_url)
        for path in ("/", "/datasets", "/datasets/flights", "/healthz"):
            assert visitor.get(path).status == 200
        with reader(site, largest) as quick:
            assert len(whole(quick)) > 16 << 20


def test_a_reader_who_comes_back_gets_the_rest(site, largest):
    with reader(site, largest) as one, reader(site, largest) as other:
        began = one.recv(1024)
        assert (began + whole(one)).partition(END)[2] == whole(other).partition(END)[2]


@contextmanager
def reader(site: running.Running, path: str) -> Iterator[socket.socket]:
    """Ask for a file and read nothing of it yet; the system keeps little for this reader."""
    host, _, port = site.base_url.rpartition("/")[2].partition(":")
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        made.settimeout(WAIT)
        made.connect((host, int(port)))
        made.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        yield made


def whole(opened: socket.socket) -> bytes:
    """Read to the end."""
    read = bytearray()
    while piece := opened.recv(1 << 20):
        read += piece
    return bytes(read)
