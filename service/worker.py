"""One web worker: the application in this process, serving a socket that its parent listens on."""

import asyncio
import logging
import resource
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.app import from_environment
from service.asgi import Application, Bridge
from service.base import processes
from service.home.server import BACKLOG

HEAD_SECONDS = 30.0  # that a request's head may take to come
HEAD_BYTES = 64 << 10
IDLE_SECONDS = 15  # that a connection is kept without a request
STOP_SECONDS = 3  # that answers on their way have when the service stops
CONNECTIONS = 8192  # beyond this a caller is told 503 at once


def work(listener: socket.socket) -> None:
    """Serve the service until SIGINT or SIGTERM."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    server_of(from_environment()).run(sockets=[listener])


def server_of(application: Application) -> uvicorn.Server:
    """Return a server that asks a WSGI application."""
    config = uvicorn.Config(
        Bridge(application),
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whom to believe about a caller's address is the application's to say
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(config)


class Protocol(HttpToolsProtocol):
    """HTTP with an end to heads: to their size, and to the time that they take to come.

    Also lets the application end a connection in the middle of an answer.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._awaits_head, self._head_bytes = True, 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaits_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._begin_head()
        super().data_received(data)
        if self._awaits_head and self._head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"qiantang.abort": self.transport.abort}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        self._end_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaits_head, self._head_bytes = True, 0

    def _begin_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


if __name__ == "__main__":  # by `serve`, which hands over the listener's descriptor and its own process id
    processes.end_with(int(sys.argv[2]))
    work(socket.socket(fileno=int(sys.argv[1])))
