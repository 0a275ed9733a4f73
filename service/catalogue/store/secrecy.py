"""The SQL of secrecy reviews."""

from collections.abc import Sequence

from service.base.db import Session, col, select
from service.base.errors import NotFound
from service.catalogue.tables import Dataset, SecrecyReview


def review(session: Session, review_id: str) -> SecrecyReview:
    """Return one review as it is now; NotFound when there is none of that id."""
    if (found := session.get(SecrecyReview, review_id, populate_existing=True)) is None:
        raise NotFound()
    return found


def reviews(session: Session, dataset_id: str, number: int) -> Sequence[SecrecyReview]:
    """Return the reviews of a version, the newest first."""
    asked = select(SecrecyReview).where(SecrecyReview.dataset_id == dataset_id, SecrecyReview.number == number)
    return session.exec(asked.order_by(col(SecrecyReview.filed_at).desc(), col(SecrecyReview.id).desc())).all()


def standing_review(session: Session, dataset_id: str, number: int) -> SecrecyReview | None:
    """Return the review of a version that is open or cleared; None when there is none but refused ones."""
    asked = select(SecrecyReview).where(
        SecrecyReview.dataset_id == dataset_id, SecrecyReview.number == number, SecrecyReview.outcome != "refused"
    )
    return session.exec(asked).first()


def open_reviews(
    session: Session, *, source_unit_id: str | None, limit: int = 100
) -> list[tuple[SecrecyReview, Dataset]]:
    """Return the reviews that wait for somebody, oldest first, of one source unit's datasets or (None) of all."""
    asked = (
        select(SecrecyReview, Dataset)
        .join(Dataset, col(Dataset.id) == col(SecrecyReview.dataset_id))
        .where(SecrecyReview.outcome == "open")
        .order_by(col(SecrecyReview.filed_at))
        .limit(limit)
    )
    if source_unit_id is not None:
        asked = asked.where(Dataset.source_unit_id == source_unit_id)
    return [(row, dataset) for row, dataset in session.exec(asked).all()]
