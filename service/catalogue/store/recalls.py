"""The SQL of recalls."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, update

from service.base.db import Session, col, select
from service.base.errors import Changed, NotFound
from service.catalogue.rules.recalls import RecallState, Tombstone
from service.catalogue.tables import Dataset, DatasetPart, DatasetVersion, Recall, RecalledPart, VersionPart


def find(session: Session, recall_id: str) -> Recall | None:
    return session.get(Recall, recall_id)


def recall(session: Session, recall_id: str) -> Recall:
    """Return one recall; NotFound when there is none of that id."""
    if (found := session.get(Recall, recall_id)) is None:
        raise NotFound()
    return found


def of_dataset(session: Session, dataset_id: str, *, limit: int = 100) -> Sequence[Recall]:
    """Return the recalls of a dataset, the newest first."""
    asked = select(Recall).where(Recall.dataset_id == dataset_id)
    return session.exec(asked.order_by(col(Recall.filed_at).desc(), col(Recall.id).desc()).limit(limit)).all()


def waiting(session: Session, *, source_unit_id: str | None, limit: int = 100) -> list[tuple[Recall, Dataset]]:
    """Return the recalls that wait for their second person, oldest first, of one source unit's datasets or of all."""
    asked = (
        select(Recall, Dataset)
        .join(Dataset, col(Dataset.id) == col(Recall.dataset_id))
        .where(Recall.state == RecallState.FILED)
        .order_by(col(Recall.filed_at))
        .limit(limit)
    )
    if source_unit_id is not None:
        asked = asked.where(Dataset.source_unit_id == source_unit_id)
    return [(row, dataset) for row, dataset in session.exec(asked).all()]


def in_state(session: Session, state: RecallState, *, limit: int) -> Sequence[Recall]:
    asked = select(Recall).where(Recall.state == state).order_by(col(Recall.filed_at), col(Recall.id))
    return session.exec(asked.limit(limit)).all()


def uncounted(session: Session, *, limit: int) -> Sequence[Recall]:
    """Return the recalls that wait for their second person and whose rows nobody has counted yet."""
    asked = select(Recall).where(Recall.state == RecallState.FILED, col(Recall.matched).is_(None))
    return session.exec(asked.order_by(col(Recall.filed_at)).limit(limit)).all()


def parts_of_dataset(session: Session, dataset_id: str) -> Sequence[DatasetPart]:
    """Return every part of a dataset that some version holds, in any order of versions."""
    held = exists().where(col(VersionPart.part_id) == col(DatasetPart.id))
    asked = select(DatasetPart).where(DatasetPart.dataset_id == dataset_id, held)
    return session.exec(asked.order_by(col(DatasetPart.id))).all()


def parts_with(session: Session, sha256: str) -> Sequence[DatasetPart]:
    """Return the parts that hold these very bytes, of any dataset."""
    held = exists().where(col(VersionPart.part_id) == col(DatasetPart.id))
    return session.exec(select(DatasetPart).where(DatasetPart.sha256 == sha256, held)).all()


def replace_part(session: Session, old_id: str, new: DatasetPart | None) -> list[int]:
    """Let every version hold `new` where it held a part (None: nothing there); return the versions' numbers."""
    there = select(VersionPart.number).where(VersionPart.part_id == old_id)
    numbers = sorted(session.exec(there).all())
    if new is None:
        session.execute(delete(VersionPart).where(col(VersionPart.part_id) == old_id))
    else:
        session.execute(update(VersionPart).where(col(VersionPart.part_id) == old_id).values(part_id=new.id))
    return numbers


def versions(session: Session, dataset_id: str, numbers: Sequence[int]) -> Sequence[DatasetVersion]:
    asked = select(DatasetVersion).where(
        DatasetVersion.dataset_id == dataset_id, col(DatasetVersion.number).in_(numbers)
    )
    return session.exec(asked.order_by(col(DatasetVersion.number))).all()


def tombstones(session: Session) -> list[Tombstone]:
    """Return what is left of every recall that was carried out, oldest first."""
    asked = (
        select(Recall, RecalledPart)
        .join(RecalledPart, col(RecalledPart.recall_id) == col(Recall.id))
        .where(col(Recall.done_at).is_not(None))
        .order_by(col(Recall.done_at), col(Recall.id), col(RecalledPart.part_id))
    )
    return [
        Tombstone(
            row.id, row.dataset_id, row.reason, part.sha256, tuple(part.places),
            row.done_at.isoformat() if row.done_at else "",
        )
        for row, part in session.exec(asked)
    ]  # fmt: skip


def recalled_bytes(session: Session, sha256: str) -> Recall | None:
    """Return the recall that took rows out of these very bytes; None when none did."""
    asked = (
        select(Recall).join(RecalledPart, col(RecalledPart.recall_id) == col(Recall.id))
        .where(RecalledPart.sha256 == sha256).limit(1)
    )  # fmt: skip
    return session.exec(asked).first()


def undeleted(session: Session, *, limit: int) -> Sequence[RecalledPart]:
    """Return the parts that were replaced and whose object may still lie in the store."""
    return session.exec(select(RecalledPart).where(col(RecalledPart.deleted_at).is_(None)).limit(limit)).all()


def still_held(session: Session, key: str) -> bool:
    """Whether a part that some version holds lies under this key."""
    held = exists().where(col(VersionPart.part_id) == col(DatasetPart.id))
    asked = select(func.count(col(DatasetPart.id))).where(DatasetPart.blob_key == key, held)
    return int(session.exec(asked).one()) > 0


def note_deleted(session: Session, gone: RecalledPart, *, now: datetime) -> None:
    session.execute(
        update(RecalledPart)
        .where(col(RecalledPart.recall_id) == gone.recall_id, col(RecalledPart.part_id) == gone.part_id)
        .values(deleted_at=now)
    )


def change(session: Session, row: Recall, **values: object) -> None:
    """Change a recall that is still in the state in which it was read; Changed when somebody was faster."""
    swap = update(Recall).where(col(Recall.id) == row.id, col(Recall.state) == row.state).values(**values)
    if session.execute(swap).rowcount != 1:  # type: ignore[attr-defined]
        raise Changed(seen=row.state)
    session.refresh(row)
