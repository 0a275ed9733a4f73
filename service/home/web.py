"""Pages that join nouns: home, dataset, grants, inbox, public register."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from service.applications import store as applications
from service.applications.store import Work
from service.base import blobs, clock, db, http
from service.base.access import FIRM, OFFICERS, READERS, Role, caller, caller_or_none, requires
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import NotFound, Refusal
from service.catalogue import store as catalogue
from service.catalogue.rules import DATA_DOMAINS, UPDATE_CYCLES
from service.catalogue.tables import Dataset
from service.data import engine as data_engine
from service.data import store as usage
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.home import rules, store
from service.home.store import Granted
from service.oauth import store as clients
from service.oauth.tables import Client
from service.oauth.web import SCRIPTS, script_text
from service.people import store as people
from service.policy import engine as policy
from service.policy.rules.calendar import working_days_between
from service.screening import actions as screening
from service.screening.rules import Ask

pages = Blueprint("home", __name__)

FIRST_ROWS = 10
INSTANT = timedelta(microseconds=1)  # a deadline at 24:00 falls on the day before
REGISTER_AFTER = 5  # working days that a unit has to mark trade secrets before its grant is shown (assumption)


@pages.get("/")
@requires(Role.PUBLIC)
def index() -> ResponseReturnValue:
    """Show what there is and how it works."""
    with db.reading() as session:
        return http.page("home/index.html", domains=store.domains(session))


@pages.get("/datasets/<dataset_id>")
@requires(Role.PUBLIC)
def dataset(dataset_id: str) -> ResponseReturnValue:
    """Show a dataset: dictionary with the verdict of each column, first rows if public, conditions, who decides."""
    with db.reading() as session:
        now = clock.now(session)
        found = catalogue.dataset(session, dataset_id)
        if found.state != "published" and not _may_see_draft(found):
            raise NotFound()
        return http.page("home/dataset.html", **_dataset_page(session, found, now=now))


@pages.get("/grants")
@requires(*READERS)
def grant_list() -> ResponseReturnValue:
    """List the grants that the caller may see: the unit's own, the source unit's, or all."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        found = store.grants_seen_by(session, who.roles, who.unit_id)
        entries = [_entry(session, one, now=now) for one in found]
        return http.page("home/grants.html", grants=entries, officer=not who.has(*FIRM))


@pages.get("/grants/<grant_id>")
@requires(*READERS)
def grant(grant_id: str) -> ResponseReturnValue:
    """Show a grant: what may be read until when, systems, scripts, usage, suspension."""
    with db.reading() as session:
        one = store.granted(session, grant_id)
        if one is None or not _may_see_grant(one):
            raise NotFound()
        return http.page("home/grant.html", **_grant_page(session, one, now=clock.now(session)))


@pages.get("/inbox")
@requires(*OFFICERS)
def inbox() -> ResponseReturnValue:
    """Show an officer what waits, what is due first on top."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        cases = [_case(session, work, now=now) for work in applications.open_for(session, who, now=now)]
        waiting = [
            (one, suspension)
            for one, suspension in store.unconfirmed_suspensions(session)
            if _may_suspend(one) and suspension.by != who.person_id
        ]
        units = len(people.awaiting(session)) if who.has(Role.AUTHORITY) else None
        return http.page("home/inbox.html", cases=cases, suspensions=waiting, units=units)


@pages.get("/register")
@requires(Role.PUBLIC)
def register() -> ResponseReturnValue:
    """Show the public register: grants after the holding period, refusals as statistics and without names."""
    with db.reading() as session:
        now = clock.now(session)
        cutoff = rules.working_days_before(now, REGISTER_AFTER, works=policy.current().calendar.works)
        entries = [
            _entry(session, one, now=now) | {"editions": _editions(session, one)}
            for one in store.issued_before(session, cutoff)
        ]
        refusals = rules.refusals_by_clause(store.refusal_verdicts(session))
        return http.page("home/register.html", entries=entries, refusals=refusals)


@pages.get("/problems/<code>")
@requires(Role.PUBLIC)
def problem_type(code: str) -> ResponseReturnValue:
    """Say what a problem's type means: what `type` in a problem document links to."""
    found = {kind.code: kind for kind in rules.kinds_of(Refusal)}.get(code)
    if found is None:
        raise NotFound()
    return http.page("home/problem.html", kind=found)


def _dataset_page(session: Session, found: Dataset, *, now: datetime) -> dict[str, Any]:
    columns = catalogue.columns(session, found.id)
    names = tuple(column.name for column in columns)
    verdicts = screening.column_verdicts(session, Ask(found.id, names), now=now)
    view = grants.public_view(session, found.id) if found.openness == "unconditional" else None
    shown = [column["name"] for column in view.columns] if view else []
    rows: list[dict[str, Any]] = []
    if view:
        with blobs.as_file(view.parquet_key) as file:
            rows = data_engine.rows(file, shown, start=0, limit=FIRST_ROWS)
    route = screening.usual_route(session, found.id, now=now) if found.openness == "restricted" else {"steps": []}
    return {
        "dataset": found,
        "data_domain": DATA_DOMAINS[found.data_domain],
        "update_cycle": UPDATE_CYCLES[found.update_cycle],
        "columns": columns,
        "verdicts": {name: rules.column_shown(each) for name, each in verdicts.items()},
        "view": view,
        "shown": shown,
        "rows": rows,
        "removed": [name for name in names if view and name not in shown],
        "steps": route["steps"],
        "source": people.unit(session, found.source_unit_id),
        "version": catalogue.latest_or_none(session, found.id),
        "derived": store.derived(session, found.id),
        "lists": screening.lists_for(found.key_domain, now=now),
    }


def _grant_page(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    own = caller().unit_id == one.grant.unit_id
    systems = clients.clients_of_grant(session, one.grant.id) if own else []
    entry = _entry(session, one, now=now)
    return {
        **entry,
        "state": entry["standing"],  # `standing` is the macro that shows it
        "suspension": grants.open_suspension(session, one.grant.id),
        "number": applications.application(session, one.grant.application_id).number,
        "view": grants.view_of(session, one.grant.id),
        "own": own,
        "clients": systems,
        "scripts": _scripts(one, systems) if own else [],
        "tasks": grants.tasks(session, one.grant.id),
        "totals": usage.totals_of_grant(session, one.grant.id),
        "usage": usage.usage_of_grant(session, one.grant.id),
        "may_suspend": _may_suspend(one),
    }


def _may_see_draft(found: Dataset) -> bool:
    who = caller_or_none()
    return who is not None and (
        who.has(Role.AUTHORITY) or (who.has(Role.STEWARD) and who.unit_id == found.source_unit_id)
    )


def _may_see_grant(one: Granted) -> bool:
    return grant_rules.may_see(caller().roles, **_units(one))


def _may_suspend(one: Granted) -> bool:
    return grant_rules.may_oversee(caller().roles, **_units(one))


def _units(one: Granted) -> dict[str, str]:
    """Return whose the caller, the grant and its data are."""
    return {
        "unit_id": caller().unit_id,
        "source_unit_id": one.dataset.source_unit_id,
        "holder_unit_id": one.grant.unit_id,
    }


def _entry(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    suspended = grants.open_suspension(session, one.grant.id) is not None
    return {
        "grant": one.grant,
        "unit": one.unit,
        "dataset": one.dataset,
        "standing": str(grant_rules.standing(one.grant, suspended=suspended, now=now)),
        "last_day": last_day(one.grant.ends_at),
    }


def _scripts(one: Granted, systems: Sequence[Client]) -> list[tuple[str, str]]:
    """Return every script's name and text, for the unit's newest system that still works."""
    working = [system.id for system in systems if system.disabled_at is None]
    return [(name, script_text(name, one.grant, working[-1] if working else None)) for name in SCRIPTS]


def _editions(session: Session, one: Granted) -> list[str]:
    return store.editions(session, one.grant.rests_on.get("lists", []))


def _case(session: Session, work: Work, *, now: datetime) -> dict[str, Any]:
    case = work.application
    left = working_days_between(now, case.due_at - INSTANT, works=policy.current().calendar.works) if case.due_at else 0
    return {
        "application": case,
        "unit": people.unit(session, case.unit_id),
        "dataset": {"zh": work.dataset_title_zh, "en": work.dataset_title_en},
        "role": case.step_role,
        "due": case.due_at,
        "overdue": work.overdue,
        "days_left": left,
    }
