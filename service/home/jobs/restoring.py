"""Taking recalled rows out of a restored service, before anybody reads it: the backup may be from before a recall."""

from collections.abc import Iterable
from datetime import datetime

from service.base import clock, db
from service.catalogue.actions import recalls as actions
from service.catalogue.rules.recalls import Tombstone
from service.catalogue.store import recalls as store
from service.grants import jobs as grants
from service.grants.jobs.recalling_parts import cut, delete_replaced


def apply_recalls(tombstones: Iterable[Tombstone]) -> int:
    """Carry every recall out again on the parts that came back; return how many rows were taken out.

    A part that is not there, or that the recall has left already, is passed over.
    """
    removed = sum(_apply(tombstone) for tombstone in tombstones)
    delete_replaced()
    grants.recall_views()
    return removed


def _apply(tombstone: Tombstone) -> int:
    with db.reading() as session:
        parts = store.parts_with(session, tombstone.sha256)
    removed = 0
    for part in parts:
        found = cut(part, lambda _file, _folder: tombstone.places)
        if found is None:
            continue
        with db.writing() as session:
            now = clock.now(session)
            recall = actions.recall_again(session, tombstone, at=datetime.fromisoformat(tombstone.at), now=now)
            actions.replace(session, recall, found, now=now)
        removed += len(found.places)
    return removed
