"""Views that held recalled rows: emptied, and their grants' units asked to delete what they fetched."""

from datetime import datetime

from service.audit import actions as audit
from service.base.db import Session
from service.base.errors import NotFound, WrongState
from service.base.roles import Role
from service.grants import store
from service.grants.actions.parts import SYSTEM, tell_unit
from service.grants.actions.stopping import standing_of
from service.grants.rules import Format, GrantStanding, ViewState
from service.grants.store import recalls as rows
from service.grants.tables import RecallAnswer, ReleasedView
from service.people import store as people


def empty_recalled(session: Session, view_id: str, *, objects: int, now: datetime) -> None:
    """Leave of a stopped view nothing but its row; note whose grant may have read it.

    Nothing happens when another worker has done so.
    """
    view = store.view(session, view_id)
    if view.state != ViewState.RECALLED:
        return
    if view.grant_id is not None and view.built_at is not None:
        file = store.file_of(session, view_id, Format.PARQUET.value)
        for recall_id in sorted(rows.recalls_of(session, view)):
            sha256 = file.sha256 if file else ""
            rows.ask_answer(session, recall_id, view.grant_id, view.dataset_version, sha256, now=now)
    rows.forget_bytes(session, view)
    audit.record(session, subject=f"view:{view_id}", kind="view:recall", by=SYSTEM, now=now, facts={"objects": objects})


def ask_holders(session: Session, *, now: datetime, limit: int) -> int:
    """Ask the units whose views changed to delete what they fetched; return how many were asked.

    A view that comes out as it was held none of the recalled rows: its unit is not asked.  One that is not made again,
    since its grant is over, is taken to have held some.
    """
    told = 0
    for answer in rows.untold(session, limit=limit):
        view = store.view_of(session, answer.grant_id, answer.number)
        if view is None and _coming(session, answer, now=now):
            continue
        if view is not None and _same(session, answer, view):
            rows.spare(session, answer)
            continue
        answer.told_at = now
        session.add(answer)
        grant = store.grant(session, answer.grant_id)
        facts = {"id": answer.recall_id, "version": answer.number, "at": answer.stopped_at.isoformat()}
        tell_unit(session, grant, "rows-recalled", now=now, **facts)
        told += 1
    return told


def answer(session: Session, recall_id: str, grant_id: str, *, deleted: bool, by: str, now: datetime) -> None:
    """Answer for a unit that its copies are deleted, or (`deleted` False) that it never had any.

    NotFound for whoever is not of the grant's unit, WrongState when there is nothing (more) to answer.
    """
    grant, person = store.grant(session, grant_id), people.person(session, by)
    if person.unit_id != grant.unit_id or not people.roles_of(session, by) & {Role.MANAGER, Role.APPLICANT}:
        raise NotFound()
    asked = [one for one in rows.answers(session, recall_id) if one.grant_id == grant_id and one.answered_at is None]
    if not asked:
        raise WrongState(state="answered")
    for one in asked:
        one.deleted, one.answered_by, one.answered_at = deleted, by, now
        session.add(one)
    facts = {"recall": recall_id, "deleted": deleted}
    audit.record(session, subject=f"recall:{recall_id}", kind="recall:answer", by=by, now=now, facts=facts)


def _coming(session: Session, answer: RecallAnswer, *, now: datetime) -> bool:
    """Whether the view of an answer is still going to be made again."""
    grant = store.grant(session, answer.grant_id)
    over = standing_of(session, grant, now=now) in (GrantStanding.ENDED, GrantStanding.RETURNED)
    return not over and rows.is_coming(session, answer.grant_id, answer.number)


def _same(session: Session, answer: RecallAnswer, view: ReleasedView) -> bool:
    file = store.file_of(session, view.id, Format.PARQUET.value)
    return file is not None and file.sha256 == answer.sha256
