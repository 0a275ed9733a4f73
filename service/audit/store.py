"""The log's queries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, func, or_, text

from service.audit.rules import TILE, Act, Checkpoint, Nodes, fold
from service.audit.tables import Event, Leaf, Tile, TreeHead, Unsealed
from service.base.db import Session, col, insert_many, insert_or_ignore, select
from service.base.errors import NotFound

SEALING = 0x7169616E  # PostgreSQL's advisory lock of the sealer; SQLite has one writer anyway
BATCH = 2000


def next_version(session: Session, subject: str) -> int:
    """Return the version after the last one told of `subject`: for things that keep no version of their own."""
    return (session.exec(select(func.max(Event.version)).where(Event.subject == subject)).one() or 0) + 1


def add(session: Session, act: Act, *, salt: bytes, commitment: bytes) -> bool:
    """Write an event and queue it for the tree; False when its subject has an event of that version already."""
    written = insert_or_ignore(
        session,
        Event,
        id=act.id,
        subject=act.subject,
        version=act.version,
        kind=act.kind,
        by=act.by,
        at=act.at,
        facts=act.facts,
        salt=salt,
        commitment=commitment,
    )
    return written and insert_or_ignore(session, Unsealed, event_id=act.id, at=act.at)


def act_of(event: Event) -> Act:
    return Act(event.id, event.subject, event.version, event.kind, event.by, event.at, event.facts)


def events_of(session: Session, subject: str, *, after: int = 0, limit: int = 100) -> Sequence[Event]:
    """Return what happened to one subject, by version, those after version `after`."""
    query = select(Event).where(Event.subject == subject, Event.version > after)
    return session.exec(query.order_by(col(Event.version)).limit(limit)).all()


def events(session: Session, *, after: str = "", limit: int = 100) -> Sequence[Event]:
    """Return events of all subjects in the order of their ids, which is that of time to the millisecond."""
    return session.exec(select(Event).where(Event.id > after).order_by(col(Event.id)).limit(limit)).all()


def event(session: Session, id: str) -> Event:
    """Return one event; NotFound."""
    if (found := session.get(Event, id)) is None:
        raise NotFound()
    return found


def has_unsealed(session: Session) -> bool:
    return session.exec(select(Unsealed.event_id).limit(1)).first() is not None


def unsealed(session: Session) -> tuple[int, datetime | None]:
    """Return how many events wait for the sealer, and since when the oldest does."""
    count, since = session.exec(select(func.count(), func.min(Unsealed.at)).select_from(Unsealed)).one()
    return count, since


def lock_sealing(session: Session) -> None:
    """Let one sealer at a time go on, until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SEALING})


def waiting(session: Session, limit: int) -> Sequence[tuple[str, bytes]]:
    """Return id and commitment of events that wait, oldest first."""
    query = (
        select(Event.id, Event.commitment)
        .join(Unsealed, col(Unsealed.event_id) == col(Event.id))
        .order_by(col(Event.at), col(Event.subject), col(Event.version))
        .limit(limit)
    )
    return session.exec(query).all()


def seal(session: Session, leaves: list[Leaf], tiles: list[Tile], head: TreeHead) -> None:
    """Give events their places and add the head over them."""
    insert_many(session, Leaf, [leaf.model_dump() for leaf in leaves])
    insert_many(session, Tile, [tile.model_dump() for tile in tiles])
    insert_many(session, TreeHead, [head.model_dump()])
    ids = [leaf.event_id for leaf in leaves]
    for start in range(0, len(ids), BATCH):
        session.execute(delete(Unsealed).where(col(Unsealed.event_id).in_(ids[start : start + BATCH])))


def head(session: Session) -> TreeHead | None:
    """Return the newest signed head; None while nothing is sealed."""
    return session.exec(select(TreeHead).order_by(col(TreeHead.size).desc()).limit(1)).first()


def checkpoint(session: Session) -> Checkpoint | None:
    """Return the newest head as what outsiders keep."""
    found = head(session)
    return None if found is None else checkpoint_of(found)


def checkpoint_of(head: TreeHead) -> Checkpoint:
    return Checkpoint(head.size, head.root, head.signed_at, head.key, head.signature)


def leaf_of(session: Session, event_id: str) -> Leaf:
    """Return the leaf of an event; NotFound when there is none (yet)."""
    if (found := session.exec(select(Leaf).where(Leaf.event_id == event_id)).first()) is None:
        raise NotFound()
    return found


def nodes(session: Session) -> Nodes:
    """Return the tree's complete subtrees, read from the nearest kept level: at most 128 hashes each."""

    def node(level: int, index: int) -> bytes:
        above = level % TILE
        return fold(_hashes(session, level - above, index << above, 1 << above))

    return node


def sealed(session: Session) -> Iterator[tuple[Leaf, Event | None]]:
    """Yield every leaf in order with its event, None where the event is gone."""
    position = -1
    while True:
        rows = session.exec(
            select(Leaf, Event)
            .outerjoin(Event, col(Event.id) == col(Leaf.event_id))
            .where(Leaf.position > position)
            .order_by(col(Leaf.position))
            .limit(BATCH)
        ).all()
        yield from rows
        session.expunge_all()  # a million rows must not stay in memory
        if len(rows) < BATCH:
            return
        position = rows[-1][0].position


def heads(session: Session) -> Iterator[TreeHead]:
    """Yield every signed head, smallest first."""
    size = -1
    while rows := session.exec(
        select(TreeHead).where(TreeHead.size > size).order_by(col(TreeHead.size)).limit(BATCH)
    ).all():
        yield from rows
        size = rows[-1].size


def tiles(session: Session) -> dict[tuple[int, int], bytes]:
    return {(tile.level, tile.number): tile.hash for tile in session.exec(select(Tile)).all()}


def first_gap(session: Session) -> tuple[str, int] | None:
    """Return the first subject whose versions are not dense from 1, and the lowest version that is missing."""
    broken = (
        select(Event.subject)
        .group_by(Event.subject)
        .having(or_(func.min(Event.version) != 1, func.max(Event.version) != func.count()))
        .order_by(Event.subject)
        .limit(1)
    )
    if (subject := session.exec(broken).first()) is None:
        return None
    versions = session.exec(select(Event.version).where(Event.subject == subject).order_by(col(Event.version))).all()
    return subject, _missing(versions)


def first_stray(session: Session) -> Event | None:
    """Return the first event that is neither sealed nor waiting: it was not written by `record`."""
    query = (
        select(Event)
        .outerjoin(Leaf, col(Leaf.event_id) == col(Event.id))
        .outerjoin(Unsealed, col(Unsealed.event_id) == col(Event.id))
        .where(and_(col(Leaf.event_id).is_(None), col(Unsealed.event_id).is_(None)))
        .order_by(col(Event.at), col(Event.subject), col(Event.version))
        .limit(1)
    )
    return session.exec(query).first()


def first_lost(session: Session) -> str | None:
    """Return the first event that waits for the sealer and is not there any more."""
    query = select(Unsealed.event_id).outerjoin(Event, col(Event.id) == col(Unsealed.event_id))
    return session.exec(query.where(col(Event.id).is_(None)).order_by(col(Unsealed.event_id)).limit(1)).first()


def _missing(versions: Iterable[int]) -> int:
    expected = 1
    for version in versions:
        if version != expected:
            break
        expected += 1
    return expected


def _hashes(session: Session, level: int, start: int, count: int) -> Sequence[bytes]:
    if level == 0:
        place, query = col(Leaf.position), select(Leaf.hash)
    else:
        place, query = col(Tile.number), select(Tile.hash).where(Tile.level == level)
    found = session.exec(query.where(place >= start, place < start + count).order_by(place)).all()
    if len(found) != count:
        raise NotFound()
    return found
