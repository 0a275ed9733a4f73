"""Shared counters: in this process by default, in Redis or Valkey by URL.  Used for throttling only."""

import threading
import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from service.base.errors import TooMany

MANY = 10_000  # keys that a process counts before it forgets those of minutes past

_storage: Storage = MemoryStorage()


@dataclass(frozen=True, slots=True)
class Minute:
    """What one more use of a minute came to: was it allowed, how many are left, in how many seconds there are more."""

    allowed: bool
    left: int
    wait: int


def connect(url: str) -> None:
    """Use `memory://` or `redis://…` for the counters of this process."""
    global _storage, _own
    storage = storage_from_string(url, wrap_exceptions=True)
    if not isinstance(storage, Storage):
        raise ValueError("QIANTANG_CACHE_URL must name a synchronous storage")
    _storage, _own = storage, Minutes()


def check(limit: str, *key: str) -> None:
    """Raise TooMany when `key` has used up `limit` (for instance "10/minute"); does not count."""
    item = parse(limit)
    limiter = SlidingWindowCounterRateLimiter(_storage)
    if not limiter.test(item, *key):
        raise TooMany(retry_after=_wait(item))


def count(limit: str, *key: str) -> None:
    """Count one failure of `key` against `limit`."""
    SlidingWindowCounterRateLimiter(_storage).hit(parse(limit), *key)


def spend(amount: int, *key: str) -> Minute:
    """Use one of the `amount` that `key` has in a minute.

    While the shared storage is away this process counts by itself: a limit that is too wide for some minutes is better
    than none, and better than no data.
    """
    if isinstance(_storage, MemoryStorage):
        return _own.spend(amount, key)
    try:
        return _spend(_storage, RateLimitItemPerMinute(amount), key)
    except StorageError:
        return _own.spend(amount, key)


def _spend(storage: Storage, item: RateLimitItem, key: tuple[str, ...]) -> Minute:
    limiter = SlidingWindowCounterRateLimiter(storage)
    allowed = limiter.hit(item, *key)
    stats = limiter.get_window_stats(item, *key)
    return Minute(allowed, int(stats.remaining), max(1, min(item.get_expiry(), round(stats.reset_time - time.time()))))


class Minutes:
    """Counts of this process: what was used of each key's minute, and by its share of what was used of the one before.

    The library's own memory starts a thread at each hit, which takes longer than the rest of a page of rows.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], tuple[int, int, int]] = {}  # minute, uses in it, uses in the one before

    def spend(self, amount: int, key: tuple[str, ...]) -> Minute:
        now = time.monotonic()
        minute, gone = int(now // 60), now % 60
        with self._lock:
            used, before = self._used(key, minute)
            weighed = used + before * (60 - gone) / 60
            allowed = weighed + 1 <= amount
            if allowed:
                self._counts[key] = (minute, used + 1, before)
        return Minute(allowed, max(0, int(amount - weighed - allowed)), max(1, round(60 - gone)))

    def _used(self, key: tuple[str, ...], minute: int) -> tuple[int, int]:
        then, used, before = self._counts.get(key, (minute, 0, 0))
        if len(self._counts) > MANY:
            self._counts = {each: found for each, found in self._counts.items() if found[0] >= minute - 1}
        if then == minute:
            return used, before
        return 0, used if then == minute - 1 else 0


def _wait(item: RateLimitItem) -> int:
    return item.get_expiry()


_own = Minutes()  # what spends without a shared storage, and while it is away
