"""Housekeeping of sessions."""

from datetime import datetime, timedelta

from service.base import clock, db
from service.people import store

# Access logs are kept six months at least; a session is part of them.
KEPT_FOR = timedelta(days=190)


def forget_sessions(now: datetime | None = None) -> int:
    """Delete the sessions that began more than 190 days ago; return how many."""
    with db.writing() as session:
        at = now or clock.now(session)
        return store.forget_sessions(session, before=at - KEPT_FOR)
