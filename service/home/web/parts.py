"""What the pages share: their blueprint, and a grant with whose it is."""

from datetime import datetime
from typing import Any

from flask import Blueprint

from service.base.access import caller
from service.base.beijing import last_day
from service.base.db import Session
from service.grants import actions as grant_actions
from service.grants import rules as grant_rules
from service.home.store import Granted

pages = Blueprint("home", __name__)


def may_suspend(one: Granted) -> bool:
    return grant_rules.may_oversee(caller().roles, **units_of(one))


def units_of(one: Granted) -> dict[str, str]:
    """Return whose the caller, the grant and its data are."""
    return {
        "unit_id": caller().unit_id,
        "source_unit_id": one.dataset.source_unit_id,
        "holder_unit_id": one.grant.unit_id,
    }


def entry(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    """Return a grant as the lists show it: whose, of what, its standing at `now`, its last Beijing day."""
    return {
        "grant": one.grant,
        "unit": one.unit,
        "dataset": one.dataset,
        "standing": str(grant_actions.standing_of(session, one.grant, now=now)),
        "last_day": last_day(one.grant.ends_at),
    }
