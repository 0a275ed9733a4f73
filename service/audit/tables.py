"""Rows of the log.  Events, leaves, tiles and heads are only ever added: triggers refuse everything else."""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, LargeBinary, UniqueConstraint, event
from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Event(SQLModel, table=True):
    """One act.  `version` is the case's own, so that a missing event leaves a gap."""

    __table_args__ = (UniqueConstraint("subject", "version"),)

    id: str = Field(primary_key=True, max_length=26)
    subject: str = Field(max_length=128)
    version: int
    kind: str = Field(max_length=40)
    by: str = Field(max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)
    facts: dict[str, Any] = Field(sa_type=Document)
    salt: bytes = Field(sa_type=LargeBinary)
    commitment: bytes = Field(sa_type=LargeBinary)


class Unsealed(SQLModel, table=True):
    """An event waiting for its place in the tree: written with it, removed by the sealer.

    A queue of its own, so that the sealer need not search the whole log each second, and so that an event which did
    not come through `record` shows: it is neither sealed nor waiting.
    """

    event_id: str = Field(primary_key=True, max_length=26)
    at: datetime = Field(sa_type=UTCDateTime)


class Leaf(SQLModel, table=True):
    """The place of one event in the tree; positions are dense from 0."""

    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: str = Field(unique=True, max_length=26)
    hash: bytes = Field(sa_type=LargeBinary)


class Tile(SQLModel, table=True):
    """The hash of a complete subtree of 2**level leaves, level 8, 16, 24: what keeps a proof's reading short."""

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    hash: bytes = Field(sa_type=LargeBinary)


class TreeHead(SQLModel, table=True):
    """A signed root.  `edge` is the right edge of the tree, so that the next leaf needs no rehashing."""

    size: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: str = Field(max_length=64)
    edge: list[str] = Field(sa_type=Document)
    signed_at: datetime = Field(sa_type=UTCDateTime)
    key: str = Field(max_length=64)
    signature: str = Field(max_length=128)


APPEND_ONLY = ("event", "leaf", "tile", "treehead")
REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is only ever added to';
END $$
"""


def refusals(table: str, dialect: str) -> tuple[str, ...]:
    """Return the statements that make `table` refuse change and removal; a migration runs the same ones."""
    if dialect == "postgresql":
        refuse = "EXECUTE FUNCTION refuse_change()"
        return (
            REFUSE_FUNCTION,
            f'CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON "{table}" FOR EACH ROW {refuse}',
            f'CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT {refuse}',
        )
    refuse = "BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END"
    return (
        f'CREATE TRIGGER {table}_keep BEFORE UPDATE ON "{table}" {refuse}',
        f'CREATE TRIGGER {table}_keep_all BEFORE DELETE ON "{table}" {refuse}',
    )


def _refuse_changes(table: str) -> None:
    for dialect in ("sqlite", "postgresql"):
        for statement in refusals(table, dialect):
            ddl = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(SQLModel.metadata.tables[table], "after_create", ddl.execute_if(dialect=dialect))


for _name in APPEND_ONLY:
    _refuse_changes(_name)
