"""SQL of answers that leave in slices."""

from service.base.db import Session, select
from service.data.tables import Reservation


def held(session: Session, reservation_id: str) -> Reservation | None:
    """Return an answer's reservation, for this transaction alone; None when it was settled."""
    return session.exec(select(Reservation).where(Reservation.id == reservation_id).with_for_update()).first()
