"""Rows of screenings: the published editions of the negative lists, and every verdict that a case rests on."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class ListEdition(SQLModel, table=True):
    """One edition of one negative list, whole, so that what it said can be judged by for ever."""

    __tablename__ = "list_edition"

    digest: str = Field(primary_key=True, max_length=64, description="sha256 of its RFC 8785 JSON without tests")
    list_id: str = Field(index=True, max_length=60)
    edition: str = Field(max_length=40)
    domain: str = Field(max_length=20)
    body: dict[str, Any] = Field(sa_type=Document)
    effective_from: date
    effective_until: date | None = Field(default=None, description="the last day in force; none while open")
    published_at: datetime = Field(sa_type=UTCDateTime)
    published_by: str = Field(max_length=64)


class Screening(SQLModel, table=True):
    """One judgement: the facts, the verdict, and the digests of the lists it was judged by."""

    id: str = Field(primary_key=True, max_length=32)
    subject: str = Field(index=True, max_length=100, description="application:<id> or dataset:<id>")
    moment: str = Field(max_length=12, description="submit, decision, agreement or publish")
    facts: dict[str, Any] = Field(sa_type=Document)
    verdict: dict[str, Any] = Field(sa_type=Document)
    digests: list[str] = Field(sa_type=Document)
    semantics: str = Field(max_length=20, description="version of the judge's semantics")
    at: datetime = Field(sa_type=UTCDateTime)


class Profile(SQLModel, table=True):
    """What a version's columns look like, as far as the public may know.  No row: not measured yet.

    `measured` is the version whose rows were counted: an earlier one while too few rows have come to count them apart.
    """

    dataset_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True, description="the version that it is shown with")
    measured: int
    body: dict[str, Any] = Field(sa_type=Document)
    at: datetime = Field(sa_type=UTCDateTime)
