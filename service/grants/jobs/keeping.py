"""Putting what was built into the store, and saying what went wrong."""

from service.base import blobs
from service.grants import engine
from service.grants.engine import BuiltFile
from service.grants.rules import BadRecipe


def keep(file: BuiltFile) -> None:
    """Store a file and read it back: what goes out must be what was measured."""
    blobs.put(file.key, file.path)
    with blobs.as_file(file.key) as kept:
        if engine.sha256(kept) != file.sha256:
            raise OSError(f"the store holds other bytes under {file.key}")


def told(fault: Exception) -> str:
    """Return what may be told of a fault: DuckDB and Arrow repeat the value that they stumbled over, ours do not."""
    kind = type(fault).__name__
    return f"{kind}: {fault}" if isinstance(fault, BadRecipe | OSError) else kind
