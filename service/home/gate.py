"""What a person may be told about a refused request: it joins client, grant and dataset, and knows who may ask."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.base.access import Caller
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.base.i18n import gettext
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.data.rules import ADVICE, OTHERWISE, TOKEN_TITLES
from service.grants import actions as grant_actions
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.grants.tables import Grant
from service.home import rules
from service.oauth import store as clients
from service.oauth.tables import Client, RefusedRequest


@dataclass(frozen=True, slots=True)
class Explained:
    """A refused request with what it was about.  `standing` is what its grant is now, not what it was then."""

    request: RefusedRequest
    client: Client
    dataset: Dataset | None
    grant: Grant | None
    standing: str | None

    @property
    def title(self) -> str:
        return title_of(self.request.code)

    @property
    def detail(self) -> str | None:
        """What the answer said, in the reader's language; None where it named what the request said."""
        kind = _kinds().get(self.request.code)
        facts = {
            **self.request.facts,
            "page": f"/grants/{self.request.grant_id}",
            "apply": f"/applications/new?dataset={self.request.dataset_id}",
        }
        return _filled(kind.detail, facts) if kind and kind.detail else None

    @property
    def advice(self) -> str:
        """What to do now."""
        return gettext(ADVICE.get(self.request.code, OTHERWISE))


def explained(session: Session, request_id: str, who: Caller, *, now: datetime) -> Explained:
    """Return why a request was refused; NotFound for one that is not kept and for whoever may not know of it."""
    found = clients.refusal(session, request_id)
    dataset = catalogue.find(session, found.dataset_id) if found.dataset_id else None
    source = dataset.source_unit_id if dataset else ""
    if not grant_rules.may_see(who.roles, unit_id=who.unit_id, source_unit_id=source, holder_unit_id=found.unit_id):
        raise NotFound()
    grant = grants.grant(session, found.grant_id) if found.grant_id else None
    standing = str(grant_actions.standing_of(session, grant, now=now)) if grant else None
    return Explained(found, clients.client(session, found.client_id), dataset, grant, standing)


def title_of(code: str) -> str:
    """Return what a refusal is called in the reader's language."""
    kind = _kinds().get(code)
    return gettext(kind.title if kind else TOKEN_TITLES.get(code, Refusal.title))


def _kinds() -> dict[str, type[Refusal]]:
    return {kind.code: kind for kind in rules.kinds_of(Refusal)}


def _filled(message: str, facts: Mapping[str, Any]) -> str | None:
    try:
        return gettext(message, **facts)
    except KeyError:
        return None
