"""The demo: units, people, datasets and cases, loaded once through the same acts as everybody's."""

import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.base import clock, db, state
from service.base.db import Session
from service.base.roles import Role
from service.base.settings import Settings
from service.catalogue import jobs as catalogue
from service.catalogue import store as datasets
from service.catalogue.engine import samples
from service.catalogue.engine.loading import Worker
from service.grants import jobs as grants
from service.home.jobs import versions
from service.home.jobs.cast import SYSTEM, actor, beginning, cast
from service.home.jobs.playing import grant_of, play
from service.home.jobs.usage import read_as_client
from service.oauth import actions as clients
from service.people import actions as people
from service.people import store as persons
from service.people.actions import NewUnit, RegisterFacts, new_person
from service.screening import actions as screening
from service.screening import jobs as publishing

LOADING = timedelta(hours=12)  # from one dataset to the next
SECOND = timedelta(days=2)  # before now, when second versions came


def demo_file(settings: Settings) -> Path:
    """Return where the demo's accounts and ids are written; its presence marks a HOME that `demo` made."""
    return settings.home / "demo.json"


def made_by_demo(settings: Settings) -> bool:
    """Whether the connected database, or HOME, was made by the demo."""
    with db.reading() as session:
        return state.made_by_demo(session) or demo_file(settings).exists()


def claim_for_demo(settings: Settings) -> bool:
    """Mark the connected database as the demo's; False when it is a service's: it has people and no demo made them."""
    with db.writing() as session:
        if not demo_file(settings).exists() and not state.made_by_demo(session) and persons.anybody(session):
            return False
        state.mark_demo(session)
        return True


def demo_accounts(settings: Settings) -> list[dict[str, str]]:
    """Return the accounts that the login page shows under `qiantang demo`; none elsewhere."""
    file = demo_file(settings)
    if not settings.demo or not file.exists():
        return []
    accounts: list[dict[str, str]] = json.loads(file.read_text())["accounts"]
    return accounts


def publish_editions() -> int:
    """Make rows of the list editions in use that have none yet; return how many."""
    with db.writing() as session:
        return screening.publish_editions(session, now=clock.now(session))


def load_demo(settings: Settings) -> dict[str, Any]:
    """Load what is not there yet and return demo.json's content; safe to run at every start.

    What it loads happened earlier: the demo's service began three months ago, and its cases came one after another.
    Passwords are written before the accounts are committed, so that a crash in between leaves nothing that nobody can
    open: the next start goes on where this one stopped.
    """
    known = _known(settings)
    with db.reading() as session:
        at = clock.now(session)
    with clock.moved(beginning(at) - at):
        publish_editions()
        with db.writing() as session:
            _people(session, known, now=clock.now(session))
    with Worker() as worker:
        for number, manifest in enumerate(sorted(samples(), key=_rank)):
            with clock.moved(min(beginning(at) + number * LOADING - at, timedelta(0))):
                _dataset(manifest, catalogue.Way(worker=worker))
        with clock.moved(-SECOND):
            _second_versions(catalogue.Way(worker=worker))
    if not known["client"]:
        _cases(settings, known, at)
    _write(settings, known)
    return known


def _cases(settings: Settings, known: dict[str, Any], at: datetime) -> None:
    """Play the cases with what follows from them; the client, made last, says that this is done for good."""
    play(at)
    while grants.build_missing(pepper=settings.pepper()):
        continue
    for case in cast()["cases"]:
        if "reads" in case:
            read_as_client(settings, case, at)
    _client(settings, known)


def _rank(manifest: Path) -> int:
    """Return where a dataset comes in the order of loading: the cast's newest last, the others by name before them."""
    newest: list[str] = cast()["newest"]
    return newest.index(manifest.stem) + 1 if manifest.stem in newest else 0


def _known(settings: Settings) -> dict[str, Any]:
    """Return demo.json as it is, with a new password for everybody whom it does not have yet; written at once."""
    file = demo_file(settings)
    known: dict[str, Any] = {"accounts": [], "client": None}
    if file.exists():
        known = json.loads(file.read_text())
    units = {unit["id"]: {"unit": unit["name"], "unit_en": unit["name_en"]} for unit in cast()["units"]}
    have = {account["login"] for account in known["accounts"]}
    accounts = known["accounts"] + [
        {"role": who["role"], "login": who["login"], "password": secrets.token_urlsafe(9), **units[who["unit"]]}
        for who in cast()["people"]
        if who["login"] not in have
    ]
    known = {"base_url": settings.base_url, "accounts": accounts, "tour": cast()["tour"], "client": known["client"]}
    _write(settings, known)
    return known


def _write(settings: Settings, known: dict[str, Any]) -> None:
    """Write demo.json for its owner only, whole or not at all."""
    file = demo_file(settings)
    draft = file.with_suffix(".new")
    with open(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
        json.dump(known, out, ensure_ascii=False, indent=2)
    draft.replace(file)


def _people(session: Session, known: dict[str, Any], *, now: datetime) -> None:
    """Add the units and persons that are missing; a firm is confirmed by an authority reviewer as any other."""
    have = persons.units_by_id(session, [unit["id"] for unit in cast()["units"]])
    for unit in cast()["units"]:
        if unit["id"] not in have:
            people.add_unit(session, NewUnit(**unit), by=SYSTEM, now=now)
    passwords = {account["login"]: account["password"] for account in known["accounts"]}
    for who in cast()["people"]:
        if persons.person_by_login(session, who["login"]) is None:
            person = new_person(who["login"], who["name"], passwords[who["login"]])
            roles = [Role(role) for role in who["roles"]]
            people.add_person(session, person, unit_id=who["unit"], roles=roles, by=SYSTEM, now=now)
    officer = actor(session, Role.AUTHORITY).person_id
    for unit in cast()["units"]:
        if unit["kind"] == "enterprise" and not persons.verified(session, unit["id"]):
            people.confirm_unit(session, unit["id"], evidence="演示：营业执照副本与经办人授权书", by=officer, now=now)
            facts = RegisterFacts(foreign_share=0, credit="good", certs=["mlps2", "mlps3"])
            people.record_facts(session, unit["id"], facts, by=officer, now=now)


def _dataset(manifest: Path, way: catalogue.Way) -> None:
    """Import and publish one shipped dataset by the code that a steward's data goes through."""
    with db.reading() as session:
        found = datasets.find(session, manifest.stem)
    if found is None:
        if said := versions.later(manifest.stem):
            versions.import_first(manifest, said, way)
        else:
            catalogue.import_dataset(manifest, by=SYSTEM, way=way)
    if found is None or found.state != "published":
        publishing.publish_dataset(manifest.stem, stated=publishing.AT_TERMINAL, by=SYSTEM)


def _second_versions(way: catalogue.Way) -> None:
    """Load what came later of the datasets that the cast names, where it is not there."""
    for manifest in samples():
        if (said := versions.later(manifest.stem)) is None:
            continue
        with db.reading() as session:
            loaded = datasets.newest(session, manifest.stem).number
        if loaded == 1:
            versions.import_second(manifest, said, way)


def _client(settings: Settings, known: dict[str, Any]) -> None:
    """Make the first case's client; its secret goes to demo.json, which only the owner can read."""
    case = cast()["cases"][0]
    with db.writing() as session:
        grant, manager = grant_of(session, case), actor(session, Role.MANAGER, unit=case["unit"])
        client, secret = clients.create_client(
            session, unit_id=manager.unit_id, grant_id=grant.id, name=case["client"],
            pepper=settings.pepper(), by=manager.person_id, now=clock.now(session),
        )  # fmt: skip
        known["client"] = {
            "client_id": client.id,
            "client_secret": secret,
            "grant": grant.id,
            "dataset": case["dataset"],
        }
        _write(settings, known)
