"""Copies of a bucket's objects on this machine, for what can read files only; shared by all its processes.

A copy is there whole or not at all, is held while somebody reads it, and goes after 12 hours, when room is needed, or
when its object was deleted.
"""

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from service.base.blobs.faults import Away

KEPT_BYTES = 8 << 30  # all copies together; what is being read stays beyond it
KEPT_SECONDS = 12 * 3600  # by the machine's clock, as files are dated by it
TIDY_SECONDS = 600  # between two looks at what has grown old
TURN_SECONDS = 20.0  # for which a reader waits for another one's download
TURNS = 64  # downloads that can run side by side
PART = ".part"  # a copy that is being written


def temporary() -> Path:
    """Return a folder for copies among the temporary files, for this user alone; Away when another user has it."""
    folder = Path(tempfile.gettempdir()) / f"qiantang-copies-{os.geteuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Away("the folder for copies belongs to others")
    return folder


class Copies:
    """A folder of copies, named by what they are copies of."""

    def __init__(self, folder: Path, limit: int = KEPT_BYTES) -> None:
        self.folder, self.limit = folder, limit
        self._tidied = 0.0

    @contextmanager
    def held(self, name: str, fetch: Callable[[Path], None], size: Callable[[], int]) -> Iterator[Path]:
        """Give the path of the copy of `name`, which nobody removes meanwhile; `fetch` writes it when there is none.

        `size` tells its bytes before.
        """
        self._tidy_sometimes()
        path = self._path(name)
        held = self._hold(path)
        if held is None:
            held = self._fetched(name, path, fetch, size)
        try:
            os.utime(held, (time.time(), os.fstat(held).st_mtime))  # read now, born when it was
            yield path
        finally:
            os.close(held)

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def forget(self, name: str) -> None:
        """Remove the copy of `name`; one that is being written is waited for."""
        path = self._path(name)
        if self.folder.is_dir():
            with self._turn(name):
                path.unlink(missing_ok=True)

    def tidy(self, room: int = 0) -> None:
        """Remove what is old, and the longest unread until `room` more bytes fit."""
        self._tidied = time.monotonic()
        oldest, kept = time.time() - KEPT_SECONDS, []
        for path in self.folder.glob("objects/*/*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if found.st_mtime < oldest:
                _remove(path, even_held=True)
            elif path.suffix != PART:
                kept.append((found.st_atime, found.st_size, path))
        total = sum(size for _read, size, _path in kept) + room
        for _read, size, path in sorted(kept):
            if total <= self.limit:
                break
            total -= size if _remove(path) else 0

    def _fetched(self, name: str, path: Path, fetch: Callable[[Path], None], size: Callable[[], int]) -> int:
        """Write a copy, unless another process has done so meanwhile, and hold it."""
        with self._turn(name):
            held = self._hold(path)
            while held is None:
                self.tidy(size())
                self._write(path, fetch)
                held = self._hold(path)
            return held

    def _write(self, path: Path, fetch: Callable[[Path], None]) -> None:
        part = path.with_name(path.name + PART)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            try:
                fetch(part)
            except OSError as fault:
                if fault.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                self.tidy(self.limit)  # whatever nobody reads
                fetch(part)
            part.replace(path)
        except OSError as fault:
            if isinstance(fault, FileNotFoundError):
                raise
            raise Away(os.strerror(fault.errno or errno.EIO)) from fault
        finally:
            part.unlink(missing_ok=True)

    def _hold(self, path: Path) -> int | None:
        """Open a copy and hold it against removal; None when there is none, or an old one."""
        try:
            opened = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        fcntl.flock(opened, fcntl.LOCK_SH)
        found = os.fstat(opened)
        if found.st_nlink and found.st_mtime >= time.time() - KEPT_SECONDS:
            return opened
        os.close(opened)
        path.unlink(missing_ok=True)
        return None

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Let one at a time fetch or forget a name, in this process or another."""
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (locks / str(int(_digest(name)[:8], 16) % TURNS)).open("a") as lock:
            deadline = time.monotonic() + TURN_SECONDS
            while not _locked(lock.fileno()):
                if time.monotonic() > deadline:
                    raise Away("another process is at it")
                time.sleep(0.02)
            yield

    def _tidy_sometimes(self) -> None:
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self.tidy()

    def _path(self, name: str) -> Path:
        digest = _digest(name)
        return self.folder / "objects" / digest[:2] / (digest + PurePosixPath(name).suffix)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _remove(path: Path, *, even_held: bool = False) -> bool:
    """Remove a copy unless somebody reads it; who reads an old one has it open by now or comes again."""
    try:
        with path.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        if not even_held:
            return False
        path.unlink(missing_ok=True)
    return True
