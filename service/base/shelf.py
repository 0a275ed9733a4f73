"""Answers kept in this process while what they show stays the same; the caller's key says what that is."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

LARGEST = 8  # a single entry may take this part of the shelf at most


class Shelf:
    """Up to `room` bytes, the least recently asked for leave first.  Safe between threads."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._filled = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> bytes | None:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep `body` under `key`; one that is too large is not kept."""
        if len(body) * LARGEST > self.room:
            return
        with self._lock:
            self._filled -= len(self._kept.pop(key, b""))
            self._kept[key] = body
            self._filled += len(body)
            while self._filled > self.room:
                _key, left = self._kept.popitem(last=False)
                self._filled -= len(left)
