"""The list of applications, and the way to one of them."""

from flask.typing import ResponseReturnValue

from service.applications import store
from service.applications.actions.reading import visible
from service.applications.rules import STATES, State
from service.applications.web.own import own_cases
from service.applications.web.review import page_of
from service.applications.web.shown import pages
from service.base import clock, db, http
from service.base.access import FIRM, READERS, caller, requires
from service.catalogue import store as catalogue
from service.people import store as people


@pages.get("/applications")
@requires(*READERS)
def index() -> ResponseReturnValue:
    """List the unit's own applications to its people, to officers those that they may see."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        found = [each for each in store.listed(session, who) if each.unit_id != who.unit_id and each.number]
        return http.page(
            "applications/index.html",
            own=own_cases(session, who, now=now) if who.roles & FIRM else None,
            others=found if who.roles - FIRM else None,
            datasets=catalogue.datasets_by_id(session, {each.dataset_id for each in found}),
            units=people.units_by_id(session, {each.unit_id for each in found}),
            states=STATES,
            now=now,
        )


@pages.get("/applications/<id>")
@requires(*READERS)
def show(id: str) -> ResponseReturnValue:
    """Show a case to whoever may know of it, with the form that decides it to whoever decides on it now."""
    with db.reading() as session:
        application = visible(session, id, caller())
        if application.state == State.DRAFT:
            return http.see_other(f"/applications/{id}/draft")
        return page_of(session, application, {}, {})
