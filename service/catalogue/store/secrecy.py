"""The SQL of secrecy reviews."""

from collections.abc import Sequence

from service.base.db import Session, col, select
from service.base.errors import NotFound
from service.catalogue.tables import SecrecyReview


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
