"""The one gate.  Every byte path comes through `admit`: credential → client → grant → live? → quota → view.

It reads the database on each call and caches nothing, so that an end committed is an end felt on the next request.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from service.base import clock, db, state
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.data.gate import versions
from service.data.gate.asking import Admitted, Asked
from service.data.gate.credentials import Holder, holder_of
from service.data.rules.quota import Quota, quota_of
from service.data.rules.refusals import ViewMissing
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.grants.tables import Grant, ReleasedView
from service.oauth import rules as token_rules
from service.oauth import store as tokens
from service.oauth.store import Covered

# What a grant must allow for each way out: whoever may take the whole file may also page through it, not the reverse.
ENOUGH = {"api": {"api", "download"}, "download": {"download"}}

Door = Callable[[Session, Grant, Quota], None]


def admit(session: Session, asked: Asked, *, now: datetime, door: Door | None = None) -> Admitted:
    """Return leave to read, or raise the refusal that says why not and what to do next.

    A dataset that is not published answers 404, to everybody; after a restore nothing answers until it is opened.
    `door` is asked once the grant is known to live, before its view is looked for: whether there is quota left.
    """
    state.demand_open(session)
    dataset = _published(session, asked.dataset_id)
    known = tuple(column.name for column in catalogue.columns(session, dataset.id))
    if dataset.openness == "unconditional":
        view = versions.public_view(session, dataset.id, asked)
        return _with_bytes(session, Admitted(dataset, view, None, None, known, network=asked.network, at=now))
    if dataset.openness != "restricted":
        raise ViewMissing()
    holder = holder_of(session, asked, now=now, apply=apply_url(asked.dataset_id))
    grant = _grant(session, holder, asked, now=now)
    quota = quota_of(grant.quota, dataset.level)
    if door:
        door(session, grant, quota)
    view = versions.view_of(session, grant, _bound(asked, holder))
    return _with_bytes(
        session, _granted(Admitted(dataset, view, grant, holder.client_id, known), holder, asked, quota, now)
    )


def still_open(admitted: Admitted, asked: Asked) -> Callable[[], bool]:
    """Return a check that a long answer calls as it goes: whether the same view would still be given to who asked.

    A newer version takes nothing away from who is reading the one before.
    """
    if admitted.grant is not None and asked.link is None:
        asked = replace(asked, grant_id=admitted.grant.id, version=admitted.view.dataset_version, as_of=None)

    def check() -> bool:
        with db.reading() as session:
            try:
                again = admit(session, asked, now=clock.now(session))
            except Exception:
                return False
            return admitted.grant is None or again.binding == admitted.binding

    return check


def apply_url(dataset_id: str) -> str:
    return f"/applications/new?dataset={dataset_id}"


def _bound(asked: Asked, holder: Holder) -> Asked:
    """Return what is asked for; a signed address asks for what it names, whatever else stands beside it."""
    return asked if holder.version is None else replace(asked, version=holder.version, as_of=None)


def _granted(admitted: Admitted, holder: Holder, asked: Asked, quota: Quota, now: datetime) -> Admitted:
    return replace(
        admitted, quota=quota, person_id=holder.person_id, credential=holder.kind, holder=holder.mark,
        network=asked.network, at=now,
    )  # fmt: skip


def _with_bytes(session: Session, admitted: Admitted) -> Admitted:
    view: ReleasedView = admitted.view
    return replace(admitted, parts=grants.parts_of(session, view.id), files=grants.files_of(session, view.id))


def _published(session: Session, dataset_id: str) -> Dataset:
    dataset = catalogue.dataset(session, dataset_id)
    if dataset.state != "published":
        raise NotFound()
    return dataset


# ---- grants ---------------------------------------------------------------------------------------------------------


def _grant(session: Session, holder: Holder, asked: Asked, *, now: datetime) -> Grant:
    """Return the live grant that is named, or chosen where none is: the one that ends last."""
    wanted = holder.grant_id or asked.grant_id
    named = tuple(one for one in holder.covered if wanted in (None, one.grant.id))
    if not named:
        raise _uncovered(session, holder, asked, now=now)
    return _choose(named, asked, now=now)


def _uncovered(session: Session, holder: Holder, asked: Asked, *, now: datetime) -> Refusal:
    """Return why a good credential opens nothing here: the client's grant was dead when its token was issued, or there
    is none.
    """
    apply = apply_url(asked.dataset_id)
    if holder.client_id is None:
        return token_rules.GrantMissing(token_rules.UNIT_WITHOUT, apply=apply)
    given = [one for one in tokens.grants_of(session, holder.client_id) if one.grant.dataset_id == asked.dataset_id]
    named = [one for one in given if asked.grant_id in (None, one.grant.id)]
    if not named:
        return token_rules.GrantMissing(apply=apply)
    last = named[-1]  # the one that ends last
    asked.known.grant_id = last.grant.id
    refusal = last.refusal(now=now)
    return refusal or token_rules.GrantMissing(token_rules.RENEW, apply=apply)


def _choose(named: tuple[Covered, ...], asked: Asked, *, now: datetime) -> Grant:
    """Return the grant to serve: of the live ones the one that ends last."""
    refusals = [(one, one.refusal(now=now)) for one in named]
    live = [one.grant for one, refusal in refusals if refusal is None]
    if not live:
        last, refusal = max(refusals, key=lambda pair: pair[0].grant.ends_at)
        asked.known.grant_id = last.grant.id
        raise refusal or token_rules.GrantMissing(apply=apply_url(asked.dataset_id))
    fitting = [grant for grant in live if ENOUGH[asked.delivery] & set(grant.delivery)]
    if not fitting:
        asked.known.grant_id = live[0].id
        raise grant_rules.WrongDelivery(delivery=asked.delivery, granted=", ".join(live[0].delivery))
    chosen = max(fitting, key=lambda grant: grant.ends_at)
    asked.known.grant_id = chosen.id
    return chosen
