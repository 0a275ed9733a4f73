"""SQL of views that hold rows which were recalled."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, or_, select, update

from service.base.db import Session, col, insert_or_ignore
from service.catalogue.tables import Recall, RecalledPart
from service.grants.rules import ViewState
from service.grants.store.views import RECALLED, view
from service.grants.tables import RecallAnswer, ReleasedView, ViewFile, ViewPart

__all__ = ["forget_bytes", "in_use", "keys_of_view", "mark_recalled", "public_to_remake", "recalled_views", "view"]

GONE = (ViewState.COLLECTED, ViewState.RECALLED)


def mark_recalled(session: Session) -> int:
    """Let no view serve that holds a part which rows were recalled from; return how many were stopped.

    A view computed over all parts at once names none of them: it is one of those made before the recall was done.
    """
    of_part = exists().where(
        col(ViewPart.view_id) == ReleasedView.id, col(ViewPart.part_id) == col(RecalledPart.part_id)
    )
    of_all = exists().where(
        col(ViewPart.view_id) == ReleasedView.id, col(ViewPart.part_id).is_(None),
        col(RecalledPart.dataset_id) == ReleasedView.dataset_id, col(RecalledPart.recall_id) == col(Recall.id),
        col(Recall.done_at) >= col(ReleasedView.claimed_at),
    )  # fmt: skip
    stop = (
        update(ReleasedView)
        .where(col(ReleasedView.state).not_in([state.value for state in GONE]))
        .where(or_(of_part, of_all))
        .values(state=ViewState.RECALLED.value)
        .execution_options(synchronize_session=False)
    )
    return int(session.execute(stop).rowcount)  # type: ignore[attr-defined]


def recalled_views(session: Session, *, limit: int) -> Sequence[ReleasedView]:
    """Return the views that were stopped and whose bytes may still lie in the store."""
    asked = select(ReleasedView).where(col(ReleasedView.state) == ViewState.RECALLED)
    return session.scalars(asked.order_by(col(ReleasedView.id)).limit(limit)).all()


def keys_of_view(session: Session, view_id: str) -> set[str]:
    """Return the objects of a view: its files, and those of its parts that rows were recalled from."""
    recalled = exists().where(col(RecalledPart.part_id) == col(ViewPart.part_id))
    of_parts = select(col(ViewPart.key)).where(
        col(ViewPart.view_id) == view_id, or_(recalled, col(ViewPart.part_id).is_(None))
    )
    of_files = select(col(ViewFile.key)).where(col(ViewFile.view_id) == view_id)
    return {key for asked in (of_parts, of_files) for key in session.scalars(asked) if key}


def in_use(session: Session, keys: Collection[str]) -> set[str]:
    """Return those keys that a view which may still be read has: equal bytes that hold no recalled row."""
    kept = col(ReleasedView.state).not_in([state.value for state in GONE])
    found: set[str] = set()
    tables: tuple[type[ViewPart] | type[ViewFile], ...] = (ViewPart, ViewFile)
    for table in tables:
        asked = select(col(table.key)).join(ReleasedView, col(ReleasedView.id) == table.view_id)
        found |= set(session.scalars(asked.where(col(table.key).in_(keys), kept)))
    return found


def forget_bytes(session: Session, view: ReleasedView) -> None:
    """Leave of a stopped view nothing but its row, so that it is made anew from what is left."""
    session.execute(delete(ViewFile).where(col(ViewFile.view_id) == view.id))
    session.execute(delete(ViewPart).where(col(ViewPart.view_id) == view.id))
    view.state, view.note = ViewState.COLLECTED.value, RECALLED
    session.add(view)


def public_to_remake(session: Session) -> Sequence[ReleasedView]:
    """Return the public views that were stopped by a recall and not made again, the one that served last at the end."""
    asked = select(ReleasedView).where(
        col(ReleasedView.grant_id).is_(None), col(ReleasedView.state) == ViewState.COLLECTED,
        col(ReleasedView.note) == RECALLED,
    )  # fmt: skip
    return session.scalars(asked.order_by(col(ReleasedView.serves_from), col(ReleasedView.id))).all()


def recalls_of(session: Session, view: ReleasedView) -> set[str]:
    """Return the recalls that a stopped view holds rows of, as far as its parts tell."""
    of_part = (
        select(col(RecalledPart.recall_id))
        .join(ViewPart, col(ViewPart.part_id) == col(RecalledPart.part_id))
        .where(col(ViewPart.view_id) == view.id)
    )
    of_all = (
        select(col(RecalledPart.recall_id))
        .join(Recall, col(Recall.id) == col(RecalledPart.recall_id))
        .where(col(RecalledPart.dataset_id) == view.dataset_id, col(Recall.done_at) >= view.claimed_at)
        .where(exists().where(col(ViewPart.view_id) == view.id, col(ViewPart.part_id).is_(None)))
    )
    return {*session.scalars(of_part), *session.scalars(of_all)}


def ask_answer(session: Session, recall_id: str, grant_id: str, number: int, sha256: str, *, now: datetime) -> None:
    """Note that a grant read a version that a recall took rows out of; `sha256` is that of its file as it was."""
    insert_or_ignore(
        session, RecallAnswer, recall_id=recall_id, grant_id=grant_id, number=number, sha256=sha256, stopped_at=now
    )


def untold(session: Session, *, limit: int) -> Sequence[RecallAnswer]:
    """Return the answers that nobody was asked for yet."""
    asked = select(RecallAnswer).where(col(RecallAnswer.told_at).is_(None))
    return session.scalars(asked.order_by(col(RecallAnswer.stopped_at)).limit(limit)).all()


def spare(session: Session, answer: RecallAnswer) -> None:
    """Ask nothing of a grant whose bytes turned out to hold none of the recalled rows."""
    session.delete(answer)


def answers(session: Session, recall_id: str) -> Sequence[RecallAnswer]:
    """Return what was asked of the holders of grants about a recall, and what they answered."""
    asked = select(RecallAnswer).where(col(RecallAnswer.recall_id) == recall_id, col(RecallAnswer.told_at).is_not(None))
    return session.scalars(asked.order_by(col(RecallAnswer.grant_id), col(RecallAnswer.number))).all()


def is_coming(session: Session, grant_id: str, number: int) -> bool:
    """Whether the view of a grant on a version is being made, or was emptied and will be."""
    asked = select(col(ReleasedView.id)).where(
        col(ReleasedView.grant_id) == grant_id, col(ReleasedView.dataset_version) == number,
        or_(
            col(ReleasedView.state).in_([ViewState.BUILDING.value, ViewState.RECALLED.value]),
            (col(ReleasedView.state) == ViewState.COLLECTED) & (col(ReleasedView.note) == RECALLED),
        ),
    )  # fmt: skip
    return session.scalars(asked.limit(1)).first() is not None
