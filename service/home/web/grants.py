"""The grants that a reader may see, and the page of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask.typing import ResponseReturnValue

from service.applications import store as applications
from service.base import clock, db, http
from service.base.access import FIRM, READERS, caller, requires
from service.base.db import Session
from service.base.errors import NotFound
from service.data import store as usage
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.home import store
from service.home.store import Granted
from service.home.web.parts import entry, may_suspend, pages, units_of
from service.oauth import store as clients
from service.oauth.tables import Client
from service.oauth.web import SCRIPTS, script_text


@pages.get("/grants")
@requires(*READERS)
def grant_list() -> ResponseReturnValue:
    """List the grants that the caller may see: the unit's own, the source unit's, or all."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        found = store.grants_seen_by(session, who.roles, who.unit_id)
        entries = [entry(session, one, now=now) for one in found]
        return http.page("home/grants.html", grants=entries, officer=not who.has(*FIRM))


@pages.get("/grants/<grant_id>")
@requires(*READERS)
def grant(grant_id: str) -> ResponseReturnValue:
    """Show a grant: what may be read until when, systems, scripts, usage, suspension."""
    with db.reading() as session:
        one = store.granted(session, grant_id)
        if one is None or not _may_see_grant(one):
            raise NotFound()
        return http.page("home/grant.html", **_grant_page(session, one, now=clock.now(session)))


def _grant_page(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    own = caller().unit_id == one.grant.unit_id
    systems = clients.clients_of_grant(session, one.grant.id) if own else []
    shown = entry(session, one, now=now)
    return {
        **shown,
        "state": shown["standing"],  # `standing` is the macro that shows it
        "suspension": grants.open_suspension(session, one.grant.id),
        "number": applications.application(session, one.grant.application_id).number,
        "view": grants.view_of(session, one.grant.id),
        "own": own,
        "clients": systems,
        "scripts": _scripts(one, systems) if own else [],
        "tasks": grants.tasks(session, one.grant.id),
        "totals": usage.totals_of_grant(session, one.grant.id),
        "usage": usage.usage_of_grant(session, one.grant.id),
        "may_suspend": may_suspend(one),
    }


def _may_see_grant(one: Granted) -> bool:
    return grant_rules.may_see(caller().roles, **units_of(one))


def _scripts(one: Granted, systems: Sequence[Client]) -> list[tuple[str, str]]:
    """Return every script's name and text, for the unit's newest system that still works."""
    working = [system.id for system in systems if system.disabled_at is None]
    return [(name, script_text(name, one.grant, working[-1] if working else None)) for name in SCRIPTS]
