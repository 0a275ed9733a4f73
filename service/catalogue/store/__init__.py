"""The catalogue's SQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, update

from service.base.db import Session, col, insert_many, select
from service.base.errors import Changed, NotFound
from service.catalogue.rules import Column, DatasetState, Entry
from service.catalogue.store.history import (
    latest,
    latest_of,
    latest_or_none,
    newest,
    newest_or_none,
    newest_published,
    part_counts,
    parts,
    public_versions,
    version,
    versions,
)
from service.catalogue.store.search import (
    ENOUGH,
    LAST,
    Candidate,
    Card,
    Query,
    browse,
    cards,
    count_of,
    counts,
    enter,
    entries,
    leave,
    matching,
    revision,
    tallies,
    titled,
)
from service.catalogue.tables import Dataset, DatasetColumn

__all__ = [
    "ENOUGH", "LAST", "Candidate", "Card", "Query", "browse", "cards", "count_of", "counts", "enter", "entries",
    "latest", "latest_of", "latest_or_none", "leave", "matching", "newest", "newest_or_none", "newest_published",
    "part_counts", "parts", "public_versions", "revision", "tallies", "titled", "version", "versions",
]  # fmt: skip


def find(session: Session, dataset_id: str) -> Dataset | None:
    return session.get(Dataset, dataset_id)


def dataset(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset in any state; NotFound when there is none."""
    if (found := find(session, dataset_id)) is None:
        raise NotFound()
    return found


def published_dataset(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset that has been published; NotFound for drafts too: the public does not know of them."""
    found = dataset(session, dataset_id)
    if found.state != DatasetState.PUBLISHED:
        raise NotFound()
    return found


def columns(session: Session, dataset_id: str) -> list[DatasetColumn]:
    """Return a dataset's columns in their order."""
    asked = select(DatasetColumn).where(DatasetColumn.dataset_id == dataset_id).order_by(col(DatasetColumn.position))
    return list(session.exec(asked).all())


def public_columns(session: Session, dataset_id: str) -> list[str]:
    """Return the names, in order, of the columns that a standing public view of this dataset would ask for."""
    chosen = dataset(session, dataset_id).public_columns
    return [column.name for column in columns(session, dataset_id) if chosen is None or column.name in chosen]


def datasets_by_id(session: Session, dataset_ids: Iterable[str]) -> dict[str, Dataset]:
    asked = select(Dataset).where(col(Dataset.id).in_(set(dataset_ids)))
    return {row.id: row for row in session.exec(asked)}


def unpublished_ids(session: Session) -> list[str]:
    """Return the ids of the datasets that are drafts, in order."""
    return list(session.exec(select(Dataset.id).where(Dataset.state == DatasetState.DRAFT).order_by(Dataset.id)).all())


def replace_columns(session: Session, dataset_id: str, rows: Sequence[DatasetColumn]) -> None:
    session.execute(delete(DatasetColumn).where(col(DatasetColumn.dataset_id) == dataset_id))
    insert_many(session, DatasetColumn, [row.model_dump() for row in rows])


def move(session: Session, found: Dataset, *, now: datetime, **values: object) -> None:
    """Change a dataset that is still as it was read, and count its version up; Changed when somebody was faster."""
    seen = found.version
    changed = (
        update(Dataset)
        .where(col(Dataset.id) == found.id, col(Dataset.version) == seen)
        .values(version=seen + 1, updated_at=now, **values)
    )
    if session.execute(changed).rowcount != 1:  # type: ignore[attr-defined]
        raise Changed(seen=seen)
    session.refresh(found)


def entry(found: Dataset, rows: Sequence[DatasetColumn]) -> Entry:
    """Return a dataset as the rules read it."""
    texts = ("title", "summary", "conditions", "requirements", "safeguards", "basis_note")
    return Entry(
        openness=found.openness, level=found.level, columns=graded(rows), tags=tuple(found.tags),
        texts={name: (getattr(found, name)["zh"], getattr(found, name)["en"]) for name in texts},
        basis=found.basis, assessment=found.assessment, derived_from=found.derived_from, derivation=found.derivation,
        synthetic=found.synthetic, time_column=found.time_column, area_column=found.area_column,
        public_columns=None if found.public_columns is None else tuple(found.public_columns),
    )  # fmt: skip


def graded(rows: Iterable[DatasetColumn]) -> tuple[Column, ...]:
    return tuple(Column(row.name, row.level, row.semantic) for row in rows)
