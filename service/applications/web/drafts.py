"""The applicant's form, one thing a page: saved as typed, checked, submitted.  Works without JavaScript."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, forms, store
from service.applications.actions.reading import visible
from service.applications.forms import FORM_WORDS, OBJECTION, STEP_FORMS, SubmissionForm, from_page
from service.applications.rules import EDITABLE, Overtaken, State, StepName, latest_end, own
from service.applications.tables import Application
from service.applications.web import columns, sheet
from service.applications.web.sheet import Part, Sheet, Task
from service.base import clock, db, http
from service.base.access import FIRM, caller, requires
from service.base.beijing import BEIJING, day_of
from service.base.db import Session
from service.base.errors import Changed, Duplicate, Invalid, NotFound, Refusal, WrongState
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import N_, format_time, gettext
from service.catalogue import store as catalogue
from service.people import store as people
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


@drafts.get("/applications/<id>/draft")
@requires(*FIRM)
def edit(id: str) -> ResponseReturnValue:
    """Show the form's tasks, each with its state; they may be done in any order."""
    with db.reading() as session:
        application = _own(session, id)
        if State(application.state) not in EDITABLE:
            return http.see_other(f"/applications/{id}")
        now = clock.now(session)
        return http.page(
            "applications/draft.html", application=application, whole=sheet.read(session, application, now=now),
            saved_at=_saved_at(application, now=now), verified=people.verified(session, application.unit_id),
            draft=application.draft,
        )  # fmt: skip


@drafts.get("/applications/<id>/draft/<step>")
@requires(*FIRM)
def step(id: str, step: str) -> ResponseReturnValue:
    """Show one step as it was typed; the columns with the verdict on each."""
    with db.reading() as session:
        application = _own(session, id)
        if State(application.state) not in EDITABLE:
            return http.see_other(f"/applications/{id}")
        return _page(session, application, _named(step))


@drafts.post("/applications/<id>/draft/<step>")
@requires(*FIRM)
def save(id: str, step: str) -> ResponseReturnValue:
    """Keep one step as typed, whatever it holds; `go` says what the person wants next.

    next: go on, unless something is missing or malformed, which is said at once.  later: back to the tasks.
    judge: show the verdicts on what is typed and keep nothing.  autosave: stay.  A `mend` takes one way out of a
    refused column.
    """
    name, go = _named(step), request.form.get("go", "next")
    typed, instead = _mended(from_page(request.form, name), request.form.get("mend", ""))
    try:
        kept = parse(STEP_FORMS[name], typed).model_dump()
    except Invalid as fault:
        return _again(id, name, typed, errors=errors_by_field(fault))
    if go == "judge":
        return _again(id, name, kept)
    was = request.form.get("was")
    try:
        with db.writing() as session:
            now = clock.now(session)
            saved = actions.save_step(session, id, name, kept, by=caller(), now=now, was=was)
            added = actions.add_dataset(session, id, instead, by=caller(), now=now) if instead else None
    except Overtaken as refusal:
        return _again(id, name, kept, refusal=refusal, was=was if go == "autosave" else None)
    if added is not None:
        return http.see_other(f"/applications/{added.id}/draft/columns")
    return _onwards(saved, name, go=go, mended="mend" in request.form)


def _onwards(saved: Application, name: StepName, *, go: str, mended: bool) -> ResponseReturnValue:
    """Answer a step that was saved."""
    id = saved.id
    if go == "autosave":
        return _again(id, name, saved.draft, was=forms.mark(saved.draft, name))
    if go == "later":
        return http.see_other(f"/applications/{id}/draft")
    if mended:
        return http.see_other(f"/applications/{id}/draft/{name}#pick")
    with db.reading() as session:
        application = _editable(session, id)
        now = clock.now(session)
        found = actions.checked(session, application, now=now, contested=False)
        if faults := sheet.faults_of(found.faults, name):
            return _page(session, application, name, errors={fault.field: fault.message for fault in reversed(faults)})
        whole = sheet.read(session, application, now=now)
        return http.see_other(whole.after(_task(whole, id, name)))


@drafts.get("/applications/<id>/check")
@requires(*FIRM)
def check(id: str) -> ResponseReturnValue:
    """Show all answers, and the button that submits them."""
    with db.reading() as session:
        application = _own(session, id)
        if State(application.state) not in EDITABLE:
            return http.see_other(f"/applications/{id}")
        return _check(session, application)


@drafts.post("/applications/<id>/submission")
@requires(*FIRM)
def submit(id: str) -> ResponseReturnValue:
    """Submit every dataset of the form, and show the receipts; all that is missing or malformed is named at once."""
    form = parse(SubmissionForm, form_data(request.form))
    try:
        with db.writing() as session:
            now = clock.now(session)
            actions.submit_form(session, id, by=caller(), now=now, version=form.version, seen=form.seen)
    except (Invalid, Changed, Duplicate) as refusal:
        with db.reading() as session:
            return _check(session, _editable(session, id), refusal=refusal)
    return http.see_other(f"/applications/{id}/receipt")


@drafts.get("/applications/<id>/receipt")
@requires(*FIRM)
def receipt(id: str) -> ResponseReturnValue:
    """Show the 回执: the numbers, the moment, and who decides by when."""
    with db.reading() as session:
        application = visible(session, id, caller())
        own(caller(), application.unit_id)
        if application.submitted_at is None:
            raise WrongState(state=application.state, verb="receipt")
        cases = [each for each in store.bundle(session, application) if each.number]
        return http.page(
            "applications/receipt.html", application=application, cases=cases,
            datasets=catalogue.datasets_by_id(session, [each.dataset_id for each in cases]),
            unit=people.unit(session, application.unit_id),
        )  # fmt: skip


def fault_label(field: str) -> str:
    """Return what a field of the form is called; an objection is called by its column."""
    if field.startswith(OBJECTION):
        return gettext("字段 %(name)s 的异议", name=field.removeprefix(OBJECTION))
    return gettext(FORM_WORDS.get(field, field))


def _own(session: Session, id: str) -> Application:
    application = store.application(session, id)
    own(caller(), application.unit_id)
    return application


def _editable(session: Session, id: str) -> Application:
    """Return a case of the caller's unit that may still be edited; NotFound, or WrongState."""
    application = _own(session, id)
    if State(application.state) not in EDITABLE:
        raise WrongState(state=application.state, verb="save")
    return application


def _named(step: str) -> StepName:
    try:
        return StepName(step)
    except ValueError:
        raise NotFound() from None


def _task(whole: Sheet, id: str, name: StepName) -> Task:
    task = whole.task(id, name)
    if task is None:
        raise NotFound()
    return task


def _mended(typed: dict[str, Any], mend: str) -> tuple[dict[str, Any], str]:
    """Return a step after a way out of a refusal was taken, and the dataset that is to be asked instead, if any."""
    if mend.startswith(columns.DROP):
        left = [name for name in typed.get("columns", []) if name != mend.removeprefix(columns.DROP)]
        return {**typed, "columns": left}, ""
    return typed, mend.removeprefix(columns.INSTEAD) if mend.startswith(columns.INSTEAD) else ""


def _again(id: str, name: StepName, typed: Mapping[str, Any], **more: Any) -> Response:
    with db.reading() as session:
        return _page(session, _editable(session, id), name, typed=typed, **more)


def _page(
    session: Session, application: Application, name: StepName, *, typed: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None, refusal: Overtaken | None = None, was: str | None = None,
) -> Response:  # fmt: skip
    """Show one step: as kept, or as `typed`.  `was` is the mark that the page sends back when it saves."""
    now = clock.now(session)
    whole = sheet.read(session, application, now=now)
    task, part = _task(whole, application.id, name), whole.part_of(application.id)
    draft = {**forms.empty_draft(), **application.draft, **(typed or {})}
    return http.page(
        "applications/step.html",
        status=refusal.status if refusal else 422 if errors else 200,
        application=application,
        dataset=part.dataset,
        whole=whole,
        task=task,
        draft=draft,
        was=was or forms.mark(application.draft, name),
        saved_at=_saved_at(application, now=now),
        refusal=refusal,
        differences=_differences(application, draft, refusal),
        errors=errors or {},
        labels={field: fault_label(field) for field in errors or ()},
        **_needs(session, whole, part, name, draft, now=now),
    )


def _needs(
    session: Session, whole: Sheet, part: Part, name: StepName, draft: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    """Return what one step's page shows beside the answers."""
    if name is StepName.COLUMNS:
        return columns.picked(session, whole, part, draft, now=now)
    if name is StepName.RANGE:
        return {"version": catalogue.latest_or_none(session, part.dataset.id, now=now)}
    if name is StepName.PURPOSE:
        return {"purposes": _purposes()}
    if name is StepName.DELIVERY:
        return {"deliveries": DELIVERIES, "latest": latest_end(part.frame.today)}
    return {}


def _differences(application: Application, draft: Mapping[str, Any], refusal: Overtaken | None) -> list[dict[str, Any]]:
    """Return what differs between what is kept now and what was typed, field by field."""
    kept = {**forms.empty_draft(), **application.draft}
    return [
        {"field": field, "label": fault_label(field), "kept": kept[field], "typed": draft[field]}
        for field in (refusal.facts["fields"] if refusal else ())
    ]


def _saved_at(application: Application, *, now: datetime) -> str | None:
    """Return when the draft was saved last, in Beijing time: the day too when it was not today."""
    if application.draft_revision == 0:
        return None
    if day_of(application.updated_at) == day_of(now):
        return f"{application.updated_at.astimezone(BEIJING):%H:%M}"
    return format_time(application.updated_at)


def _check(session: Session, application: Application, *, refusal: Refusal | None = None) -> Response:
    now = clock.now(session)
    whole = sheet.read(session, application, now=now)
    attempted = isinstance(refusal, Invalid)
    return http.page(
        "applications/check.html",
        status=refusal.status if refusal else 200,
        application=application,
        whole=whole,
        picks=[columns.picked(session, whole, part, part.application.draft, now=now) for part in whole.parts],
        faults=_faults(whole),
        attempted=attempted,
        refusal=refusal,
        changed=isinstance(refusal, Changed),
        duplicate=_first(session, refusal) if isinstance(refusal, Duplicate) else None,
        seen=actions.standing([part.application for part in whole.parts]),
        verified=people.verified(session, application.unit_id),
        saved_at=_saved_at(application, now=now),
    )


def _first(session: Session, refusal: Duplicate) -> dict[str, Any]:
    """Return the open case that asks the same, and its dataset; the refusal goes on when that case has just ended."""
    if not refusal.facts["application"]:
        raise refusal
    found = store.application(session, str(refusal.facts["application"]))
    return {"application": found, "dataset": catalogue.dataset(session, found.dataset_id)}


def _faults(whole: Sheet) -> list[dict[str, Any]]:
    """Return all that a submission would name, each with the page that mends it; what is common only once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for part in whole.parts:
        for fault in part.checked.faults:
            task = _task(whole, part.application.id, forms.step_of(fault.field))
            href, label = f"{task.href}#{fault.field}", fault_label(fault.field)
            dataset = part.dataset if task in part.tasks else None
            said = {"href": href, "label": label, "message": fault.message, "dataset": dataset}
            found.setdefault((href, fault.message), said)
    return list(found.values())


def _purposes() -> list[tuple[str, list[str]]]:
    words = [word for word, status in judging.purposes() if status != "forbidden"]
    return [(title, [word for word in words if _below(word, roots)]) for title, roots in PURPOSE_GROUPS]


def _below(word: str, roots: tuple[str, ...]) -> bool:
    return any(word == root or word.startswith(f"{root}.") for root in roots)
