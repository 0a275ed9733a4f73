"""One's own account: data held about oneself, sessions, password."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import PERSONS, caller, requires
from service.base.errors import Invalid
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext
from service.people import actions, engine, store
from service.people.forms import NameForm, PasswordForm, explain
from service.people.rules import ROLE_NAMES, browser_of, password_fault
from service.people.web.login import fresh_login
from service.people.web.session import pages


@pages.get("/account")
@requires(*PERSONS)
def account() -> ResponseReturnValue:
    """Show what is held about the caller, and the places where they are logged in."""
    return _page({}, {})


@pages.post("/account/name")
@requires(*PERSONS)
def correct_name() -> ResponseReturnValue:
    """Correct one's own name."""
    try:
        form = parse(NameForm, form_data(request.form))
    except Invalid as fault:
        return _page(request.form.to_dict(), errors_by_field(fault), 422)
    who = caller()
    with db.writing() as session:
        actions.rename(session, who.person_id, name=form.name, by=who.person_id, now=clock.now(session))
    return http.see_other("/account")


@pages.post("/account/password")
@requires(*PERSONS, fresh=True)
def change_password() -> ResponseReturnValue:
    """Change one's own password; all other sessions end."""
    try:
        new = _new_password()
    except Invalid as fault:
        return _page({}, errors_by_field(fault), 422)
    who, hashed = caller(), engine.hash_password(new)
    with db.writing() as session:
        actions.change_password(
            session, who.person_id, password_hash=hashed, by=who.person_id, now=clock.now(session), keep=who.session_id
        )
    return http.see_other("/account")


@pages.post("/account/sessions/<id_hash>/revocation")
@requires(*PERSONS)
def revoke_session(id_hash: str) -> ResponseReturnValue:
    """End one of one's own sessions."""
    who = caller()
    with db.writing() as session:
        actions.end_session(session, id_hash, person_id=who.person_id, by=who.person_id, now=clock.now(session))
    return http.see_other("/account")


@pages.post("/account/sessions/revocation")
@requires(*PERSONS)
def revoke_others() -> ResponseReturnValue:
    """End all of one's own sessions but this one."""
    who = caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.end_sessions(session, who.person_id, by=who.person_id, now=now, keep=who.session_id)
    return http.see_other("/account")


def _new_password() -> str:
    form, who = parse(PasswordForm, form_data(request.form)), caller()
    with db.reading() as session:
        login = store.person(session, who.person_id).login
    if fault := password_fault(form.password, login):
        raise Invalid(errors=[{"field": "password", "message": explain(fault)}])
    return form.password


def _page(values: dict[str, Any], errors: dict[str, str], status: int = 200) -> ResponseReturnValue:
    who = caller()
    with db.reading() as session:
        person = store.person(session, who.person_id)
        unit = store.unit(session, who.unit_id)
        sessions = store.live_sessions(session, who.person_id, now=who.now)
    roles = [gettext(ROLE_NAMES[role]) for role in sorted(who.roles)]
    return http.page(
        "people/account.html", status, person=person, unit=unit, roles=roles, values=values, errors=errors,
        sessions=[(one, browser_of(one.agent or "")) for one in sessions], fresh=fresh_login("/account"),
    )  # fmt: skip
