"""Grants over the API: a unit's own, the officers' view of them, suspension and handing back."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import OFFICERS, READERS, Caller, Role, caller, requires
from service.base.beijing import BEIJING, last_day
from service.base.db import Session
from service.base.errors import NotFound
from service.catalogue import store as catalogue
from service.grants import actions, rules, store
from service.grants.forms import HandbackForm, SuspensionForm
from service.grants.tables import Grant, Handback, Suspension
from service.notices import jobs as outbox
from service.policy import engine as policy

api = Blueprint("grants_api", __name__, url_prefix="/api/v1/grants")


@api.get("")
@requires(*READERS)
def index() -> ResponseReturnValue:
    """List the grants that the caller may know of, the one that ends last first."""
    who = caller()
    with db.reading() as session:
        found = store.visible(session, who.roles, who.unit_id)
        ids = [grant.id for grant in found]
        held, given_back = store.open_suspensions(session, ids), store.handbacks(session, ids)
        now = clock.now(session)
    documents = [_document(grant, held.get(grant.id), given_back.get(grant.id), now=now) for grant in found]
    return http.json_answer({"grants": documents})


@api.get("/<grant_id>")
@requires(*READERS)
def show(grant_id: str) -> ResponseReturnValue:
    """Return one grant; another unit's is not found."""
    with db.reading() as session:
        grant = _known(session, grant_id, caller())
        return _answer(session, grant)


@api.post("/<grant_id>/suspension")
@requires(*OFFICERS, fresh=True)
def suspend(grant_id: str) -> ResponseReturnValue:
    """Stop a grant at once, with a cause that its unit is told."""
    form, who = http.json_body(SuspensionForm), caller()
    with db.writing() as session:
        works, now = policy.current().calendar.works, clock.now(session)
        actions.suspend(session, grant_id, cause=form.cause, by=who.person_id, now=now, works=works)
        answer = _answer(session, store.grant(session, grant_id), status=201)
    outbox.deliver()
    return answer


@api.post("/<grant_id>/suspension/confirmation")
@requires(*OFFICERS, fresh=True)
def confirm(grant_id: str) -> ResponseReturnValue:
    """Confirm a suspension as the second person."""
    with db.writing() as session:
        actions.confirm_suspension(session, grant_id, by=caller().person_id, now=clock.now(session))
        return _answer(session, store.grant(session, grant_id), status=201)


@api.delete("/<grant_id>/suspension")
@requires(*OFFICERS, fresh=True)
def lift(grant_id: str) -> ResponseReturnValue:
    """Lift a suspension; the next request with a live token is served again."""
    with db.writing() as session:
        actions.lift(session, grant_id, by=caller().person_id, now=clock.now(session))
        return _answer(session, store.grant(session, grant_id))


@api.post("/<grant_id>/handback")
@requires(Role.MANAGER, fresh=True)
def hand_back(grant_id: str) -> ResponseReturnValue:
    """Give the unit's own grant back before its end; the next request with a live token is refused."""
    form, who = http.json_body(HandbackForm), caller()
    with db.writing() as session:
        actions.hand_back(session, grant_id, by=who.person_id, now=clock.now(session), reason=form.reason)
        answer = _answer(session, store.grant(session, grant_id), status=201)
    outbox.deliver()
    return answer


def _known(session: Session, grant_id: str, who: Caller) -> Grant:
    grant = store.grant(session, grant_id)
    source = catalogue.dataset(session, grant.dataset_id).source_unit_id
    if not rules.may_see(who.roles, unit_id=who.unit_id, source_unit_id=source, holder_unit_id=grant.unit_id):
        raise NotFound()
    return grant


def _answer(session: Session, grant: Grant, status: int = 200) -> Response:
    now, held = clock.now(session), store.open_suspension(session, grant.id)
    view: dict[str, object] = {"state": store.view_state(session, grant.id)}
    if ready := store.view_of(session, grant.id):
        files = store.files_of(session, ready.id)
        view |= {"rows": ready.rows, **{f"{name}_sha256": file.sha256 for name, file in files.items()}}
    due = [{"kind": task.kind, "due_on": task.due_on.isoformat()} for task in store.tasks(session, grant.id)]
    document = _document(grant, held, store.handback(session, grant.id), now=now)
    return http.json_answer({**document, "view": view, "tasks": due}, status)


def _document(grant: Grant, held: Suspension | None, given_back: Handback | None, *, now: datetime) -> dict[str, Any]:
    returned_at = given_back.at if given_back else None
    return {
        "id": grant.id,
        "unit": grant.unit_id,
        "dataset": grant.dataset_id,
        "application": grant.application_id,
        "columns": grant.columns,
        "row_filter": grant.row_filter,
        "delivery": grant.delivery,
        "purpose": grant.purpose,
        "dataset_version": grant.dataset_version,
        "starts_at": _instant(grant.starts_at),
        "ends_at": _instant(grant.ends_at),
        "last_day": last_day(grant.ends_at).isoformat(),
        "standing": str(rules.standing(grant, suspended=held is not None, returned_at=returned_at, now=now)),
        "suspension": _suspension(held) if held else None,
        "returned_at": _instant(returned_at) if returned_at else None,
        "version": grant.version,
    }


def _suspension(held: Suspension) -> dict[str, Any]:
    return {
        "cause": held.cause,
        "at": _instant(held.at),
        "confirmed_at": _instant(held.confirmed_at) if held.confirmed_at else None,
    }


def _instant(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
