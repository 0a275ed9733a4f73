"""Applications for programs that act with a person's session: the same acts as the pages'."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.reading import agreement_of, ask_of, visible
from service.applications.forms import DecisionForm, NewDraft, SeenForm, SignBody
from service.applications.rules import State, Verb, timeline
from service.applications.tables import Agreement, Application, Decision
from service.base import clock, db, http
from service.base.access import FIRM, OFFICERS, READERS, Role, caller, requires
from service.base.db import Session
from service.catalogue import store as catalogue
from service.grants import jobs as views
from service.screening import actions as screening
from service.screening.actions.versions import measure
from service.screening.rules import seal_of

api = Blueprint("applications_api", __name__, url_prefix="/api/v1/applications")


@api.get("")
@requires(*READERS)
def index() -> ResponseReturnValue:
    """Answer the applications that the caller may see, newest first."""
    with db.reading() as session:
        return http.json_answer({"applications": [_short(each) for each in store.listed(session, caller())]})


@api.post("")
@requires(*FIRM)
def create() -> ResponseReturnValue:
    """Make a draft from one body; it is kept as given and judged for completeness at its submission."""
    form = http.json_body(NewDraft)
    draft = form.model_dump(exclude={"dataset"}, exclude_unset=True)
    with db.writing() as session:
        now = clock.now(session)
        application = actions.create_draft(session, dataset_id=form.dataset, by=caller(), now=now, draft=draft)
        return http.json_answer(_short(application), 201, Location=f"/api/v1/applications/{application.id}")


@api.get("/<id>")
@requires(*READERS)
def show(id: str) -> ResponseReturnValue:
    """Answer one case: what it asks, its verdict as of now, its steps and decisions."""
    with db.reading() as session:
        return http.json_answer(_whole(session, visible(session, id, caller())))


@api.post("/<id>/submission")
@requires(*FIRM)
def submit(id: str) -> ResponseReturnValue:
    """Submit a draft or a returned case; the answer is its receipt."""
    form = http.json_body(SeenForm)
    with db.writing() as session:
        now = clock.now(session)
        application = actions.submit(session, id, by=caller(), now=now, seen=form.version)
        return http.json_answer(_whole(session, application), 201)


@api.post("/<id>/withdrawal")
@requires(*FIRM)
def withdraw(id: str) -> ResponseReturnValue:
    """Take a case back."""
    form = http.json_body(SeenForm)
    with db.writing() as session:
        now = clock.now(session)
        application = actions.withdraw(session, id, by=caller(), now=now, seen=form.version)
        return http.json_answer(_short(application), 201)


@api.post("/<id>/decisions")
@requires(*OFFICERS, fresh=True)
def decide(id: str) -> ResponseReturnValue:
    """Take one decision on the version that the person saw."""
    with db.reading() as session:
        visible(session, id, caller())  # a body is read only for a case that the caller may know of
    form = http.json_body(DecisionForm)
    days = (form.period_from, form.period_to)
    wish = actions.Wish(Verb(form.verb), form.reason, form.columns, form.ends_on, *days)
    with db.writing() as session:
        now = clock.now(session)
        decision = actions.decide(session, id, wish, seen=form.version, shown=form.lists, by=caller(), now=now)
        application = store.application(session, id)
        return http.json_answer({**_decision(decision), "application": _short(application)}, 201)


@api.get("/<id>/agreement")
@requires(*READERS)
def agreement(id: str) -> ResponseReturnValue:
    """Answer the agreement's text with its digest."""
    with db.reading() as session:
        application = visible(session, id, caller())
        return http.json_answer(_agreement(agreement_of(session, application), application))


@api.post("/<id>/agreement")
@requires(Role.MANAGER, fresh=True)
def sign(id: str) -> ResponseReturnValue:
    """Sign the agreement whose digest is given; the answer names the grant that it made."""
    with db.reading() as session:
        visible(session, id, caller())
        checks = actions.foreseen(session, id, now=clock.now(session))
    form = http.json_body(SignBody)
    measure(checks)
    with db.writing() as session:
        now = clock.now(session)
        grant = actions.sign(session, id, seen=form.version, digest=form.digest, by=caller(), now=now)
    views.build_grant_view(grant.id, pepper=http.settings().pepper())
    shown = {"grant": grant.id, "dataset": grant.dataset_id, "columns": grant.columns}
    return http.json_answer({**shown, "ends_at": grant.ends_at.isoformat()}, 201)


def _short(application: Application) -> dict[str, Any]:
    return {
        "id": application.id,
        "number": application.number,
        "dataset": application.dataset_id,
        "unit": application.unit_id,
        "state": application.state,
        "step": application.step,
        "version": application.version,
        "submitted_at": application.submitted_at.isoformat() if application.submitted_at else None,
        "due_at": application.due_at.isoformat() if application.due_at else None,
    }


def _whole(session: Session, application: Application) -> dict[str, Any]:
    if application.state == State.DRAFT:
        return {**_short(application), "draft": application.draft}
    now = clock.now(session)
    ask = ask_of(application, catalogue.dataset(session, application.dataset_id), now=now)
    judged = screening.preview(session, ask, now=now)
    return {
        **_short(application),
        "columns": application.columns,
        "objections": application.objections,
        "period_from": application.period_from.isoformat() if application.period_from else None,
        "period_to": application.period_to.isoformat() if application.period_to else None,
        "areas": application.areas,
        "purpose": application.purpose,
        "statement": application.statement,
        "delivery": application.delivery,
        "ends_on": application.ends_on.isoformat() if application.ends_on else None,
        "verdict": judged.verdict,
        "lists": seal_of(judged.digests),
        "steps": [
            {**step, "due": step["due"].isoformat() if step["due"] else None} for step in timeline(application, now=now)
        ],
        "decisions": [_decision(each) for each in store.decisions(session, application.id)],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "verb": decision.verb,
        "step": decision.step,
        "reason": decision.reason,
        "columns": decision.columns,
        "dropped": decision.dropped,
        "ends_on": decision.ends_on.isoformat(),
        "clauses": decision.clauses,
        "screening": decision.screening_id,
        "version": decision.seen_version + 1,
        "at": decision.at.isoformat(),
    }


def _agreement(agreement: Agreement, application: Application) -> dict[str, Any]:
    return {
        "application": application.id,
        "version": application.version,
        "text": agreement.text,
        "digest": agreement.digest,
        "offered_at": agreement.offered_at.isoformat(),
        "signed_at": agreement.signed_at.isoformat() if agreement.signed_at else None,
    }
