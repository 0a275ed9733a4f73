"""Who asks: by a token (Bearer, or the password of Basic), by a signed address, or a person by the session's cookie."""

from dataclasses import dataclass
from datetime import datetime

from service.base.db import Session
from service.base.errors import CrossSite
from service.data.gate.asking import Asked, Visitor
from service.data.rules import links
from service.data.rules.refusals import LinkExpired, LinkInvalid, TooManyCredentials
from service.grants import store as grants
from service.oauth import rules as token_rules
from service.oauth import store as tokens
from service.oauth.store import Covered
from service.people import store as people


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the one credential of a request, and the grants on the dataset that it covers, dead ones too.

    `mark` is what a signed address made with it will be checked by; `grant_id` and `version` are what such an address
    is bound to.
    """

    kind: str
    mark: str
    covered: tuple[Covered, ...]
    client_id: str | None = None
    person_id: str | None = None
    grant_id: str | None = None
    version: int | None = None
    format: str | None = None


def holder_of(session: Session, asked: Asked, *, now: datetime, apply: str) -> Holder:
    """Return who asks; raises what is wrong with the credential, TokenMissing where there is none.

    The cookie counts only where nothing else was presented: the browser sends it by itself.
    """
    if (asked.link and asked.authorization) or _several(asked.authorization):
        raise TooManyCredentials()
    if asked.link:
        return _by_link(session, asked, now=now)
    if asked.visitor and not asked.authorization:
        return _by_session(session, asked, asked.visitor)
    return _by_token(session, asked, now=now, apply=apply)


def _several(authorization: str | None) -> bool:
    """Whether two headers were sent: servers join them with a comma, which neither kind of ours has in it."""
    return authorization is not None and "," in authorization


def _by_token(session: Session, asked: Asked, *, now: datetime, apply: str) -> Holder:
    if (secret := token_rules.bearer(asked.authorization)) is None:
        raise token_rules.TokenMissing(apply=apply)
    digest = token_rules.digest(secret)
    bearer = tokens.bearer(session, digest, asked.dataset_id)
    if bearer:
        asked.known.client_id = bearer.client_id
        asked.known.grant_id = bearer.grants[0].grant.id if len(bearer.grants) == 1 else None
    if bearer is None or bearer.void:
        raise token_rules.TokenRevoked()
    if bearer.expires_at <= now:
        raise token_rules.TokenExpired()
    return Holder(links.TOKEN, digest, bearer.grants, client_id=bearer.client_id)


def _by_session(session: Session, asked: Asked, visitor: Visitor) -> Holder:
    if not visitor.at_home:
        raise CrossSite()
    covered = _of_unit(session, visitor.unit_id, asked.dataset_id)
    return Holder(links.SESSION, visitor.session_id, covered, person_id=visitor.person_id)


def _by_link(session: Session, asked: Asked, *, now: datetime) -> Holder:
    """Return the holder of a signed address: it opens what it names while its maker still may, and nothing else."""
    link = links.open_link(asked.link or "", asked.key, dataset_id=asked.dataset_id, name=asked.name)
    if link.format != asked.format:
        raise LinkInvalid()  # two formats can have one name, told apart by another parameter
    made = _maker(session, link, asked)
    same = tuple(one for one in made.covered if (one.grant.id, one.grant.epoch) == (link.grant_id, link.epoch))
    asked.known.client_id, asked.known.grant_id = made.client_id, link.grant_id
    if link.ended(now) or not same:
        raise LinkExpired()
    return Holder(
        "link", link.holder, same, client_id=made.client_id, person_id=made.person_id, grant_id=link.grant_id,
        version=link.version, format=link.format,
    )  # fmt: skip


def _maker(session: Session, link: links.Link, asked: Asked) -> Holder:
    if link.kind == links.TOKEN:
        bearer = tokens.bearer(session, link.holder, asked.dataset_id)
        if bearer is None or bearer.void:
            raise LinkExpired()
        return Holder(link.kind, link.holder, bearer.grants, client_id=bearer.client_id)
    found = people.session_with_person(session, link.holder)
    if found is None:
        raise LinkExpired()
    person = found[1]
    covered = _of_unit(session, person.unit_id, asked.dataset_id)
    return Holder(link.kind, link.holder, covered, person_id=person.id)


def _of_unit(session: Session, unit_id: str, dataset_id: str) -> tuple[Covered, ...]:
    """Return the grants that a unit has or had on a dataset."""
    found = [one for one in grants.of_unit(session, unit_id) if one.dataset_id == dataset_id]
    ids = [one.id for one in found]
    held, given_back = grants.open_suspensions(session, ids), grants.handbacks(session, ids)
    return tuple(Covered(one, one.id in held, given_back[one.id].at if one.id in given_back else None) for one in found)
