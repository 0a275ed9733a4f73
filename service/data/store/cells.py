"""Which cells a unit was told of a dataset where a smallest group binds."""

from collections.abc import Sequence

from sqlalchemy import func

from service.base.db import Session, col, insert_or_ignore, select
from service.data.tables import ToldCell

MANY = 500  # names in one question


def cells_told(session: Session, unit_id: str, dataset_id: str) -> int:
    """Return how many different cells a unit was told of a dataset."""
    count = select(func.count()).where(ToldCell.unit_id == unit_id, ToldCell.dataset_id == dataset_id)
    return int(session.exec(count).one())


def new_cells(session: Session, unit_id: str, dataset_id: str, names: Sequence[str]) -> list[str]:
    """Return which of `names` the unit was not told yet."""
    known: set[str] = set()
    for start in range(0, len(names), MANY):
        asked = select(ToldCell.cell).where(
            ToldCell.unit_id == unit_id,
            ToldCell.dataset_id == dataset_id,
            col(ToldCell.cell).in_(names[start : start + MANY]),
        )
        known.update(session.exec(asked).all())
    return [name for name in dict.fromkeys(names) if name not in known]


def tell_cells(session: Session, unit_id: str, dataset_id: str, names: Sequence[str]) -> None:
    """Write down that a unit was told cells."""
    for name in names:
        insert_or_ignore(session, ToldCell, unit_id=unit_id, dataset_id=dataset_id, cell=name)
