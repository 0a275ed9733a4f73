"""The SQL of versions and their parts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_
from sqlalchemy.orm import aliased

from service.base.db import Session, col, select
from service.base.errors import NotFound
from service.catalogue.rules.secrecy import Outcome
from service.catalogue.rules.versions import VersionState
from service.catalogue.tables import Dataset, DatasetPart, DatasetVersion, SecrecyReview, VersionPart

OF_PUBLIC = (VersionState.PUBLISHED, VersionState.WITHDRAWN)
NEWEST = col(DatasetVersion.number).desc()


def take_turns(session: Session, dataset_id: str) -> None:
    """Let this transaction alone change the versions of a dataset and their reviews until it ends."""
    session.exec(select(Dataset.id).where(Dataset.id == dataset_id).with_for_update()).first()


def version(session: Session, dataset_id: str, number: int) -> DatasetVersion:
    """Return one version in any state; NotFound when there is none of that number."""
    if (found := session.get(DatasetVersion, (dataset_id, number))) is None:
        raise NotFound()
    return found


def version_anew(session: Session, dataset_id: str, number: int) -> DatasetVersion:
    """Return one version as it is now, whatever this transaction has read of it before its turn came; NotFound."""
    if (found := session.get(DatasetVersion, (dataset_id, number), populate_existing=True)) is None:
        raise NotFound()
    return found


def versions(session: Session, dataset_id: str) -> Sequence[DatasetVersion]:
    """Return a dataset's versions in any state, the newest first."""
    return session.exec(select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id).order_by(NEWEST)).all()


def public_versions(session: Session, dataset_id: str, *, limit: int | None = None) -> Sequence[DatasetVersion]:
    """Return the versions that everybody may know of, the newest first: published ones and those since withdrawn."""
    asked = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id, _in(OF_PUBLIC)).order_by(NEWEST)
    return session.exec(asked.limit(limit) if limit else asked).all()


def parts(session: Session, dataset_id: str, number: int) -> list[DatasetPart]:
    """Return a version's parts in their order."""
    asked = (
        select(DatasetPart)
        .join(VersionPart, col(VersionPart.part_id) == col(DatasetPart.id))
        .where(VersionPart.dataset_id == dataset_id, VersionPart.number == number)
        .order_by(col(VersionPart.position))
    )
    return list(session.exec(asked).all())


def part_with(session: Session, dataset_id: str, sha256: str) -> DatasetPart | None:
    """Return the part of a dataset that holds these very bytes; None when there is none."""
    asked = select(DatasetPart).where(DatasetPart.dataset_id == dataset_id, DatasetPart.sha256 == sha256)
    return session.exec(asked.limit(1)).first()


def newest_or_none(session: Session, dataset_id: str) -> DatasetVersion | None:
    asked = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id).order_by(NEWEST)
    return session.exec(asked.limit(1)).first()


def newest(session: Session, dataset_id: str) -> DatasetVersion:
    """Return the version that was loaded last, in any state; NotFound when nothing was loaded."""
    if (found := newest_or_none(session, dataset_id)) is None:
        raise NotFound()
    return found


def base_or_none(session: Session, dataset_id: str) -> DatasetVersion | None:
    """Return the version that the next one goes on from: the newest that was not withdrawn."""
    kept = (VersionState.LOADED, VersionState.PUBLISHED)
    asked = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id, _in(kept)).order_by(NEWEST)
    return session.exec(asked.limit(1)).first()


def latest_or_none(session: Session, dataset_id: str, *, now: datetime) -> DatasetVersion | None:
    """Return the version that `latest` points at at `now`, or pointed at then; None when there is or was none."""
    asked = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id, *_pointed_at(now)).order_by(NEWEST)
    return session.exec(asked.limit(1)).first()


def latest(session: Session, dataset_id: str, *, now: datetime) -> DatasetVersion:
    """Return the version that `latest` points at; NotFound when there is none."""
    if (found := latest_or_none(session, dataset_id, now=now)) is None:
        raise NotFound()
    return found


def latest_of(session: Session, dataset_ids: Iterable[str], *, now: datetime) -> dict[str, DatasetVersion]:
    """Return what `latest` points at for several datasets, by dataset."""
    asked = select(DatasetVersion).where(col(DatasetVersion.dataset_id).in_(set(dataset_ids)), *_pointed_at(now))
    return {row.dataset_id: row for row in session.exec(asked.order_by(col(DatasetVersion.number)))}


def newest_published(session: Session, dataset_id: str) -> DatasetVersion | None:
    """Return the published version of the highest number, held or not; None when there is none."""
    asked = select(DatasetVersion).where(
        DatasetVersion.dataset_id == dataset_id, DatasetVersion.state == VersionState.PUBLISHED
    )
    return session.exec(asked.order_by(NEWEST).limit(1)).first()


def held(session: Session, dataset_id: str, *, now: datetime) -> Sequence[DatasetVersion]:
    """Return the published versions that `latest` may not point at yet, the newest first."""
    asked = select(DatasetVersion).where(
        DatasetVersion.dataset_id == dataset_id, DatasetVersion.state == VersionState.PUBLISHED,
        col(DatasetVersion.latest_from) > now,
    )  # fmt: skip
    return session.exec(asked.order_by(NEWEST)).all()


def hold_parts(session: Session, dataset_id: str, number: int, rows: Sequence[DatasetPart]) -> None:
    """Write down which parts a version holds, in this order."""
    places = [
        VersionPart(dataset_id=dataset_id, number=number, position=position, part_id=part.id)
        for position, part in enumerate(rows)
    ]
    session.add_all(places)


def _in(states: Iterable[VersionState]) -> ColumnElement[bool]:
    return col(DatasetVersion.state).in_([state.value for state in states])


def _pointed_at(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """The same as rules.versions.pointed_at; a version that was withdrawn later was pointed at before."""
    return (
        col(DatasetVersion.published_at) <= at,
        col(DatasetVersion.latest_from) <= at,
        or_(col(DatasetVersion.withdrawn_at).is_(None), col(DatasetVersion.withdrawn_at) > at),
    )


def waiting(session: Session, *, source_unit_id: str | None, limit: int = 100) -> list[tuple[DatasetVersion, Dataset]]:
    """Return the loaded versions that wait for somebody, oldest first, of one source unit's datasets or of all.

    One that a newer one was published over waits for nobody; one that a newer one was only loaded over does so as long
    as its review is under way or done.
    """
    other = aliased(DatasetVersion)
    under_review = exists().where(
        col(SecrecyReview.dataset_id) == col(DatasetVersion.dataset_id),
        col(SecrecyReview.number) == col(DatasetVersion.number),
        col(SecrecyReview.outcome) != Outcome.REFUSED,
    )
    overtaken = exists().where(
        col(other.dataset_id) == col(DatasetVersion.dataset_id),
        col(other.number) > col(DatasetVersion.number),
        or_(col(other.state) == VersionState.PUBLISHED, ~under_review),
    )
    asked = (
        select(DatasetVersion, Dataset)
        .join(Dataset, col(Dataset.id) == col(DatasetVersion.dataset_id))
        .where(DatasetVersion.state == VersionState.LOADED, ~overtaken)
        .order_by(col(DatasetVersion.created_at), col(DatasetVersion.dataset_id), col(DatasetVersion.number))
        .limit(limit)
    )
    if source_unit_id is not None:
        asked = asked.where(Dataset.source_unit_id == source_unit_id)
    return [(version, dataset) for version, dataset in session.exec(asked).all()]


def part_counts(session: Session, dataset_id: str, numbers: Sequence[int]) -> dict[int, int]:
    """Return how many parts each of these versions of a dataset has."""
    asked = (
        select(VersionPart.number, func.count())
        .where(VersionPart.dataset_id == dataset_id, col(VersionPart.number).in_(list(numbers)))
        .group_by(col(VersionPart.number))
    )
    return dict(session.exec(asked).all())
