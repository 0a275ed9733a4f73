"""Which view: of the version that is served, or of the one that a request names."""

from service.base.db import Session
from service.base.errors import NotFound
from service.catalogue import store as catalogue
from service.catalogue.rules.versions import VersionState as CatalogueState
from service.data.gate.asking import Asked
from service.data.rules.refusals import VersionGone, VersionHeld, VersionWithdrawn, ViewMissing
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.grants.rules import VersionState, ViewState
from service.grants.tables import Grant, ReleasedView

SOON, LATER = 5, 3600  # seconds to wait before the next try
MOST = 100  # versions that are looked through for the one that was the newest as of a number


def view_of(session: Session, grant: Grant, asked: Asked) -> ReleasedView:
    """Return the view of the version that the grant serves, or of the one that is asked for.

    Only versions that were judged for the grant are known under it: any other number is not found, be there such a
    version or not.  Of those, one that is held says so, and one that was withdrawn names its successor.
    """
    number = _number(session, grant, asked)
    _demand_kept(session, grant.dataset_id, number)
    if (view := grants.view_of(session, grant.id, number)) is not None:
        return view
    state = grants.view_state(session, grant.id, number)
    if state == ViewState.QUARANTINED:
        raise grant_rules.ViewHeld(retry_after=LATER)
    if number < grant.dataset_version:
        raise VersionGone(version=number)
    raise grant_rules.ViewBuilding(retry_after=SOON)


def public_view(session: Session, dataset_id: str, asked: Asked) -> ReleasedView:
    """Return the standing public view, or that of the version that is asked for."""
    if asked.version is None and asked.as_of is None:
        if (view := grants.public_view(session, dataset_id)) is None:
            raise ViewMissing()
        _demand_kept(session, dataset_id, view.dataset_version)
        return view
    for one in catalogue.public_versions(session, dataset_id, limit=MOST):
        if asked.version not in (None, one.number) or (asked.as_of is not None and one.number > asked.as_of):
            continue
        if one.state == CatalogueState.WITHDRAWN:
            raise _withdrawn(one.number, one.successor)
        if (view := grants.public_view(session, dataset_id, one.number)) is not None:
            return view
    raise NotFound()


def _number(session: Session, grant: Grant, asked: Asked) -> int:
    if asked.version is None and asked.as_of is None:
        return grant.dataset_version
    known = {row.number: row.state for row in grants.grant_versions(session, grant.id)}
    if asked.version is not None:
        number = asked.version
    else:
        judged = (one for one, state in known.items() if state == VersionState.JUDGED)
        number = max((one for one in judged if one <= (asked.as_of or 0)), default=0)
    if number not in known:
        raise NotFound()
    if known[number] != VersionState.JUDGED:
        raise VersionHeld(version=number, retry_after=LATER)
    return number


def _demand_kept(session: Session, dataset_id: str, number: int) -> None:
    version = catalogue.version(session, dataset_id, number)
    if version.state == CatalogueState.WITHDRAWN:
        raise _withdrawn(number, version.successor)


def _withdrawn(number: int, successor: int | None) -> VersionWithdrawn:
    return VersionWithdrawn(version=number, successor="" if successor is None else successor)
