"""The applicant's form: begun, saved as typed, checked, submitted.  Works without JavaScript."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.reading import draft_ask, frame_of, visible
from service.applications.forms import FORM_WORDS, OBJECTION, DraftForm, NewForm, SeenForm, from_page
from service.applications.rules import Frame, State, latest_end, own
from service.applications.tables import Application
from service.base import clock, db, http
from service.base.access import FIRM, caller, requires
from service.base.db import Session
from service.base.errors import Invalid, WrongState
from service.base.forms import form_data, parse
from service.base.i18n import N_, gettext
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.people import store as people
from service.screening import actions as screening
from service.screening import engine as judging

drafts = Blueprint("drafts", __name__)

# The purposes as the form groups them; whatever else the vocabulary allows stands in the last group.
PURPOSE_GROUPS = (
    (N_("训练"), ("ai.training",)),
    (N_("微调"), ("ai.finetuning",)),
    (N_("评测"), ("ai.evaluation",)),
    (N_("检索"), ("ai.retrieval", "ai.inference")),
    (N_("分析"), ("analytics", "research", "product")),
    (N_("须持资质"), ("credit",)),
)
DELIVERIES = ("download", "api", "secure_env", "query")
EDITABLE = frozenset({State.DRAFT, State.RETURNED})


@drafts.get("/applications/new")
@requires(*FIRM)
def new() -> ResponseReturnValue:
    """Show what applying for a dataset means, before anything is made."""
    with db.reading() as session:
        dataset = catalogue.published_dataset(session, request.args.get("dataset", ""))
        return http.page(
            "applications/new.html", dataset=dataset, source=people.unit(session, dataset.source_unit_id),
            verified=people.verified(session, caller().unit_id),
        )  # fmt: skip


@drafts.post("/applications")
@requires(*FIRM)
def create() -> ResponseReturnValue:
    """Begin a draft and go to its form."""
    form = parse(NewForm, form_data(request.form))
    with db.writing() as session:
        now = clock.now(session)
        application = actions.create_draft(session, dataset_id=form.dataset, by=caller(), now=now)
    return http.see_other(f"/applications/{application.id}/draft")


@drafts.get("/applications/<id>/draft")
@requires(*FIRM)
def edit(id: str) -> ResponseReturnValue:
    """Show the form as it was typed, with the verdict on what it asks so far."""
    with db.reading() as session:
        application = _editable(session, id)
        return _form(session, application, application.draft, {}, saved="saved" in request.args)


@drafts.post("/applications/<id>/draft")
@requires(*FIRM)
def save(id: str) -> ResponseReturnValue:
    """Keep the form as typed; what is malformed is shown again at once, what is missing only when it is submitted."""
    typed = from_page(request.form)
    try:
        form = parse(DraftForm, typed)
    except Invalid as fault:
        with db.reading() as session:
            errors = {error["field"]: error["message"] for error in fault.facts["errors"]}
            return _form(session, _editable(session, id), typed, errors)
    with db.writing() as session:
        now = clock.now(session)
        actions.save_draft(session, id, form.model_dump(), by=caller(), now=now)
    with db.reading() as session:
        application = _editable(session, id)
        found = actions.checked(session, application, now=clock.now(session), contested=False)
        if wrong := found.malformed():
            return _form(session, application, application.draft, wrong)
    onwards = "check" if request.form.get("save") == "check" else "draft?saved=1"
    return http.see_other(f"/applications/{id}/{onwards}")


@drafts.get("/applications/<id>/check")
@requires(*FIRM)
def check(id: str) -> ResponseReturnValue:
    """Show all answers with the verdict, and the button that submits them."""
    with db.reading() as session:
        return _check(session, _editable(session, id), attempted=False)


@drafts.post("/applications/<id>/submission")
@requires(*FIRM)
def submit(id: str) -> ResponseReturnValue:
    """Submit, and show the receipt; everything that is missing or malformed is named at once."""
    form = parse(SeenForm, form_data(request.form))
    try:
        with db.writing() as session:
            now = clock.now(session)
            actions.submit(session, id, by=caller(), now=now, seen=form.version)
    except Invalid:
        with db.reading() as session:
            return _check(session, _editable(session, id), attempted=True)
    return http.see_other(f"/applications/{id}/receipt")


@drafts.get("/applications/<id>/receipt")
@requires(*FIRM)
def receipt(id: str) -> ResponseReturnValue:
    """Show the 回执: the number, the moment, and who decides by when."""
    with db.reading() as session:
        application = visible(session, id, caller())
        own(caller(), application.unit_id)
        if application.submitted_at is None:
            raise WrongState(state=application.state, verb="receipt")
        return http.page(
            "applications/receipt.html", application=application,
            dataset=catalogue.dataset(session, application.dataset_id),
            unit=people.unit(session, application.unit_id),
        )  # fmt: skip


def _editable(session: Session, id: str) -> Application:
    """Return a case of the caller's unit that may still be edited; NotFound, or WrongState."""
    application = store.application(session, id)
    own(caller(), application.unit_id)
    if State(application.state) not in EDITABLE:
        raise WrongState(state=application.state, verb="save")
    return application


def _form(
    session: Session, application: Application, draft: Mapping[str, Any], errors: dict[str, str], *, saved: bool = False
) -> Response:
    now = clock.now(session)
    dataset = catalogue.dataset(session, application.dataset_id)
    frame = frame_of(session, dataset, now=now)
    return http.page(
        "applications/draft.html",
        status=422 if errors else 200,
        application=application,
        dataset=dataset,
        draft={**DraftForm().model_dump(), **draft},
        errors=errors,
        labels=_labels(errors),
        saved=saved,
        verified=people.verified(session, application.unit_id),
        latest=latest_end(frame.today),
        purposes=_purposes(),
        deliveries=DELIVERIES,
        version=catalogue.latest_or_none(session, dataset.id),
        **_judged(session, application, dataset, frame, draft=draft),
    )


def _check(session: Session, application: Application, *, attempted: bool) -> Response:
    now = clock.now(session)
    dataset = catalogue.dataset(session, application.dataset_id)
    frame = frame_of(session, dataset, now=now)
    found = actions.checked(session, application, now=now)
    return http.page(
        "applications/check.html",
        status=422 if attempted and found.faults else 200,
        application=application,
        dataset=dataset,
        faults=found.faults,
        fault_label=fault_label,
        asked=found.request,
        verified=people.verified(session, application.unit_id),
        **_judged(session, application, dataset, frame, draft=application.draft),
    )


def _judged(
    session: Session, application: Application, dataset: Dataset, frame: Frame, *, draft: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the verdict on what the draft asks, and on every column that it could ask."""
    now = clock.now(session)
    asked = Application(**{**application.model_dump(), "draft": dict(draft)})
    ask = draft_ask(asked, dataset, frame, now=now)
    every = draft_ask(Application(**{**asked.model_dump(), "draft": {**draft, "columns": list(frame.columns)}}),
                      dataset, frame, now=now)  # fmt: skip
    columns = catalogue.columns(session, dataset.id)
    return {
        "columns": columns,
        "columns_by_name": {column.name: column for column in columns},
        "verdicts": screening.column_verdicts(session, every, now=now),
        "verdict": screening.preview(session, ask, now=now).verdict if ask.columns else None,
    }


def _labels(errors: Mapping[str, str]) -> dict[str, str]:
    return {field: fault_label(field) for field in errors}


def fault_label(field: str) -> str:
    """Return what a field of the form is called; an objection is called by its column."""
    if field.startswith(OBJECTION):
        return gettext("字段 %(name)s 的异议", name=field.removeprefix(OBJECTION))
    return gettext(FORM_WORDS.get(field, field))


def _purposes() -> list[tuple[str, list[str]]]:
    words = [word for word, status in judging.purposes() if status != "forbidden"]
    return [(title, [word for word in words if _below(word, roots)]) for title, roots in PURPOSE_GROUPS]


def _below(word: str, roots: tuple[str, ...]) -> bool:
    return any(word == root or word.startswith(f"{root}.") for root in roots)
