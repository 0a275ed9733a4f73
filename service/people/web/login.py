"""Login, re-authentication and logout."""

from typing import Any
from urllib.parse import quote

from flask import Response, current_app, g, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http, kept, states
from service.base.access import Role, caller, caller_or_none, requires
from service.base.errors import Invalid, Refusal
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext
from service.base.kept import Kept
from service.people import actions, engine, gate, store
from service.people.forms import LoginForm
from service.people.rules import ROLE_NAMES, LoginFailed
from service.people.tables import Person
from service.people.web.session import address, begin, clear_cookie, find_caller, owner_of, pages, set_cookie


@pages.get("/login")
@requires(Role.PUBLIC)
def login_page() -> ResponseReturnValue:
    """Show the login form; with ?fresh=1 it asks somebody who is logged in for the password again."""
    return _form({"next": http.local_path(request.args.get("next"))}, {})


@pages.post("/login")
@requires(Role.PUBLIC)
def login() -> ResponseReturnValue:
    """Begin a session, or a fresh one in place of the old; 422 and the form again when it fails."""
    given = _given()
    carried = kept.opened(str(given.pop("kept", "")), str(given.pop("kept_seal", "")))
    try:
        form = parse(LoginForm, given)
        person = _authenticate(form)
        cookie = _begin(person, form.password)
    except (Invalid, LoginFailed) as refusal:
        return _failed(given, refusal, carried)
    if carried is not None:
        return set_cookie(_show_kept(carried, cookie), cookie)
    return set_cookie(http.see_other(http.local_path(form.next)), cookie)


def ask_to_log_in(refusal: Refusal) -> Response:
    """Show the login form to whoever sent a form without a session good enough for it; what they typed goes along."""
    cookie = request.cookies.get(http.cookie_name(http.settings()), "")
    owner = caller_or_none()
    carried = kept.keep(owner.person_id if owner else owner_of(cookie))
    values = {"next": states.came_from("/")}
    return _form(values, {}, refusal, carried, lost=carried is None and kept.too_long())


def _show_kept(carried: Kept, cookie: str) -> Response:
    """Show what was typed before the login, whose it was, and the button that sends it.

    The answer to a POST and no redirect: only this browser has the text.
    """
    with db.reading() as session:
        now = clock.now(session)
        owner = store.names_of(session, [carried.owner]).get(carried.owner)
    g.caller = find_caller(cookie, now)  # the page is already the new session's
    return http.page("people/kept.html", kept=carried, owner=owner, same=carried.owner == caller().person_id)


@pages.post("/logout")
@requires(Role.PUBLIC)
def logout() -> ResponseReturnValue:
    """End the session of this browser; nothing happens without one."""
    if who := caller_or_none():
        with db.writing() as session:
            now = clock.now(session)
            actions.end_session(session, who.session_id, person_id=who.person_id, by=who.person_id, now=now)
    return clear_cookie(http.see_other("/"))


def _given() -> dict[str, Any]:
    return http.json_object() or {} if request.is_json else form_data(request.form)


def _authenticate(form: LoginForm) -> Person:
    with db.reading() as session:
        now = clock.now(session)
    return gate.authenticate(form.login, form.password, address=address(), pepper=http.settings().pepper(), now=now)


def _begin(person: Person, password: str) -> str:
    newer = engine.hash_password(password) if engine.outdated(person.password_hash) else None
    with db.writing() as session:
        now = clock.now(session)
        if newer:
            store.renew_hash(session, person.id, old=person.password_hash, new=newer)
        return begin(session, person.id, now=now)


def _failed(given: dict[str, Any], refusal: Invalid | LoginFailed, carried: Kept | None) -> ResponseReturnValue:
    if request.is_json:
        return http.problem(refusal)
    errors = errors_by_field(refusal) if isinstance(refusal, Invalid) else {"login": gettext(refusal.title)}
    return _form({**given, "next": http.local_path(str(given.get("next", "")))}, errors, refusal, carried)


def _form(
    values: dict[str, Any],
    errors: dict[str, str],
    refusal: Refusal | None = None,
    carried: Kept | None = None,
    *,
    lost: bool = False,
) -> Response:
    demo = current_app.extensions.get("demo", []) if http.settings().demo else []
    again = caller_or_none() is not None and ("fresh" in request.args or request.method == "POST")
    return http.page(
        "people/login.html", refusal.status if refusal else 200, values=values, errors=errors, accounts=demo,
        again=again, role_name=_role_name, refusal=refusal, kept=carried, lost=lost,
    )  # fmt: skip


def _role_name(role: str) -> str:
    return gettext(ROLE_NAMES[Role(role)])


def fresh_login(path: str) -> str:
    """Return where to type the password again before going on to `path`."""
    return f"/login?fresh=1&next={quote(path)}"
