"""The blob store: immutable objects by key, in a folder (`file://`) or a bucket (`s3://`), through one library."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, ObjectStore, from_url


class Away(Exception):
    """The store does not answer: a folder that is gone or closed, a bucket that cannot be reached."""


_store: ObjectStore | None = None
_root: Path | None = None


def connect(url: str) -> None:
    """Make `url` the blob store of this process; a folder is made when it is missing."""
    global _store, _root
    parts = urlsplit(url)
    if parts.scheme == "file":
        _root = Path(parts.path)
        _root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _store = LocalStore(_root)
        return
    _root, _store = None, from_url(url)


def store() -> ObjectStore:
    if _store is None:
        raise RuntimeError("blobs.connect(url) was not called")
    return _store


def put(key: str, file: Path) -> None:
    """Store a file under `key`; a key that exists keeps its bytes (keys name their content)."""
    try:
        with _answering():
            obstore.put(store(), key, file, mode="create")
    except AlreadyExistsError:
        return


def read(key: str) -> bytes:
    with _answering():
        return bytes(obstore.get(store(), key).bytes())


def read_range(key: str, start: int, length: int) -> bytes:
    with _answering():
        return bytes(obstore.get_range(store(), key, start=start, length=length))


def stream(key: str, start: int, length: int, chunk: int = 1 << 20) -> Iterator[bytes]:
    """Yield `length` bytes from `start` in chunks of at most `chunk`."""
    end = start + length
    while start < end:
        size = min(chunk, end - start)
        yield read_range(key, start, size)
        start += size


def size(key: str) -> int:
    with _answering():
        return int(obstore.head(store(), key)["size"])


def delete(key: str) -> None:
    obstore.delete(store(), key)


def keys() -> Iterator[str]:
    """Yield every key, in no order."""
    for page in obstore.list(store()):
        for entry in page:
            yield entry["path"]


def reach() -> None:
    """Raise when the store cannot be read: a folder that is gone, a bucket that does not answer."""
    if _root is not None and not _root.is_dir():
        raise FileNotFoundError(_root)
    next(keys(), None)


@contextmanager
def as_file(key: str) -> Iterator[Path]:
    """Give a path that holds the object's bytes: the object itself in a folder store, a copy for a bucket.

    Raises Away when the store does not answer.
    """
    if _root is not None:
        if not _open(_root) or (os.path.exists(_root / key) and not os.access(_root / key, os.R_OK)):
            raise Away(str(_root))
        yield _root / key
        return
    with TemporaryDirectory(prefix="qiantang-") as folder:
        path = Path(folder) / key.replace("/", "_")
        path.write_bytes(read(key))
        yield path


@contextmanager
def _answering() -> Iterator[None]:
    """Raise Away in place of what the library says of a store that is gone; a missing object stays what it is."""
    try:
        yield
    except (FileNotFoundError, NotFoundError) as fault:
        if _root is not None and not _open(_root):
            raise Away(str(_root)) from fault
        raise
    except (GenericError, PermissionDeniedError, UnauthenticatedError) as fault:
        raise Away(type(fault).__name__) from fault


def _open(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
