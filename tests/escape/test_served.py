"""The same attack over a socket, on a served process: heads and bodies as no client library would send them."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import running
from tests.escape import canaries

FILE = f"/api/v1/datasets/{canaries.DATASET}/files/data.csv"


@dataclass(frozen=True)
class Served:
    """A process that serves a copy of the ground."""

    port: int
    tokens: dict[str, str]
    grants: dict[str, str]

    def raw(self, sent: bytes, seconds: float = 10) -> bytes:
        """Send bytes as they are; return all that comes until the connection ends or is silent for so long."""
        came = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as one:
            one.sendall(sent)
            try:
                while piece := one.recv(1 << 16):
                    came += piece
            except (ConnectionResetError, TimeoutError):
                pass
        return came

    def ask(self, target: str, *lines: str, seconds: float = 10) -> bytes:
        head = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close"]
        head.append(f"Authorization: Bearer {self.tokens['mine']}")
        return self.raw("\r\n".join([*head, *lines, "", ""]).encode("utf-8", "surrogateescape"), seconds)


@pytest.fixture(scope="module")
def served(_on_sqlite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(_on_sqlite.settings.home, home)
    with running.serving(home, {}, command="run") as site:
        yield Served(int(site.base_url.rpartition(":")[2]), _on_sqlite.tokens, _on_sqlite.grants)


def _status(came: bytes) -> int:
    return int(came.split(b" ", 2)[1]) if came.startswith(b"HTTP/") else 0


def _body(came: bytes) -> bytes:
    return came.partition(b"\r\n\r\n")[2]


def _sound(came: bytes) -> None:
    assert canaries.leaks(came) == [] and b"Traceback" not in came and b"SQLite format" not in came


TARGETS = [
    "/../../qiantang.db", "/static/../../../qiantang.db", "/static/..%2f..%2f..%2fqiantang.db",
    "/static/%2e%2e/app.py", "/static/..\\..\\app.py", "/static/%5c..%5capp.py", "/static//etc/passwd", "//etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/%252e%252e/app.py", "/static/..%c0%af..%c0%afapp.py", "/static/%00", "/static/.", "/static/",
    "/internal/gate", "//internal/gate", "/./internal/gate", "/x/../internal/gate", "/%69nternal/gate",
    "/internal%2fgate",
    "http://127.0.0.1/internal/gate", "/_sliced/views/x", "/_public/raw/x",
    FILE.replace("night-trips", "night-trips%2f..%2f..%2fraw"), FILE.replace("data.csv", "..%2f..%2f..%2fdemo.json"),
    FILE.replace("/files/", "/files/../files/"), FILE.replace("/files/", "//files/"), FILE + "/..", FILE + "%2f",
    FILE.replace("data.csv", "data%2ecsv%3ffor=excel"), "*", "/api/v1/datasets/%6eight-trips%00/rows",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_no_spelling_of_an_address_reaches_what_has_none(served, target):
    came = served.ask(target)
    assert _status(came) in (301, 302, 308, 400, 404, 405), came[:300]
    assert b"in-lot" not in came
    _sound(came)


SAME = [FILE, FILE.replace("night", "%6eight"), FILE.replace("data.csv", "data%2Ecsv"), "http://127.0.0.1" + FILE,
        "http://elsewhere.example" + FILE, FILE + "#/../rows"]  # fmt: skip


@pytest.mark.parametrize("target", SAME)
def test_what_is_another_spelling_of_the_file_is_the_granted_file_or_nothing(served, target):
    came = served.ask(target)
    assert _status(came) in (200, 400, 404)
    _sound(came)
    assert _status(came) != 200 or _body(came) == _body(served.ask(FILE))


LINES = [
    ("Host: elsewhere.example",), ("Authorization: Bearer x",), ("Range: bytes=0-9", "Range: bytes=10-19"),
    ("X-Accel-Redirect: /_sliced/raw/x",), ("Qiantang_Ticket: x",),
    ("Qiantang-Ticket: x", "Qiantang-Object: /_sliced/raw/x"),
    ("X-Original-URL: /internal/gate",), ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: elsewhere.example"),
    ("Content-Length: 5",), ("Transfer-Encoding: chunked",), ("Content-Length: 3", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: x",), ("Content-Length: 1", "Content-Length: 2"), ("Content-Length: -1",),
    ("Expect: 100-continue",),
    ("Upgrade: websocket", "Connection: Upgrade"), ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    ("Cookie: qiantang=" + "x" * 4000,), ("X-A: " + "x" * 20000,), ("Range: bytes=" + "0-0," * 3000 + "1-1",),
    ("X-A: a\tb\x01",), (" folded: x",), ("NoColon",), ("If-Range: \"x\"", "Range: bytes=0-9"), ("TE: trailers",),
]  # fmt: skip


@pytest.mark.parametrize("lines", LINES, ids=[" ".join(lines)[:50] for lines in LINES])
def test_no_line_of_a_head_opens_more(served, lines):
    came = served.ask(FILE, *lines, seconds=1.5)
    assert _status(came) in (0, 200, 206, 400, 401, 413, 416, 431, 501), came[:300]
    _sound(came)
    if _status(came) == 200:
        assert _body(came) == _body(served.ask(FILE))


def test_two_callers_on_one_connection_share_nothing(served):
    """As a server before us sends them: each request has its own credential, and its owner alone gets what it opens."""
    head = f"Host: 127.0.0.1:{served.port}"
    rows = f"/api/v1/datasets/{canaries.DATASET}/rows?limit=3"
    told = []
    for name in ("theirs", "mine", None, "theirs", None, "mine"):
        more = f"\r\nAuthorization: Bearer {served.tokens[name]}" if name else ""
        told.append(f"GET {rows} HTTP/1.1\r\n{head}{more}\r\n\r\n")
    told[-1] = told[-1].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    came = served.raw("".join(told).encode())
    answers = came.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"401", b"200", b"401", b"200"]
    for answer, name in zip(answers, ("theirs", "mine", None, "theirs", None, "mine"), strict=True):
        assert bool(canaries.leaks(answer)) is (name == "theirs")
        assert b"private" in answer


@pytest.mark.parametrize("hidden", [
    "GET /internal/gate HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", f"GET {FILE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
])  # fmt: skip
@pytest.mark.parametrize("how", [
    "Content-Length: {size}\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\n Content-Length: {size}",
    "Transfer-Encoding:\x0bchunked", "Content-Length: 0{size}",
])  # fmt: skip
def test_no_request_hides_in_the_body_of_another(served, hidden, how):
    """Whatever is made of the body, the credential of the first request opens nothing for the second."""
    rows = f"/api/v1/datasets/{canaries.DATASET}/rows"
    head = (
        f"POST {rows} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {served.tokens['mine']}\r\n{how.format(size=len(hidden) + 5)}\r\n\r\n0\r\n\r\n"
    )
    came = served.raw((head + hidden).encode(), 1)
    second = came.partition(b"HTTP/1.1 ")[2].partition(b"HTTP/1.1 ")[2]
    assert b"in-lot" not in second and second[:3] in (b"", b"400", b"401", b"404")
    _sound(came)
