"""Passwords, by argon2id.

One hash takes about 25 ms and 19 MiB; two at a time keep a flood of logins from becoming a flood of memory, and leave
the other threads a core.
"""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.base.errors import Unavailable

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16)
_slots = threading.BoundedSemaphore(2)
PATIENCE = 5.0  # seconds that a login waits for a slot before it is asked to come again

# Compared with when a login is unknown, so that the answer takes as long as for a known one.
_nobody = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the hash to store; Unavailable when too many are being made."""
    with _slot():
        return _hasher.hash(_fold(password))


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` fits the stored hash; with None, False after the same time."""
    with _slot():
        try:
            return _hasher.verify(stored or _nobody, _fold(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _fold(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=PATIENCE):
        raise Unavailable(retry_after=5)
    try:
        yield
    finally:
        _slots.release()
