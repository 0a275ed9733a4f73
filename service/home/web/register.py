"""The public register: grants after the holding period, refusals as statistics and without names."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.audit import store as audit
from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.beijing import beijing_date, last_day
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import N_
from service.catalogue import store as catalogue
from service.home import rules, store
from service.home.store import Registered, RegisterFilter
from service.home.web.parts import pages
from service.policy import engine as policy
from service.policy.rules.judging import LEVEL_DEFAULT, LEVEL_DEFAULT_ID
from service.screening.rules import DOMAINS

REGISTER_AFTER = 5  # working days that a unit has to mark trade secrets before its grant is shown (assumption)
PAGE = 20
FILE = 5000
STATISTIC = 500  # refusals that the statistics by rule are taken from, newest first
STATES = {"running": N_("期限内"), "over": N_("已结束")}
FIELDS = (
    "number", "unit", "unit_en", "dataset", "dataset_title", "dataset_title_en", "purpose", "columns", "delivery",
    "starts_on", "last_day", "state", "lists", "granted_on",
)  # fmt: skip


@pages.get("/register")
@requires(Role.PUBLIC)
def register() -> ResponseReturnValue:
    """Show the entries of the register page by page, the statistics of refusals, and how to check the record."""
    asked = _asked()
    with db.reading() as session:
        now = clock.now(session)
        since = cutoff(now)
        found = store.registered(session, asked, cutoff=since, now=now, limit=PAGE + 1)
        shown = found[:PAGE]
        entries, running, units = store.register_totals(session, cutoff=since, now=now)
        refused, verdicts = store.refusals(session, limit=STATISTIC)
        return http.page(
            "home/register.html",
            entries=[_entry(session, one, now=now) for one in shown], asked=asked, domains=DOMAINS, states=STATES,
            totals={"entries": entries, "running": running, "units": units},
            refused=refused, counted=len(verdicts),
            refusals=[(id, count, _rule(id)) for id, count in rules.refusals_by_clause(verdicts)],
            next=_address(asked, before=shown[-1].grant.id) if len(found) > PAGE else "",
            head=audit.head(session),
        )  # fmt: skip


@pages.get("/register/<number>")
@requires(Role.PUBLIC)
def register_entry(number: str) -> ResponseReturnValue:
    """Show one case's entries, and the event of the log that proves each."""
    with db.reading() as session:
        now = clock.now(session)
        found = store.registered_as(session, number, cutoff=cutoff(now))
        if not found:
            raise NotFound()
        entries = [_whole(session, one, now=now) for one in found]
        return http.page("home/entry.html", number=number, entries=entries, states=STATES, head=audit.head(session))


@pages.get("/register.json")
@requires(Role.PUBLIC)
def register_json() -> ResponseReturnValue:
    """Give the public part of the register as JSON, newest first."""
    with db.reading() as session:
        return http.json_answer({"entries": list(_rows(session, clock.now(session)))})


@pages.get("/register.csv")
@requires(Role.PUBLIC)
def register_csv() -> ResponseReturnValue:
    """Give the public part of the register as CSV (UTF-8 with its mark, as spreadsheets want it), newest first."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS)
    table.writeheader()
    with db.reading() as session:
        for row in _rows(session, clock.now(session)):
            table.writerow({name: rules.cell(value) for name, value in row.items()})
    answer = Response(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="register.csv"'
    return answer


def cutoff(now: datetime) -> datetime:
    """Return the instant before which a grant must have been made to be shown at `now`."""
    return rules.working_days_before(now, REGISTER_AFTER, works=policy.current().calendar.works)


def _asked() -> RegisterFilter:
    domain, state = request.args.get("domain", ""), request.args.get("state", "")
    return RegisterFilter(
        domain=domain if domain in DOMAINS else "",
        state=state if state in STATES else "",
        before=request.args.get("before", "")[:32],
    )


def _address(asked: RegisterFilter, *, before: str) -> str:
    given = {"domain": asked.domain, "state": asked.state, "before": before}
    return f"/register?{urlencode({name: value for name, value in given.items() if value})}"


def _entry(session: Session, one: Registered, *, now: datetime) -> dict[str, Any]:
    return {
        "one": one,
        "last_day": last_day(one.grant.ends_at),
        "state": "over" if one.ended or one.grant.ends_at <= now else "running",
        "editions": store.editions(session, one.grant.rests_on.get("lists", [])),
    }


def _whole(session: Session, one: Registered, *, now: datetime) -> dict[str, Any]:
    titles = {column.name: column for column in catalogue.columns(session, one.dataset.id)}
    sealed = store.sealed_event(session, f"grant:{one.grant.id}", "grant:issue")
    return _entry(session, one, now=now) | {
        "columns": [(name, titles.get(name)) for name in one.grant.columns],
        "digests": one.grant.rests_on.get("lists", []),
        "proof": None if sealed is None else {"event": sealed[0].id, "position": sealed[1]},
    }


def _rule(id: str) -> dict[str, Any] | None:
    """Return a rule of the lists in use, or the default for high levels, by its number: to be linked and named."""
    if id == LEVEL_DEFAULT_ID:
        return {"id": id, "list": None, "title": LEVEL_DEFAULT.title.written()}
    for each in policy.current().lists:
        for rule in each.rules:
            if rule.id == id:
                return {"id": id, "list": each.id, "title": rule.title.written()}
    return None


def _rows(session: Session, now: datetime) -> Iterator[dict[str, Any]]:
    for one in store.registered(session, RegisterFilter(), cutoff=cutoff(now), now=now, limit=FILE):
        shown = _entry(session, one, now=now)
        yield {
            "number": one.number,
            "unit": one.unit.name,
            "unit_en": one.unit.name_en,
            "dataset": one.dataset.id,
            "dataset_title": one.dataset.title_zh,
            "dataset_title_en": one.dataset.title_en,
            "purpose": one.grant.purpose,
            "columns": list(one.grant.columns),
            "delivery": list(one.grant.delivery),
            "starts_on": beijing_date(one.grant.starts_at),
            "last_day": shown["last_day"].isoformat(),
            "state": shown["state"],
            "lists": shown["editions"],
            "granted_on": beijing_date(one.grant.created_at),
        }
