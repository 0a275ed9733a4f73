"""Rows of the authorization server: clients, their secrets, which grants they may use, tokens, refused requests."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from service.base.db import Document, UTCDateTime


class Client(SQLModel, table=True):
    """One system of a unit that reads data by itself."""

    id: str = Field(primary_key=True, max_length=32)
    unit_id: str = Field(index=True, max_length=32)
    name: str = Field(max_length=60)
    created_by: str = Field(max_length=32)
    created_at: datetime = Field(sa_type=UTCDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ClientSecret(SQLModel, table=True):
    """A secret of a client: only its HMAC under the server's pepper is kept; it is shown once, when it is made."""

    id: str = Field(primary_key=True, max_length=32)
    client_id: str = Field(index=True, max_length=32)
    digest: str = Field(max_length=64)
    created_by: str = Field(max_length=32)
    created_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ClientGrant(SQLModel, table=True):
    """Leave for a client to use one grant of its unit."""

    client_id: str = Field(primary_key=True, max_length=32)
    grant_id: str = Field(primary_key=True, index=True, max_length=32)


class Token(SQLModel, table=True):
    """An access token: only its SHA-256 is kept (it has 256 random bits, so a slow hash would buy nothing)."""

    digest: str = Field(primary_key=True, max_length=64)
    client_id: str = Field(index=True, max_length=32)
    secret_id: str = Field(index=True, max_length=32)
    scope: str = Field(max_length=60)
    details: list[dict[str, Any]] = Field(sa_type=Document)
    issued_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TokenGrant(SQLModel, table=True):
    """One grant that a token covers.  The data plane joins token and grant on every request and caches nothing."""

    token_digest: str = Field(primary_key=True, max_length=64)
    grant_id: str = Field(primary_key=True, index=True, max_length=32)


class RefusedRequest(SQLModel, table=True):
    """A token or data request of a known client that was refused: what its unit may ask about by the request's id.

    Facts are dates, ways of delivery and names of the dataset's columns; never a secret, a token or what a query said.
    """

    __tablename__ = "refused_request"

    id: str = Field(primary_key=True, max_length=32, description="the request's id, as X-Request-Id told it")
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    unit_id: str = Field(index=True, max_length=64)
    client_id: str = Field(index=True, max_length=32)
    grant_id: str | None = Field(default=None, max_length=32)
    dataset_id: str | None = Field(default=None, max_length=64)
    endpoint: str = Field(max_length=20, description="token, rows, or the name of a file")
    code: str = Field(max_length=60)
    status: int
    facts: dict[str, Any] = Field(sa_type=Document)
