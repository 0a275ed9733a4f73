"""Carrying out recalls: rows are looked for and taken out between short transactions; then the old objects go.

Each step may be done twice, late or by two workers: what is left of a part names its own content, and the exchange is
one transaction that changes nothing when the parts are no longer those that were looked through.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock, db
from service.catalogue.actions import recalls as actions
from service.catalogue.actions.recalls import Cut
from service.catalogue.engine import recalling
from service.catalogue.rules.recalls import RecallState
from service.catalogue.store import recalls as store
from service.catalogue.tables import DatasetPart, Recall

Places = Callable[[Path, Path], Sequence[int]]


def recall_parts(limit: int = 10) -> int:
    """Count what was filed, take out what was confirmed, delete what was replaced; return how many were done."""
    with db.reading() as session:
        uncounted = store.uncounted(session, limit=limit)
        confirmed = store.in_state(session, RecallState.CONFIRMED, limit=limit)
    for recall in uncounted:
        _count(recall)
    done = sum(_carry_out(recall) for recall in confirmed)
    delete_replaced()
    return done


def delete_replaced(limit: int = 1000) -> int:
    """Delete the objects of parts that rows were taken out of; return how many."""
    with db.reading() as session:
        gone = store.undeleted(session, limit=limit)
        kept = {part.blob_key for part in gone if store.still_held(session, part.blob_key)}
    for part in gone:
        if part.blob_key not in kept:
            blobs.delete(part.blob_key)
        with db.writing() as session:
            store.note_deleted(session, part, now=clock.now(session))
    return len(gone)


def cut(part: DatasetPart, places_in: Places) -> Cut | None:
    """Return a part without some of its rows, what is left being in the store; None when it has none of them."""
    with TemporaryDirectory(prefix="qiantang-recall-") as name, blobs.as_file(part.blob_key) as file:
        folder = Path(name)
        places = tuple(places_in(file, folder))
        if not places:
            return None
        if len(places) == part.rows:
            return Cut(part, places)
        left = recalling.without(file, places, folder)
        key = f"raw/{left.sha256}.parquet"
        blobs.put(key, left.path)
    return Cut(part, places, key, left.sha256, left.rows, left.bytes)


def _count(recall: Recall) -> None:
    with db.reading() as session:
        parts = store.parts_of_dataset(session, recall.dataset_id)
    matched = sum(_matched(part, _by_value(recall)) for part in parts)
    with db.writing() as session:
        actions.note_matched(session, recall.id, matched)


def _matched(part: DatasetPart, places_in: Places) -> int:
    with TemporaryDirectory(prefix="qiantang-recall-") as name, blobs.as_file(part.blob_key) as file:
        return len(places_in(file, Path(name)))


def _carry_out(recall: Recall) -> bool:
    with db.reading() as session:
        parts = store.parts_of_dataset(session, recall.dataset_id)
    cuts = list(_cuts(parts, _by_value(recall)))
    seen = frozenset(part.id for part in parts)
    with db.writing() as session:
        return actions.carry_out(session, recall.id, cuts, seen=seen, now=clock.now(session))


def _cuts(parts: Iterable[DatasetPart], places_in: Places) -> Iterator[Cut]:
    for part in parts:
        if (found := cut(part, places_in)) is not None:
            yield found


def _by_value(recall: Recall) -> Places:
    values = recall.values or ()
    return lambda file, folder: recalling.places(file, recall.column, values, folder)
