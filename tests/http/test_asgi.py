"""What a WSGI application behind our adapter and server sees and may rely on, over a real socket."""

import contextvars
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from service import asgi, worker

WAIT = 10  # seconds for what happens at once
LARGE = 32 << 20  # bytes: more than the system takes in for a reader who does not read
seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


class Body:
    """A body that notes who made and who closed it."""

    def __init__(self, chunks: Iterator[bytes], closed: threading.Event) -> None:
        self.chunks, self.closed = chunks, closed

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.closed.set()


@dataclass
class Served:
    """A server and its application; `views` are its addresses."""

    port: int
    views: dict[str, Callable[[Request], Any]] = field(default_factory=dict)
    closed: threading.Event = field(default_factory=threading.Event)
    environ: dict[str, Any] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        self.environ = environ
        answer: Any = self.views[environ["PATH_INFO"].encode("latin-1").decode()](Request(environ))
        return answer(environ, start) if isinstance(answer, Response) else _plain(answer, start)

    def body(self, chunks: Iterator[bytes]) -> Body:
        return Body(chunks, self.closed)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def raw(self, sent: bytes) -> bytes:
        """Send bytes as they are; return all that comes until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT) as one:
            one.sendall(sent)
            came = b""
            while piece := one.recv(1 << 16):
                came += piece
            return came


def _plain(given: Any, start: Callable[..., Any]) -> Any:
    headers, body = given
    start("200 OK", headers)
    return body


@pytest.fixture
def served() -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Served(listener.getsockname()[1])
        server = worker.server_of(made)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield made
        server.should_exit = True
        thread.join(WAIT)
        assert not thread.is_alive()


# ---- the request ----------------------------------------------------------------------------------------------------


def test_the_environment_is_that_of_the_request(served):
    served.views["/表/a b"] = lambda request: Response(request.get_data())
    status, _, body = served.ask("POST", "/%E8%A1%A8/a%20b?q=%E8%A1%A8", b"given", Cookie="a=1", **{"X-One": "1"})
    assert (status, body) == (200, b"given")
    said = served.environ
    assert (said["PATH_INFO"].encode("latin-1").decode(), said["QUERY_STRING"]) == ("/表/a b", "q=%E8%A1%A8")
    assert (said["REMOTE_ADDR"], said["wsgi.url_scheme"], said["SERVER_PROTOCOL"]) == ("127.0.0.1", "http", "HTTP/1.1")
    assert (said["HTTP_X_ONE"], said["HTTP_COOKIE"], said["CONTENT_LENGTH"]) == ("1", "a=1", "5")


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Content_Length"])
def test_a_header_that_would_pass_for_another_is_left_out(served, name):
    served.views["/"] = lambda _: Response("")
    served.raw(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: 7\r\nConnection: close\r\n\r\n".encode())
    assert "7" not in [value for key, value in served.environ.items() if key.startswith(("HTTP_", "CONTENT"))]


def test_a_forwarded_address_is_not_believed_here(served):
    served.views["/"] = lambda request: Response(f"{request.remote_addr} {request.scheme}")
    assert served.ask("GET", "/", **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})[2] == (
        b"127.0.0.1 http"
    )


def test_an_address_with_a_host_in_it_and_one_of_no_letters_reach_the_same_view(served):
    served.views["/a"] = lambda request: Response(request.path)
    assert b"\r\n\r\n/a" in served.raw(b"GET http://elsewhere/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1, asgi.IN_MEMORY + 1, asgi.PREFETCH + 1, 3 * asgi.PREFETCH])
def test_a_body_of_any_size_is_read_whole(served, size, chunked):
    served.views["/"] = lambda request: Response(json.dumps([len(request.get_data()), request.content_length]))
    given = b"x" * size
    _, _, body = served.ask("POST", "/", iter([given[:7], given[7:]]) if chunked else given)
    assert json.loads(body) == [size, None if chunked else size]


def test_a_body_that_is_said_to_be_too_large_is_refused_unread(served):
    def refuse(request: Request) -> Response:
        request.max_content_length = 10
        return Response(status=413) if request.content_length > 10 else Response("")

    served.views["/"] = refuse
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) as one:
        one.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_whose_sender_leaves_is_told_to_the_application(served):
    told = threading.Event()

    def read(request: Request) -> Response:
        try:
            request.get_data()
        except (ClientDisconnected, ConnectionError):
            told.set()
        return Response("")

    served.views["/"] = read
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) as one:
        one.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nx" % LARGE)
    assert told.wait(WAIT)


def test_senders_who_are_slow_hold_no_thread(served):
    served.views["/"] = lambda request: Response(request.get_data())
    slow = [socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) for _ in range(asgi.REQUEST_THREADS + 1)]
    for one in slow:
        one.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
    assert served.ask("POST", "/", b"quick")[2] == b"quick"
    for one in slow:
        one.sendall(b"b")
        assert one.recv(1000).endswith(b"\r\n\r\nab")
        one.close()


def test_a_head_without_an_end_is_cut_off(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) as one, pytest.raises(OSError):
        for _ in range(worker.HEAD_BYTES // 1000 * 100):
            one.sendall(b"GET / HTTP/1.1\r\nX: " if _ == 0 else b"x" * 1000)
        assert one.recv(10) == b""
        raise ConnectionError


def test_a_head_that_does_not_come_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(worker, "HEAD_SECONDS", 0.2)
    assert served.raw(b"") == b""
    assert served.raw(b"GET / HTTP/1.1\r\n") == b""


# ---- the answer -----------------------------------------------------------------------------------------------------


def test_each_visit_to_a_thread_is_in_the_context_of_its_request(served):
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield seen.get().encode() + b" "
            time.sleep(0.001)

    def view(request: Request) -> Any:
        seen.set(request.args["as"])
        return [], served.body(chunks())

    served.views["/"] = view
    found: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=lambda who=who: found.update({who: served.ask("GET", f"/?as={who}")[2]}))
        for who in "abcdef"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {who: f"{who} ".encode() * 20 for who in "abcdef"}


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, 10, asgi.FIRST, asgi.FIRST + 1, 1 << 20])
def test_an_answer_comes_whole_and_is_closed(served, size, length):
    def chunks() -> Iterator[bytes]:
        yield from (b"x" * min(1 << 16, size - at) for at in range(0, size, 1 << 16))

    served.views["/"] = lambda _: ([("Content-Length", str(size))] if length else [], served.body(chunks()))
    status, headers, body = served.ask("GET", "/")
    assert (status, len(body)) == (200, size)
    assert length or size < 1 or "content-length" not in headers or headers["content-length"] == str(size)
    assert served.closed.wait(WAIT)


@pytest.mark.parametrize("path", ["/length", "/chunked"])
def test_an_answer_that_breaks_off_is_not_taken_for_whole(served, path, caplog):
    def chunks() -> Iterator[bytes]:
        yield b"a" * asgi.FIRST
        yield b"b" * 1000
        raise ConnectionAbortedError("the grant ended")

    served.views["/length"] = lambda _: ([("Content-Length", "999999")], served.body(chunks()))
    served.views["/chunked"] = lambda _: ([], served.body(chunks()))
    with caplog.at_level(logging.INFO), pytest.raises((http.client.IncompleteRead, ConnectionError)):
        served.ask("GET", path)
    assert served.closed.wait(WAIT)
    assert [record.levelname for record in caplog.records if record.name == "asgi"] == ["INFO"]


def test_an_answer_that_breaks_off_before_its_first_bytes_is_a_500(served):
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise OSError("the store is away")

    served.views["/"] = lambda _: ([("Content-Length", "2")], served.body(chunks()))
    assert served.ask("GET", "/")[0] == 500
    assert served.closed.wait(WAIT)


def test_an_answer_shorter_than_it_said_is_cut(served):
    served.views["/"] = lambda _: ([("Content-Length", "200000")], served.body(iter([b"a" * 70_000, b"b" * 70_000])))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        served.ask("GET", "/")
    assert served.closed.wait(WAIT)


@pytest.mark.parametrize("known", [True, False])
def test_a_reader_who_leaves_closes_the_answer(served, known):
    made = []

    def chunks() -> Iterator[bytes]:
        for at in range(LARGE >> 16):
            made.append(at)
            yield b"x" * (1 << 16)

    served.views["/"] = lambda _: ([("Content-Length", str(LARGE))] if known else [], served.body(chunks()))
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one.recv(1000)
        assert not served.closed.wait(0.5)
        assert len(made) < LARGE >> 16  # nothing is made for a reader who does not read
    assert served.closed.wait(WAIT)


def test_a_reader_who_takes_nothing_is_left_after_a_while(served, monkeypatch):
    monkeypatch.setattr(asgi, "STALL_SECONDS", 0.3)
    served.views["/"] = lambda _: ([("Content-Length", str(LARGE))], served.body(b"x" * (1 << 16) for _ in range(512)))
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert served.closed.wait(WAIT)


def test_a_head_only_answer_has_the_length_and_no_byte(served):
    served.views["/"] = lambda _: Response("x" * 100_000)
    status, headers, body = served.ask("HEAD", "/")
    assert (status, headers["content-length"], body) == (200, "100000", b"")


def test_a_304_has_no_body(served):
    served.views["/"] = lambda _: Response(status=304, headers={"ETag": '"a"'})
    status, headers, body = served.ask("GET", "/")
    assert (status, headers["etag"], body) == (304, '"a"', b"")
    assert "transfer-encoding" not in headers


def test_a_fault_of_the_application_is_a_500_and_the_next_request_is_answered(served):
    def broken(_: Request) -> Response:
        raise RuntimeError("broken")

    served.views.update({"/broken": broken, "/": lambda _: Response("well")})
    assert served.ask("GET", "/broken")[0] == 500
    assert served.ask("GET", "/")[2] == b"well"


def test_an_old_client_is_answered_and_let_go(served):
    served.views["/"] = lambda _: Response("well")
    assert served.raw(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nwell")


def test_two_requests_sent_at_once_are_answered_in_turn(served):
    served.views.update({f"/{name}": lambda request: Response(request.path) for name in "ab"})
    last = b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    came = served.raw(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + last)
    assert came.index(b"\r\n\r\n/a") < came.index(b"\r\n\r\n/b")
