"""Housekeeping of refused requests."""

from datetime import datetime, timedelta

from service.base import clock, db
from service.oauth import store

KEPT_FOR = timedelta(days=30)


def forget_refusals(now: datetime | None = None) -> int:
    """Delete the refused requests of more than 30 days ago; return how many."""
    with db.writing() as session:
        return store.forget_refusals(session, before=(now or clock.now(session)) - KEPT_FOR)
