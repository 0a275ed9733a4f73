"""The forms on a grant's page: suspend, confirm, lift, give back."""

from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import OFFICERS, Role, caller, requires
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.catalogue import store as catalogue
from service.grants import actions, store
from service.grants.actions import following
from service.grants.forms import HandbackForm, LiftingForm, SuspensionForm
from service.grants.tables import Grant
from service.notices import jobs as outbox
from service.people import store as people
from service.policy import engine as policy

pages = Blueprint("grants", __name__)


@pages.get("/grants/<grant_id>/suspension")
@requires(*OFFICERS)
def ask_suspension(grant_id: str) -> ResponseReturnValue:
    """Say what suspending does, before it is done."""
    with db.reading() as session:
        return _oversight_page(session, "grants/suspension.html", grant_id, {})


@pages.get("/grants/<grant_id>/suspension/lifting")
@requires(*OFFICERS)
def ask_lifting(grant_id: str) -> ResponseReturnValue:
    """Say what lifting a suspension does, before it is done."""
    with db.reading() as session:
        return _oversight_page(session, "grants/lifting.html", grant_id, {})


@pages.post("/grants/<grant_id>/suspension")
@requires(*OFFICERS, fresh=True)
def suspend(grant_id: str) -> ResponseReturnValue:
    """Stop a grant at once, with a cause that its unit is told."""
    values = form_data(request.form)
    try:
        form = parse(SuspensionForm, values)
    except Invalid as fault:
        return _again("grants/suspension.html", grant_id, values, fault)
    with db.writing() as session:
        works, now = policy.current().calendar.works, clock.now(session)
        actions.suspend(session, grant_id, cause=form.cause, by=caller().person_id, now=now, works=works)
    outbox.deliver()
    return http.see_other(f"/grants/{grant_id}")


@pages.post("/grants/<grant_id>/suspension/confirmation")
@requires(*OFFICERS, fresh=True)
def confirm(grant_id: str) -> ResponseReturnValue:
    """Confirm a suspension as the second person."""
    with db.writing() as session:
        actions.confirm_suspension(session, grant_id, by=caller().person_id, now=clock.now(session))
    return http.see_other(f"/grants/{grant_id}")


@pages.post("/grants/<grant_id>/suspension/lifting")
@requires(*OFFICERS, fresh=True)
def lift(grant_id: str) -> ResponseReturnValue:
    """Lift a suspension; the next request with a live token is served again."""
    values = form_data(request.form)
    try:
        form = parse(LiftingForm, values)
    except Invalid as fault:
        return _again("grants/lifting.html", grant_id, values, fault)
    with db.writing() as session:
        actions.lift(session, grant_id, by=caller().person_id, now=clock.now(session), reason=form.reason)
    return http.see_other(f"/grants/{grant_id}")


@pages.post("/grants/<grant_id>/versions/<int:number>/judgement")
@requires(*OFFICERS)
def judge_again(grant_id: str, number: int) -> ResponseReturnValue:
    """Have a version that is held for a grant judged again; a job does it in a moment, and nobody overrides it."""
    with db.writing() as session:
        following.look_again(session, grant_id, number, by=caller().person_id, now=clock.now(session))
    return http.see_other(f"/grants/{grant_id}#next")


@pages.get("/grants/<grant_id>/handback")
@requires(Role.MANAGER)
def ask_handback(grant_id: str) -> ResponseReturnValue:
    """Say what handing back does, before it is done."""
    with db.reading() as session:
        return _handback_page(session, grant_id, {})


@pages.post("/grants/<grant_id>/handback")
@requires(Role.MANAGER, fresh=True)
def hand_back(grant_id: str) -> ResponseReturnValue:
    """Give the unit's own grant back before its end."""
    values = form_data(request.form)
    try:
        form = parse(HandbackForm, values)
    except Invalid as fault:
        with db.reading() as session:
            return _handback_page(session, grant_id, values, errors_by_field(fault))
    with db.writing() as session:
        actions.hand_back(session, grant_id, by=caller().person_id, now=clock.now(session), reason=form.reason)
    outbox.deliver()
    return http.see_other(f"/grants/{grant_id}")


def _handback_page(
    session: Session, grant_id: str, values: dict[str, Any], errors: dict[str, str] | None = None
) -> Response:
    grant = _own(session, grant_id)
    return http.page(
        "grants/handback.html", status=422 if errors else 200, grant=grant, values=values, errors=errors or {},
        dataset=catalogue.dataset(session, grant.dataset_id), tasks=store.tasks(session, grant_id),
        standing=str(actions.standing_of(session, grant, now=clock.now(session))),
        last_day=last_day(grant.ends_at),
    )  # fmt: skip


def _own(session: Session, grant_id: str) -> Grant:
    grant = store.grant(session, grant_id)
    if grant.unit_id != caller().unit_id:
        raise NotFound()
    return grant


def _again(template: str, grant_id: str, values: dict[str, Any], fault: Invalid) -> Response:
    """Show a form that did not hold again, with what was typed."""
    with db.reading() as session:
        return _oversight_page(session, template, grant_id, values, errors_by_field(fault))


def _oversight_page(
    session: Session, template: str, grant_id: str, values: dict[str, Any], errors: dict[str, str] | None = None
) -> Response:
    """Return a form on a grant that the caller may oversee, with what it would bring about."""
    grant = actions.overseen(session, grant_id, caller().person_id)
    return http.page(
        template, status=422 if errors else 200, grant=grant, values=values, errors=errors or {},
        dataset=catalogue.dataset(session, grant.dataset_id), unit=people.unit(session, grant.unit_id),
        suspension=store.open_suspension(session, grant_id), last_day=last_day(grant.ends_at),
        standing=str(actions.standing_of(session, grant, now=clock.now(session))),
    )  # fmt: skip
