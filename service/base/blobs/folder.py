"""Objects in a folder, each a file under its key.

Written by ourselves: the library that speaks to buckets holds a whole object in memory to write it once only, and does
not wait for the disk.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from service.base.blobs.faults import Away, demand_key

INCOMING = ".incoming"  # objects that are being written; no key begins with a dot
LEFT_SECONDS = 12 * 3600  # after which a half object was left there by a process that was killed
MODE = 0o640
SMALL = 64 << 10  # bytes of a piece for a reader who is slow
GROWTH = 32  # a piece is at most this part of what was taken before it
QUICK_SECONDS, SLOW_SECONDS = 0.005, 0.05  # between two pieces: then the next is larger, or half as large


class Folder:
    """A folder as a store; made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tidy()

    def put(self, key: str, file: Path) -> None:
        """Write a draft beside the objects and link it to its key when the disk holds it: whole, or not at all."""
        target = self._path(key)
        with file.open("rb") as source, self._answering():
            if target.exists():
                return
            _make(target.parent, self.root)
            _make(self.root / INCOMING, self.root)
            number, draft = tempfile.mkstemp(dir=self.root / INCOMING)
            try:
                with open(number, "wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
                    out.flush()
                    os.fchmod(number, MODE)
                    os.fsync(number)
                _link(draft, target)
            finally:
                os.unlink(draft)

    def stream(self, key: str, start: int, length: int, chunk: int) -> Iterator[bytes]:
        with self._answering():
            opened = self._path(key).open("rb", buffering=0)
        return _Reading(opened, start, length, chunk)

    def size(self, key: str) -> int:
        with self._answering():
            return self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._answering():
            try:
                path.unlink()
            except FileNotFoundError:
                self.reach()
                return
            _sync(path.parent)

    def keys(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix.rstrip("/")) if prefix else self.root
        self.reach()
        with self._answering():
            for folder, below, files in os.walk(top, onerror=_raise_unless_missing):
                below[:] = [name for name in below if name != INCOMING]
                yield from (str((Path(folder) / name).relative_to(self.root)) for name in files)

    def reach(self) -> None:
        if not (self.root.is_dir() and os.access(self.root, os.R_OK | os.X_OK)):
            raise Away("closed")

    @contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        with self._answering():
            path.open("rb").close()
        yield path

    def forget(self, key: str) -> None:
        """Nothing is kept of a folder's objects."""

    def tidy(self) -> None:
        """Remove drafts that a killed process left behind."""
        oldest = time.time() - LEFT_SECONDS
        for draft in (self.root / INCOMING).glob("*"):
            try:
                if draft.stat().st_mtime < oldest:
                    draft.unlink()
            except FileNotFoundError:
                continue

    def _path(self, key: str) -> Path:
        return self.root / demand_key(key)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise Away for whatever the system says of a folder that is gone, closed, broken or full."""
        try:
            yield
        except FileNotFoundError:
            self.reach()
            raise
        except OSError as fault:
            raise _away(fault) from fault


class _Reading(Iterator[bytes]):
    """The bytes of an open file, as many as were asked for.

    Who comes back quickly gets larger pieces, up to `chunk`; a thousand slow readers hold a small one each.  Beginners
    are quick until the system's own buffers are full, so pieces grow with what has been taken.
    """

    def __init__(self, opened: FileIO, start: int, length: int, chunk: int) -> None:
        self._opened, self._length, self._left = opened, length, length
        self._largest, self._piece, self._gave = chunk, min(SMALL, chunk), time.monotonic()
        if os.fstat(opened.fileno()).st_size < start + length:
            opened.close()
            raise Away("short")
        opened.seek(start)

    def __next__(self) -> bytes:
        if not self._left:
            self.close()
            raise StopIteration
        try:
            piece = self._opened.read(min(self._pace(), self._left))
        except OSError as fault:
            raise _away(fault) from fault
        if not piece:
            raise Away("short")
        self._left -= len(piece)
        self._gave = time.monotonic()
        return piece

    def close(self) -> None:
        self._opened.close()

    def _pace(self) -> int:
        away = time.monotonic() - self._gave
        if away < QUICK_SECONDS:
            taken = self._length - self._left
            self._piece = min(max(self._piece, taken // GROWTH), self._largest)
        elif away > SLOW_SECONDS:
            self._piece = max(self._piece // 2, min(SMALL, self._largest))
        return self._piece


def _away(fault: OSError) -> Away:
    """Return what a fault is called; its own text would name the path."""
    return Away(os.strerror(fault.errno) if fault.errno else type(fault).__name__)


def _make(folder: Path, root: Path) -> None:
    """Make a folder below `root`, so that it outlives a crash of the machine."""
    if folder.is_dir():
        return
    if folder != root:
        _make(folder.parent, root)
    folder.mkdir(exist_ok=True, mode=0o750)
    _sync(folder.parent)


def _link(draft: str, target: Path) -> None:
    try:
        os.link(draft, target)
    except FileExistsError:
        return
    _sync(target.parent)


def _sync(folder: Path) -> None:
    """Let the disk hold a folder's entries."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _raise_unless_missing(fault: OSError) -> None:
    if not isinstance(fault, FileNotFoundError):
        raise fault
