"""A case as its unit follows it and as officers look it up; its decision as a letter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.applications import actions, store
from service.applications.actions.progress import stages, this_round, total_clock
from service.applications.actions.reading import visible
from service.applications.actions.reviewing import other_parts
from service.applications.forms import SeenForm
from service.applications.rules import HOLDERS, STATES, VERBS, State, Verb
from service.applications.tables import Application, Decision
from service.applications.web.shown import is_own, named_rules, pages, shown_verdict, told
from service.base import clock, db, http
from service.base.access import FIRM, READERS, Role, caller, requires
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.base.forms import form_data, parse
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.grants import store as grants
from service.people import store as people
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening import store as screenings
from service.screening.rules import DOMAINS, Judged, standing_out, strictest


@pages.post("/applications/<id>/withdrawal")
@requires(*FIRM)
def withdraw(id: str) -> ResponseReturnValue:
    """Take a request back."""
    form = parse(SeenForm, form_data(request.form))
    with db.writing() as session:
        now = clock.now(session)
        actions.withdraw(session, id, by=caller(), now=now, seen=form.version)
    return http.see_other(f"/applications/{id}")


@pages.get("/applications/<id>/decision-letter")
@requires(*READERS)
def letter(id: str) -> ResponseReturnValue:
    """Show the last decision that the unit is told of as the letter that it is."""
    with db.reading() as session:
        application = visible(session, id, caller())
        decision = told_decision(session, application, store.decisions(session, id))
        if decision is None:
            raise NotFound()
        return _letter_page(session, application, decision)


def case_page(
    session: Session, application: Application, dataset: Dataset, typed: Mapping[str, Any],
    refusal: Refusal | None = None,
) -> Response:  # fmt: skip
    """Return the page of a case for whoever does not decide on it now."""
    now, who = clock.now(session), caller()
    mine = is_own(application, who)
    judged = shown_verdict(session, application, dataset, now=now)
    decisions = store.decisions(session, application.id)
    rows = _rows(session, application, dataset, decisions, judged)
    return http.page(
        "applications/show.html",
        status=refusal.status if refusal else 200,
        application=application,
        dataset=dataset,
        unit=people.unit(session, application.unit_id),
        source=people.unit(session, dataset.source_unit_id),
        authority=next(iter(people.units_of_kind(session, "authority")), None),
        verified=people.verified(session, application.unit_id),
        mine=mine,
        manager=mine and who.has(Role.MANAGER),
        second=not mine and who.person_id in store.deciders_elsewhere(session, application),
        decisions=decisions,
        rows=rows,
        judged=judged,
        open=store.is_open(application),
        domains=DOMAINS,
        rules=named_rules(*(row["own"] for row in rows), standing_out(judged.verdict)),
        letter=told_decision(session, application, decisions),
        agreement=store.agreement(session, application.id),
        grant=grants.of_application(session, application.id, dataset.id),
        states=STATES,
        verbs=VERBS,
        holders=HOLDERS,
        typed=typed,
        refusal=refusal,
        refused=told(session, application, refusal),
        **_course(session, application, decisions, mine=mine, now=now),
        **_form_parts(session, application, mine=mine),
    )


def _course(
    session: Session, application: Application, decisions: Sequence[Decision], *, mine: bool, now: datetime
) -> dict[str, Any]:
    """Return the case's stages and clock; who did what is told to officers, not to the unit itself."""
    line = stages(session, application, decisions, now=now)
    return {
        "stages": line,
        "now_at": next((stage for stage in line if stage.mark == "now"), None),
        "total": total_clock(application, now=now),
        "names": people.names_of(session, {stage.by for stage in line if stage.by}) if not mine else {},
    }


def _form_parts(session: Session, application: Application, *, mine: bool) -> dict[str, Any]:
    """Return the other datasets of the same form, for its own unit."""
    others = other_parts(session, application) if mine else []
    return {"others": others, "titles": catalogue.datasets_by_id(session, [each.dataset_id for each in others])}


def told_decision(session: Session, application: Application, decisions: Sequence[Decision]) -> Decision | None:
    """Return the decision that the unit has a letter of: the last one, unless further steps were still to decide.

    One step's consent to a case that was taken back before the next step is nobody's decision.
    """
    if not decisions or application.state == State.IN_REVIEW:
        return None
    after = store.seen_at(session, application.id, decisions[-1].seen_version + 1)
    return decisions[-1] if after and after.state != State.IN_REVIEW else None


def _rows(
    session: Session, application: Application, dataset: Dataset, decisions: Sequence[Decision], judged: Judged
) -> list[dict[str, Any]]:
    """Return what was asked column by column: how it is judged, what was objected, and the decision that left it out.

    An open case is judged by the lists of today, one that has ended by what its verdict said of the column.
    """
    round_ = this_round(session, application, decisions)
    dropped = {name: decision for decision in round_ for name in decision.dropped}
    names = [*application.columns, *(name for name in dropped if name not in application.columns)]
    known = {column.name: column for column in catalogue.columns(session, dataset.id)}
    order = {name: number for number, name in enumerate(known)}
    verdicts = _column_verdicts(session, application, dataset, judged)
    return [
        {
            "name": name,
            "column": known.get(name),
            "outcome": verdicts[name]["own_outcome"] if name in verdicts else None,
            "own": verdicts[name]["own"] if name in verdicts else [],
            "objection": application.objections.get(name, ""),
            "dropped": dropped.get(name) if name not in application.columns else None,
        }
        for name in sorted(names, key=lambda name: order.get(name, len(order)))
    ]


def _column_verdicts(
    session: Session, application: Application, dataset: Dataset, judged: Judged
) -> dict[str, dict[str, Any]]:
    if store.is_open(application):
        now = clock.now(session)
        return screening.column_verdicts(session, actions.ask_of(application, dataset, now=now), now=now)
    found = {}
    for name in application.columns:
        own = [rule for rule in standing_out(judged.verdict) if name in rule["evidence"]]
        found[name] = {"own": own, "own_outcome": strictest(rule["outcome"] for rule in own)}
    return found


def _letter_page(session: Session, application: Application, decision: Decision) -> Response:
    dataset = catalogue.dataset(session, application.dataset_id)
    decisions = this_round(session, application, store.decisions(session, application.id))
    authority = next(iter(people.units_of_kind(session, "authority")), None)
    return http.page(
        "applications/letter.html",
        application=application,
        decision=decision,
        decisions=decisions,
        dataset=dataset,
        unit=people.unit(session, application.unit_id),
        source=people.unit(session, dataset.source_unit_id),
        issuer=people.unit(session, decision.unit_id),
        columns={column.name: column for column in catalogue.columns(session, dataset.id)},
        verdict=screenings.screening(session, decision.screening_id).verdict,
        domains=DOMAINS,
        remedy=judging.remedy(authority.name if authority else "", authority.name_en if authority else ""),
        agrees=decision.verb in (Verb.APPROVE, Verb.NARROW),
        narrowed=any(each.dropped or each.verb == Verb.NARROW for each in decisions),
        verbs=VERBS,
    )
