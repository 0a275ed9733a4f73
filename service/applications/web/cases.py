"""A case: its timeline for the unit, its review for the officers, its agreement for the signature."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.reading import agreement_of, visible
from service.applications.forms import DecisionForm, SeenForm, SignForm
from service.applications.rules import (
    HOLDERS,
    STATES,
    VERBS,
    Actor,
    State,
    Verb,
    holds_step,
    may_see,
    own,
    timeline,
)
from service.applications.tables import Application
from service.base import clock, db, http
from service.base.access import FIRM, OFFICERS, READERS, Caller, Role, caller, requires
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Invalid, NotAllowed, NotFound, Refusal
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext, pick
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.grants import jobs as views
from service.grants import store as grants
from service.people import store as people
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening import store as screenings
from service.screening.rules import Judged, seal_of

pages = Blueprint("applications", __name__)


@pages.get("/applications")
@requires(*READERS)
def index() -> ResponseReturnValue:
    """List the caller's unit's applications; officers see those that they may see."""
    who = caller()
    with db.reading() as session:
        found = store.listed(session, who)
        datasets = catalogue.datasets_by_id(session, {each.dataset_id for each in found})
        units = people.units_by_id(session, {each.unit_id for each in found})
        return http.page(
            "applications/index.html", applications=found, datasets=datasets, units=units, states=STATES,
            now=clock.now(session),
        )  # fmt: skip


@pages.get("/applications/<id>")
@requires(*READERS)
def show(id: str) -> ResponseReturnValue:
    """Show a case to whoever may know of it."""
    with db.reading() as session:
        application = visible(session, id, caller())
        if application.state == State.DRAFT:
            return http.see_other(f"/applications/{id}/draft")
        return _case(session, application, {}, {})


@pages.post("/applications/<id>/decisions")
@requires(*OFFICERS, fresh=True)
def decide(id: str) -> ResponseReturnValue:
    """Take one decision; whatever stands in its way is said beside the form, with what was typed."""
    # A page without a ticked box keeps no column; only a program may leave `columns` out and so keep them all.
    data = {"columns": [], **form_data(request.form, lists={"columns"})}
    with db.reading() as session:
        visible(session, id, caller())
    try:
        form = parse(DecisionForm, data)
        with db.writing() as session:
            now = clock.now(session)
            wish = actions.Wish(Verb(form.verb), form.reason, form.columns, form.ends_on)
            actions.decide(session, id, wish, seen=form.version, shown=form.lists, by=caller(), now=now)
    except (NotFound, NotAllowed):
        raise
    except Refusal as refusal:
        with db.reading() as session:
            return _case(session, visible(session, id, caller()), data, errors_by_field(_as_invalid(refusal)), refusal)
    return http.see_other(f"/applications/{id}")


@pages.post("/applications/<id>/withdrawal")
@requires(*FIRM)
def withdraw(id: str) -> ResponseReturnValue:
    """Take a request back."""
    form = parse(SeenForm, form_data(request.form))
    with db.writing() as session:
        now = clock.now(session)
        actions.withdraw(session, id, by=caller(), now=now, seen=form.version)
    return http.see_other(f"/applications/{id}")


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
        with db.writing() as session:
            now = clock.now(session)
            grant = actions.sign(session, id, seen=form.version, digest=form.digest, by=caller(), now=now)
    except (NotFound, NotAllowed):
        raise
    except Refusal as refusal:
        with db.reading() as session:
            application = visible(session, id, caller())
            return _agreement(session, application, errors_by_field(_as_invalid(refusal)), refusal)
    views.build_grant_view(grant.id)
    return http.see_other(f"/grants/{grant.id}")


def _as_invalid(refusal: Refusal) -> Invalid:
    return refusal if isinstance(refusal, Invalid) else Invalid(errors=[])


def _case(
    session: Session, application: Application, typed: Mapping[str, Any], errors: dict[str, str],
    refusal: Refusal | None = None,
) -> Response:  # fmt: skip
    now, who = clock.now(session), caller()
    dataset = catalogue.dataset(session, application.dataset_id)
    mine = who.unit_id == application.unit_id and bool(who.roles & FIRM)
    deciding = _may_decide_now(session, application, dataset, who)
    judged = _shown_verdict(session, application, dataset, now=now)
    decisions = store.decisions(session, application.id)
    ask = actions.ask_of(application, dataset, now=now)
    return http.page(
        "applications/show.html",
        status=refusal.status if refusal else 200,
        application=application,
        dataset=dataset,
        unit=people.unit(session, application.unit_id),
        source=people.unit(session, dataset.source_unit_id),
        verified=people.verified(session, application.unit_id),
        mine=mine,
        deciding=deciding,
        fresh=who.fresh,
        steps=timeline(application, now=now),
        decisions=decisions,
        names=people.names_of(session, {decision.by for decision in decisions}) if not mine else {},
        state_title=STATES[State(application.state)],
        states=STATES,
        verbs=VERBS,
        holders=HOLDERS,
        columns={column.name: column for column in catalogue.columns(session, dataset.id)},
        verdict=judged.verdict,
        seal=seal_of(judged.digests),
        verdicts=screening.column_verdicts(session, ask, now=now),
        others=[] if mine else _others(session, application, who),
        unit_grants=[] if mine else _other_grants(session, application),
        agreement=store.agreement(session, application.id),
        prefilled=typed.get("reason") or (_refusal_reason(session, application, dataset, judged) if deciding else ""),
        reasons=_library() if deciding else [],
        typed=typed,
        errors=errors,
        refusal=refusal,
        refused=_told(refusal),
    )


def _told(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None or isinstance(refusal, Invalid):
        return None
    return {
        "title": gettext(refusal.title),
        "detail": http.detail_of(refusal),
        "changes": refusal.facts.get("changes") or [],
    }


def _may_decide_now(session: Session, application: Application, dataset: Dataset, who: Caller) -> bool:
    """Whether the decision form is for this person: their step, not their unit's request, not their second step."""
    step = store.current_step(application)
    if step is None or who.unit_id == application.unit_id:
        return False
    if not holds_step(who, step.role, source_unit_id=dataset.source_unit_id):
        return False
    return who.person_id not in store.deciders_elsewhere(session, application)


def _shown_verdict(session: Session, application: Application, dataset: Dataset, *, now: datetime) -> Judged:
    """Return the verdict as of now while the case can still move, else the one that it rests on."""
    if store.is_open(application) or application.screening_id is None:
        return screening.preview(session, actions.ask_of(application, dataset, now=now), now=now)
    kept = screenings.screening(session, application.screening_id)
    return Judged(kept.id, kept.facts, kept.verdict, tuple(kept.digests))


def _other_grants(session: Session, application: Application) -> list[dict[str, Any]]:
    """Return what the unit was granted by other cases, with the dataset's title and the last day of each."""
    found = [each for each in grants.of_unit(session, application.unit_id) if each.application_id != application.id]
    datasets = catalogue.datasets_by_id(session, [each.dataset_id for each in found])
    return [
        {"grant": each, "title": datasets[each.dataset_id].title, "last_day": last_day(each.ends_at)} for each in found
    ]


def _others(session: Session, application: Application, who: Actor) -> list[Application]:
    """Return the unit's other applications for the dataset that this officer may see."""
    source = catalogue.dataset(session, application.dataset_id).source_unit_id
    return [
        each
        for each in store.siblings(session, application)
        if may_see(who, state=State(each.state), unit_id=each.unit_id, source_unit_id=source)
    ]


def _refusal_reason(session: Session, application: Application, dataset: Dataset, judged: Judged) -> str:
    """Return a draft reason that names the clause for each prohibited column or purpose; the officer edits it."""
    library = {reason.code: reason for reason in judging.reasons("refuse")}
    titles = {column.name: pick(column.title) for column in catalogue.columns(session, dataset.id)}
    lines = []
    for rule in judged.verdict["rules"]:
        if rule["state"] != "hit" or rule["outcome"] != "prohibit":
            continue
        laws = "、".join(f"《{basis['law']}》{basis.get('article') or ''}" for basis in rule["basis"])
        clause = f"{rule['id']}（{laws}）"
        remedy = pick(rule["remedy"]) if rule["remedy"] else "—"
        named = [titles[name] for name in rule["evidence"] if name in titles]
        reason = library["prohibited-column" if named else "prohibited-purpose"]
        blanks = {"column": "、".join(named), "clause": clause, "remedy": remedy, "days": ""}
        lines.append(pick({"zh": reason.text.zh, "en": reason.text.en}) % blanks)
    return "\n".join(lines)


def _library() -> list[dict[str, str]]:
    """Return the reasons that an officer may start from, without their blanks filled."""
    found = []
    for verb in ("narrow", "return", "refuse"):
        for reason in judging.reasons(verb):
            text = pick({"zh": reason.text.zh, "en": reason.text.en})
            for name in ("column", "clause", "remedy", "days"):
                text = text.replace(f"%({name})s", "……")
            found.append({"verb": verb, "text": text})
    return found


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
        refused=_told(refusal),
    )
