"""Alembic's entry: runs on the connection that `service.migrations` opened."""

from typing import Any, Literal

from alembic import context

from service.base import db
from service.migrations import compared

connection = context.config.attributes["connection"]


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our own column types by our names, so that a revision made on one engine is right on the other."""
    if kind == "type" and isinstance(item, db.UTCDateTime):
        autogen.imports.add("from service.base import db")
        return "db.UTCDateTime()"
    if kind == "type" and type(item).__name__ in ("JSON", "JSONB"):
        autogen.imports.add("from service.base import db")
        return "db.Document"
    if kind == "type" and type(item).__name__ == "AutoString":
        return f"sa.String({item.length or ''})"
    return False


context.configure(
    connection=connection, target_metadata=db.metadata, render_as_batch=True, compare_type=True,
    render_item=render_item, include_name=compared,
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
