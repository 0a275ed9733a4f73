"""Recording, sealing and verifying.  No commit here: an event lives and dies with the change it tells."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from service.audit import engine, rules, store
from service.audit.engine import Signer
from service.audit.rules import Act, Checkpoint, Edge, Fault, NotShut, Report
from service.audit.tables import Event, Leaf, Tile, TreeHead
from service.base import state
from service.base.db import Session
from service.base.errors import Changed, SecondPersonRequired
from service.base.ids import new_id

TRIES = 20
SEAL_LIMIT = 1_000  # events a transaction: about 0.1 s of the writer's time
SERVICE = "service:data"  # the subject of what happens to the service as a whole


def record(
    session: Session,
    *,
    subject: str,
    version: int | None = None,
    kind: str,
    by: str,
    now: datetime,
    facts: Mapping[str, object] | None = None,
) -> str:
    """Tell one act in the transaction that does it; return the event's id.

    `version` is the case's version after the act; None takes the next free one, for things that keep no version.
    Raises Changed when another transaction has told that version already, ValueError for an unknown kind or for facts
    that are not ids, codes and numbers.  Locks nothing that two cases share.
    """
    for _ in range(TRIES):
        number = store.next_version(session, subject) if version is None else version
        act = Act(new_id(now), subject, number, kind, by, now, dict(facts or {}))
        rules.check(act)
        salt = secrets.token_bytes(16)
        if store.add(session, act, salt=salt, commitment=rules.commitment(act, salt)):
            return act.id
        if version is not None:
            break
    raise Changed(subject=subject, version=number)


def seal(session: Session, *, signer: Signer, now: datetime, limit: int | None = None) -> int:
    """Give waiting events, SEAL_LIMIT or `limit` of them, their places in the tree and sign the head; return how many.

    Two sealers at once take turns.  Only the tree's right edge is read, never the log.
    """
    store.lock_sealing(session)
    waiting = store.waiting(session, limit or SEAL_LIMIT)
    if not waiting:
        return 0
    last = store.head(session)
    edge = Edge(last.size, [bytes.fromhex(part) for part in last.edge]) if last else Edge()
    leaves, tiles = [], []
    for event_id, commitment in waiting:
        leaf = Leaf(position=edge.size, event_id=event_id, hash=rules.leaf_hash(commitment))
        leaves.append(leaf)
        completed = edge.add(leaf.hash)
        tiles += [Tile(level=at, number=n, hash=value) for at, n, value in completed if at % rules.TILE == 0]
    store.seal(session, leaves, tiles, _signed(edge, signer, now))
    return len(leaves)


def verify(session: Session, *, keys: frozenset[str], since: Checkpoint | None = None) -> Report:
    """Check the whole log and name the first thing wrong with it.

    `keys` are the public keys whose signatures count; `since` is a checkpoint that was kept outside.  The session
    must read one state of the database (`db.snapshot`), or a sealer at work would look like a fault.
    """
    count, oldest = store.unsealed(session)
    fault = next(_faults(session, keys, since), None)
    head = store.head(session)
    return Report(fault, head.size if head else 0, head.root if head else rules.EMPTY.hex(), count, oldest)


def check_restored(session: Session, *, by: str, now: datetime) -> bool:
    """Note that `by` has checked a restored service; the second person to do so opens its data plane: True.

    Raises NotShut when it is open, SecondPersonRequired when `by` was the first already.
    """
    if (row := state.shutting(session)) is None:
        raise NotShut()
    first = row.value.get("checked_by")
    if first == by:
        raise SecondPersonRequired()
    kind = "service:open" if first else "service:check"
    record(session, subject=SERVICE, kind=kind, by=by, now=now)
    if first:
        state.reopen(session)
        return True
    state.shut(session, **{**row.value, "checked_by": by, "checked_at": rules.instant(now)})
    return False


def _faults(session: Session, keys: frozenset[str], since: Checkpoint | None) -> Iterator[Fault]:
    if since is not None and not _signature_holds(since, keys):
        yield Fault("checkpoint-signature", size=since.size)
    if gap := store.first_gap(session):
        yield Fault("version-missing", subject=gap[0], version=gap[1])
    if stray := store.first_stray(session):
        yield Fault("event-stray", subject=stray.subject, version=stray.version, event=stray.id)
    if lost := store.first_lost(session):
        yield Fault("event-lost", event=lost)
    edge = Edge()
    yield from _walk(session, edge, keys, since)
    if since is not None and since.size > edge.size:
        yield Fault("checkpoint-ahead", size=since.size)


def _walk(session: Session, edge: Edge, keys: frozenset[str], since: Checkpoint | None) -> Iterator[Fault]:
    """Build the tree again leaf by leaf, and hold it against every head on the way."""
    tiles, heads = store.tiles(session), store.heads(session)
    head, sealed = next(heads, None), 0
    for leaf, event in store.sealed(session):
        yield from _leaf_faults(edge.size, leaf, event)
        for level, number, value in edge.add(leaf.hash):
            if level % rules.TILE == 0 and tiles.get((level, number)) != value:
                yield Fault("tile-changed", position=leaf.position)
        if since is not None and since.size == edge.size and since.root != edge.root().hex():
            yield Fault("checkpoint-differs", size=since.size)
        if head is not None and head.size == edge.size:
            yield from _head_faults(edge, head, keys)
            sealed, head = head.size, next(heads, None)
    if head is not None:
        yield Fault("leaf-missing", position=edge.size)
    if sealed != edge.size:
        yield Fault("head-missing", size=sealed)


def _leaf_faults(expected: int, leaf: Leaf, event: Event | None) -> Iterator[Fault]:
    if leaf.position != expected:
        yield Fault("leaf-missing", position=expected)
    if event is None:
        yield Fault("event-missing", event=leaf.event_id, position=leaf.position)
        return
    about = Fault("event-changed", event.subject, event.version, event.id, leaf.position)
    if rules.commitment(store.act_of(event), event.salt) != event.commitment:
        yield about
    if rules.leaf_hash(event.commitment) != leaf.hash:
        yield replace(about, code="leaf-changed")


def _head_faults(edge: Edge, head: TreeHead, keys: frozenset[str]) -> Iterator[Fault]:
    if head.root != edge.root().hex() or head.edge != [part.hex() for part in edge.hashes]:
        yield Fault("head-changed", size=head.size)
    if head.key not in keys:
        yield Fault("head-key", size=head.size)
    if not _signature_holds(store.checkpoint_of(head), keys | {head.key}):
        yield Fault("head-signature", size=head.size)


def _signed(edge: Edge, signer: Signer, now: datetime) -> TreeHead:
    root = edge.root().hex()
    signature = signer.sign(rules.signed_bytes(edge.size, root, now))
    return TreeHead(
        size=edge.size,
        root=root,
        edge=[part.hex() for part in edge.hashes],
        signed_at=now,
        key=signer.key,
        signature=signature,
    )


def _signature_holds(head: Checkpoint, keys: frozenset[str]) -> bool:
    message = rules.signed_bytes(head.size, head.root, head.signed_at)
    return head.key in keys and engine.holds(head.key, message, head.signature)
