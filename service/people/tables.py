"""Rows of units, persons and their sessions."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Unit(SQLModel, table=True):
    """An applicant unit, a source unit or the authority.

    `uscc` is held by one unit at a time; a second claim of it is a UnitDispute.  `foreign_share` (percent), `certs` and
    `credit` are facts that an officer takes from a register; None is unknown.  Whether it is verified is a
    UnitConfirmation, not a column.
    """

    id: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=16, index=True)
    name: str = Field(max_length=120)
    name_en: str = Field(max_length=200)
    uscc: str | None = Field(default=None, max_length=18, unique=True)
    applicant_kind: str | None = Field(default=None, max_length=32)
    foreign_share: float | None = Field(default=None)
    certs: list[str] | None = Field(default=None, sa_type=Document)
    credit: str | None = Field(default=None, max_length=32)
    created_at: datetime = Field(sa_type=UTCDateTime)


class UnitConfirmation(SQLModel, table=True):
    """An officer has seen the evidence that these people act for this unit."""

    unit_id: str = Field(primary_key=True, max_length=64)
    evidence: str = Field(max_length=500)
    by: str = Field(max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)


class UnitDispute(SQLModel, table=True):
    """A second unit claims a code that another holds: a code is public and proves nothing, so an officer looks at both.

    The claimant has no `uscc` of its own until the officer decides for it.
    """

    id: str = Field(primary_key=True, max_length=32)
    uscc: str = Field(max_length=18, index=True)
    holder_id: str = Field(max_length=64, index=True)
    claimant_id: str = Field(max_length=64, index=True)
    opened_at: datetime = Field(sa_type=UTCDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    settled_by: str | None = Field(default=None, max_length=64)
    settled_for: str | None = Field(default=None, max_length=64)


class Person(SQLModel, table=True):
    """Somebody with an account.  `login` is stored folded (small letters)."""

    id: str = Field(primary_key=True, max_length=64)
    login: str = Field(max_length=64, unique=True)
    name: str = Field(max_length=60)
    password_hash: str = Field(max_length=255)
    unit_id: str = Field(max_length=64, index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PersonRole(SQLModel, table=True):
    """One role of one person."""

    person_id: str = Field(primary_key=True, max_length=64)
    role: str = Field(primary_key=True, max_length=16, index=True)


class LoginSession(SQLModel, table=True):
    """A login.  The cookie holds 256 random bits, this row only their SHA-256.

    `origin` is a keyed digest of the network address, to know a place again without keeping the address.
    """

    id_hash: str = Field(primary_key=True, max_length=64)
    person_id: str = Field(max_length=64, index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    authenticated_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    agent: str = Field(max_length=200)
    origin: str = Field(max_length=64)
