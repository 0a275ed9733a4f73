"""The catalogue's SQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, distinct, func, update

from service.base.db import Session, col, insert_many, select
from service.base.errors import Changed, NotFound
from service.catalogue.rules import Column, DatasetState, Entry
from service.catalogue.tables import Dataset, DatasetColumn, DatasetVersion, DatasetWord

MOST = 100


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


def latest_or_none(session: Session, dataset_id: str) -> DatasetVersion | None:
    newest = col(DatasetVersion.number).desc()
    return session.exec(select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id).order_by(newest)).first()


def latest(session: Session, dataset_id: str) -> DatasetVersion:
    """Return the newest stored version; NotFound when nothing was loaded."""
    if (found := latest_or_none(session, dataset_id)) is None:
        raise NotFound()
    return found


def version(session: Session, dataset_id: str, number: int) -> DatasetVersion:
    """Return one stored version; NotFound when there is none of that number."""
    if (found := session.get(DatasetVersion, (dataset_id, number))) is None:
        raise NotFound()
    return found


def latest_of(session: Session, dataset_ids: Iterable[str]) -> dict[str, DatasetVersion]:
    """Return the newest stored version of several datasets, by dataset."""
    asked = select(DatasetVersion).where(col(DatasetVersion.dataset_id).in_(set(dataset_ids)))
    return {row.dataset_id: row for row in session.exec(asked.order_by(col(DatasetVersion.number)))}


def public_columns(session: Session, dataset_id: str) -> list[str]:
    """Return the names, in order, of the columns that a standing public view of this dataset would ask for."""
    chosen = dataset(session, dataset_id).public_columns
    return [column.name for column in columns(session, dataset_id) if chosen is None or column.name in chosen]


def datasets_by_id(session: Session, dataset_ids: Iterable[str]) -> dict[str, Dataset]:
    asked = select(Dataset).where(col(Dataset.id).in_(set(dataset_ids)))
    return {row.id: row for row in session.exec(asked)}


def published(
    session: Session, *, key_domain: str | None = None, openness: str | None = None, limit: int = MOST
) -> Sequence[Dataset]:
    """Return up to `limit` published datasets, newest publication first."""
    asked = select(Dataset).where(Dataset.state == DatasetState.PUBLISHED)
    if key_domain:
        asked = asked.where(Dataset.key_domain == key_domain)
    if openness:
        asked = asked.where(Dataset.openness == openness)
    return session.exec(asked.order_by(col(Dataset.published_at).desc(), col(Dataset.id)).limit(limit)).all()


def search(
    session: Session, tokens: Sequence[str], *, better: Sequence[str] = (), key_domain: str | None = None,
    openness: str | None = None, limit: int = MOST,
) -> Sequence[Dataset]:  # fmt: skip
    """Return up to `limit` published datasets that hold every one of `tokens`.

    Those that also hold more of the whole words `better`, in their titles above all, come first.  Without tokens it is
    the list of all, newest publication first.
    """
    if not tokens:
        return published(session, key_domain=key_domain, openness=openness, limit=limit)
    word = col(DatasetWord.word)
    holding = (
        select(DatasetWord.dataset_id)
        .where(word.in_(set(tokens)))
        .group_by(col(DatasetWord.dataset_id))
        .having(func.count(distinct(word)) == len(set(tokens)))
    )
    score = (
        select(func.coalesce(func.sum(DatasetWord.weight), 0))
        .where(col(DatasetWord.dataset_id) == Dataset.id, word.in_({*tokens, *better}))
        .scalar_subquery()
    )
    asked = select(Dataset).where(Dataset.state == DatasetState.PUBLISHED, col(Dataset.id).in_(holding))
    if key_domain:
        asked = asked.where(Dataset.key_domain == key_domain)
    if openness:
        asked = asked.where(Dataset.openness == openness)
    return session.exec(asked.order_by(score.desc(), col(Dataset.id)).limit(limit)).all()


def unpublished_ids(session: Session) -> list[str]:
    """Return the ids of the datasets that are drafts, in order."""
    return list(session.exec(select(Dataset.id).where(Dataset.state == DatasetState.DRAFT).order_by(Dataset.id)).all())


def replace_columns(session: Session, dataset_id: str, rows: Sequence[DatasetColumn]) -> None:
    session.execute(delete(DatasetColumn).where(col(DatasetColumn.dataset_id) == dataset_id))
    insert_many(session, DatasetColumn, [row.model_dump() for row in rows])


def replace_words(session: Session, dataset_id: str, weights: Mapping[str, int]) -> None:
    """Make `weights` the words by which the dataset is found."""
    session.execute(delete(DatasetWord).where(col(DatasetWord.dataset_id) == dataset_id))
    found = sorted(weights.items())
    insert_many(
        session, DatasetWord, [{"word": word, "dataset_id": dataset_id, "weight": weight} for word, weight in found]
    )


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
