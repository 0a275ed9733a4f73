"""Pages where a unit's manager makes and ends its systems' credentials, and the scripts to paste."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import FIRM, Role, caller, requires
from service.base.db import Session
from service.base.errors import Duplicate, Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import TAGS, current
from service.base.ids import new_id
from service.catalogue import store as catalogue
from service.grants import store as grants
from service.grants.tables import Grant
from service.oauth import actions, rules, store
from service.oauth.forms import AllowForm, ClientForm, ReplaceForm
from service.oauth.tables import Client

pages = Blueprint("oauth", __name__)

# What a script's file is called, and what it is shown as.
SCRIPTS = {"curl.sh": "text/x-shellscript", "oauthlib.py": "text/x-python", "pandas.py": "text/x-python",
           "duckdb.py": "text/x-python"}  # fmt: skip


@pages.get("/grants/<grant_id>/clients/new")
@requires(Role.MANAGER)
def new_client(grant_id: str) -> ResponseReturnValue:
    """Show the form for a new system, and the unit's systems that could use this grant too."""
    with db.reading() as session:
        return _new_client(session, _own_grant(session, grant_id), {}, {})


@pages.post("/grants/<grant_id>/clients")
@requires(Role.MANAGER, fresh=True)
def create_client(grant_id: str) -> ResponseReturnValue:
    """Make a system for this grant and show its secret, once."""
    try:
        form = parse(ClientForm, form_data(request.form))
    except Invalid as fault:
        with db.reading() as session:
            grant = _own_grant(session, grant_id)
            return _new_client(session, grant, request.form.to_dict(), errors_by_field(fault)), 422
    who, pepper = caller(), http.settings().pepper()
    try:
        with db.writing() as session:
            now = clock.now(session)
            client, secret = actions.create_client(
                session, unit_id=who.unit_id, grant_id=grant_id, name=form.name, pepper=pepper, by=who.person_id,
                now=now, key=form.key,
            )  # fmt: skip
    except Duplicate:
        return _already(grant_id, f"c-{form.key}")
    return _secret(client, secret, grant_id)


@pages.post("/grants/<grant_id>/clients/allowed")
@requires(Role.MANAGER, fresh=True)
def allow_client(grant_id: str) -> ResponseReturnValue:
    """Let a system that the unit has already use this grant."""
    form, who = parse(AllowForm, form_data(request.form)), caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.allow(session, form.client_id, grant_id, unit_id=who.unit_id, by=who.person_id, now=now)
    return http.see_other(f"/grants/{grant_id}#systems")


@pages.post("/clients/<client_id>/secrets")
@requires(Role.MANAGER, fresh=True)
def replace_secret(client_id: str) -> ResponseReturnValue:
    """Revoke a system's secret and show a new one, once; the same form sent again replaces nothing more."""
    form, who, pepper = parse(ReplaceForm, form_data(request.form)), caller(), http.settings().pepper()
    with db.writing() as session:
        now = clock.now(session)
        client = store.client(session, client_id)
        there = store.current_secrets(session, [client_id]).get(client_id)
        if form.fingerprint and there and form.fingerprint != rules.fingerprint(there.digest):
            return _already(form.grant or "", client_id)
        secret = actions.replace_secret(
            session, client_id, unit_id=who.unit_id, pepper=pepper, by=who.person_id, now=now
        )
    return _secret(client, secret, form.grant)


@pages.post("/clients/<client_id>/disabling")
@requires(Role.MANAGER, fresh=True)
def disable_client(client_id: str) -> ResponseReturnValue:
    """End a system for good."""
    form, who = parse(ReplaceForm, form_data(request.form)), caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.disable(session, client_id, unit_id=who.unit_id, by=who.person_id, now=now)
    return http.see_other(f"/grants/{form.grant}#systems" if form.grant else "/grants")


@pages.get("/grants/<grant_id>/scripts/<name>")
@requires(*FIRM)
def script(grant_id: str, name: str) -> ResponseReturnValue:
    """Return a script that pulls this grant's data as pasted, with the secret taken from the environment."""
    if name not in SCRIPTS:
        raise NotFound()
    with db.reading() as session:
        grant = _own_grant(session, grant_id)
        clients = [client for client in store.clients_of_grant(session, grant_id) if client.disabled_at is None]
    text = script_text(name, grant, clients[-1].id if clients else None)
    answer = Response(text, content_type="text/plain; charset=utf-8")
    answer.headers["Cache-Control"] = "private, no-store"
    way = "attachment" if "download" in request.args else "inline"
    answer.headers["Content-Disposition"] = f'{way}; filename="qiantang-{name}"'
    return answer


def script_text(name: str, grant: Grant, client_id: str | None) -> str:
    """Return a script's text for one grant; without a client the id too is read from the environment."""
    return render_template(
        f"oauth/scripts/{name}",
        base_url=http.settings().base_url,
        dataset=grant.dataset_id,
        grant=grant.id,
        delivery=grant.delivery,
        client_id=client_id or "",
        insecure=not http.settings().secure,
        language=TAGS[current()],
    )


def _own_grant(session: Session, grant_id: str) -> Grant:
    grant = grants.grant(session, grant_id)
    if grant.unit_id != caller().unit_id:
        raise NotFound()
    return grant


def _new_client(session: Session, grant: Grant, values: dict[str, str], errors: dict[str, str]) -> Response:
    given = {client.id for client in store.clients_of_grant(session, grant.id)}
    others = [c for c in store.of_unit(session, grant.unit_id) if c.id not in given and c.disabled_at is None]
    dataset = catalogue.dataset(session, grant.dataset_id)
    return http.page(
        "oauth/new_client.html", grant=grant, dataset=dataset, others=others, values=values, errors=errors,
        key=values.get("key") or new_id(clock.now(session)),
    )  # fmt: skip


def _already(grant_id: str, client_id: str) -> ResponseReturnValue:
    """Go back to the grant when a form that showed a secret is sent again: the page has its fingerprint only."""
    with db.reading() as session:
        if store.client(session, client_id).unit_id != caller().unit_id:
            raise NotFound()
    return http.see_other(f"/grants/{grant_id}#systems" if grant_id else "/grants")


def _secret(client: Client, secret: str, grant_id: str | None) -> Response:
    mark = rules.fingerprint(rules.secret_digest(secret, http.settings().pepper()))
    answer = http.page("oauth/secret.html", client=client, secret=secret, fingerprint=mark, grant_id=grant_id)
    answer.headers["Cache-Control"] = "no-store"
    return answer
