"""What may happen to notices: put into the outbox, delivered, read."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from service.base.db import Session, insert_or_ignore
from service.base.ids import new_id
from service.notices import rules, store
from service.notices.tables import Notice, Outbox


def put(
    session: Session,
    *,
    kind: str,
    facts: Mapping[str, Any],
    now: datetime,
    to_unit: str | None = None,
    to_role: str | None = None,
    to_person: str | None = None,
    key: str | None = None,
) -> None:
    """Say something later to whom all the given `to_` apply; rolled back with the act that it tells of.

    A `key` that was used before says nothing again.  ValueError for an unknown kind or for nobody.
    """
    if kind not in rules.KINDS:
        raise ValueError(f"unknown kind of notice: {kind}")
    if not (to_unit or to_role or to_person):
        raise ValueError("a notice needs somebody to read it")
    insert_or_ignore(
        session, Outbox, id=new_id(now), kind=kind, facts=dict(facts), key=key, created_at=now, due_at=now, tries=0,
        to_unit=to_unit, to_role=str(to_role) if to_role else None, to_person=to_person,
    )  # fmt: skip


def deliver(session: Session, outbox_id: str, *, now: datetime) -> bool:
    """Turn one entry of the outbox into a notice in the app; False when another replica has done so.

    KeyError when its text cannot be made: then nothing is delivered, and the caller notes the failure.
    """
    if (entry := store.take(session, outbox_id, now=now)) is None:
        return False
    rules.text(entry.kind, entry.facts)
    rules.path(entry.kind, entry.facts)
    insert_or_ignore(
        session, Notice, id=new_id(now), outbox_id=entry.id, kind=entry.kind, facts=entry.facts, at=entry.created_at,
        unit_id=entry.to_unit, role=entry.to_role, person_id=entry.to_person,
    )  # fmt: skip
    return True


def note_failure(session: Session, outbox_id: str, *, fault: str, now: datetime) -> bool:
    """Write down a failed delivery and when to try again; True when it was the last try."""
    tries = store.tries_of(session, outbox_id) + 1
    pause = rules.wait(tries)
    due_at = now + pause if pause else None
    store.note_failure(session, outbox_id, tries=tries, fault=fault, due_at=due_at, now=now)
    return due_at is None


def read(session: Session, notice_id: str, *, unit_id: str, by: str, roles: Collection[str], now: datetime) -> Notice:
    """Note that `by` has read a notice of theirs and return it; NotFound for another's."""
    notice = store.notice(session, notice_id, unit_id=unit_id, person_id=by, roles=roles)
    store.mark_read(session, notice_id, person_id=by, now=now)
    return notice


def read_until(
    session: Session, until: datetime, *, unit_id: str, person_id: str, roles: Collection[str], now: datetime
) -> int:
    """Note that a person has read all their notices up to `until`, this included; return how many were new to them."""
    listed = store.listed(session, unit_id=unit_id, person_id=person_id, roles=roles)
    unread = [notice for notice, read in listed if not read and notice.at <= until]
    return sum(store.mark_read(session, notice.id, person_id=person_id, now=now) for notice in unread)
