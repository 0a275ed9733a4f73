"""What several pages of a case share: their blueprint, and how a refusal and a verdict are shown."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Blueprint

from service.applications import actions, store
from service.applications.actions.reading import differences, snapshot_of
from service.applications.rules import diff, holds_step
from service.applications.tables import Application
from service.base import http
from service.base.access import FIRM, Caller
from service.base.db import Session
from service.base.errors import Changed, Invalid, Refusal
from service.base.i18n import gettext
from service.catalogue.tables import Dataset
from service.screening import actions as screening
from service.screening import store as screenings
from service.screening.rules import Judged

pages = Blueprint("applications", __name__)


def as_invalid(refusal: Refusal) -> Invalid:
    """Return a refusal's faults by field; of one that is about no field, none."""
    return refusal if isinstance(refusal, Invalid) else Invalid(errors=[])


def told(session: Session, application: Application, refusal: Refusal | None) -> dict[str, Any] | None:
    """Return why an act was refused, for the top of its page; of one that came too late, what has changed since."""
    if refusal is None or isinstance(refusal, Invalid):
        return None
    return {
        "title": gettext(refusal.title),
        "detail": http.detail_of(refusal),
        "part": refusal.facts.get("part"),
        "overtaken": isinstance(refusal, Changed),
        "changes": _changes(session, application, refusal),
    }


def _changes(session: Session, application: Application, refusal: Refusal) -> list[dict[str, str]]:
    if not isinstance(refusal, Changed):
        return []
    before = store.seen_at(session, application.id, int(refusal.facts.get("seen", -1)))
    return differences(diff(before, snapshot_of(application))) if before else []


def is_own(application: Application, who: Caller) -> bool:
    """Whether the case is of the caller's own unit, for which they act as a firm."""
    return who.unit_id == application.unit_id and bool(who.roles & FIRM)


def may_decide_now(session: Session, application: Application, dataset: Dataset, who: Caller) -> bool:
    """Whether the decision form is for this person: their step, not their unit's request, not their second step."""
    step = store.current_step(application)
    if step is None or who.unit_id == application.unit_id:
        return False
    if not holds_step(who, step.role, source_unit_id=dataset.source_unit_id):
        return False
    return who.person_id not in store.deciders_elsewhere(session, application)


def shown_verdict(session: Session, application: Application, dataset: Dataset, *, now: datetime) -> Judged:
    """Return the verdict as of now while the case can still move, else the one that it rests on."""
    if store.is_open(application) or application.screening_id is None:
        return screening.preview(session, actions.ask_of(application, dataset, now=now), now=now)
    kept = screenings.screening(session, application.screening_id)
    return Judged(kept.id, kept.facts, kept.verdict, tuple(kept.digests))


def named_rules(*groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every rule that a page names, once."""
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        for rule in group:
            found.setdefault(rule["id"], rule)
    return list(found.values())
