"""The WSGI application behind an asynchronous server: a thread works for a request, never waits for its reader.

A page's few bytes are made by one visit to a thread.  A long answer is made chunk by chunk, each by a visit of its
own, and between two visits it waits on the event loop: ten thousand readers may be slow and hold no thread.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar
from urllib.parse import unquote_to_bytes

from service.base import log

REQUEST_THREADS = 16
# Of their own: a store that answers slowly keeps the readers of its files waiting, and no page.
BODY_THREADS = 8
FIRST = 64 << 10  # bytes of an answer that are made in the request's own visit to a thread
PREFETCH = 2 << 20  # bytes of a request's body that are taken in before a thread has to do with it
IN_MEMORY = 64 << 10  # bytes of them that stay out of a file
BODY_SECONDS = 30.0  # that a piece of a request's body may take to come
STALL_SECONDS = 120.0  # that a reader may take none of an answer

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
T = TypeVar("T")


class Gone(ConnectionError):
    """The other side has left, or takes and sends nothing any more."""


class Bridge:
    """An ASGI application that asks a WSGI one."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._requests = ThreadPoolExecutor(REQUEST_THREADS, "request")
        self._bodies = ThreadPoolExecutor(BODY_THREADS, "body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.  An answer that breaks off is cut: its reader must not take it for whole."""
        answer = Answer(self._application, self._requests, self._bodies)
        try:
            await answer.give(scope, receive, send)
        except asyncio.CancelledError:  # the service stops and has waited for this reader long enough
            await _cut(scope)
        except Exception as fault:
            _tell(fault, scope)
            if not answer.begun and not isinstance(fault, Gone):
                raise
            await _cut(scope)


def _tell(fault: Exception, scope: Scope) -> None:
    if isinstance(fault, ConnectionError):
        log.info("asgi", "an answer was cut", fault=type(fault).__name__, path=scope["path"])
    else:
        log.error("asgi", "an answer broke off", fault=type(fault).__name__, path=scope["path"])


async def _cut(scope: Scope) -> None:
    """End the connection in the middle of the answer: no last chunk is sent, no length is reached."""
    abort: Callable[[], None] | None = scope.get("extensions", {}).get("qiantang.abort")
    if abort is None:
        raise ConnectionAbortedError("the answer is cut")
    abort()
    await asyncio.sleep(0)


class Answer:
    """One request's answer on its way from the threads to the reader.

    Every visit to a thread runs in the request's own context (its id, its language) and never two at a time.
    """

    def __init__(self, application: Application, requests: ThreadPoolExecutor, bodies: ThreadPoolExecutor) -> None:
        self.begun = False
        self._application, self._requests, self._bodies = application, requests, bodies
        self._context = copy_context()
        self._visit: Future[Any] | None = None
        self._status, self._headers = 500, list[tuple[bytes, bytes]]()
        self._length: int | None = None
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        self._made: list[bytes] = []  # chunks not yet sent
        self._over = False  # the request's own visit closes the body

    async def give(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the request in, have it answered, send the answer; its body is closed whatever happens."""
        with await _take_in(scope, receive) as body:
            made = asyncio.get_running_loop().create_future()
            self._visit = self._requests.submit(self._context.run, self._ask, environ_of(scope, body), made)
            try:
                await self._send(await made, receive, send)
            finally:
                if not self._over:
                    await self._in(self._bodies, self._close)

    async def _send(self, whole: bool, receive: Receive, send: Send) -> None:
        first = b"".join(self._made)
        self.begun = True
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": first, "more_body": not whole})
        self._made.clear()
        if not whole:
            await self._pump(receive, send)

    async def _pump(self, receive: Receive, send: Send) -> None:
        """Send the rest of a long answer, a chunk at a time and each only when the one before has gone."""
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            while True:
                await _sent(send, b"", more=True)  # returns once the reader has taken what is on its way
                if leaving.done():
                    raise Gone("the reader has left")
                chunk = await self._in(self._bodies, self._next)
                await _sent(send, chunk or b"", more=chunk is not None)
                if chunk is None:
                    return
        finally:
            leaving.cancel()

    async def _in(self, pool: ThreadPoolExecutor, act: Callable[[], T]) -> T:
        """Visit a thread.  The visit before may still be on where the task was cancelled: it is waited for."""
        self._visit = pool.submit(self._alone, self._visit, act)
        found: T = await asyncio.wrap_future(self._visit)
        return found

    def _alone(self, before: "Future[Any] | None", act: Callable[[], T]) -> T:
        if before is not None:
            wait([before])
        return self._context.run(act)

    def _ask(self, environ: Environ, made: "asyncio.Future[bool]") -> None:
        """Call the application and make its first bytes; say whether they are all, and if so close the body."""
        tell = made.get_loop().call_soon_threadsafe
        try:
            self._body = self._application(environ, self._start)
            whole = environ["REQUEST_METHOD"] == "HEAD" or self._begin()
        except BaseException as fault:
            self._over = True
            tell(_settle, made, fault)
            self._close()
            raise
        self._over = whole
        tell(_settle, made, whole)
        if whole:
            self._close()

    def _begin(self) -> bool:
        """Make the first bytes; True when there are no more."""
        self._chunks = iter(self._body)
        size = sum(map(len, self._made))
        while size != self._length:
            if size >= (FIRST if self._length is not None else 1):  # what nobody knows the length of goes out at once
                return False
            if (chunk := next(self._chunks, None)) is None:
                if self._length is None and self._status not in (204, 304):
                    self._headers.append((b"content-length", b"%d" % size))
                return True
            self._made.append(chunk)
            size += len(chunk)
        return True

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
        self._status = int(status.split(" ", 1)[0])
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        length = dict(self._headers).get(b"content-length")
        self._length = None if length is None else int(length)
        return self._made.append

    def _next(self) -> bytes | None:
        for chunk in self._chunks:
            if chunk:
                return chunk
        return None

    def _close(self) -> None:
        """Close the body.  What fails here comes after the answer, which stands."""
        try:
            if (close := getattr(self._body, "close", None)) is not None:
                close()
        except Exception as fault:
            log.error("asgi", "an answer was not closed", fault=type(fault).__name__)


def _settle(made: "asyncio.Future[bool]", found: bool | BaseException) -> None:
    if made.done():  # the task was cancelled
        return
    if isinstance(found, bool):
        made.set_result(found)
    else:
        made.set_exception(found)


async def _sent(send: Send, chunk: bytes, *, more: bool) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    except TimeoutError:
        raise Gone("the reader takes nothing") from None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# ---- the request ----------------------------------------------------------------------------------------------------


async def _take_in(scope: Scope, receive: Receive) -> IO[bytes]:
    """Return the request's body: none, one that is here, or one that has still to come and is read by the application.

    A body of up to PREFETCH bytes is here before a thread is asked for, however slowly it came.  One said to be larger
    is left where it is, so that the application can refuse it unread.
    """
    headers = dict(scope["headers"])
    length = int(headers.get(b"content-length", b"0"))
    if not length and b"transfer-encoding" not in headers:
        return io.BytesIO()
    if length > PREFETCH:
        return io.BufferedReader(Coming(receive))
    spool: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with the request
    more, size = True, 0
    while more and size <= PREFETCH:
        piece, more = await _piece(receive)
        spool.write(piece)
        size += len(piece)
    spool.seek(0)
    return io.BufferedReader(Coming(receive, spool)) if more else spool


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """Return the next piece of the request's body, and whether more follows."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            message = await receive()
    except TimeoutError:
        raise Gone("the sender sends nothing") from None
    if message["type"] == "http.disconnect":
        raise Gone("the sender has left")
    return message.get("body", b""), message.get("more_body", False)


class Coming(io.RawIOBase):
    """A body that is read as it comes, by a thread that waits for it: what is here of it first."""

    def __init__(self, receive: Receive, here: IO[bytes] | None = None) -> None:
        self._receive, self._here = receive, here
        self._loop = asyncio.get_running_loop()
        self._rest, self._more = b"", True

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self._here is not None:
            if piece := self._here.read(len(into)):
                into[: len(piece)] = piece
                return len(piece)
            self._here = None
        while not self._rest and self._more:
            coming = asyncio.run_coroutine_threadsafe(_piece(self._receive), self._loop)
            self._rest, self._more = coming.result()
        piece, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(piece)] = piece
        return len(piece)


def environ_of(scope: Scope, body: IO[bytes]) -> Environ:
    """Return the WSGI environment of a request.

    A header whose name has an underscore is left out: it would pass for the one with a hyphen, which a proxy guards.
    """
    address, port = scope.get("server") or ("", None)
    client, client_port = scope.get("client") or ("", None)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": address,
        "SERVER_PORT": str(port or ""),
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port or ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name:
            _put_header(environ, name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1"))
    return environ


def _put_header(environ: Environ, name: str, value: str) -> None:
    key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
    between = "; " if name == "COOKIE" else ","
    environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
