"""The grants that a reader may see, and the page of each."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.applications import store as applications
from service.applications.tables import Application
from service.base import clock, db, http
from service.base.access import FIRM, READERS, caller, requires
from service.base.beijing import day_of, last_day
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import N_, current, gettext
from service.catalogue import store as catalogue
from service.data import store as usage
from service.data.rules import FORMATS
from service.data.rules.quota import quota_of
from service.grants import rules as grant_rules
from service.grants import store as grants
from service.grants.rules import FileState, transforms
from service.home import rules, store
from service.home.store import Granted
from service.home.web.following import next_version
from service.home.web.parts import entry, may_suspend, pages, units_of
from service.oauth import rules as client_rules
from service.oauth import store as clients
from service.oauth.tables import Client
from service.oauth.web import script_text

# What a reader may paste: the word of the address, the file, the tab.
USES = {
    "curl": ("curl.sh", "curl"),
    "oauthlib": ("oauthlib.py", "requests-oauthlib"),
    "pandas": ("pandas.py", "pandas"),
    "duckdb": ("duckdb.py", "DuckDB"),
}
DAYS = 30  # of usage on the page
SOON = timedelta(days=30)  # what falls due within it stands on top


@pages.get("/grants")
@requires(*READERS)
def grant_list() -> ResponseReturnValue:
    """List the grants that the caller may see: the unit's own, the source unit's, or all."""
    who = caller()
    with db.reading() as session:
        now = clock.now(session)
        found = store.grants_seen_by(session, who.roles, who.unit_id)
        read = usage.usage_since(session, [one.grant.id for one in found], since=_since(now))
        entries = [_listed(one, read, standing, now=now) for one, standing in standings(session, found, now=now)]
        return http.page("home/grants.html", grants=entries, officer=not who.has(*FIRM), days=DAYS)


@pages.get("/grants/<grant_id>")
@requires(*READERS)
def grant(grant_id: str) -> ResponseReturnValue:
    """Show a grant: what may be read until when, systems, scripts, usage, suspension."""
    with db.reading() as session:
        one = store.granted(session, grant_id)
        if one is None or not _may_see_grant(one):
            raise NotFound()
        return http.page("home/grant.html", **_grant_page(session, one, now=clock.now(session)))


def _listed(one: Granted, read: Mapping[str, usage.Usage], standing: str, *, now: datetime) -> dict[str, Any]:
    return {
        "grant": one.grant,
        "unit": one.unit,
        "dataset": one.dataset,
        "standing": standing,
        "last_day": last_day(one.grant.ends_at),
        "days_left": rules.days_left(one.grant.ends_at, now=now),
        "usage": read.get(one.grant.id, usage.Usage()),
    }


def standings(session: Session, found: Sequence[Granted], *, now: datetime) -> list[tuple[Granted, str]]:
    """Return each grant with what it is now; two queries for all of them."""
    ids = [one.grant.id for one in found]
    held, given_back = grants.open_suspensions(session, ids), grants.handbacks(session, ids)
    return [
        (one, str(grant_rules.standing(
            one.grant, suspended=one.grant.id in held, now=now,
            returned_at=given_back[one.grant.id].at if one.grant.id in given_back else None,
        )))
        for one in found
    ]  # fmt: skip


def _grant_page(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    own = caller().unit_id == one.grant.unit_id
    shown = entry(session, one, now=now)
    application = applications.application(session, one.grant.application_id)
    systems = clients.clients_of_grant(session, one.grant.id) if own else []
    return {
        **shown,
        **_scope(session, one, application),
        **_term(session, one, shown["standing"], now=now),
        **_usage(session, one, now=now),
        "state": shown["standing"],  # `standing` is the macro that shows it
        "next": next_version(session, one, shown["standing"], now=now),
        "number": application.number,
        "agreement": applications.agreement(session, application.id),
        **_view(session, one),
        "view_state": grants.view_state(session, one.grant.id),
        "own": own,
        "firm": FIRM,
        "formats": list(FORMATS),
        "systems": _systems(session, one, systems),
        "code": _code(one, systems) if own else None,
        "may_suspend": may_suspend(one),
        "may_hand_back": grant_rules.may_hand_back(
            caller().roles, unit_id=caller().unit_id, holder_unit_id=one.grant.unit_id
        ),
    }


def _view(session: Session, one: Granted) -> dict[str, Any]:
    """Return the view that serves with its files, or how far the one is that is being made; and files being made."""
    view = grants.view_of(session, one.grant.id)
    files = grants.view_files(session, view.id) if view else {}
    making = None if view else grants.view_at_hand(session, one.grant.id)
    served = catalogue.version(session, one.dataset.id, view.dataset_version) if view else None
    return {
        "withdrawn": served if served and served.withdrawn_at else None,
        "view": view,
        "files": {name: file for name, file in files.items() if file.state == FileState.READY},
        "converting": [file for file in files.values() if file.state in (FileState.WANTED, FileState.BUILDING)],
        "making": making,
        "fault": grant_rules.fault_words(making.note) if making and making.note else None,
    }


def _may_see_grant(one: Granted) -> bool:
    return grant_rules.may_see(caller().roles, **units_of(one))


def _scope(session: Session, one: Granted, application: Application) -> dict[str, Any]:
    """Return the dataset's columns: those granted in the order of the view, and those that were not."""
    known = {column.name: column for column in catalogue.columns(session, one.dataset.id)}
    asked = set(application.draft.get("columns", []))
    steps, joint = transforms.read(one.grant.transforms), "、" if current() == "zh" else ", "
    return {
        "treated": {transforms.about(step): transforms.said(step, gettext, joint) for step in steps},
        "columns": [known[name] for name in one.grant.columns if name in known],
        "closed": [(column, name in asked) for name, column in known.items() if name not in one.grant.columns],
    }


def _term(session: Session, one: Granted, standing: str, *, now: datetime) -> dict[str, Any]:
    """Return where a grant stands between its start and its end, what was done to it and what falls due."""
    today, tasks = day_of(now), grants.tasks(session, one.grant.id)
    return {
        "suspension": grants.open_suspension(session, one.grant.id),
        "suspensions": grants.suspensions(session, one.grant.id),
        "handback": grants.handback(session, one.grant.id),
        "over": standing in ("ended", "returned"),
        "days_left": rules.days_left(one.grant.ends_at, now=now),
        "elapsed": rules.share_of(one.grant.starts_at, one.grant.ends_at, now=now),
        "tasks": tasks,
        "soon": [task for task in tasks if today <= task.due_on <= today + SOON],
    }


def _usage(session: Session, one: Granted, *, now: datetime) -> dict[str, Any]:
    found = usage.usage_by_day(session, one.grant.id, since=_since(now))
    days = [day_of(now) - timedelta(days=back) for back in reversed(range(DAYS))]
    daily = [(day, found.get(day, usage.Usage())) for day in days]
    return {
        "daily": daily,
        "bars": rules.bars([read.rows for _day, read in daily]),
        "limits": _limits(session, one, now=now),
        "totals": usage.totals_of_grant(session, one.grant.id),
        "usage": usage.usage_of_grant(session, one.grant.id),
    }


def _limits(session: Session, one: Granted, *, now: datetime) -> list[tuple[str, int, int]]:
    """Return the limits of a day as (name, limit, used)."""
    quota = quota_of(one.grant.quota, one.dataset.level)
    used = usage.charged_on(session, one.grant.id, day_of(now))
    named = ((N_("行数"), quota.rows_per_day, used.rows), (N_("字节"), quota.bytes_per_day, used.size))
    return [(name, limit, have) for name, limit, have in named if limit is not None]


def _since(now: datetime) -> date:
    """Return the first of the last DAYS Beijing days, today included."""
    return day_of(now) - timedelta(days=DAYS - 1)


def _systems(session: Session, one: Granted, systems: Sequence[Client]) -> list[dict[str, Any]]:
    secrets = clients.current_secrets(session, [system.id for system in systems])
    used = usage.last_uses(session, one.grant.id) if systems else {}
    return [
        {
            "client": system,
            "fingerprint": client_rules.fingerprint(secrets[system.id].digest) if system.id in secrets else None,
            "since": secrets[system.id].created_at if system.id in secrets else None,
            "used": used.get(system.id),
        }
        for system in systems
    ]


def _code(one: Granted, systems: Sequence[Client]) -> dict[str, Any]:
    """Return the script that the reader asked for, for the unit's newest system that still works."""
    use = request.args.get("use", "")
    use = use if use in USES else next(iter(USES))
    working = [system.id for system in systems if system.disabled_at is None]
    name, tab = USES[use]
    text = script_text(name, one.grant, working[-1] if working else None)
    tabs = [(word, label) for word, (_name, label) in USES.items()]
    pieces = client_rules.highlighted(text, name)
    return {"use": use, "name": name, "tab": tab, "tabs": tabs, "pieces": pieces, "registered": bool(working)}
