"""Rows of the data plane: what was read, by whom, under which grant."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from service.base.db import UTCDateTime


class UsageEvent(SQLModel, table=True):
    """One answer of the data plane, written after its last byte.  Public data has no grant and no client."""

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    grant_id: str | None = Field(default=None, index=True, max_length=32)
    client_id: str | None = Field(default=None, index=True, max_length=32)
    view_id: str = Field(max_length=32)
    face: str = Field(max_length=20, description="rows, parquet or csv")
    rows: int = Field(description="rows in the answer; of a file, the share that its bytes are of the whole")
    size: int = Field(sa_type=BigInteger, description="bytes sent")
    whole: bool = Field(description="False when the answer was cut or the client left")
    at: datetime = Field(sa_type=UTCDateTime, index=True)
