"""A newer version than the one that a grant serves: it is being judged, it is held, or its file is being made."""

from datetime import datetime
from typing import Any

from service.base.db import Session
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.grants.rules import GrantStanding, VersionState
from service.grants.rules.groups import AGAIN
from service.grants.store import following
from service.grants.tables import Grant, GrantVersion
from service.home.store import Granted
from service.screening.actions.versions import said
from service.screening.rules.versions import advice

OVER = (GrantStanding.ENDED, GrantStanding.RETURNED)


def next_version(session: Session, one: Granted, standing: str, *, now: datetime) -> dict[str, Any] | None:
    """Return {"number", "state", …} of the newest version that the grant has not come to; None when there is none.

    `state` is asked (it waits to be judged), held (then `what`, `advice` and `at`) or judged.
    """
    if standing in OVER or not one.grant.follows:
        return None
    latest = catalogue.latest_or_none(session, one.dataset.id, now=now)
    if latest is None or latest.number <= one.grant.dataset_version:
        return None
    row = following.version_of(session, one.grant.id, latest.number)
    if row is None or row.state == AGAIN:
        return {"number": latest.number, "state": "asked"}
    if row.state == VersionState.JUDGED:
        return {"number": latest.number, "state": "judged"}
    return {
        "number": latest.number, "state": "held", "at": row.at, "what": said(row.reasons),
        "advice": advice(row.reasons),
    }  # fmt: skip


def held_for(
    session: Session, *, unit_id: str, authority: bool, now: datetime
) -> list[tuple[GrantVersion, Grant, Dataset, str]]:
    """Return the versions that are held for grants on the data of a unit, or on all, each with why."""
    found = following.held_for(session, source_unit_id=None if authority else unit_id, now=now)
    return [(row, grant, dataset, said(row.reasons)) for row, grant, dataset in found]
