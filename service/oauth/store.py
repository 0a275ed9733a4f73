"""SQL of the authorization server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, update
from sqlalchemy import select as sql_select

from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import NotFound, Refusal
from service.grants import rules as grant_rules
from service.grants.tables import Grant, Handback, Suspension
from service.oauth.tables import Client, ClientGrant, ClientSecret, RefusedRequest, Token, TokenGrant


@dataclass(frozen=True, slots=True)
class Covered:
    """One grant that a token covers, with all that decides whether it may be used now."""

    grant: Grant
    suspended: bool
    returned_at: datetime | None = None

    def refusal(self, *, now: datetime) -> Refusal | None:
        """Return why nothing may be read under it at `now`; None when it is live."""
        return grant_rules.refusal(self.grant, suspended=self.suspended, returned_at=self.returned_at, now=now)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token as found: its client, its own end, and the grants it covers on the dataset asked for."""

    client_id: str
    expires_at: datetime
    void: bool
    grants: tuple[Covered, ...]


def client(session: Session, client_id: str) -> Client:
    """Return a client; NotFound."""
    if (found := session.get(Client, client_id)) is None:
        raise NotFound()
    return found


def of_unit(session: Session, unit_id: str) -> Sequence[Client]:
    return session.exec(select(Client).where(Client.unit_id == unit_id).order_by(col(Client.created_at))).all()


def clients_of_grant(session: Session, grant_id: str) -> Sequence[Client]:
    """Return the clients that may use a grant, oldest first."""
    return session.exec(
        select(Client)
        .join(ClientGrant, col(ClientGrant.client_id) == Client.id)
        .where(ClientGrant.grant_id == grant_id)
        .order_by(col(Client.created_at))
    ).all()


def secrets_in_use(session: Session, client_id: str) -> Sequence[ClientSecret]:
    """Return the secrets of a client that still work, also when the client does not exist (none)."""
    return session.exec(
        select(ClientSecret)
        .join(Client, col(Client.id) == ClientSecret.client_id)
        .where(ClientSecret.client_id == client_id, col(ClientSecret.revoked_at).is_(None))
        .where(col(Client.disabled_at).is_(None))
    ).all()


def grants_of(session: Session, client_id: str) -> list[Covered]:
    """Return every grant that a client was given, dead ones too, each with whether it is suspended."""
    rows = session.exec(
        select(Grant, _suspended(), Handback.at)
        .outerjoin(Handback, col(Handback.grant_id) == Grant.id)
        .join(ClientGrant, col(ClientGrant.grant_id) == Grant.id)
        .join(Client, col(Client.id) == ClientGrant.client_id)
        .where(ClientGrant.client_id == client_id, Grant.unit_id == Client.unit_id)
        .order_by(col(Grant.ends_at))
    ).all()
    return [Covered(grant, suspended, returned_at) for grant, suspended, returned_at in rows]


def bearer(session: Session, token_digest: str, dataset_id: str) -> Bearer | None:
    """Return a token with the grants it covers on `dataset_id`; None when there is no such token.

    One read joins token, client, secret and grants, so that whatever ends one of them is felt on the next request.
    """
    rows = session.execute(_bearing(), {"digest": token_digest, "dataset": dataset_id}).all()
    if not rows:
        return None
    token, owner, secret = rows[0][:3]
    void = any(at is not None for at in (token.revoked_at, owner.disabled_at, secret.revoked_at))
    covered = tuple(Covered(*found) for _token, _client, _secret, *found in rows if found[0] is not None)
    return Bearer(owner.id, token.expires_at, void, tuple(c for c in covered if c.grant.unit_id == owner.unit_id))


@cache
def _bearing() -> Any:
    """Return the statement, made once: making it anew costs more than running it."""
    return (
        sql_select(Token, Client, ClientSecret, Grant, _suspended(), col(Handback.at))
        .join(Client, col(Client.id) == Token.client_id)
        .join(ClientSecret, col(ClientSecret.id) == Token.secret_id)
        .outerjoin(TokenGrant, col(TokenGrant.token_digest) == Token.digest)
        .outerjoin(Grant, (col(Grant.id) == TokenGrant.grant_id) & (col(Grant.dataset_id) == bindparam("dataset")))
        .outerjoin(Handback, col(Handback.grant_id) == Grant.id)
        .where(col(Token.digest) == bindparam("digest"))
    )


def disable(session: Session, client_id: str, *, now: datetime) -> bool:
    """Disable a client; False when it was disabled already."""
    row = update(Client).where(col(Client.id) == client_id, col(Client.disabled_at).is_(None)).values(disabled_at=now)
    return session.execute(row).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def revoke_secrets(session: Session, client_id: str, *, now: datetime) -> None:
    """Revoke every secret of a client, and with them the tokens that they won."""
    session.execute(
        update(ClientSecret)
        .where(col(ClientSecret.client_id) == client_id, col(ClientSecret.revoked_at).is_(None))
        .values(revoked_at=now)
    )


def current_secrets(session: Session, client_ids: Sequence[str]) -> dict[str, ClientSecret]:
    """Return the secret of each client that still works, the newest of several."""
    asked = select(ClientSecret).where(col(ClientSecret.client_id).in_(client_ids))
    rows = session.exec(asked.where(col(ClientSecret.revoked_at).is_(None)).order_by(col(ClientSecret.created_at)))
    return {row.client_id: row for row in rows}


def note_refusal(session: Session, **values: object) -> None:
    """Write a refused request down once."""
    insert_or_ignore(session, RefusedRequest, **values)


def refusal(session: Session, request_id: str) -> RefusedRequest:
    """Return what was refused under a request's id; NotFound."""
    if (found := session.get(RefusedRequest, request_id)) is None:
        raise NotFound()
    return found


def refusals_of(session: Session, unit_id: str, *, limit: int) -> Sequence[RefusedRequest]:
    """Return the last refused requests of a unit's clients, newest first."""
    asked = select(RefusedRequest).where(RefusedRequest.unit_id == unit_id)
    return session.exec(asked.order_by(col(RefusedRequest.at).desc(), col(RefusedRequest.id)).limit(limit)).all()


def forget_refusals(session: Session, *, before: datetime) -> int:
    """Delete the refused requests from before an instant; return how many."""
    return int(session.execute(delete(RefusedRequest).where(col(RefusedRequest.at) < before)).rowcount)  # type: ignore[attr-defined]


def _suspended() -> ColumnElement[bool]:
    """Whether the grant of the row has an open suspension."""
    return exists().where(col(Suspension.grant_id) == Grant.id, col(Suspension.lifted_at).is_(None)).correlate(Grant)
