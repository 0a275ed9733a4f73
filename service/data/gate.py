"""The one gate.  Every byte path comes through `admit`: token → client → grant → live? → view.

It reads the database on each call and caches nothing, so that an end committed is an end felt on the next request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.base import clock, db, state
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.data.rules import ViewMissing
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.grants.tables import Grant, ReleasedView, ViewFile, ViewPart
from service.oauth import rules as token_rules
from service.oauth import store as tokens
from service.oauth.store import Covered

# What a grant must allow for each way out: whoever may take the whole file may also page through it, not the reverse.
ENOUGH = {"api": {"api", "download"}, "download": {"download"}}


@dataclass(frozen=True, slots=True)
class Admitted:
    """Leave to read one view now.  `grant` and `client_id` are None for public data."""

    dataset: Dataset
    view: ReleasedView
    grant: Grant | None
    client_id: str | None
    known_columns: tuple[str, ...]
    parts: tuple[ViewPart, ...]
    files: Mapping[str, ViewFile]

    @property
    def binding(self) -> str:
        """What a cursor holds for: this view, this grant, this epoch."""
        grant = f"{self.grant.id}.{self.grant.epoch}" if self.grant else "public"
        return f"{self.view.id}|{grant}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the view, in its order."""
        return tuple(column["name"] for column in self.view.columns)


@dataclass(slots=True)
class Known:
    """What the gate has learnt about who asks, for whoever has to tell why it said no."""

    client_id: str | None = None
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a data request says about itself.  `delivery` is how the bytes go out: rows (api) or a file (download)."""

    dataset_id: str
    authorization: str | None
    grant_id: str | None
    delivery: str
    known: Known = field(default_factory=Known, compare=False)


def admit(session: Session, asked: Asked, *, now: datetime) -> Admitted:
    """Return leave to read, or raise the refusal that says why not and what to do next.

    A dataset that is not published answers 404, to everybody; after a restore nothing answers until it is opened.
    """
    state.demand_open(session)
    dataset = _published(session, asked.dataset_id)
    known = tuple(column.name for column in catalogue.columns(session, dataset.id))
    if dataset.openness == "unconditional":
        view = _public_view(session, dataset.id)
        return Admitted(dataset, view, None, None, known, *_bytes(session, view))
    if dataset.openness != "restricted":
        raise ViewMissing()
    client_id, covered = _covered(session, asked, now=now)
    named = tuple(one for one in covered if asked.grant_id in (None, one.grant.id))
    if not named:
        raise _uncovered(session, client_id, asked, now=now)
    grant = _choose(named, asked, now=now)
    view = _view(session, grant)
    return Admitted(dataset, view, grant, client_id, known, *_bytes(session, view))


def still_open(admitted: Admitted, asked: Asked) -> Callable[[], bool]:
    """Return a check that a long answer calls as it goes: whether the same request would still be admitted."""

    def check() -> bool:
        with db.reading() as session:
            try:
                again = admit(session, asked, now=clock.now(session))
            except Exception:
                return False
            # A newer view of open data takes nothing away from who is reading the one before.
            return admitted.grant is None or again.binding == admitted.binding

    return check


def apply_url(dataset_id: str) -> str:
    return f"/applications/new?dataset={dataset_id}"


def _published(session: Session, dataset_id: str) -> Dataset:
    dataset = catalogue.dataset(session, dataset_id)
    if dataset.state != "published":
        raise NotFound()
    return dataset


def _bytes(session: Session, view: ReleasedView) -> tuple[tuple[ViewPart, ...], dict[str, ViewFile]]:
    """Return the parts of a view in their order, and the whole files of it that are ready, by format."""
    return tuple(grants.parts_of(session, view.id)), grants.files_of(session, view.id)


def _public_view(session: Session, dataset_id: str) -> ReleasedView:
    if (view := grants.public_view(session, dataset_id)) is None:
        raise ViewMissing()
    return view


def _covered(session: Session, asked: Asked, *, now: datetime) -> tuple[str, tuple[Covered, ...]]:
    """Return the client behind the token and the grants that it covers on the dataset."""
    apply = apply_url(asked.dataset_id)
    if (secret := token_rules.bearer(asked.authorization)) is None:
        raise token_rules.TokenMissing(apply=apply)
    bearer = tokens.bearer(session, token_rules.digest(secret), asked.dataset_id)
    if bearer:
        asked.known.client_id = bearer.client_id
        asked.known.grant_id = bearer.grants[0].grant.id if len(bearer.grants) == 1 else None
    if bearer is None or bearer.void:
        raise token_rules.TokenRevoked()
    if bearer.expires_at <= now:
        raise token_rules.TokenExpired()
    return bearer.client_id, bearer.grants


def _uncovered(session: Session, client_id: str, asked: Asked, *, now: datetime) -> Refusal:
    """Return why a good token opens nothing here: the client's grant was dead when it was issued, or there is none."""
    apply = apply_url(asked.dataset_id)
    given = [one for one in tokens.grants_of(session, client_id) if one.grant.dataset_id == asked.dataset_id]
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


def _view(session: Session, grant: Grant) -> ReleasedView:
    if (view := grants.view_of(session, grant.id)) is not None:
        return view
    if grants.view_state(session, grant.id) == grant_rules.ViewState.QUARANTINED:
        raise grant_rules.ViewHeld(retry_after=3600)
    raise grant_rules.ViewBuilding(retry_after=5)
