"""Putting what was built into the store, and saying what went wrong."""

import errno
from collections.abc import Iterable

from service.base import blobs
from service.base.blobs import Away
from service.base.db import Session
from service.grants import engine
from service.grants.engine import BuiltFile, Failed
from service.grants.rules import BadTransform
from service.grants.store import collecting


class Retaken(Exception):
    """Another worker has taken the work over."""


def keep(file: BuiltFile) -> None:
    """Store a file and read it back: what goes out must be what was measured."""
    blobs.put(file.key, file.path)
    with blobs.as_file(file.key) as kept:
        if engine.sha256(kept) != file.sha256:
            raise OSError(f"the store holds other bytes under {file.key}")


def demand_there(session: Session, keys: Iterable[str]) -> None:
    """Make sure that objects that are about to be named are in the store, and stay there; FileNotFoundError."""
    collecting.lock_objects(session)
    for key in keys:
        blobs.size(key)


def told(fault: Exception) -> str:
    """Return what may be told of a fault, as a word for those that people can do something about.

    disk, memory, time: there was not enough of it; silent: the child said nothing any more.  Texts of the engines
    repeat the values that they stumbled over, and are not told.
    """
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    if isinstance(fault, Failed):
        return str(fault)
    kind = type(fault).__name__
    return f"{kind}: {fault}" if isinstance(fault, BadTransform | OSError | Away) else kind
