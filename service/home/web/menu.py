"""What the head of every page says is waiting for its reader."""

from collections.abc import Callable

from service.applications import store as applications
from service.base import db
from service.base.access import caller_or_none
from service.base.db import DatabaseError
from service.home.web.parts import pages
from service.notices import store as notices

MOST = 100
NOTHING = {"cases": 0, "notices": 0}


@pages.app_context_processor
def menu() -> dict[str, Callable[[], dict[str, int]]]:
    """Give the page's frame `waiting()`: a function, so that only a page that shows its head asks the database."""
    return {"waiting": waiting}


def waiting() -> dict[str, int]:
    """Return how many cases and unread notices wait for the reader, each counted up to `MOST`.

    Nothing for a visitor, and on the page that says the database is away.
    """
    who = caller_or_none()
    if who is None:
        return NOTHING
    try:
        with db.reading() as session:
            return {
                "cases": applications.count_open(session, who, most=MOST),
                "notices": notices.unread(
                    session, unit_id=who.unit_id, person_id=who.person_id, roles=who.roles, most=MOST
                ),
            }
    except DatabaseError:
        return NOTHING
