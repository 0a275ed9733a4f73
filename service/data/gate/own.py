"""What a client may read, listed for itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.base import state
from service.base.beijing import BEIJING, day_of
from service.base.db import Session
from service.catalogue import store as catalogue
from service.data import store
from service.data.gate.asking import Asked
from service.data.gate.credentials import holder_of
from service.data.rules import links
from service.data.rules.quota import Amount, Quota, quota_of, until_midnight
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.oauth import rules as token_rules
from service.oauth import store as tokens
from service.oauth.store import Covered


@dataclass(frozen=True, slots=True)
class Own:
    """A grant of a client's, with its dataset's title, what it is now and what its day has been charged."""

    covered: Covered
    title: dict[str, str]
    standing: str
    quota: Quota
    used: Amount
    view: str

    def document(self, *, now: datetime) -> dict[str, Any]:
        grant = self.covered.grant
        return {
            "grant": grant.id, "dataset": grant.dataset_id, "title": self.title, "columns": grant.columns,
            "delivery": grant.delivery, "starts_at": _instant(grant.starts_at), "ends_at": _instant(grant.ends_at),
            "standing": self.standing, "version": grant.dataset_version, "follows": grant.follows, "view": self.view,
            "quota": {
                "requests_per_minute": self.quota.requests_per_minute,
                "rows": _left(self.quota.rows_per_day, self.used.rows),
                "bytes": _left(self.quota.bytes_per_day, self.used.size),
                "resets_in": until_midnight(now),
            },
        }  # fmt: skip


def own_grants(session: Session, asked: Asked, *, now: datetime) -> list[Own]:
    """Return every grant that the client behind a token was given, dead ones too, the one that ends first on top."""
    state.demand_open(session)
    holder = holder_of(session, asked, now=now, apply="/datasets")
    if holder.kind != links.TOKEN or holder.client_id is None:
        raise token_rules.TokenMissing(apply="/datasets")
    return [_own(session, one, now=now) for one in tokens.grants_of(session, holder.client_id)]


def _own(session: Session, one: Covered, *, now: datetime) -> Own:
    grant, day = one.grant, day_of(now)
    dataset = catalogue.dataset(session, grant.dataset_id)
    standing = grant_rules.standing(grant, suspended=one.suspended, returned_at=one.returned_at, now=now)
    used = store.charged_on(session, grant.id, day)
    view = grants.view_state(session, grant.id)
    return Own(one, dataset.title, str(standing), quota_of(grant.quota, dataset.level), used, str(view))


def _left(limit: int | None, used: int) -> dict[str, int] | None:
    return None if limit is None else {"limit": limit, "used": used, "left": max(0, limit - used)}


def _instant(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
