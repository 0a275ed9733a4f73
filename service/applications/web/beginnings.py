"""How a form begins and grows: what applying means, the first dataset, one more, one less."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.forms import NewForm
from service.applications.rules import HOLDERS, MOST_DATASETS, AlreadyOnForm, SeveralCases, State, own
from service.applications.tables import Application
from service.applications.web.drafts import drafts
from service.base import clock, db, http
from service.base.access import FIRM, caller, requires
from service.base.db import Session
from service.base.errors import Refusal, WrongState
from service.base.forms import form_data, parse
from service.base.i18n import pick
from service.catalogue import store as catalogue
from service.people import store as people
from service.screening import actions as screening


@drafts.get("/applications/new")
@requires(*FIRM)
def new() -> ResponseReturnValue:
    """Show what applying for a dataset means, before anything is made."""
    with db.reading() as session:
        dataset = catalogue.published_dataset(session, request.args.get("dataset", ""))
        return http.page(
            "applications/new.html", dataset=dataset, source=people.unit(session, dataset.source_unit_id),
            verified=people.verified(session, caller().unit_id), holders=HOLDERS,
            route=screening.usual_route(session, dataset.id, now=clock.now(session)),
            open_drafts=_open_drafts(session, dataset.id),
        )  # fmt: skip


@drafts.post("/applications")
@requires(*FIRM)
def create() -> ResponseReturnValue:
    """Begin a draft and go to its tasks."""
    form = parse(NewForm, form_data(request.form))
    with db.writing() as session:
        now = clock.now(session)
        application = actions.create_draft(session, dataset_id=form.dataset, by=caller(), now=now)
    return http.see_other(f"/applications/{application.id}/draft")


@drafts.get("/applications/<id>/datasets")
@requires(*FIRM)
def choose(id: str) -> ResponseReturnValue:
    """Show what else may be asked on this form."""
    return _choice(id)


@drafts.post("/applications/<id>/datasets")
@requires(*FIRM)
def add(id: str) -> ResponseReturnValue:
    """Add a dataset to the form and go to its columns."""
    form = parse(NewForm, form_data(request.form))
    try:
        with db.writing() as session:
            now = clock.now(session)
            added = actions.add_dataset(session, id, form.dataset, by=caller(), now=now)
    except (AlreadyOnForm, SeveralCases) as refusal:
        return _choice(id, refusal=refusal)
    return http.see_other(f"/applications/{added.id}/draft/columns")


@drafts.post("/applications/<id>/removal")
@requires(*FIRM)
def remove(id: str) -> ResponseReturnValue:
    """Remove a dataset from the form with what was typed for it; the last one takes the form with it."""
    with db.writing() as session:
        left = actions.remove_draft(session, id, by=caller())
    return http.see_other(f"/applications/{left.id}/draft" if left else "/applications")


def _open_drafts(session: Session, dataset_id: str) -> list[dict[str, Any]]:
    """Return the unit's forms that are not submitted and do not ask for this dataset yet, newest first."""
    drafts = [each for each in store.of_unit(session, caller().unit_id) if each.state == State.DRAFT]
    forms: dict[str, list[Application]] = {}
    for each in reversed(drafts):
        forms.setdefault(each.bundle_id or each.id, []).append(each)
    wanted = [form for form in forms.values() if all(each.dataset_id != dataset_id for each in form)]
    datasets = catalogue.datasets_by_id(session, {form[0].dataset_id for form in wanted})
    return [
        {"application": form[0], "dataset": datasets[form[0].dataset_id], "count": len(form)}
        for form in reversed(wanted)
    ]


def _choice(id: str, *, refusal: Refusal | None = None) -> ResponseReturnValue:
    with db.reading() as session:
        application = store.application(session, id)
        own(caller(), application.unit_id)
        if application.state != State.DRAFT:
            raise WrongState(state=application.state, verb="add")
        asked = {each.dataset_id for each in actions.on_form(session, application)}
        found = sorted(
            (each for each in store.askable(session) if each.id not in asked), key=lambda each: pick(each.title)
        )
        return http.page(
            "applications/datasets.html", status=refusal.status if refusal else 200, application=application,
            datasets=found, units=people.units_by_id(session, {each.source_unit_id for each in found}),
            refusal=refusal, most=MOST_DATASETS, count=len(asked),
        )  # fmt: skip
