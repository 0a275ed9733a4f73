"""Objects in a bucket of an S3 server.

Every request ends within seconds when the server does not answer.  Credentials come from AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, or from the machine's role, as the library finds them; no address holds them.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from service.base.blobs.copies import Copies
from service.base.blobs.faults import Away, BadAddress, demand_key

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CONNECT = timedelta(seconds=2)
SILENT = timedelta(seconds=5)  # the longest that a server may say nothing
UPLOAD = timedelta(seconds=20)  # for one part of an upload
WHOLE = timedelta(days=1)  # for an object that somebody reads slowly
RETRIES: "RetryConfig" = {"max_retries": 2, "retry_timeout": SILENT}
ONE_PUT = 8 << 20  # bytes above which an object goes up in parts of this size
PARTS_AT_ONCE = 4
GRACE = 10.0  # seconds that a reading may wait for the next WINDOW bytes, its reader's own pauses apart
WINDOW = 1 << 20
CUT = 1.0  # seconds within which a reading broke off by being cut, and not by silence
RESUMED = 8 << 20  # bytes that must have come before a reading that broke off is taken up once more
SHUT_SECONDS = 2.0  # for which a server that was silent is not asked again
SLOW_SECONDS = 3.0  # after which a failed request counts as silence
CHECKED_SECONDS = 60.0  # for which a copy is believed without asking whether its object is still there
KNOWN = {"endpoint", "region", "style", "ca"}
FORM = "s3://bucket/prefix?endpoint=https://…&region=…&style=path|virtual&ca=/path.pem"


class Bucket:
    """A bucket, or the part of one below a prefix, as a store."""

    def __init__(self, bucket: str, prefix: str, given: dict[str, str], copies: Copies) -> None:
        self._copies, self._name = copies, f"{given.get('endpoint', '')} {bucket} {prefix}"
        self._checked: dict[str, float] = {}
        self._fuse = _Fuse()
        client = partial(_client, bucket, prefix, given)
        self._quick, self._reading = client(SILENT, SILENT * 2), client(SILENT, WHOLE)
        self._writing = client(UPLOAD, UPLOAD)

    @classmethod
    def at(cls, url: str, copies: Copies) -> "Bucket":
        """Make a bucket of its address; BadAddress says what is wrong with it."""
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise BadAddress("credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        given = dict(parse_qsl(parts.query))
        if not parts.hostname or set(given) - KNOWN or given.get("style", "path") not in ("path", "virtual"):
            raise BadAddress(FORM)
        if urlsplit(given.get("endpoint", "https://")).scheme not in ("http", "https"):
            raise BadAddress(FORM)
        return cls(parts.netloc, parts.path.strip("/"), given, copies)

    def put(self, key: str, file: Path) -> None:
        """Store an object: a small one on the condition that there is none, a larger one in parts.

        The library knows no condition for parts.  Two that write one key at once write the same bytes: keys name them.
        """
        demand_key(key)
        size = file.stat().st_size
        with file.open("rb") as source:
            if size <= ONE_PUT:
                self._put_once(key, source.read())
                return
            if self._there(key):
                return
            with _answering():
                obstore.put(
                    self._writing, key, source, use_multipart=True, chunk_size=ONE_PUT, max_concurrency=PARTS_AT_ONCE
                )
        if self.size(key) != size:
            raise Away("short")

    def stream(self, key: str, start: int, length: int, chunk: int) -> Iterator[bytes]:
        demand_key(key)
        reading = _Reading(self, key, start, length, chunk)
        if length:
            reading.open()
        return reading

    def open(self, key: str, start: int, end: int, chunk: int) -> Iterator[bytes]:
        """Ask for the bytes from `start` to `end`; Away when the server has other ones for us."""
        with self._asking():
            found = obstore.get(self._reading, key, options={"range": (start, end)})
        if found.range != (start, end):
            raise Away("short")
        return iter(found.stream(min_chunk_size=min(chunk, 64 << 10)))

    def size(self, key: str) -> int:
        with self._asking():
            return int(obstore.head(self._quick, demand_key(key))["size"])

    def delete(self, key: str) -> None:
        try:
            with self._asking():
                obstore.delete(self._quick, demand_key(key))
        except FileNotFoundError:
            pass
        self.forget(key)

    def keys(self, prefix: str) -> Iterator[str]:
        top = demand_key(prefix.rstrip("/")) if prefix else None
        with _answering():
            for page in obstore.list(self._quick, prefix=top):
                yield from (entry["path"] for entry in page)

    def reach(self) -> None:
        with self._fuse.guarding():
            next(self.keys(""), None)

    @contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        name = self._copy(demand_key(key))
        if self._copies.has(name):
            self._check(key)
        with self._copies.held(name, lambda path: self._fetch(key, path), lambda: self.size(key)) as path:
            yield path

    def forget(self, key: str) -> None:
        self._checked.pop(key, None)
        self._copies.forget(self._copy(key))

    def tidy(self) -> None:
        self._copies.tidy()

    def _copy(self, key: str) -> str:
        return f"{self._name}\n{key}"

    def _fetch(self, key: str, path: Path) -> None:
        size = self.size(key)
        with open(path, "wb", opener=_private) as out:
            for piece in self.stream(key, 0, size, ONE_PUT):
                out.write(piece)
        self._seen(key)

    def _check(self, key: str) -> None:
        """Drop the copy of an object that another replica deleted.  A server that is away leaves us the copy."""
        if time.monotonic() - self._checked.get(key, -CHECKED_SECONDS) < CHECKED_SECONDS:
            return
        self._seen(key)
        try:
            self.size(key)
        except FileNotFoundError:
            self.forget(key)
            raise
        except Away:
            return

    def _seen(self, key: str) -> None:
        if len(self._checked) > 10_000:
            self._checked.clear()
        self._checked[key] = time.monotonic()

    def _put_once(self, key: str, content: bytes) -> None:
        try:
            with _answering():
                obstore.put(self._writing, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return

    def _there(self, key: str) -> bool:
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raise Away for a store that does not answer; an object is missing only where its bucket is there."""
        try:
            with self._fuse.guarding(), _answering():
                yield
        except FileNotFoundError:
            self.reach()
            raise


class _Fuse:
    """Keeps the service's threads from waiting one after the other for a server that says nothing.

    After a silence nobody asks for SHUT_SECONDS; then one asks, and the others when it was answered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent, self._shut_until = False, 0.0

    @contextmanager
    def guarding(self) -> Iterator[None]:
        began = time.monotonic()
        with self._lock:
            if began < self._shut_until:
                raise Away("silent")
            if self._silent:
                self._shut_until = began + SILENT.total_seconds()
        try:
            yield
        except Away:
            self._failed(began)
            raise
        except FileNotFoundError:
            self._answered()
            raise
        self._answered()

    def _failed(self, began: float) -> None:
        now = time.monotonic()
        with self._lock:
            if self._silent or now - began > SLOW_SECONDS:
                self._silent, self._shut_until = True, now + SHUT_SECONDS

    def _answered(self) -> None:
        with self._lock:
            self._silent, self._shut_until = False, 0.0


class _Reading(Iterator[bytes]):
    """The bytes of one request; taken up again where it broke off, when enough had come."""

    def __init__(self, bucket: Bucket, key: str, start: int, length: int, chunk: int) -> None:
        self._bucket, self._key, self._chunk = bucket, key, chunk
        self._at, self._end = start, start + length
        self._came = 0  # bytes since the request that is open
        self._window, self._waited = 0, 0.0
        self._pieces: Iterator[bytes] = iter(())

    def open(self) -> None:
        self._came = 0
        self._pieces = self._bucket.open(self._key, self._at, self._end, self._chunk)

    def __next__(self) -> bytes:
        if self._at == self._end:
            self.close()
            raise StopIteration
        piece = self._next()
        if len(piece) > self._end - self._at:
            raise Away("long")
        self._at += len(piece)
        self._came += len(piece)
        return piece

    def close(self) -> None:
        """Give the connection back."""
        self._pieces = iter(())

    def _next(self) -> bytes:
        began = time.monotonic()
        try:
            with _answering():
                piece = next(self._pieces, b"")
            if not piece:
                raise Away("short")
        except Away:
            if self._came < RESUMED or time.monotonic() - began > CUT:
                raise
            self.open()
            return self._next()
        self._waited += time.monotonic() - began
        self._window += len(piece)
        if self._waited > GRACE:
            raise Away("slow")
        if self._window >= WINDOW:
            self._window, self._waited = 0, 0.0
        return piece


@contextmanager
def _answering() -> Iterator[None]:
    """Raise Away in place of what the library says; its text names addresses.  Two of its faults stay as they are."""
    try:
        yield
    except (FileNotFoundError, AlreadyExistsError):
        raise
    except (BaseError, OSError) as fault:
        raise Away(type(fault).__name__) from None


def _client(bucket: str, prefix: str, given: dict[str, str], silent: timedelta, whole: timedelta) -> S3Store:
    """Return a client that waits `silent` for the next byte and `whole` for a request."""
    options: ClientConfig = {"read_timeout": silent, "timeout": whole, "connect_timeout": CONNECT}
    endpoint = given.get("endpoint")
    if endpoint and urlsplit(endpoint).scheme == "http":
        options["allow_http"] = True
    if "ca" in given:
        options["root_certificate"] = Path(given["ca"]).read_bytes()
    config: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    if "region" in given:
        config["region"] = given["region"]
    return S3Store(
        bucket, prefix=prefix or None, client_options=options, retry_config=RETRIES, disable_bulk_delete=True,
        virtual_hosted_style_request=given.get("style") == "virtual", **config,
    )  # fmt: skip


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
