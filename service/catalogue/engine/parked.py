"""The files of uploads on this machine's disk: written piece by piece, each on the disk before it counts.

A file may be longer than what counts of it: a worker died while it wrote.  Whoever writes next cuts that off first.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from service.catalogue.rules.uploads import ChecksumMismatch, DiskFull, TooLong, UploadGone, UploadLocked

FOLDER = "uploads"
PIECE = 1 << 20  # bytes that are read at a time
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
RETRY = 600  # seconds until somebody has made room


@dataclass(frozen=True, slots=True)
class Taken:
    """How many bytes of a piece were kept, and whether its sender left before the end of it."""

    size: int
    cut: bool


def folder(home: Path) -> Path:
    """Return the folder of uploads, made when it is missing and for its owner alone."""
    found = home / FOLDER
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def path(home: Path, run_id: str, name: str) -> Path:
    """Return where an upload lies: under its id, with the ending of the name that it was sent with."""
    return folder(home) / (run_id + Path(name).suffix.lower())


def make(file: Path, size: int) -> None:
    """Make the empty file of an upload that is to have `size` bytes; DiskFull where there is no room for it."""
    if shutil.disk_usage(file.parent).free < size:
        raise DiskFull(retry_after=RETRY)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _settle_folder(file.parent)
    except OSError as fault:
        raise _told(fault) from None


@contextmanager
def held(file: Path) -> Iterator[IO[bytes]]:
    """Give the file of an upload to one writer at a time, of whichever process; UploadLocked, UploadGone."""
    try:
        opened = file.open("r+b", buffering=0)
    except FileNotFoundError:
        raise UploadGone(state="gone") from None
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UploadLocked(retry_after=1) from None
        if not os.fstat(opened.fileno()).st_nlink:
            raise UploadGone(state="gone")
        yield opened


def append(
    file: IO[bytes], source: IO[bytes], *, at: int, most: int, checksum: tuple[str, bytes] | None = None
) -> Taken:
    """Write what `source` gives behind the first `at` bytes and return how much it was, once it is on the disk.

    All or nothing: TooLong beyond `most` bytes, ChecksumMismatch, DiskFull; the file has `at` bytes again then.  Where
    the sender leaves in the middle, what arrived is kept unless there is a checksum that it cannot be held against.
    """
    if os.fstat(file.fileno()).st_size < at:
        raise UploadGone(state="gone")
    try:
        file.truncate(at)
        file.seek(at)
        taken = _write(file, source, at, most, checksum)
        os.fsync(file.fileno())
    except BaseException as fault:
        file.truncate(at)
        raise _told(fault) from None
    return taken


def _write(file: IO[bytes], source: IO[bytes], at: int, most: int, checksum: tuple[str, bytes] | None) -> Taken:
    digest = hashlib.new(checksum[0]) if checksum else None
    read = getattr(source, "read1", source.read)  # what is here: a whole piece would be lost with the rest of it
    size, cut = 0, False
    while not cut:
        try:
            piece = read(PIECE)
        except ConnectionError:
            piece, cut = b"", True
        if not piece:
            break
        size += len(piece)
        if size > most:
            raise TooLong(most=at + most)
        if digest:
            digest.update(piece)
        _put(file, piece)
    if digest and checksum and digest.digest() != checksum[1]:
        if not cut:
            raise ChecksumMismatch(offset=at)
        file.truncate(at)
        return Taken(0, cut=True)
    return Taken(size, cut)


def _put(file: IO[bytes], piece: bytes) -> None:
    """Write all of a piece: the system may take a part of it, the last part when the disk is full."""
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]


def remove(file: Path) -> None:
    """Delete the file of an upload; one that is gone already is gone."""
    file.unlink(missing_ok=True)


def strays(home: Path, *, before: float) -> Iterable[tuple[str, Path]]:
    """Yield the id and the file of each upload here whose file was last written before the time `before`."""
    for file in folder(home).iterdir():
        if file.stat().st_mtime < before:
            yield file.stem, file


def _settle_folder(found: Path) -> None:
    entry = os.open(found, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def _told(fault: BaseException) -> BaseException:
    return DiskFull(retry_after=RETRY) if isinstance(fault, OSError) and fault.errno in NO_ROOM else fault
