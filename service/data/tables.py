"""Rows of the data plane: what was read, by whom, under which grant; what is on its way; what stood out."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class UsageEvent(SQLModel, table=True):
    """One answer of the data plane, written after its last byte.  Public data has no grant and no client.

    Who read is the client, or the person who fetched a file in the browser or by an address made there.
    """

    __table_args__ = (Index("ix_usageevent_grant_id_id", "grant_id", "id"),)

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    grant_id: str | None = Field(default=None, max_length=32)
    client_id: str | None = Field(default=None, index=True, max_length=32)
    person_id: str | None = Field(default=None, max_length=64)
    view_id: str = Field(max_length=32)
    face: str = Field(max_length=20, description="rows, aggregate, part, or the format of a file")
    rows: int = Field(sa_type=BigInteger, description="in the answer; of a file, the share that its bytes are of it")
    size: int = Field(sa_type=BigInteger, description="bytes sent")
    whole: bool = Field(description="False when the answer was cut or the client left")
    credential: str | None = Field(default=None, max_length=10, description="token, link or session")
    network: str | None = Field(default=None, max_length=50, description="/24 or /48 that it was asked from")
    at: datetime = Field(sa_type=UTCDateTime, index=True)


class UsageDay(SQLModel, table=True):
    """The sums of what was read, by the Beijing day on which each answer was admitted; "" stands for no grant, client.

    Written with each event, in its transaction: what is left of a quota and every page of usage is read from here.
    """

    __tablename__ = "usage_day"
    __table_args__ = (Index("ix_usage_day_dataset_id_day", "dataset_id", "day"),)

    grant_id: str = Field(primary_key=True, max_length=32)
    day: date = Field(primary_key=True)
    dataset_id: str = Field(primary_key=True, max_length=64)
    client_id: str = Field(primary_key=True, max_length=32)
    face: str = Field(primary_key=True, max_length=20)
    requests: int = Field(sa_type=BigInteger)
    rows: int = Field(sa_type=BigInteger)
    size: int = Field(sa_type=BigInteger)
    last_at: datetime = Field(sa_type=UTCDateTime)


class Reservation(SQLModel, table=True):
    """What an answer on its way may still take of its grant's day; it goes when the answer is written down.

    A worker that dies leaves it behind: after `lapses_at` what is known to have been sent is written down in its place.
    `answer` holds the other columns of the UsageEvent to come.
    """

    __tablename__ = "usage_reservation"
    __table_args__ = (Index("ix_usage_reservation_grant_id_day", "grant_id", "day"),)

    id: str = Field(primary_key=True, max_length=32)
    grant_id: str = Field(max_length=32)
    day: date
    rows: int = Field(sa_type=BigInteger)
    size: int = Field(sa_type=BigInteger)
    sent_rows: int = Field(default=0, sa_type=BigInteger)
    sent_size: int = Field(default=0, sa_type=BigInteger)
    answer: dict[str, Any] = Field(sa_type=Document)
    lapses_at: datetime = Field(sa_type=UTCDateTime, index=True)


class ClientNetwork(SQLModel, table=True):
    """A network that a client has read from, since when."""

    __tablename__ = "client_network"

    client_id: str = Field(primary_key=True, max_length=32)
    network: str = Field(primary_key=True, max_length=50)
    first_at: datetime = Field(sa_type=UTCDateTime)


class UsageFlag(SQLModel, table=True):
    """Something about the use of a grant that people should look at; nothing follows from it by itself."""

    __tablename__ = "usage_flag"

    about: str = Field(primary_key=True, max_length=150, description="what it is about: one flag each")
    kind: str = Field(max_length=20, description="volume or network")
    dataset_id: str = Field(index=True, max_length=64)
    grant_id: str = Field(index=True, max_length=32)
    client_id: str | None = Field(default=None, max_length=32)
    day: date
    facts: dict[str, Any] = Field(sa_type=Document)
    at: datetime = Field(sa_type=UTCDateTime)


class ToldCell(SQLModel, table=True):
    """That a unit was told the count of a cell, where a smallest group binds: there is a budget of different ones.

    `cell` is the sum of its rows' secret keys: the same rows are the same cell, whoever asks for them and how.
    """

    __tablename__ = "told_cell"

    unit_id: str = Field(primary_key=True, max_length=64)
    dataset_id: str = Field(primary_key=True, max_length=64)
    cell: str = Field(primary_key=True, max_length=32)
