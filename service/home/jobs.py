"""The demo: units, people, datasets and one finished case, loaded once through the same acts as everybody's."""

import json
import os
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from service.applications import actions as applications
from service.applications import store as cases
from service.applications.actions import Wish
from service.applications.rules import Person as Actor
from service.applications.rules import Verb
from service.base import clock, db, state
from service.base.beijing import beijing_date
from service.base.db import Session
from service.base.roles import Role
from service.base.settings import Settings
from service.catalogue import jobs as catalogue
from service.catalogue import store as datasets
from service.catalogue.engine import samples
from service.grants import jobs as grants
from service.grants import store as grant_store
from service.oauth import actions as clients
from service.people import actions as people
from service.people import store as persons
from service.people.actions import NewUnit, RegisterFacts, new_person
from service.policy.engine import reading
from service.screening import actions as screening
from service.screening import jobs as publishing

SYSTEM = "demo"
TERM = timedelta(days=120)


@cache
def cast() -> dict[str, Any]:
    """Return who and what the demo is made of."""
    found: dict[str, Any] = reading.read(Path(str(resources.files("service.home") / "cast.yaml"))).data
    return found


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

    Passwords are written before the accounts are committed, so that a crash in between leaves nothing that nobody can
    open: the next start goes on where this one stopped.
    """
    known = _known(settings)
    publish_editions()
    with db.writing() as session:
        _people(session, known, now=clock.now(session))
    for manifest in samples():
        _dataset(manifest)
    grant_id = _case()
    grants.build_missing()
    _client(settings, known, grant_id)
    _write(settings, known)
    return known


def _known(settings: Settings) -> dict[str, Any]:
    file = demo_file(settings)
    if file.exists():
        known: dict[str, Any] = json.loads(file.read_text())
        known["base_url"] = settings.base_url
        return known
    names = {unit["id"]: unit["name"] for unit in cast()["units"]}
    accounts = [
        {"role": who["role"], "login": who["login"], "password": secrets.token_urlsafe(9), "unit": names[who["unit"]]}
        for who in cast()["people"]
    ]
    known = {"base_url": settings.base_url, "accounts": accounts, "tour": cast()["tour"], "client": None}
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
    officer = _actor(session, Role.AUTHORITY).person_id
    for unit in cast()["units"]:
        if unit["kind"] == "enterprise" and not persons.verified(session, unit["id"]):
            people.confirm_unit(session, unit["id"], evidence="演示：营业执照副本与经办人授权书", by=officer, now=now)
            facts = RegisterFacts(foreign_share=0, credit="good", certs=["mlps2", "mlps3"])
            people.record_facts(session, unit["id"], facts, by=officer, now=now)


def _dataset(manifest: Path) -> None:
    """Import and publish one shipped dataset by the code that a steward's data goes through."""
    with db.reading() as session:
        found = datasets.find(session, manifest.stem)
    if found is None:
        catalogue.import_dataset(manifest, by=SYSTEM)
    if found is None or found.state != "published":
        publishing.publish_dataset(manifest.stem, by=SYSTEM)


def _case() -> str:
    """Walk one case from draft to grant, each step as the person whose step it is; return the grant's id.

    A case that an earlier start left half way is taken up where it stands.
    """
    with db.writing() as session:
        case_id = _drafted(session)
    for step in _steps():
        with db.writing() as session:
            step(session, case_id, now=clock.now(session))
    with db.reading() as session:
        grant = grant_store.of_application(session, case_id, cast()["case"]["dataset"])
    if grant is None:
        raise RuntimeError("the demo's case did not end in a grant")
    return grant.id


def _drafted(session: Session) -> str:
    now, firm = clock.now(session), _actor(session, Role.APPLICANT, unit=cast()["case"]["unit"])
    mine = [case for case in cases.of_unit(session, firm.unit_id) if case.dataset_id == cast()["case"]["dataset"]]
    if mine:
        return mine[-1].id
    draft = cast()["case"]["draft"] | {"ends_on": beijing_date(now + TERM)}
    case = applications.create_draft(session, dataset_id=cast()["case"]["dataset"], by=firm, now=now, draft=draft)
    return case.id


def _steps() -> Iterator[Any]:
    yield _submit
    yield _steward_agrees
    yield _authority_agrees
    yield _sign


def _submit(session: Session, case_id: str, *, now: datetime) -> None:
    case = cases.application(session, case_id)
    if case.state == "draft":
        applications.submit(session, case_id, by=_actor(session, Role.APPLICANT, unit=case.unit_id), now=now)


def _steward_agrees(session: Session, case_id: str, *, now: datetime) -> None:
    _agree(session, case_id, Role.STEWARD, "字段与用途相符，已去除号牌，同意。", now=now)


def _authority_agrees(session: Session, case_id: str, *, now: datetime) -> None:
    _agree(session, case_id, Role.AUTHORITY, "符合开放条件，同意。", now=now)


def _agree(session: Session, case_id: str, role: Role, reason: str, *, now: datetime) -> None:
    case = cases.application(session, case_id)
    if case.state == "in_review" and case.step_role == role:
        unit = datasets.dataset(session, case.dataset_id).source_unit_id if role is Role.STEWARD else None
        wish = Wish(Verb.APPROVE, reason)
        applications.decide(session, case_id, wish, seen=case.version, by=_actor(session, role, unit=unit), now=now)


def _sign(session: Session, case_id: str, *, now: datetime) -> None:
    case = cases.application(session, case_id)
    if case.state != "approved":
        return
    digest = applications.agreement_of(session, case).digest
    manager = _actor(session, Role.MANAGER, unit=case.unit_id)
    applications.sign(session, case_id, seen=case.version, digest=digest, by=manager, now=now)


def _client(settings: Settings, known: dict[str, Any], grant_id: str) -> None:
    """Make the case's client once; its secret goes to demo.json, which only the owner can read."""
    if known["client"]:
        return
    case = cast()["case"]
    with db.writing() as session:
        now, manager = clock.now(session), _actor(session, Role.MANAGER, unit=case["unit"])
        client, secret = clients.create_client(
            session, unit_id=manager.unit_id, grant_id=grant_id, name=case["client"],
            pepper=settings.pepper(), by=manager.person_id, now=now,
        )  # fmt: skip
        known["client"] = {
            "client_id": client.id,
            "client_secret": secret,
            "grant": grant_id,
            "dataset": case["dataset"],
        }
        _write(settings, known)


def _actor(session: Session, role: Role, *, unit: str | None = None) -> Actor:
    found = persons.persons_with(session, role, unit_id=unit)[0]
    return Actor(found.id, found.unit_id, persons.roles_of(session, found.id))
