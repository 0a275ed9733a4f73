"""Shared counters: in this process by default, in Redis or Valkey by URL.  Used for throttling only."""

import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from service.base.errors import TooMany

_storage: Storage = MemoryStorage()
_own: Storage = MemoryStorage()  # counts while the shared one is away


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
    _storage, _own = storage, MemoryStorage()


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
    item = RateLimitItemPerMinute(amount)
    try:
        return _spend(_storage, item, key)
    except StorageError:
        return _spend(_own, item, key)


def _spend(storage: Storage, item: RateLimitItem, key: tuple[str, ...]) -> Minute:
    limiter = SlidingWindowCounterRateLimiter(storage)
    allowed = limiter.hit(item, *key)
    stats = limiter.get_window_stats(item, *key)
    return Minute(allowed, int(stats.remaining), max(1, min(item.get_expiry(), round(stats.reset_time - time.time()))))


def _wait(item: RateLimitItem) -> int:
    return item.get_expiry()
