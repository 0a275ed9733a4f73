"""What may happen to clients and tokens: one change and its audit event each; no commit, no Flask."""

import secrets
from collections.abc import Iterable
from datetime import datetime

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Duplicate, NotFound, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.grants import store as grants
from service.oauth import rules, store
from service.oauth.rules import Usable
from service.oauth.tables import Client, ClientGrant, ClientSecret, Token, TokenGrant


def create_client(
    session: Session,
    *,
    unit_id: str,
    grant_id: str,
    name: str,
    pepper: bytes,
    by: str,
    now: datetime,
    key: str | None = None,
) -> tuple[Client, str]:
    """Make a client of `unit_id` for one of its grants; return it with its secret, which is shown once.

    `key` is the end of its id, where the form brought one.  Raises NotFound when the grant is not the unit's own,
    Duplicate when the key was used.
    """
    client_id = f"c-{key or new_id(now)}"
    if session.get(Client, client_id) is not None:
        raise Duplicate()
    client = Client(id=client_id, unit_id=unit_id, name=name, created_by=by, created_at=now)
    session.add(client)
    _event(session, client.id, "client:create", by=by, now=now)
    allow(session, client.id, grant_id, unit_id=unit_id, by=by, now=now)
    return client, add_secret(session, client, pepper=pepper, by=by, now=now)


def allow(session: Session, client_id: str, grant_id: str, *, unit_id: str, by: str, now: datetime) -> None:
    """Let a client use one more grant; both must be `unit_id`'s own, else NotFound."""
    client, grant = store.client(session, client_id), grants.grant(session, grant_id)
    if client.unit_id != unit_id or grant.unit_id != unit_id:
        raise NotFound()
    if session.get(ClientGrant, (client_id, grant_id)) is None:
        session.add(ClientGrant(client_id=client_id, grant_id=grant_id))
        _event(session, client_id, "client:allow", by=by, now=now, grant=grant_id)


def add_secret(session: Session, client: Client, *, pepper: bytes, by: str, now: datetime) -> str:
    """Give a client a new secret and return it; only its digest is kept."""
    secret = rules.SECRET_PREFIX + secrets.token_urlsafe(32)
    row = ClientSecret(
        id=new_id(now),
        client_id=client.id,
        digest=rules.secret_digest(secret, pepper),
        created_by=by,
        created_at=now,
    )
    session.add(row)
    _event(session, client.id, "client:secret", by=by, now=now, secret=row.id)
    return secret


def replace_secret(session: Session, client_id: str, *, unit_id: str, pepper: bytes, by: str, now: datetime) -> str:
    """Revoke a client's secrets, and the tokens they won, and return a new one; NotFound for another unit's client."""
    client = _own(session, client_id, unit_id)
    store.revoke_secrets(session, client_id, now=now)
    return add_secret(session, client, pepper=pepper, by=by, now=now)


def disable(session: Session, client_id: str, *, unit_id: str, by: str, now: datetime) -> None:
    """End a client for good; its tokens end with it."""
    _own(session, client_id, unit_id)
    if store.disable(session, client_id, now=now):
        _event(session, client_id, "client:disable", by=by, now=now)


def issue(
    session: Session, client_id: str, secret_id: str, grants_wanted: Iterable[Usable], *, location: str, now: datetime
) -> tuple[str, Token]:
    """Issue a token for grants that are live now; it never outlives the first of them to end."""
    usable = tuple(grants_wanted)
    secret = rules.TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        digest=rules.digest(secret),
        client_id=client_id,
        secret_id=secret_id,
        scope=rules.SCOPE,
        details=rules.details_of(usable, location=location),
        issued_at=now,
        expires_at=now + rules.lifetime(now, usable),
    )
    session.add(token)
    session.add_all(TokenGrant(token_digest=token.digest, grant_id=grant.grant_id) for grant in usable)
    subject = f"token:{token.digest[:16]}"
    facts = {"client": client_id, "grants": [grant.grant_id for grant in usable]}
    record(session, subject=subject, version=1, kind="token:issue", by=client_id, now=now, facts=facts)
    return secret, token


def _own(session: Session, client_id: str, unit_id: str) -> Client:
    client = store.client(session, client_id)
    if client.unit_id != unit_id:
        raise NotFound()
    if client.disabled_at is not None:
        raise WrongState(N_("此系统已停用，请另行登记。"))
    return client


def _event(session: Session, client_id: str, kind: str, *, by: str, now: datetime, **facts: object) -> None:
    record(session, subject=f"client:{client_id}", kind=kind, by=by, now=now, facts=facts)
