"""What goes wrong with a store, and with its address."""

from pathlib import PurePosixPath


class Away(Exception):
    """The store does not answer, breaks off or is full.  The text names no secret and no address."""


class BadAddress(ValueError):
    """A store's URL that cannot be used.  The text says why, never the URL: it may hold a secret."""


def demand_key(key: str) -> str:
    """Return `key`, which must be a plain relative path; ValueError otherwise."""
    parts = PurePosixPath(key).parts
    if not parts or "/".join(parts) != key or any(part.startswith(".") for part in parts) or "\0" in key:
        raise ValueError("no key of an object")
    return key
