"""Recall of rows: a steward files it, a second person confirms it, and the units that fetched them answer."""

from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import FIRM, OFFICERS, Role, caller, requires
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext, pick
from service.catalogue import store as catalogue
from service.catalogue.actions import recalls as actions
from service.catalogue.rules import recalls as rules
from service.catalogue.store import recalls as store
from service.catalogue.tables import Recall
from service.grants import store as grants
from service.grants.actions import recalls as answers
from service.grants.store import recalls as asked
from service.grants.tables import RecallAnswer
from service.home.forms import AnswerForm, RecallForm
from service.home.web.parts import pages
from service.people import store as people
from service.policy import engine as policy


@pages.get("/datasets/<dataset_id>/recalls")
@requires(*OFFICERS)
def recalls(dataset_id: str) -> ResponseReturnValue:
    """Show the recalls of a dataset, and the form to file one."""
    with db.reading() as session:
        return _list(session, dataset_id, {})


@pages.post("/datasets/<dataset_id>/recalls")
@requires(Role.STEWARD, fresh=True)
def file_recall(dataset_id: str) -> ResponseReturnValue:
    """File a recall; it waits for its second person."""
    values = form_data(request.form)
    try:
        form = parse(RecallForm, values)
        with db.writing() as session:
            row = actions.file_recall(
                session, dataset_id, reason=form.reason, column=form.column, values=rules.values_of(form.values),
                note=form.note, by=caller().person_id, now=clock.now(session),
            )  # fmt: skip
    except Invalid as fault:
        with db.reading() as session:
            return _list(session, dataset_id, values, errors_by_field(fault))
    return http.see_other(f"/recalls/{row.id}")


@pages.get("/recalls/<recall_id>")
@requires(*OFFICERS, *FIRM)
def recall(recall_id: str) -> ResponseReturnValue:
    """Show one recall: to officers how it stands, to a unit that fetched such rows what to delete."""
    with db.reading() as session:
        row = store.recall(session, recall_id)
        if caller().has(Role.STEWARD, Role.AUTHORITY):
            return _page(session, row)
        return _asked_page(session, row)


@pages.post("/recalls/<recall_id>/confirmation")
@requires(*OFFICERS, fresh=True)
def confirm_recall(recall_id: str) -> ResponseReturnValue:
    """Let a recall be carried out, as the second person."""
    with db.writing() as session:
        works = policy.current().calendar.works
        actions.confirm_recall(session, recall_id, by=caller().person_id, now=clock.now(session), works=works)
    return http.see_other(f"/recalls/{recall_id}")


@pages.post("/recalls/<recall_id>/refusal")
@requires(*OFFICERS, fresh=True)
def refuse_recall(recall_id: str) -> ResponseReturnValue:
    """Let nothing be recalled, as the second person."""
    with db.writing() as session:
        actions.refuse_recall(session, recall_id, by=caller().person_id, now=clock.now(session))
    return http.see_other(f"/recalls/{recall_id}")


@pages.post("/recalls/<recall_id>/answer")
@requires(*FIRM)
def answer_recall(recall_id: str) -> ResponseReturnValue:
    """Answer for a unit: its copies are deleted, or it never had any."""
    form = parse(AnswerForm, form_data(request.form))
    with db.writing() as session:
        by, now = caller().person_id, clock.now(session)
        answers.answer(session, recall_id, form.grant, deleted=form.deleted, by=by, now=now)
    return http.see_other(f"/recalls/{recall_id}")


def _list(session: Session, dataset_id: str, values: dict[str, Any], errors: dict[str, str] | None = None) -> Response:
    dataset = catalogue.dataset(session, dataset_id)
    _demand_officer(dataset.source_unit_id)
    versions = catalogue.versions(session, dataset_id)
    columns = list(dict.fromkeys(each["name"] for version in versions for each in version.columns))
    titles = {column.name: pick(column.title) for column in catalogue.columns(session, dataset_id)}
    return http.page(
        "home/recalls.html",
        status=422 if errors else 200,
        dataset=dataset,
        rows=store.of_dataset(session, dataset_id),
        columns=[(name, f"{titles[name]} ({name})" if name in titles else name) for name in columns],
        reasons=[(reason.value, gettext(title)) for reason, title in rules.REASON_TITLES.items()],
        values=values,
        errors=errors or {},
        titles=rules.REASON_TITLES,
        states=rules.STATE_TITLES,
        may_file=caller().has(Role.STEWARD) and caller().unit_id == dataset.source_unit_id,
        most=rules.MOST_VALUES,
    )


def _page(session: Session, row: Recall) -> Response:
    dataset = catalogue.dataset(session, row.dataset_id)
    _demand_officer(dataset.source_unit_id)
    given = asked.answers(session, row.id)
    return http.page(
        "home/recall.html", row=row, dataset=dataset, titles=rules.REASON_TITLES, states=rules.STATE_TITLES,
        names=people.names_of(session, filter(None, (row.filed_by, row.decided_by))), answers=given,
        due=last_day(row.due_at) if row.due_at else None,
        units=_units(session, given), mine=row.filed_by == caller().person_id,
    )  # fmt: skip


def _asked_page(session: Session, row: Recall) -> Response:
    """Show a unit what it is asked; NotFound for one that is asked nothing."""
    own = [one for one in asked.answers(session, row.id) if _unit_of(session, one) == caller().unit_id]
    if not own:
        raise NotFound()
    dataset = catalogue.dataset(session, row.dataset_id)
    return http.page("home/recall_asked.html", row=row, dataset=dataset, asked=own, titles=rules.REASON_TITLES)


def _demand_officer(source_unit_id: str) -> None:
    """NotFound for a steward of another unit: they are told nothing of it."""
    if not caller().has(Role.AUTHORITY) and caller().unit_id != source_unit_id:
        raise NotFound()


def _units(session: Session, given: Any) -> dict[str, Any]:
    by_grant = {one.grant_id: _unit_of(session, one) for one in given}
    units = people.units_by_id(session, set(by_grant.values()))
    return {grant_id: units[unit_id] for grant_id, unit_id in by_grant.items()}


def _unit_of(session: Session, one: RecallAnswer) -> str:
    return grants.grant(session, one.grant_id).unit_id
