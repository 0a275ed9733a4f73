"""The review: what an officer decides on one screen, its preview, its decisions, one by one and over a form's parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.deciding import Part, decide_together, needs_a_look
from service.applications.actions.narrowing import Wish
from service.applications.actions.progress import step_clock
from service.applications.actions.reading import visible
from service.applications.actions.reviewing import Review, library, other_parts, prohibited, review
from service.applications.forms import BatchForm, DecisionForm, as_day
from service.applications.rules import HOLDERS, STATES, VERBS, State, Verb, may_see
from service.applications.tables import Application
from service.applications.web.cases import case_page
from service.applications.web.shown import as_invalid, may_decide_now, named_rules, pages, shown_verdict, told
from service.base import clock, db, http
from service.base.access import OFFICERS, Caller, caller, requires
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Invalid, NotAllowed, NotFound, Refusal
from service.base.forms import errors_by_field, form_data, parse
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.grants import store as grants
from service.people import store as people
from service.screening.rules import seal_of, standing_out

LISTS = {"columns"}
PAGE_ONLY = {"drafted", "mend"}  # what the page sends besides a decision: its own draft reason, a way to mend


@pages.post("/applications/<id>/preview")
@requires(*OFFICERS)
def preview(id: str) -> ResponseReturnValue:
    """Judge what would remain of a case, and keep nothing: the page again, with everything typed."""
    with db.reading() as session:
        application = visible(session, id, caller())
        return page_of(session, application, _posted(session, application), {})


@pages.post("/applications/<id>/decisions")
@requires(*OFFICERS, fresh=True)
def decide(id: str) -> ResponseReturnValue:
    """Take one decision; whatever stands in its way is said beside the form, with what was typed."""
    with db.reading() as session:
        typed = _posted(session, visible(session, id, caller()))
    try:
        form = parse(DecisionForm, {name: value for name, value in typed.items() if name not in PAGE_ONLY})
        with db.writing() as session:
            now = clock.now(session)
            actions.decide(session, id, _wish(form), seen=form.version, shown=form.lists, by=caller(), now=now)
    except (NotFound, NotAllowed):
        raise
    except Refusal as refusal:
        with db.reading() as session:
            application = visible(session, id, caller())
            return page_of(session, application, typed, errors_by_field(as_invalid(refusal)), refusal)
    return http.see_other(f"/applications/{id}")


@pages.post("/applications/<id>/batch-decisions")
@requires(*OFFICERS, fresh=True)
def decide_batch(id: str) -> ResponseReturnValue:
    """Decide several cases of one form alike, all or none; the page says which part stands in the way."""
    with db.reading() as session:
        visible(session, id, caller())
    typed = form_data(request.form, lists={"parts"})
    try:
        form = parse(BatchForm, typed)
        with db.writing() as session:
            now = clock.now(session)
            wish = Wish(Verb(form.verb), form.reason)
            decide_together(session, id, [_part(text) for text in form.parts], wish, by=caller(), now=now)
    except NotFound:
        raise
    except Refusal as refusal:
        with db.reading() as session:
            application = visible(session, id, caller())
            errors = {f"batch_{name}": text for name, text in errors_by_field(as_invalid(refusal)).items()}
            return page_of(session, application, {}, errors, refusal, batch=typed)
    return http.see_other(f"/applications/{id}")


def page_of(
    session: Session, application: Application, typed: Mapping[str, Any], errors: dict[str, str],
    refusal: Refusal | None = None, *, batch: Mapping[str, Any] | None = None,
) -> Response:  # fmt: skip
    """Return the review for who decides on the case now, the case for everybody else who may see it."""
    dataset = catalogue.dataset(session, application.dataset_id)
    if not may_decide_now(session, application, dataset, caller()):
        return case_page(session, application, dataset, typed or batch or {}, refusal)
    return _review_page(session, application, dataset, typed, errors, refusal, batch or {})


def _review_page(
    session: Session, application: Application, dataset: Dataset, typed: Mapping[str, Any], errors: dict[str, str],
    refusal: Refusal | None, batch: Mapping[str, Any],
) -> Response:  # fmt: skip
    now, who = clock.now(session), caller()
    found = review(session, application, dataset, _tentative(typed), now=now)
    decisions = store.decisions(session, application.id)
    return http.page(
        "applications/review.html",
        status=refusal.status if refusal else 200,
        application=application,
        dataset=dataset,
        unit=people.unit(session, application.unit_id),
        verified=people.verified(session, application.unit_id),
        fresh=who.fresh,
        review=found,
        clock_now=step_clock(application, now=now),
        basis=application.route["steps"][application.step]["basis"],
        seal=seal_of(found.asked.digests),
        reason=_reason(typed, found),
        verb=_verb(typed, found),
        library=library(),
        decisions=decisions,
        names=people.names_of(session, {decision.by for decision in decisions}),
        past=_past(session, application, dataset),
        like=store.decided_on(session, application),
        unit_grants=_grants(session, application),
        parts=_parts(session, application, who, now=now),
        batch=batch,
        rules=named_rules(*(row.asked["own"] for row in found.rows), standing_out(found.asked.verdict), found.whole),
        states=STATES,
        verbs=VERBS,
        holders=HOLDERS,
        typed=typed,
        errors={**errors_by_field(Invalid(errors=found.errors)), **errors},
        refusal=refusal,
        refused=told(session, application, refusal),
    )


# ---- what was typed ------------------------------------------------------------------------------------------------


def _posted(session: Session, application: Application) -> dict[str, Any]:
    """Return the form as it was sent; a column that is not given sends an empty choice.

    A page that keeps no column says so; only a program may leave `columns` out and so keep them all.
    """
    typed = form_data(request.form, lists=LISTS)
    columns = [name for name in typed.get("columns", []) if name]
    if typed.get("mend") == "prohibited":
        dataset = catalogue.dataset(session, application.dataset_id)
        with_fault = prohibited(session, application, dataset, now=clock.now(session))
        columns = [name for name in application.columns if name in columns and name not in with_fault]
    return {**typed, "columns": columns}


def _tentative(typed: Mapping[str, Any]) -> Wish:
    """Return what an unfinished form would do; what cannot be read counts as not changed."""
    return Wish(
        Verb.NARROW,
        "",
        columns=typed.get("columns"),
        ends_on=as_day(typed.get("ends_on")),
        period_from=as_day(typed.get("period_from")),
        period_to=as_day(typed.get("period_to")),
    )


def _wish(form: DecisionForm) -> Wish:
    return Wish(Verb(form.verb), form.reason, form.columns, form.ends_on, form.period_from, form.period_to)


def _reason(typed: Mapping[str, Any], found: Review) -> str:
    """Return the reason for the form: what the officer wrote, or the draft where nobody has changed the last one."""
    written, drafted = (" ".join(str(typed.get(name) or "").split()) for name in ("reason", "drafted"))
    return str(typed["reason"]) if written and written != drafted else found.reason


def _verb(typed: Mapping[str, Any], found: Review) -> str:
    """Return the decision that is chosen: the officer's while it is open, else narrowing once something is cut."""
    open_now = {choice.verb.value for choice in found.choices if choice.open}
    chosen = str(typed.get("verb") or "")
    if chosen in open_now:
        return chosen
    return Verb.NARROW.value if found.cut and Verb.NARROW in open_now else ""


def _part(text: str) -> Part:
    id, version, lists = text.split(":")
    return Part(id, int(version), lists or None)


# ---- what stands beside the case -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beside:
    """Another case of the same form.  `mine`: this officer may decide it now; `plain`: nothing in it wants a look."""

    application: Application
    dataset: Dataset
    outcome: str
    plain: bool
    mine: bool
    lists: str

    @property
    def value(self) -> str:
        return f"{self.application.id}:{self.application.version}:{self.lists}"


def _parts(session: Session, application: Application, who: Caller, *, now: datetime) -> list[Beside]:
    """Return the cases of one form that the officer may see, this one first; empty for a case that stands alone."""
    others = other_parts(session, application)
    datasets = catalogue.datasets_by_id(session, [each.dataset_id for each in (application, *others)])
    found = [
        _beside(session, each, datasets[each.dataset_id], who, now=now)
        for each in (application, *others)
        if _visible(each, datasets[each.dataset_id], who)
    ]
    return found if len(found) > 1 else []


def _visible(each: Application, dataset: Dataset, who: Caller) -> bool:
    return may_see(who, state=State(each.state), unit_id=each.unit_id, source_unit_id=dataset.source_unit_id)


def _beside(session: Session, each: Application, dataset: Dataset, who: Caller, *, now: datetime) -> Beside:
    judged = shown_verdict(session, each, dataset, now=now)
    return Beside(
        each,
        dataset,
        judged.verdict["outcome"],
        not needs_a_look(judged.verdict),
        may_decide_now(session, each, dataset, who),
        seal_of(judged.digests),
    )


def _past(session: Session, application: Application, dataset: Dataset) -> list[dict[str, Any]]:
    """Return how the unit fared before with the same source unit."""
    found = store.past_with(session, application, dataset.source_unit_id)
    datasets = catalogue.datasets_by_id(session, [each.dataset_id for each in found])
    return [{"case": each, "title": datasets[each.dataset_id].title} for each in found]


def _grants(session: Session, application: Application) -> list[dict[str, Any]]:
    """Return what the unit was granted by other cases: the dataset, the last day, and the columns also asked here."""
    found = [each for each in grants.of_unit(session, application.unit_id) if each.application_id != application.id]
    datasets = catalogue.datasets_by_id(session, [each.dataset_id for each in found])
    return [
        {
            "grant": each,
            "title": datasets[each.dataset_id].title,
            "last_day": last_day(each.ends_at),
            "shared": [name for name in each.columns if name in application.columns],
        }
        for each in found
    ]
