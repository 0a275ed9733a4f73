"""Rows of notices: what waits to be told, what was told, and who has read it."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Outbox(SQLModel, table=True):
    """Something to tell, written in the transaction of the act that it tells of, delivered later.

    The three `to_` narrow each other: a unit and a role together mean the persons of that unit in that role.
    `facts` may hold names; nothing of it goes into the audit log.
    """

    id: str = Field(primary_key=True, max_length=32)
    kind: str = Field(max_length=40)
    to_unit: str | None = Field(default=None, max_length=64)
    to_role: str | None = Field(default=None, max_length=20)
    to_person: str | None = Field(default=None, max_length=64)
    facts: dict[str, Any] = Field(sa_type=Document)
    key: str | None = Field(default=None, unique=True, max_length=160, description="same key, same notice: told once")
    created_at: datetime = Field(sa_type=UTCDateTime)
    tries: int = Field(default=0)
    due_at: datetime = Field(sa_type=UTCDateTime, index=True, description="when the next try may start")
    delivered_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failed_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    fault: str | None = Field(default=None, max_length=200, description="why the last try failed; no personal data")


class Notice(SQLModel, table=True):
    """A notice in the app.  Its text is made when it is read, in the reader's language."""

    id: str = Field(primary_key=True, max_length=32)
    outbox_id: str = Field(unique=True, max_length=32)
    kind: str = Field(max_length=40)
    unit_id: str | None = Field(default=None, index=True, max_length=64)
    role: str | None = Field(default=None, index=True, max_length=20)
    person_id: str | None = Field(default=None, index=True, max_length=64)
    facts: dict[str, Any] = Field(sa_type=Document)
    at: datetime = Field(sa_type=UTCDateTime)


class NoticeRead(SQLModel, table=True):
    """That one person has read one notice; a notice to a unit is read by each of its persons on their own."""

    notice_id: str = Field(primary_key=True, max_length=32)
    person_id: str = Field(primary_key=True, max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)
