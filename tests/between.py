"""What stands between the service and a server in tests of faults: it passes bytes on until it is told otherwise."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FINE = "fine"
STALLING = "stalling"  # takes bytes and passes none on
CUTTING = "cutting"  # ends every connection after `after` bytes of answers
DRIPPING = "dripping"  # passes 4 KiB on, ten times a second
GONE = "gone"  # takes no connection


class Between:
    """A TCP proxy on loopback that misbehaves by order."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.how, self.after = upstream, FINE, 1 << 20
        self.connections = self.up = self.down = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.how = FINE
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream))
        except OSError:
            client.close()
            return
        for pump in ((client, server, False), (server, client, True)):
            threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, down: bool) -> None:
        passed = 0
        try:
            while (piece := source.recv(4096 if self.how == DRIPPING else 65536)) and self.how != GONE:
                while self.how == STALLING:
                    time.sleep(0.02)
                if self.how == DRIPPING:
                    time.sleep(0.1)
                if down and self.how == CUTTING and passed + len(piece) > self.after:
                    break
                target.sendall(piece)
                passed += len(piece)
                self.down, self.up = (self.down + len(piece), self.up) if down else (self.down, self.up + len(piece))
        except OSError:
            pass
        for end in (source, target):
            _close(end)


@contextmanager
def between(upstream: int) -> Iterator[Between]:
    """Stand before a port of this machine until the block ends."""
    proxy = Between(upstream)
    try:
        yield proxy
    finally:
        proxy.close()


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
