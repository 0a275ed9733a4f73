"""Whose grants on a dataset are in force."""

from collections.abc import Sequence
from datetime import datetime

from service.base.db import Session, select
from service.grants.store.grants import returned
from service.grants.tables import Grant


def units_with_grants(session: Session, dataset_id: str, *, now: datetime) -> Sequence[str]:
    """Return the ids of the units whose grants on a dataset have begun and not ended, suspended ones too."""
    asked = select(Grant.unit_id).where(
        Grant.dataset_id == dataset_id, Grant.starts_at <= now, now < Grant.ends_at, ~returned()
    )
    return sorted(set(session.exec(asked).all()))
