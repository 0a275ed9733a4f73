"""Rows of grants: leave to read, its suspensions, its handing back, the bytes made for it, the reminders sent."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Grant(SQLModel, table=True):
    """Leave for one unit to read one version of one dataset, from `starts_at` up to but not including `ends_at`.

    There is no `active` column: a grant is live by the clock and by the absence of a Handback and an open Suspension.
    `version` counts what happened to it and orders its audit events; `epoch` counts changes of what it opens.
    """

    __table_args__ = (UniqueConstraint("application_id", "dataset_id"),)

    id: str = Field(primary_key=True, max_length=32)
    unit_id: str = Field(index=True, max_length=64)
    dataset_id: str = Field(index=True, max_length=64)
    application_id: str = Field(max_length=32, description="the application that won it")
    columns: list[str] = Field(sa_type=Document, description="in the order of the view")
    semantics: dict[str, str | None] = Field(sa_type=Document, description="what each column was judged as")
    row_filter: dict[str, Any] = Field(sa_type=Document, description='{"from", "to", "areas"}, each optional')
    transforms: list[dict[str, Any]] = Field(sa_type=Document)
    delivery: list[str] = Field(sa_type=Document, description="download, api")
    purpose: str = Field(max_length=64)
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime, index=True)
    dataset_version: int
    rests_on: dict[str, Any] = Field(sa_type=Document, description='{"screening", "lists", "agreement"}')
    epoch: int = Field(default=1)
    version: int = Field(default=1)
    created_at: datetime = Field(sa_type=UTCDateTime)


class GrantTask(SQLModel, table=True):
    """Something that a grant's conditions ask of its unit by a day, enforced by people: a report, a proof, a check.

    Due at the end of the Beijing day `due_on`.
    """

    __tablename__ = "grant_task"

    id: str = Field(primary_key=True, max_length=32)
    grant_id: str = Field(index=True, max_length=32)
    kind: str = Field(max_length=40, description="of the obligation")
    obligation: dict[str, Any] = Field(sa_type=Document)
    due_on: date = Field(index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)


class Suspension(SQLModel, table=True):
    """An interim stop of a grant; open until it is lifted.  A second officer confirms it within a working day.

    `flagged_at`: when the authority was told that the confirmation is overdue; nothing else follows from it.
    """

    __table_args__ = (
        Index(
            "uq_suspension_open", "grant_id", unique=True,
            sqlite_where=text("lifted_at IS NULL"), postgresql_where=text("lifted_at IS NULL"),
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True, max_length=32)
    grant_id: str = Field(index=True, max_length=32)
    cause: str = Field(max_length=500)
    by: str = Field(max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)
    confirmed_by: str | None = Field(default=None, max_length=64)
    confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    lifted_by: str | None = Field(default=None, max_length=64)
    lifted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    lift_reason: str | None = Field(default=None, max_length=500)
    flagged_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Handback(SQLModel, table=True):
    """That the unit gave a grant back before its end: from `at` on nothing is read under it.  It is never undone."""

    grant_id: str = Field(primary_key=True, max_length=32)
    by: str = Field(max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)
    reason: str | None = Field(default=None, max_length=500)


class ReleasedView(SQLModel, table=True):
    """The bytes of one recipe on one dataset version: made once, measured, never changed.

    `grant_id` None is the standing public view.  `subject` is "grant:<id>" or "public:<dataset>".  A row in state
    `building` is a claim: the worker that set `claimed_at` may settle it, unless the claim grew old and was retaken.
    Of the public views that are ready, the one with the latest `serves_from` serves.
    """

    __table_args__ = (UniqueConstraint("subject", "dataset_version", "epoch", "recipe_digest"),)

    id: str = Field(primary_key=True, max_length=32)
    subject: str = Field(max_length=100)
    grant_id: str | None = Field(default=None, index=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    dataset_version: int
    epoch: int = Field(default=1)
    recipe: dict[str, Any] = Field(sa_type=Document)
    recipe_digest: str = Field(max_length=64)
    state: str = Field(max_length=16, description="building, ready or quarantined")
    claimed_at: datetime = Field(sa_type=UTCDateTime)
    tries: int = Field(default=1)
    columns: list[dict[str, str]] = Field(sa_type=Document, description='[{"name", "type"}]')
    rows: int = Field(default=0)
    parquet_key: str = Field(default="", max_length=100)
    parquet_sha256: str = Field(default="", max_length=64)
    parquet_bytes: int = Field(default=0, sa_type=BigInteger)
    csv_key: str = Field(default="", max_length=100)
    csv_sha256: str = Field(default="", max_length=64)
    csv_bytes: int = Field(default=0, sa_type=BigInteger)
    built_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    serves_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str | None = Field(default=None, max_length=500, description="reasons of a quarantine, or the last fault")


class Reminder(SQLModel, table=True):
    """That the reminder `days` before the end of a grant was sent: whoever inserts the row sends it."""

    grant_id: str = Field(primary_key=True, max_length=32)
    days: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)
