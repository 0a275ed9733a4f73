"""The SQL of who follows a dataset."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete

from service.base.db import Session, col, insert_or_ignore, select
from service.catalogue.tables import DatasetFollower


def follow(session: Session, person_id: str, dataset_id: str, *, now: datetime) -> bool:
    """Let a person follow a dataset; False when they do so already."""
    return insert_or_ignore(session, DatasetFollower, person_id=person_id, dataset_id=dataset_id, at=now)


def unfollow(session: Session, person_id: str, dataset_id: str) -> None:
    session.execute(
        delete(DatasetFollower).where(
            col(DatasetFollower.person_id) == person_id, col(DatasetFollower.dataset_id) == dataset_id
        )
    )


def follows(session: Session, person_id: str, dataset_id: str) -> bool:
    return session.get(DatasetFollower, (person_id, dataset_id)) is not None


def followers(session: Session, dataset_id: str, *, but: Collection[str] = ()) -> Sequence[str]:
    """Return the ids of the persons who follow a dataset, in order, without those of `but`."""
    asked = select(DatasetFollower.person_id).where(DatasetFollower.dataset_id == dataset_id)
    return [person for person in session.exec(asked.order_by(DatasetFollower.person_id)).all() if person not in but]
