"""A person's notices."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import PERSONS, Caller, Role, caller, requires
from service.base.forms import form_data, parse
from service.notices import actions, rules, store
from service.notices.forms import ReadAllForm
from service.notices.tables import Notice, Outbox

pages = Blueprint("notices", __name__)


@pages.get("/notices")
@requires(*PERSONS)
def index() -> ResponseReturnValue:
    """List the caller's notices, newest first; an operator also sees what could not be delivered."""
    who = caller()
    with db.reading() as session:
        found = store.listed(session, **_reader(who))
        failed = store.failed(session) if who.has(Role.OPERATOR) else ()
    entries = [_entry(notice, read=read) for notice, read in found]
    unread = sum(not entry["read"] for entry in entries)
    return http.page("notices/index.html", entries=entries, unread=unread, failed=[_failure(entry) for entry in failed])


@pages.post("/notices/readings")
@requires(*PERSONS)
def read_all() -> ResponseReturnValue:
    """Note that the caller has read what their list showed; what has come since stays unread."""
    form = parse(ReadAllForm, form_data(request.form))
    with db.writing() as session:
        actions.read_until(session, form.until, **_reader(caller()), now=clock.now(session))
    return http.see_other("/notices")


@pages.post("/notices/<notice_id>/reading")
@requires(*PERSONS)
def read(notice_id: str) -> ResponseReturnValue:
    """Note that the caller has read a notice, and go to what it is about."""
    who = caller()
    with db.writing() as session:
        notice = actions.read(
            session, notice_id, unit_id=who.unit_id, by=who.person_id, roles=who.roles, now=clock.now(session)
        )
    return http.see_other(rules.path(notice.kind, notice.facts))


def _reader(who: Caller) -> dict[str, Any]:
    return {"unit_id": who.unit_id, "person_id": who.person_id, "roles": who.roles}


def _entry(notice: Notice, *, read: bool) -> dict[str, Any]:
    return {
        "id": notice.id,
        "at": notice.at,
        "text": rules.text(notice.kind, notice.facts),
        "path": rules.path(notice.kind, notice.facts),
        "read": read,
    }


def _failure(entry: Outbox) -> dict[str, Any]:
    return {"id": entry.id, "kind": entry.kind, "at": entry.failed_at, "tries": entry.tries, "fault": entry.fault}
