"""Queries on units, persons and sessions."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import CursorResult, delete, func, or_, update
from sqlmodel import col, select

from service.base.db import Session, insert_or_ignore
from service.base.errors import NotFound
from service.base.roles import Role
from service.people.rules import ABSOLUTE, APPLICANT_KINDS, IDLE, SEEN_EVERY
from service.people.tables import LoginSession, Person, PersonRole, Unit, UnitConfirmation, UnitDispute

# ---- units ----------------------------------------------------------------------------------------------------------


def unit(session: Session, unit_id: str) -> Unit:
    """Return a unit; NotFound when there is none."""
    if (found := session.get(Unit, unit_id)) is None:
        raise NotFound()
    return found


def lock_unit(session: Session, unit_id: str) -> Unit:
    """Return a unit for changing: on PostgreSQL a second transaction waits here, on SQLite it waited at its start."""
    found = session.exec(select(Unit).where(Unit.id == unit_id).with_for_update()).first()
    if found is None:
        raise NotFound()
    return found


def units_by_id(session: Session, ids: Iterable[str]) -> dict[str, Unit]:
    """Return the units with these ids by id; ids that name none are left out."""
    wanted = set(ids)
    if not wanted:
        return {}
    return {row.id: row for row in session.exec(select(Unit).where(col(Unit.id).in_(wanted)))}


def units_of_kind(session: Session, *kinds: str) -> Sequence[Unit]:
    """Return all units of these kinds by name."""
    return session.exec(select(Unit).where(col(Unit.kind).in_(kinds)).order_by(Unit.name, Unit.id)).all()


def confirmation(session: Session, unit_id: str) -> UnitConfirmation | None:
    return session.get(UnitConfirmation, unit_id)


def verified(session: Session, unit_id: str) -> bool:
    """Whether an officer has confirmed the unit's evidence; a source unit and the authority need none."""
    return unit(session, unit_id).kind not in APPLICANT_KINDS or confirmation(session, unit_id) is not None


def awaiting(session: Session, *, limit: int = 200) -> Sequence[Unit]:
    """Return the applicant units that nobody has confirmed, the longest waiting first."""
    return session.exec(
        select(Unit)
        .outerjoin(UnitConfirmation, col(UnitConfirmation.unit_id) == Unit.id)
        .where(col(Unit.kind).in_(APPLICANT_KINDS), col(UnitConfirmation.unit_id).is_(None))
        .order_by(col(Unit.created_at), col(Unit.id))
        .limit(limit)
    ).all()


def holder_of(session: Session, uscc: str) -> Unit | None:
    """Return the unit that holds this code."""
    return session.exec(select(Unit).where(Unit.uscc == uscc)).first()


def disputes_of(session: Session, unit_ids: Collection[str]) -> Sequence[UnitDispute]:
    """Return the open disputes in which one of these units holds or claims, oldest first."""
    if not unit_ids:
        return []
    return session.exec(
        select(UnitDispute)
        .where(or_(col(UnitDispute.holder_id).in_(unit_ids), col(UnitDispute.claimant_id).in_(unit_ids)))
        .where(col(UnitDispute.settled_at).is_(None))
        .order_by(col(UnitDispute.opened_at), col(UnitDispute.id))
    ).all()


def disputes_over(session: Session, uscc: str) -> Sequence[UnitDispute]:
    """Return the open disputes over one code."""
    return session.exec(
        select(UnitDispute).where(UnitDispute.uscc == uscc, col(UnitDispute.settled_at).is_(None))
    ).all()


def claimed_uscc(session: Session, found: Unit) -> str | None:
    """Return the code a unit gave: its own, or the one it claims in its latest dispute."""
    if found.uscc:
        return found.uscc
    return session.exec(
        select(UnitDispute.uscc)
        .where(UnitDispute.claimant_id == found.id)
        .order_by(col(UnitDispute.opened_at).desc())
        .limit(1)
    ).first()


def add_unit(session: Session, values: dict[str, object]) -> bool:
    """Insert a unit; False when its id or its code is taken."""
    return insert_or_ignore(session, Unit, **values)


# ---- persons --------------------------------------------------------------------------------------------------------


def person(session: Session, person_id: str) -> Person:
    """Return a person; NotFound when there is none."""
    if (found := session.get(Person, person_id)) is None:
        raise NotFound()
    return found


def anybody(session: Session) -> bool:
    """Whether there is any account at all."""
    return session.exec(select(Person.id).limit(1)).first() is not None


def lock_person(session: Session, person_id: str) -> Person:
    """Return a person for changing (see `lock_unit`)."""
    found = session.exec(select(Person).where(Person.id == person_id).with_for_update()).first()
    if found is None:
        raise NotFound()
    return found


def person_by_login(session: Session, login: str) -> Person | None:
    """Return the person with this folded login."""
    return session.exec(select(Person).where(Person.login == login)).first()


def persons_of(session: Session, unit_id: str) -> Sequence[Person]:
    """Return a unit's persons, closed accounts last."""
    rows = session.exec(select(Person).where(Person.unit_id == unit_id).order_by(Person.login)).all()
    return sorted(rows, key=lambda row: row.disabled_at is not None)


def persons_with(session: Session, role: Role, *, unit_id: str | None = None) -> Sequence[Person]:
    """Return the open accounts that have `role`, of one unit or of all."""
    query = (
        select(Person)
        .join(PersonRole, col(PersonRole.person_id) == Person.id)
        .where(PersonRole.role == role, col(Person.disabled_at).is_(None))
        .order_by(Person.login)
    )
    return session.exec(query if unit_id is None else query.where(Person.unit_id == unit_id)).all()


def names_of(session: Session, person_ids: Iterable[str]) -> dict[str, str]:
    """Return names by person id; ids that name none are left out."""
    wanted = set(person_ids)
    if not wanted:
        return {}
    return dict(session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted))).all())


def roles_of(session: Session, person_id: str) -> frozenset[Role]:
    """Return a person's roles."""
    return roles_by_person(session, [person_id]).get(person_id, frozenset())


def roles_by_person(session: Session, person_ids: Collection[str]) -> dict[str, frozenset[Role]]:
    """Return roles by person id."""
    found: dict[str, set[Role]] = {}
    for row in session.exec(select(PersonRole).where(col(PersonRole.person_id).in_(person_ids))):
        found.setdefault(row.person_id, set()).add(Role(row.role))
    return {person_id: frozenset(roles) for person_id, roles in found.items()}


def add_person(session: Session, values: dict[str, object]) -> bool:
    """Insert a person; False when the login is taken."""
    return insert_or_ignore(session, Person, **values)


def renew_hash(session: Session, person_id: str, *, old: str, new: str) -> None:
    """Put a stronger hash of the same password in place of `old`, unless the password was changed meanwhile."""
    session.execute(
        update(Person).where(col(Person.id) == person_id, col(Person.password_hash) == old).values(password_hash=new)
    )


def set_roles(session: Session, person_id: str, roles: Iterable[Role]) -> None:
    """Make `roles` all the roles of a person."""
    session.execute(delete(PersonRole).where(col(PersonRole.person_id) == person_id))
    for role in sorted(set(roles)):
        insert_or_ignore(session, PersonRole, person_id=person_id, role=role.value)


# ---- sessions -------------------------------------------------------------------------------------------------------


def session_with_person(session: Session, id_hash: str) -> tuple[LoginSession, Person, frozenset[Role]] | None:
    """Return an unended session, its person (account open) and their roles; liveness is the rules' business."""
    rows = session.exec(
        select(LoginSession, Person, PersonRole.role)
        .join(Person, col(Person.id) == LoginSession.person_id)
        .outerjoin(PersonRole, col(PersonRole.person_id) == Person.id)
        .where(LoginSession.id_hash == id_hash, col(LoginSession.ended_at).is_(None))
        .where(col(Person.disabled_at).is_(None))
    ).all()
    if not rows:
        return None
    return rows[0][0], rows[0][1], frozenset(Role(role) for _session, _person, role in rows if role)


def owner_of_session(session: Session, id_hash: str) -> str:
    """Return the id of the person of a session in any state, "" when there is none."""
    found = session.get(LoginSession, id_hash)
    return found.person_id if found else ""


def live_sessions(session: Session, person_id: str, *, now: datetime) -> Sequence[LoginSession]:
    """Return a person's sessions that are good at `now`, the last seen first."""
    return session.exec(
        select(LoginSession)
        .where(LoginSession.person_id == person_id, col(LoginSession.ended_at).is_(None))
        .where(LoginSession.created_at > now - ABSOLUTE, LoginSession.seen_at > now - IDLE)
        .order_by(col(LoginSession.seen_at).desc(), col(LoginSession.id_hash))
    ).all()


def touch(session: Session, id_hash: str, *, now: datetime) -> None:
    """Note that a session was seen, unless it was noted within the last 5 minutes or has ended."""
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.id_hash) == id_hash, col(LoginSession.ended_at).is_(None))
        .where(col(LoginSession.seen_at) <= now - SEEN_EVERY)
        .values(seen_at=now)
    )


def end_session(session: Session, id_hash: str, *, person_id: str, now: datetime) -> bool:
    """End one session of a person; False when it is not theirs or ended before."""
    result: CursorResult[object] = session.execute(  # type: ignore[assignment]
        update(LoginSession)
        .where(col(LoginSession.id_hash) == id_hash, col(LoginSession.person_id) == person_id)
        .where(col(LoginSession.ended_at).is_(None))
        .values(ended_at=now)
    )
    return result.rowcount == 1


def came_from(session: Session, person_id: str, origin: str, *, since: datetime) -> bool:
    """Whether the person has logged in from this place since then."""
    count = session.exec(
        select(func.count())
        .select_from(LoginSession)
        .where(LoginSession.person_id == person_id, LoginSession.origin == origin, LoginSession.created_at > since)
    ).one()
    return count > 0


def forget_sessions(session: Session, *, before: datetime) -> int:
    """Delete the sessions that began before then; return how many."""
    result: CursorResult[object] = session.execute(  # type: ignore[assignment]
        delete(LoginSession).where(col(LoginSession.created_at) < before)
    )
    return result.rowcount
