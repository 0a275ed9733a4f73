"""Shared counters: in this process by default, in Redis or Valkey by URL.  Used for throttling only."""

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from service.base.errors import TooMany

_storage: Storage = MemoryStorage()


def connect(url: str) -> None:
    """Use `memory://` or `redis://…` for the counters of this process."""
    global _storage
    storage = storage_from_string(url)
    if not isinstance(storage, Storage):
        raise ValueError("QIANTANG_CACHE_URL must name a synchronous storage")
    _storage = storage


def check(limit: str, *key: str) -> None:
    """Raise TooMany when `key` has used up `limit` (for instance "10/minute"); does not count."""
    item = parse(limit)
    limiter = SlidingWindowCounterRateLimiter(_storage)
    if not limiter.test(item, *key):
        raise TooMany(retry_after=_wait(item))


def count(limit: str, *key: str) -> None:
    """Count one failure of `key` against `limit`."""
    SlidingWindowCounterRateLimiter(_storage).hit(parse(limit), *key)


def _wait(item: RateLimitItem) -> int:
    return item.get_expiry()
