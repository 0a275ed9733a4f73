"""Reminding of what ends and telling what nobody confirmed.  A late job changes no right."""

from datetime import timedelta

from service.base import clock, db
from service.grants import actions, rules, store
from service.policy import engine as policy


def remind_of_expiry(limit: int = 100) -> int:
    """Queue the 30, 7 and 1 day reminders that are due; return how many.  Safe to run twice or late."""
    return sum(_remind(days, more, most, limit) for days, more, most in rules.windows())


def _remind(days: int, more_than: timedelta, at_most: timedelta, limit: int) -> int:
    with db.writing() as session:
        now = clock.now(session)
        due = store.reminders_due(session, days, more_than=more_than, at_most=at_most, now=now, limit=limit)
        return sum(actions.remind(session, grant, days=days, now=now) for grant in due)


def flag_unconfirmed_suspensions(limit: int = 100) -> int:
    """Tell the authority of suspensions that nobody confirmed within a working day; return how many.

    It only tells: the suspension stays until a person confirms or lifts it.
    """
    works = policy.current().calendar.works
    with db.writing() as session:
        now = clock.now(session)
        told = 0
        for grant, suspension in store.unflagged(session, limit=limit):
            due = rules.confirmation_due(suspension.at, works=works)
            told += due <= now and actions.flag(session, grant, suspension, due=due, now=now)
        return told
