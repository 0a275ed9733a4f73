"""SQL of notices."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, update

from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import NotFound
from service.notices.tables import Notice, NoticeRead, Outbox


def due(session: Session, *, now: datetime, limit: int) -> Sequence[str]:
    """Return the ids of what is to be delivered now, oldest first."""
    return session.exec(
        select(Outbox.id)
        .where(col(Outbox.delivered_at).is_(None), col(Outbox.failed_at).is_(None), Outbox.due_at <= now)
        .order_by(col(Outbox.due_at), col(Outbox.id))
        .limit(limit)
    ).all()


def take(session: Session, outbox_id: str, *, now: datetime) -> Outbox | None:
    """Mark one as delivered in this transaction and return it; None when another replica has done so."""
    claim = (
        update(Outbox)
        .where(col(Outbox.id) == outbox_id, col(Outbox.delivered_at).is_(None), col(Outbox.failed_at).is_(None))
        .values(delivered_at=now)
    )
    taken: int = session.execute(claim).rowcount  # type: ignore[attr-defined]
    return session.get(Outbox, outbox_id) if taken else None


def note_failure(
    session: Session, outbox_id: str, *, tries: int, fault: str, due_at: datetime | None, now: datetime
) -> None:
    """Write down that try number `tries` failed; `due_at` None means that there is no next one."""
    session.execute(
        update(Outbox)
        .where(col(Outbox.id) == outbox_id, col(Outbox.delivered_at).is_(None), col(Outbox.tries) == tries - 1)
        .values(tries=tries, fault=fault[:200], due_at=due_at or now, failed_at=None if due_at else now)
    )


def tries_of(session: Session, outbox_id: str) -> int:
    """Return how many deliveries have failed so far."""
    return session.exec(select(Outbox.tries).where(Outbox.id == outbox_id)).one()


def failed(session: Session, *, limit: int = 100) -> Sequence[Outbox]:
    """Return what could not be delivered, newest first: somebody has to look at it."""
    return session.exec(
        select(Outbox).where(col(Outbox.failed_at).is_not(None)).order_by(col(Outbox.failed_at).desc()).limit(limit)
    ).all()


def listed(
    session: Session, *, unit_id: str, person_id: str, roles: Collection[str], limit: int = 100
) -> Sequence[tuple[Notice, bool]]:
    """Return a person's notices, newest first, each with whether this person has read it."""
    read = (col(NoticeRead.notice_id) == Notice.id) & (col(NoticeRead.person_id) == person_id)
    rows = session.exec(
        select(Notice, NoticeRead.person_id)
        .outerjoin(NoticeRead, read)
        .where(*_meant_for(unit_id, person_id, roles))
        .order_by(col(Notice.at).desc(), col(Notice.id).desc())
        .limit(limit)
    ).all()
    return [(notice, reader is not None) for notice, reader in rows]


def unread(session: Session, *, unit_id: str, person_id: str, roles: Collection[str], most: int = 100) -> int:
    """Return how many of a person's notices are not read yet, counted up to `most`."""
    read = (col(NoticeRead.notice_id) == Notice.id) & (col(NoticeRead.person_id) == person_id)
    found = (
        select(Notice.id)
        .outerjoin(NoticeRead, read)
        .where(col(NoticeRead.person_id).is_(None), *_meant_for(unit_id, person_id, roles))
        .limit(most)
        .subquery()
    )
    return session.exec(select(func.count()).select_from(found)).one()


def notice(session: Session, notice_id: str, *, unit_id: str, person_id: str, roles: Collection[str]) -> Notice:
    """Return one of a person's own notices; NotFound for all others."""
    found = session.exec(select(Notice).where(Notice.id == notice_id, *_meant_for(unit_id, person_id, roles))).first()
    if found is None:
        raise NotFound()
    return found


def mark_read(session: Session, notice_id: str, *, person_id: str, now: datetime) -> bool:
    """Note that a person has read a notice; False when that was noted before."""
    return insert_or_ignore(session, NoticeRead, notice_id=notice_id, person_id=person_id, at=now)


def _meant_for(unit_id: str, person_id: str, roles: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(col(Notice.unit_id).is_(None), col(Notice.unit_id) == unit_id),
        or_(col(Notice.person_id).is_(None), col(Notice.person_id) == person_id),
        or_(col(Notice.role).is_(None), col(Notice.role).in_([str(role) for role in roles])),
    )
