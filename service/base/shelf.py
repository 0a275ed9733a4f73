"""Answers kept in this process while what they show stays the same; the caller's key says what that is."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

LARGEST = 8  # a single entry may take this part of the shelf at most


T = TypeVar("T")


class Shelf(Generic[T]):
    """Up to `room` bytes, the least recently asked for leave first.  Safe between threads."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._filled = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if (found := self._kept.get(key)) is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, kept: T, size: int) -> None:
        """Keep something of so many bytes under `key`; what is too large is not kept."""
        if size * LARGEST > self.room:
            return
        with self._lock:
            if (before := self._kept.pop(key, None)) is not None:
                self._filled -= before[1]
            self._kept[key] = (kept, size)
            self._filled += size
            while self._filled > self.room:
                _key, (_left, freed) = self._kept.popitem(last=False)
                self._filled -= freed
