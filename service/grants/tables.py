"""Rows of grants: leave to read, the versions judged for it, its stops and ends, the bytes made, the reminders sent."""

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
    dataset_version: int = Field(description="the one it serves as its latest; always one that was judged for it")
    follows: bool = Field(default=True, description="whether it moves to a new version once that was judged for it")
    quota: dict[str, int] = Field(
        default_factory=dict, sa_type=Document,
        description='{"rows_per_day", "bytes_per_day", "requests_per_minute"}, each optional',
    )  # fmt: skip
    namespace: str = Field(max_length=32, description="whose keyed tokens it sees: its own id, or that of its first")
    rests_on: dict[str, Any] = Field(sa_type=Document, description='{"screening", "lists", "agreement"}')
    epoch: int = Field(default=1)
    version: int = Field(default=1)
    created_at: datetime = Field(sa_type=UTCDateTime)


class GrantVersion(SQLModel, table=True):
    """That a version of the dataset was judged for a grant: `judged`, it may be read; `held`, for `reasons`, not."""

    __tablename__ = "grant_version"

    grant_id: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    state: str = Field(max_length=16)
    at: datetime = Field(sa_type=UTCDateTime)
    reasons: list[Any] = Field(default_factory=list, sa_type=Document)
    screening_id: str | None = Field(default=None, max_length=32)


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
    `building` is a claim: the worker that set `claimed_at` may settle it, unless its `beat_at` grew old and it was
    retaken.  Of the public views that are ready, the one with the latest `serves_from` serves.  `rows` counts those
    written so far, of `parts_done` parts out of `parts_total`; in the end, all.
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
    state: str = Field(max_length=16, description="building, ready, quarantined, collected or recalled")
    claimed_at: datetime = Field(sa_type=UTCDateTime)
    beat_at: datetime = Field(sa_type=UTCDateTime)
    tries: int = Field(default=1)
    columns: list[dict[str, str]] = Field(sa_type=Document, description='[{"name", "type"}]')
    rows: int = Field(default=0, sa_type=BigInteger)
    parts_done: int = Field(default=0)
    parts_total: int = Field(default=0)
    built_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    serves_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str | None = Field(default=None, max_length=500, description="reasons of a quarantine, or the last fault")


class ViewPart(SQLModel, table=True):
    """What a view holds of one part of its version: a Parquet object, ordered by its own columns only.

    `cut` names what was done to the part; a part that was cut so before is taken as it is.  `part_id` is None when the
    view is computed over all parts at once, and `key` empty when the object was collected.
    """

    __tablename__ = "view_part"

    view_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    part_id: str | None = Field(default=None, max_length=32)
    cut: str = Field(index=True, max_length=64)
    key: str = Field(index=True, max_length=100)
    sha256: str = Field(max_length=64)
    rows: int = Field(sa_type=BigInteger)
    bytes: int = Field(sa_type=BigInteger)


class ViewFile(SQLModel, table=True):
    """A whole view in one format.  `wanted` until a worker claims it; then as a view in state `building` is.

    `rows` counts those written so far.
    """

    __tablename__ = "view_file"

    view_id: str = Field(primary_key=True, max_length=32)
    format: str = Field(primary_key=True, max_length=16)
    state: str = Field(index=True, max_length=16, description="wanted, building, ready or failed")
    key: str = Field(default="", index=True, max_length=100)
    sha256: str = Field(default="", max_length=64)
    bytes: int = Field(default=0, sa_type=BigInteger)
    rows: int = Field(default=0, sa_type=BigInteger)
    wanted_at: datetime = Field(sa_type=UTCDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    beat_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    tries: int = Field(default=0)
    built_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str | None = Field(default=None, max_length=500)


class Reminder(SQLModel, table=True):
    """That the reminder `days` before the end of a grant was sent: whoever inserts the row sends it."""

    grant_id: str = Field(primary_key=True, max_length=32)
    days: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)


class RecallAnswer(SQLModel, table=True):
    """That the unit of a grant is asked to delete what it fetched of a version before rows were recalled from it.

    Asked (`told_at`) once the view is made anew and differs; `sha256` is the Parquet file's as it was.  `deleted` is
    False when the unit says that it never fetched it.
    """

    __tablename__ = "recall_answer"

    recall_id: str = Field(primary_key=True, max_length=32)
    grant_id: str = Field(primary_key=True, index=True, max_length=32)
    number: int = Field(primary_key=True, description="of the dataset version")
    sha256: str = Field(default="", max_length=64)
    stopped_at: datetime = Field(sa_type=UTCDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    deleted: bool | None = None
    answered_by: str | None = Field(default=None, max_length=64)
    answered_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
