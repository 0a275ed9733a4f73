"""The blob store: immutable objects by key, in a folder (`file://`) or a bucket (`s3://`), which behave alike.

A key that exists keeps its bytes, and an object is there whole or not at all.  What is not there is FileNotFoundError;
a store that does not answer, breaks off or is full is Away, within seconds.  Keys are relative paths of our own making.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from service.base.blobs.bucket import Bucket
from service.base.blobs.copies import Copies, temporary
from service.base.blobs.faults import Away, BadAddress
from service.base.blobs.folder import Folder

__all__ = [
    "Away", "BadAddress", "as_file", "connect", "delete", "folder", "forget", "keys", "put", "reach", "read",
    "read_range", "size", "store", "stream", "tidy",
]  # fmt: skip

CHUNK = 1 << 20


class Store(Protocol):
    """What a folder and a bucket both do."""

    def put(self, key: str, file: Path) -> None: ...
    def stream(self, key: str, start: int, length: int, chunk: int) -> Iterator[bytes]: ...
    def size(self, key: str) -> int: ...
    def delete(self, key: str) -> None: ...
    def keys(self, prefix: str) -> Iterator[str]: ...
    def reach(self) -> None: ...
    def as_file(self, key: str) -> AbstractContextManager[Path]: ...
    def forget(self, key: str) -> None: ...
    def tidy(self) -> None: ...


_store: Store | None = None
_root: Path | None = None


def connect(url: str, copies: Path | None = None) -> None:
    """Make `url` the blob store of this process; a folder is made when it is missing, a bucket is not asked yet.

    `copies` is the folder where a bucket's objects are kept for reading, by default one among the system's temporary
    files.  Raises BadAddress, whose text may be shown, or OSError.
    """
    global _store, _root
    scheme = urlsplit(url).scheme
    if scheme == "file":
        place = Folder(Path(urlsplit(url).path))
        _store, _root = place, place.root
    elif scheme == "s3":
        _store, _root = Bucket.at(url, Copies(copies or temporary())), None
    else:
        raise BadAddress("file:///… or s3://…")


def store() -> Store:
    if _store is None:
        raise RuntimeError("blobs.connect(url) was not called")
    return _store


def folder() -> Path | None:
    """Return the folder that holds the objects under their keys; None for a bucket."""
    return _root


def put(key: str, file: Path) -> None:
    """Store a file under `key`; a key that exists keeps its bytes (keys name their content)."""
    store().put(key, file)


def read(key: str) -> bytes:
    """Return a whole object: for small ones."""
    return read_range(key, 0, size(key))


def read_range(key: str, start: int, length: int) -> bytes:
    """Return exactly `length` bytes from `start`; Away when the store gives fewer."""
    return b"".join(store().stream(key, start, length, CHUNK))


def stream(key: str, start: int, length: int, chunk: int = CHUNK) -> Iterator[bytes]:
    """Return an iterator over exactly `length` bytes from `start`, in pieces of about `chunk` bytes or less.

    One request is open for all of them.  It is opened by this call, so that a store that is away is told before an
    answer begins; Away in the middle means that the bytes so far are no whole.
    """
    return store().stream(key, start, length, chunk)


def size(key: str) -> int:
    """Return an object's size in bytes."""
    return store().size(key)


def delete(key: str) -> None:
    """Delete an object and what is kept of it here; nothing happens when it is not there."""
    store().delete(key)


def forget(key: str) -> None:
    """Drop this machine's copy of an object of a bucket, as when another replica deleted it."""
    store().forget(key)


def keys(prefix: str = "") -> Iterator[str]:
    """Yield every key below the folder `prefix`, in no order."""
    return store().keys(prefix)


def reach() -> None:
    """Raise when the store cannot be read: a folder that is gone, a bucket that does not answer."""
    store().reach()


def as_file(key: str) -> AbstractContextManager[Path]:
    """Give a path that holds the object's bytes while the block runs: the object itself, or a copy for a bucket.

    Nobody writes there.  Raises Away when the store does not answer.
    """
    return store().as_file(key)


def tidy() -> None:
    """Drop copies that are old or one too many, and what killed processes left behind."""
    store().tidy()
