"""How far the statement is that runs now in this process: the child that makes views runs one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Watched:
    """What runs now: a connection that can be asked, or a share that is told."""

    connection: "DuckDBPyConnection | None" = None
    told: float = 0.0


@contextmanager
def watched(connection: "DuckDBPyConnection") -> Iterator[None]:
    Watched.connection = connection
    try:
        yield
    finally:
        Watched.connection = None


def share() -> float:
    """Return how much of the statement is done, from 0 to 1; 0 where nobody can say."""
    if (connection := Watched.connection) is None:
        return Watched.told
    try:
        return max(0.0, min(1.0, connection.query_progress() / 100))
    except Exception:
        return 0.0  # it was closed just now
