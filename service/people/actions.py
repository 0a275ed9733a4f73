"""Changes of units, persons and sessions; each records its event: ids and codes, never a name, a login or a USCC."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Duplicate, Invalid, NotFound
from service.base.i18n import gettext
from service.base.ids import new_id
from service.base.roles import FIRM, Role
from service.notices.actions import put
from service.people import engine, store
from service.people.rules import (
    APPLICANT_KINDS,
    LIST_WORDS,
    ROLES_OF_KIND,
    AlreadyConfirmed,
    LastManager,
    LoginFailed,
    LoginTaken,
    RoleUnfit,
    UnitKind,
    UsccHeld,
    UsccMissing,
    fold_login,
    fold_uscc,
    uscc_fault,
)
from service.people.tables import LoginSession, Person, Unit, UnitConfirmation, UnitDispute


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to be added.  Its English name is the Chinese one, and its id a fresh one, where none is given."""

    kind: str
    name: str
    name_en: str = ""
    uscc: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """What registers say about a unit, in the words of the lists' vocabulary; None is not said.

    `foreign_share` is in percent; `certs` names the implied ones too (mlps3 goes with mlps2), empty is none at all.
    """

    applicant_kind: str | None = None
    foreign_share: float | None = None
    credit: str | None = None
    certs: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to be added.  The password was hashed before the transaction: hashing would hold the writer."""

    login: str
    name: str
    password_hash: str


# ---- units ----------------------------------------------------------------------------------------------------------


def add_unit(session: Session, unit: NewUnit, *, by: str, now: datetime) -> Unit:
    """Add a unit.  Raises Duplicate when its id or its code is taken, Invalid when the code does not hold."""
    values = _unit_values(unit, _checked(unit.uscc), now)
    if not store.add_unit(session, values):
        raise Duplicate()
    return _added(session, str(values["id"]), "unit:add", by=by, now=now)


def register_unit(session: Session, wanted: NewUnit, person: NewPerson, *, now: datetime) -> tuple[Unit, Person]:
    """Add an applicant unit and its first person, who manages it and applies for it; nobody has verified it yet.

    When another unit holds the code a dispute is opened and the registration stands without a code of its own: the
    caller sees no difference.  Raises LoginTaken.
    """
    code, person_id = _checked(wanted.uscc), new_id(now)
    values = _unit_values(wanted, code, now)
    held = not store.add_unit(session, values)
    if held:
        store.add_unit(session, values | {"uscc": None})
    unit = _added(session, str(values["id"]), "unit:register", by=person_id, now=now)
    if held and code:
        _open_dispute(session, unit, code, by=person_id, now=now)
    _tell_authority(session, "unit-registered", unit, now=now)
    return unit, _insert_person(session, person_id, person, unit, FIRM, by=person_id, now=now)


def confirm_unit(session: Session, unit_id: str, *, evidence: str, by: str, now: datetime) -> UnitConfirmation:
    """Note that an officer has seen the evidence; settles what disputes there are over the code in the unit's favour.

    Raises AlreadyConfirmed; UsccHeld when another confirmed unit has the code; UsccMissing when the unit gave none
    that is still open to it.
    """
    unit = store.lock_unit(session, unit_id)
    if unit.kind not in APPLICANT_KINDS:
        raise NotFound()
    if store.confirmation(session, unit_id) is not None:
        raise AlreadyConfirmed()
    _take_code(session, unit, by=by, now=now)
    confirmed = UnitConfirmation(unit_id=unit_id, evidence=evidence, by=by, at=now)
    session.add(confirmed)
    record(session, subject=f"unit:{unit_id}", kind="unit:confirm", by=by, now=now)
    put(session, kind="unit-confirmed", to_unit=unit_id, facts={}, now=now)
    session.flush()
    return confirmed


def record_facts(session: Session, unit_id: str, said: RegisterFacts, *, by: str, now: datetime) -> Unit:
    """Put down what registers say about a unit; what they do not say stays as it was."""
    unit = store.lock_unit(session, unit_id)
    facts = asdict(said) | {"certs": None if said.certs is None else sorted(said.certs)}
    given = {name: value for name, value in facts.items() if value is not None}
    for name, value in given.items():
        setattr(unit, name, value)
    session.add(unit)
    record(session, subject=f"unit:{unit_id}", kind="unit:change", by=by, now=now, facts=given)
    return unit


def _take_code(session: Session, unit: Unit, *, by: str, now: datetime) -> None:
    """Make sure that `unit` holds its code, from an unconfirmed holder if need be, and close the disputes over it."""
    claims = [dispute for dispute in store.disputes_of(session, [unit.id]) if dispute.claimant_id == unit.id]
    code = unit.uscc or (claims[-1].uscc if claims else None)
    if code is None:
        raise UsccMissing()
    holder = store.holder_of(session, code)
    if holder is not None and holder.id != unit.id:
        if store.confirmation(session, store.lock_unit(session, holder.id).id) is not None:
            raise UsccHeld()
        holder.uscc = None
        session.add(holder)
        session.flush()
    unit.uscc = code
    session.add(unit)
    for dispute in store.disputes_over(session, code):
        dispute.settled_at, dispute.settled_by, dispute.settled_for = now, by, unit.id
        session.add(dispute)
        facts = {"unit": unit.id}
        record(session, subject=f"dispute:{dispute.id}", kind="unit:settle", by=by, now=now, facts=facts)


def _open_dispute(session: Session, claimant: Unit, code: str, *, by: str, now: datetime) -> None:
    holder = store.holder_of(session, code)
    if holder is None:  # it was given up between the two statements; the next confirmation will look again
        raise Duplicate()
    dispute = UnitDispute(id=new_id(now), uscc=code, holder_id=holder.id, claimant_id=claimant.id, opened_at=now)
    session.add(dispute)
    facts = {"holder": holder.id, "claimant": claimant.id}
    record(session, subject=f"dispute:{dispute.id}", kind="unit:dispute", by=by, now=now, facts=facts)
    _tell_authority(session, "unit-disputed", claimant, now=now)


def _tell_authority(session: Session, kind: str, unit: Unit, *, now: datetime) -> None:
    facts = {"unit": {"zh": unit.name, "en": unit.name_en}}
    put(session, kind=kind, to_role=Role.AUTHORITY, facts=facts, now=now)


def _unit_values(unit: NewUnit, code: str | None, now: datetime) -> dict[str, object]:
    return {
        "id": unit.id or new_id(now),
        "kind": UnitKind(unit.kind).value,
        "name": unit.name,
        "name_en": unit.name_en or unit.name,
        "uscc": code,
        "applicant_kind": LIST_WORDS.get(UnitKind(unit.kind)),
        "foreign_share": None,
        "certs": None,
        "credit": None,
        "created_at": now,
    }


def _added(session: Session, unit_id: str, kind: str, *, by: str, now: datetime) -> Unit:
    unit = store.unit(session, unit_id)
    record(session, subject=f"unit:{unit_id}", kind=kind, by=by, now=now, facts={"kind": unit.kind})
    return unit


def _checked(uscc: str | None) -> str | None:
    if not uscc:
        return None
    code = fold_uscc(uscc)
    if fault := uscc_fault(code):
        raise Invalid(errors=[{"field": "uscc", "message": gettext(fault.message, **fault.blanks)}])
    return code


# ---- persons --------------------------------------------------------------------------------------------------------


def new_person(login: str, name: str, password: str) -> NewPerson:
    """Return a person with the password hashed, which takes some 25 ms: for commands and seeding, outside a flood."""
    return NewPerson(fold_login(login), name, engine.hash_password(password))


def add_person(
    session: Session, person: NewPerson, *, unit_id: str, roles: Collection[Role], by: str, now: datetime
) -> Person:
    """Add a person with roles.

    Raises LoginTaken, RoleUnfit when a role does not belong in the unit, NotFound when there is no such unit.
    """
    return _insert_person(session, new_id(now), person, store.unit(session, unit_id), roles, by=by, now=now)


def add_member(
    session: Session, person: NewPerson, *, unit_id: str, roles: Collection[Role], by: str, now: datetime
) -> Person:
    """Add a person to a manager's own unit.  Raises as `add_person`, RoleUnfit for an officer's role."""
    if not set(roles) <= FIRM:
        raise RoleUnfit()
    return add_person(session, person, unit_id=unit_id, roles=roles, by=by, now=now)


def set_roles(
    session: Session, person_id: str, roles: Collection[Role], *, by: str, now: datetime, unit_id: str | None = None
) -> None:
    """Make `roles` all the roles of a person.

    With `unit_id` only a person of that unit is found.  Raises NotFound, RoleUnfit, LastManager.
    """
    person = _member(session, person_id, unit_id)
    unit = store.lock_unit(session, person.unit_id)
    _demand_fit(unit, roles)
    if Role.MANAGER not in roles:
        _keep_a_manager(session, unit, person_id)
    store.set_roles(session, person_id, roles)
    record(session, subject=f"person:{person_id}", kind="person:role", by=by, now=now, facts={"roles": sorted(roles)})


def disable(session: Session, person_id: str, *, by: str, now: datetime, unit_id: str | None = None) -> None:
    """Close an account for good and end its sessions.  Raises NotFound, LastManager."""
    person = _member(session, person_id, unit_id)
    _keep_a_manager(session, store.lock_unit(session, person.unit_id), person_id)
    if person.disabled_at is not None:
        return
    person.disabled_at = now
    session.add(person)
    record(session, subject=f"person:{person_id}", kind="person:disable", by=by, now=now)
    end_sessions(session, person_id, by=by, now=now)


def rename(session: Session, person_id: str, *, name: str, by: str, now: datetime) -> None:
    """Correct a person's name; the log keeps that it changed, not what it was."""
    person = store.lock_person(session, person_id)
    person.name = name
    session.add(person)
    record(session, subject=f"person:{person_id}", kind="person:change", by=by, now=now)


def change_password(
    session: Session, person_id: str, *, password_hash: str, by: str, now: datetime, keep: str | None = None
) -> None:
    """Change a password and end the person's sessions but `keep`."""
    person = store.lock_person(session, person_id)
    person.password_hash = password_hash
    session.add(person)
    record(session, subject=f"person:{person_id}", kind="person:password", by=by, now=now)
    end_sessions(session, person_id, by=by, now=now, keep=keep)


def _insert_person(
    session: Session,
    person_id: str,
    person: NewPerson,
    unit: Unit,
    roles: Collection[Role],
    *,
    by: str,
    now: datetime,
) -> Person:
    _demand_fit(unit, roles)
    values: dict[str, object] = {
        "id": person_id,
        "login": person.login,
        "name": person.name,
        "password_hash": person.password_hash,
        "unit_id": unit.id,
        "created_at": now,
        "disabled_at": None,
    }
    if not store.add_person(session, values):
        raise LoginTaken()
    store.set_roles(session, person_id, roles)
    facts = {"unit": unit.id, "roles": sorted(roles)}
    kind = "person:register" if by == person_id else "person:add"
    record(session, subject=f"person:{person_id}", kind=kind, by=by, now=now, facts=facts)
    return store.person(session, person_id)


def _member(session: Session, person_id: str, unit_id: str | None) -> Person:
    person = store.lock_person(session, person_id)
    if unit_id is not None and person.unit_id != unit_id:
        raise NotFound()
    return person


def _demand_fit(unit: Unit, roles: Collection[Role]) -> None:
    if not set(roles) <= ROLES_OF_KIND[UnitKind(unit.kind)]:
        raise RoleUnfit()


def _keep_a_manager(session: Session, unit: Unit, leaving: str) -> None:
    managers = {row.id for row in store.persons_with(session, Role.MANAGER, unit_id=unit.id)}
    if managers == {leaving}:
        raise LastManager()


# ---- sessions -------------------------------------------------------------------------------------------------------


def start_session(
    session: Session, person_id: str, *, origin: str, agent: str, now: datetime, replaces: str | None = None
) -> str:
    """Begin a session and return its cookie, 256 random bits; `replaces` is the hash of the browser's former session.

    A login always gets a new id, so that an id planted before it is worth nothing.  Raises LoginFailed when the account
    was closed in the meantime.
    """
    if store.person(session, person_id).disabled_at is not None:
        raise LoginFailed()
    if replaces is not None:
        _end_whosoever(session, replaces, now=now)
    cookie = secrets.token_urlsafe(32)
    row = LoginSession(
        id_hash=digest(cookie), person_id=person_id, created_at=now, seen_at=now, authenticated_at=now,
        agent=agent[:200], origin=origin,
    )  # fmt: skip
    session.add(row)
    record(session, subject=f"session:{row.id_hash}", version=1, kind="session:begin", by=person_id, now=now)
    session.flush()
    return cookie


def end_session(session: Session, id_hash: str, *, person_id: str, by: str, now: datetime) -> None:
    """End one session of a person.  Raises NotFound when it is not theirs or has ended."""
    if not store.end_session(session, id_hash, person_id=person_id, now=now):
        raise NotFound()
    _record_end(session, id_hash, by=by, now=now)


def end_sessions(session: Session, person_id: str, *, by: str, now: datetime, keep: str | None = None) -> int:
    """End all live sessions of a person but `keep`; return how many."""
    others = [row.id_hash for row in store.live_sessions(session, person_id, now=now) if row.id_hash != keep]
    ended = [one for one in others if store.end_session(session, one, person_id=person_id, now=now)]
    for id_hash in ended:
        _record_end(session, id_hash, by=by, now=now)
    return len(ended)


def digest(cookie: str) -> str:
    """Return what the database keeps of a session cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def _end_whosoever(session: Session, id_hash: str, *, now: datetime) -> None:
    found = store.session_with_person(session, id_hash)
    if found and store.end_session(session, id_hash, person_id=found[1].id, now=now):
        _record_end(session, id_hash, by=found[1].id, now=now)


def _record_end(session: Session, id_hash: str, *, by: str, now: datetime) -> None:
    record(session, subject=f"session:{id_hash}", version=2, kind="session:end", by=by, now=now)
