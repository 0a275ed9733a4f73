"""Rows of applications.  A draft's text stays raw; the typed columns are written at submission and by decisions."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Application(SQLModel, table=True):
    """One unit's request to use one dataset.

    Requests filled in on one form share a `bundle_id`; each is a case of its own in everything else.
    `version` counts the logged acts: a draft is version 0 and saving it is not an act.  `columns`, `ends_on` and the
    other typed fields are what is asked now: narrowing shortens them, and History keeps what they were.
    """

    id: str = Field(primary_key=True, max_length=32)
    number: str | None = Field(default=None, unique=True, max_length=20, description="of the receipt; none in a draft")
    unit_id: str = Field(index=True, max_length=64)
    dataset_id: str = Field(index=True, max_length=64)
    drafted_by: str = Field(max_length=64)
    state: str = Field(index=True, max_length=12)
    step: int = 0
    version: int = 0
    draft: dict[str, Any] = Field(sa_type=Document, description="the form as typed, by field")
    draft_revision: int = Field(default=0, description="counts the savings of the draft; saving is no logged act")
    bundle_id: str | None = Field(default=None, index=True, max_length=32, description="none when it stands alone")
    columns: list[str] = Field(default_factory=list, sa_type=Document)
    objections: dict[str, str] = Field(default_factory=dict, sa_type=Document, description="reason by column")
    verdict_objection: str = ""
    period_from: date | None = None
    period_to: date | None = None
    areas: list[str] = Field(default_factory=list, sa_type=Document)
    purpose: str = Field(default="", max_length=60)
    statement: str = ""
    delivery: str = Field(default="", max_length=20)
    ends_on: date | None = Field(default=None, description="the last day of use, Beijing calendar")
    cross_border: bool | None = None
    onward_sharing: bool | None = None
    security: dict[str, Any] = Field(default_factory=dict, sa_type=Document)
    members: list[str] = Field(default_factory=list, sa_type=Document)
    route: dict[str, Any] = Field(default_factory=dict, sa_type=Document, description="frozen at submission")
    step_role: str | None = Field(default=None, index=True, max_length=12, description="who holds the case now")
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime, description="end of the current step's clock")
    screening_id: str | None = Field(default=None, max_length=32, description="the last stored screening")
    submitted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)
    updated_at: datetime = Field(sa_type=UTCDateTime)


class OpenCase(SQLModel, table=True):
    """The claim of an open case on (unit, dataset, columns): a second submission of the same is a duplicate."""

    __tablename__ = "open_case"

    key: str = Field(primary_key=True, max_length=64)
    application_id: str = Field(index=True, max_length=32)


class History(SQLModel, table=True):
    """What a case was after each act: from it whoever acts on an older version is told what has changed since."""

    __tablename__ = "application_history"

    application_id: str = Field(primary_key=True, max_length=32)
    version: int = Field(primary_key=True)
    verb: str = Field(max_length=12)
    by: str = Field(max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)
    snapshot: dict[str, Any] = Field(sa_type=Document)


class Decision(SQLModel, table=True):
    """One officer's act on one step, with the clauses that the verdict named when it was taken."""

    id: str = Field(primary_key=True, max_length=32)
    application_id: str = Field(index=True, max_length=32)
    step: int
    verb: str = Field(max_length=12)
    reason: str
    clauses: list[dict[str, Any]] = Field(sa_type=Document)
    columns: list[str] = Field(sa_type=Document, description="what the case asks after this decision")
    dropped: list[str] = Field(sa_type=Document)
    ends_on: date
    by: str = Field(max_length=64)
    unit_id: str = Field(max_length=64)
    screening_id: str = Field(max_length=32)
    seen_version: int
    at: datetime = Field(sa_type=UTCDateTime)


class Agreement(SQLModel, table=True):
    """The use agreement of an approved case; `digest` is the sha256 of `text`, which never changes."""

    application_id: str = Field(primary_key=True, max_length=32)
    text: str
    digest: str = Field(max_length=64)
    screening_id: str = Field(max_length=32)
    offered_at: datetime = Field(sa_type=UTCDateTime)
    signed_by: str | None = Field(default=None, max_length=64)
    signed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ReceiptNumber(SQLModel, table=True):
    """The last receipt number of a year."""

    __tablename__ = "receipt_number"

    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last: int = 0
