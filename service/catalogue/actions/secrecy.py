"""The secrecy review (保密审查) of a version: filed, reviewed, approved, each by another person; or refused."""

from datetime import datetime
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Duplicate, NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store
from service.catalogue.rules import secrecy as rules
from service.catalogue.rules.secrecy import Act, Outcome, Reader
from service.catalogue.rules.versions import VersionState
from service.catalogue.store import secrecy as rows
from service.catalogue.store.history import take_turns
from service.catalogue.tables import SecrecyReview
from service.people import store as people

SAME_PERSON = N_("保密审查由经办人、审核人、负责人分别办理，不得由一人自审自批。")


def file_review(
    session: Session, dataset_id: str, number: int, *, opinion: str, by: str, now: datetime
) -> SecrecyReview:
    """File a version for review, as the officer who answers for its content; return the review.

    Raises NotFound for whoever is no steward of the source unit, WrongState unless the version waits to be published,
    Duplicate while a review of it is open or cleared.
    """
    if not rules.may_file(reader(session, dataset_id, by)):
        raise NotFound()
    _demand_waiting(session, dataset_id, number)
    return _enter(session, dataset_id, number, by=by, now=now, filed_opinion=opinion)


def state_review(
    session: Session, dataset_id: str, number: int, *, basis: str, by: str, now: datetime
) -> SecrecyReview:
    """Write down a review that took place elsewhere, as an operator states it at the terminal, and what it rests on.

    One that stands already is left as it is.  Raises ValueError without a basis.
    """
    if not basis.strip():
        raise ValueError("a stated review names its basis")
    if (there := rows.standing_review(session, dataset_id, number)) and there.outcome == Outcome.CLEARED:
        return there
    if there is not None:
        raise Duplicate()
    return _enter(session, dataset_id, number, by=by, now=now, place="terminal", basis=basis, outcome="cleared")


def review(session: Session, review_id: str, *, opinion: str, by: str, now: datetime) -> SecrecyReview:
    """Review what another filed; NotFound, WrongState, or SecondPersonRequired for the one who filed it."""
    found = _awaiting(session, review_id, Act.REVIEW, by)
    found.reviewed_by, found.reviewed_at, found.reviewed_opinion = by, now, opinion
    return _told(session, found, "secrecy:review", by=by, now=now)


def approve(session: Session, review_id: str, *, opinion: str, by: str, now: datetime) -> SecrecyReview:
    """Clear a version for publication, as the head; NotFound, WrongState, or SecondPersonRequired."""
    found = _awaiting(session, review_id, Act.APPROVE, by)
    found.approved_by, found.approved_at, found.approved_opinion = by, now, opinion
    found.outcome = Outcome.CLEARED.value
    return _told(session, found, "secrecy:approve", by=by, now=now)


def refuse(session: Session, review_id: str, *, opinion: str, by: str, now: datetime) -> SecrecyReview:
    """Say that a version may not be published, in the place of the review or the approval that is due."""
    found = rows.review(session, review_id)
    due = rules.due(found)
    if due is None:
        raise WrongState(state=found.outcome)
    found = _awaiting(session, review_id, due, by)
    if due is Act.REVIEW:
        found.reviewed_by, found.reviewed_at, found.reviewed_opinion = by, now, opinion
    else:
        found.approved_by, found.approved_at, found.approved_opinion = by, now, opinion
    found.outcome = Outcome.REFUSED.value
    return _told(session, found, "secrecy:refuse", by=by, now=now)


def reader(session: Session, dataset_id: str, person_id: str) -> Reader:
    """Return what the rules need of a person before a dataset's reviews, and how many could take part beside them."""
    unit_id = store.dataset(session, dataset_id).source_unit_id
    stewards = {person.id for person in people.persons_with(session, Role.STEWARD, unit_id=unit_id)}
    officers = {person.id for person in people.persons_with(session, Role.AUTHORITY)}
    return Reader(person_id, stewards=frozenset(stewards), officers=frozenset(officers))


def _awaiting(session: Session, review_id: str, act: Act, by: str) -> SecrecyReview:
    """Return a review whose next act is `act` and may be done by `by`."""
    take_turns(session, rows.review(session, review_id).dataset_id)
    found = rows.review(session, review_id)
    who = reader(session, found.dataset_id, by)
    if not rules.may_take_part(who):
        raise NotFound()
    if rules.due(found) is not act:
        raise WrongState(state=found.outcome)
    if not rules.may(who, act, found):
        raise SecondPersonRequired(SAME_PERSON)
    return found


def _demand_waiting(session: Session, dataset_id: str, number: int) -> None:
    row = store.version(session, dataset_id, number)
    if row.state != VersionState.LOADED:
        raise WrongState(state=row.state)


def _enter(session: Session, dataset_id: str, number: int, *, by: str, now: datetime, **values: Any) -> SecrecyReview:
    take_turns(session, dataset_id)
    if rows.standing_review(session, dataset_id, number) is not None:
        raise Duplicate()
    found = SecrecyReview(id=new_id(now), dataset_id=dataset_id, number=number, filed_by=by, filed_at=now, **values)
    return _told(session, found, "secrecy:file", by=by, now=now)


def _told(session: Session, found: SecrecyReview, kind: str, *, by: str, now: datetime) -> SecrecyReview:
    session.add(found)
    session.flush()
    facts = {"review": found.id, "place": found.place, "outcome": found.outcome}
    record(session, subject=f"version:{found.dataset_id}:{found.number}", kind=kind, by=by, now=now, facts=facts)
    return found
