"""The agreement of a case: its text for those who may see the case, its signature for the unit's manager."""

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.reading import agreement_of, visible
from service.applications.forms import SignForm
from service.applications.rules import State, own
from service.applications.tables import Application
from service.applications.web.shown import as_invalid, pages, told
from service.base import clock, db, http
from service.base.access import READERS, Role, caller, requires
from service.base.db import Session
from service.base.errors import NotAllowed, NotFound, Refusal
from service.base.forms import errors_by_field, form_data, parse
from service.catalogue import store as catalogue
from service.grants import jobs as views
from service.screening.actions.versions import measure


@pages.get("/applications/<id>/agreement")
@requires(*READERS)
def agreement(id: str) -> ResponseReturnValue:
    """Show the agreement's text and, to the unit's manager, the signature form."""
    with db.reading() as session:
        return _agreement(session, visible(session, id, caller()), {})


@pages.post("/applications/<id>/agreement")
@requires(Role.MANAGER, fresh=True)
def sign(id: str) -> ResponseReturnValue:
    """Sign for the unit; the grant is issued in the same transaction, its view built right after."""
    with db.reading() as session:
        own(caller(), store.application(session, id).unit_id)
    try:
        form = parse(SignForm, form_data(request.form))
        with db.reading() as session:
            checks = actions.foreseen(session, id, now=clock.now(session))
        measure(checks)
        with db.writing() as session:
            now = clock.now(session)
            grant = actions.sign(session, id, seen=form.version, digest=form.digest, by=caller(), now=now)
    except (NotFound, NotAllowed):
        raise
    except Refusal as refusal:
        with db.reading() as session:
            application = visible(session, id, caller())
            return _agreement(session, application, errors_by_field(as_invalid(refusal)), refusal)
    views.build_grant_view(grant.id, pepper=http.settings().pepper())
    return http.see_other(f"/grants/{grant.id}")


def _agreement(
    session: Session, application: Application, errors: dict[str, str], refusal: Refusal | None = None
) -> Response:
    who = caller()
    mine = who.unit_id == application.unit_id
    return http.page(
        "applications/agreement.html",
        status=refusal.status if refusal else 200,
        application=application,
        dataset=catalogue.dataset(session, application.dataset_id),
        agreement=agreement_of(session, application),
        may_sign=mine and who.has(Role.MANAGER) and application.state == State.APPROVED,
        waits=mine and not who.has(Role.MANAGER) and application.state == State.APPROVED,
        fresh=who.fresh,
        errors=errors,
        refusal=refusal,
        refused=told(session, application, refusal),
    )
