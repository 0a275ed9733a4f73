"""The only SQL of applications."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, update
from sqlalchemy.engine import CursorResult

from service.applications.rules import EDITABLE, OPEN, Actor, Snapshot, State, Step, snapshot, steps_of
from service.applications.tables import Agreement, Application, Decision, History, OpenCase, ReceiptNumber
from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import NotFound
from service.base.roles import FIRM, Role
from service.catalogue.rules import DatasetState, Openness
from service.catalogue.tables import Dataset


def application(session: Session, id: str) -> Application:
    """Return one application as it is in the database now; NotFound when there is none."""
    found = session.exec(
        select(Application).where(Application.id == id).execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise NotFound()
    return found


def of_unit(session: Session, unit_id: str) -> Sequence[Application]:
    """Return a unit's applications, newest first."""
    return session.exec(
        select(Application).where(Application.unit_id == unit_id).order_by(col(Application.id).desc()).limit(500)
    ).all()


def bundle(session: Session, application: Application) -> list[Application]:
    """Return the cases filled in on one form with this one, itself among them, in the order they were begun.

    A case that stands alone is a bundle of one.
    """
    if application.bundle_id is None:
        return [application]
    return list(
        session.exec(
            select(Application)
            .where(Application.bundle_id == application.bundle_id, Application.unit_id == application.unit_id)
            .order_by(col(Application.id))
            .execution_options(populate_existing=True)
        ).all()
    )


def submitted(session: Session, *, source_unit_id: str | None = None, limit: int = 500) -> Sequence[Application]:
    """Return what was ever submitted, newest first: all of it, or that for one source unit's datasets."""
    query = select(Application).where(Application.state != State.DRAFT, col(Application.number).is_not(None))
    if source_unit_id is not None:
        query = query.join(Dataset, col(Dataset.id) == Application.dataset_id)
        query = query.where(Dataset.source_unit_id == source_unit_id)
    return session.exec(query.order_by(col(Application.submitted_at).desc()).limit(limit)).all()


def listed(session: Session, who: Actor) -> list[Application]:
    """Return what a person may see: the unit's own, and for officers the submitted ones of their realm."""
    found = {each.id: each for each in of_unit(session, who.unit_id)} if who.roles & FIRM else {}
    if who.roles & {Role.AUTHORITY, Role.AUDITOR}:
        found |= {each.id: each for each in submitted(session)}
    elif Role.STEWARD in who.roles:
        found |= {each.id: each for each in submitted(session, source_unit_id=who.unit_id)}
    return sorted(found.values(), key=lambda each: each.id, reverse=True)


def past_with(session: Session, application: Application, source_unit_id: str) -> Sequence[Application]:
    """Return the unit's earlier cases for any dataset of that source unit, newest first; those of one form are not."""
    form = col(Application.bundle_id)
    return session.exec(
        select(Application)
        .join(Dataset, col(Dataset.id) == Application.dataset_id)
        .where(Application.unit_id == application.unit_id, Dataset.source_unit_id == source_unit_id)
        .where(Application.id != application.id, col(Application.number).is_not(None))
        .where(or_(form.is_(None), form != (application.bundle_id or "")))
        .order_by(col(Application.submitted_at).desc())
        .limit(10)
    ).all()


def decided_on(session: Session, application: Application) -> Sequence[tuple[Application, Decision]]:
    """Return how other units' cases for the same dataset ended, each with the decision that ended it; newest first."""
    ended = (State.APPROVED.value, State.GRANTED.value, State.REFUSED.value)
    last = (
        select(func.max(Decision.seen_version))
        .where(col(Decision.application_id) == Application.id)
        .correlate(Application)
        .scalar_subquery()
    )
    rows = session.exec(
        select(Application, Decision)
        .join(Decision, (col(Decision.application_id) == Application.id) & (col(Decision.seen_version) == last))
        .where(Application.dataset_id == application.dataset_id, Application.unit_id != application.unit_id)
        .where(col(Application.state).in_(ended))
        .order_by(col(Decision.at).desc())
        .limit(5)
    ).all()
    return [(each, decision) for each, decision in rows]


@dataclass(frozen=True, slots=True)
class Work:
    """One line of an inbox; `overdue` is against the time that the list was made for."""

    application: Application
    dataset_title_zh: str
    dataset_title_en: str
    source_unit_id: str
    overdue: bool


def open_for(session: Session, who: Actor, *, now: datetime, limit: int = 200) -> list[Work]:
    """Return the cases that wait for a person's act, what is due first on top.

    Stewards get their source unit's, the authority those at its step, a unit's manager the agreements to sign, and
    applicants what was returned to them; nobody a case of their own unit to decide.
    """
    if (wanted := _waiting_for(who)) is None:
        return []
    return _work(session, wanted, now=now, limit=limit)


def open_in_realm(session: Session, who: Actor, *, now: datetime, limit: int = 200) -> list[Work]:
    """Return every case of a person's realm that has not ended, whoever holds it, what is due first on top.

    A source unit's steward sees what is asked of its datasets, the authority everything.
    """
    going = col(Application.state).in_([state.value for state in OPEN])
    if Role.AUTHORITY in who.roles:
        return _work(session, going, now=now, limit=limit)
    if Role.STEWARD in who.roles:
        return _work(session, and_(going, col(Dataset.source_unit_id) == who.unit_id), now=now, limit=limit)
    return []


def _work(session: Session, where: ColumnElement[bool], *, now: datetime, limit: int) -> list[Work]:
    rows = session.execute(
        select(Application, Dataset.title_zh, Dataset.title_en, Dataset.source_unit_id)
        .join(Dataset, col(Dataset.id) == Application.dataset_id)
        .where(where)
        .order_by(col(Application.due_at).is_(None), col(Application.due_at), col(Application.id))
        .limit(limit)
    ).all()
    return [Work(row[0], row[1], row[2], row[3], bool(row[0].due_at and row[0].due_at < now)) for row in rows]


def count_open(session: Session, who: Actor, *, most: int = 100) -> int:
    """Return how many cases wait for a person's act, counted up to `most`: every page of theirs says it."""
    if (wanted := _waiting_for(who)) is None:
        return 0
    found = (
        select(Application.id)
        .join(Dataset, col(Dataset.id) == Application.dataset_id)
        .where(wanted)
        .limit(most)
        .subquery()
    )
    return session.exec(select(func.count()).select_from(found)).one()


def _waiting_for(who: Actor) -> ColumnElement[bool] | None:
    """Return the condition on the cases that wait for a person; None when nothing ever does."""
    mine = []
    if Role.STEWARD in who.roles:
        mine.append(and_(_at_step(Role.STEWARD), col(Dataset.source_unit_id) == who.unit_id))
    if Role.AUTHORITY in who.roles:
        mine.append(_at_step(Role.AUTHORITY))
    deciding = and_(or_(*mine), col(Application.unit_id) != who.unit_id) if mine else None
    wanted = [each for each in (deciding, _own_work(who)) if each is not None]
    return or_(*wanted) if wanted else None


def _at_step(role: Role) -> ColumnElement[bool]:
    return and_(col(Application.state) == State.IN_REVIEW, col(Application.step_role) == role.value)


def _own_work(who: Actor) -> ColumnElement[bool] | None:
    states = [State.RETURNED.value] if who.roles & FIRM else []
    states += [State.APPROVED.value] if Role.MANAGER in who.roles else []
    if not states:
        return None
    return and_(col(Application.unit_id) == who.unit_id, col(Application.state).in_(states))


def decisions(session: Session, id: str) -> Sequence[Decision]:
    """Return a case's decisions in the order they were taken."""
    return session.exec(
        select(Decision).where(Decision.application_id == id).order_by(col(Decision.seen_version))
    ).all()


def decisions_of(session: Session, ids: Collection[str]) -> dict[str, list[Decision]]:
    """Return the decisions of several cases, each case's in the order they were taken."""
    found: dict[str, list[Decision]] = {}
    asked = select(Decision).where(col(Decision.application_id).in_(ids)).order_by(col(Decision.seen_version))
    for decision in session.exec(asked):
        found.setdefault(decision.application_id, []).append(decision)
    return found


def deciders_elsewhere(session: Session, application: Application) -> frozenset[str]:
    """Return who decided another step of this case, in this round or an earlier one."""
    found = session.exec(
        select(Decision.by).where(Decision.application_id == application.id, Decision.step != application.step)
    ).all()
    return frozenset(found)


def agreement(session: Session, id: str) -> Agreement | None:
    return session.get(Agreement, id)


def history(session: Session, id: str) -> Sequence[History]:
    """Return what the case was after each act, oldest first."""
    return session.exec(select(History).where(History.application_id == id).order_by(col(History.version))).all()


def seen_at(session: Session, id: str, version: int) -> Snapshot | None:
    """Return what the case was at a version; None when there was no such version."""
    found = session.get(History, (id, version))
    return None if found is None else snapshot(found.snapshot)


def move(session: Session, application: Application, *, seen: int) -> bool:
    """Raise the case's version by one if it still is `seen`, taking the case's lock; False when somebody was faster."""
    result: CursorResult[object] = session.execute(  # type: ignore[assignment]
        update(Application)
        .where(col(Application.id) == application.id, col(Application.version) == seen)
        .values(version=seen + 1)
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1


def open_draft(session: Session, id: str, *, now: datetime) -> Application | None:
    """Return a draft as it is now, its revision raised and its row locked; None when its unit may not edit it."""
    result: CursorResult[object] = session.execute(  # type: ignore[assignment]
        update(Application)
        .where(col(Application.id) == id, col(Application.state).in_([each.value for each in EDITABLE]))
        .values(draft_revision=Application.draft_revision + 1, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return application(session, id) if result.rowcount == 1 else None


def remove_draft(session: Session, id: str) -> bool:
    """Remove a draft that was never submitted; False when there is no such draft any more."""
    result: CursorResult[object] = session.execute(  # type: ignore[assignment]
        delete(Application)
        .where(col(Application.id) == id, col(Application.state) == State.DRAFT, col(Application.version) == 0)
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1


def derived_from(session: Session, dataset_id: str) -> Sequence[Dataset]:
    """Return the published datasets made from this one: what may be asked where it itself is refused."""
    return session.exec(
        select(Dataset)
        .where(Dataset.derived_from == dataset_id, Dataset.state == DatasetState.PUBLISHED)
        .where(Dataset.openness != Openness.PROHIBITED)
        .order_by(col(Dataset.id))
    ).all()


def askable(session: Session, *, limit: int = 200) -> Sequence[Dataset]:
    """Return the published datasets that may be applied for, by title."""
    return session.exec(
        select(Dataset)
        .where(Dataset.state == DatasetState.PUBLISHED, Dataset.openness == Openness.RESTRICTED)
        .order_by(col(Dataset.title_zh), col(Dataset.id))
        .limit(limit)
    ).all()


def claim(session: Session, application_id: str, key: str) -> str | None:
    """Claim (unit, dataset, columns) for a case, giving up its earlier claim; the holder's id when another has it."""
    release(session, application_id)
    if insert_or_ignore(session, OpenCase, key=key, application_id=application_id):
        return None
    holder = session.get(OpenCase, key)
    return holder.application_id if holder else ""


def release(session: Session, application_id: str) -> None:
    """Give up a case's claim, when it ends or is submitted again."""
    session.execute(delete(OpenCase).where(col(OpenCase.application_id) == application_id))


def next_number(session: Session, year: int) -> int:
    """Return the year's next receipt number; submissions of one moment wait for each other here, briefly."""
    insert_or_ignore(session, ReceiptNumber, year=year, last=0)
    result = session.execute(
        update(ReceiptNumber)
        .where(col(ReceiptNumber.year) == year)
        .values(last=ReceiptNumber.last + 1)
        .returning(col(ReceiptNumber.last))
        .execution_options(synchronize_session=False)
    )
    return int(result.scalar_one())


def is_open(application: Application) -> bool:
    return State(application.state) in OPEN


def current_step(application: Application) -> Step | None:
    """Return the step that holds the case; None when it is not in review."""
    if application.state != State.IN_REVIEW:
        return None
    return steps_of(application.route)[application.step]
