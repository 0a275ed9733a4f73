"""The SQL of uploads and of what becomes of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, update

from service.base.db import Session, col, select
from service.base.errors import NotFound
from service.catalogue.rules.uploads import KEPT, LAPSING, WORK, RunState
from service.catalogue.tables import Dataset, ImportRun


def run(session: Session, run_id: str) -> ImportRun:
    """Return one upload; NotFound when there is none of that id."""
    if (found := session.get(ImportRun, run_id)) is None:
        raise NotFound()
    return found


def runs(session: Session, dataset_id: str, *, limit: int = 50) -> Sequence[ImportRun]:
    """Return the uploads of a dataset, the newest first."""
    asked = select(ImportRun).where(ImportRun.dataset_id == dataset_id)
    return session.exec(asked.order_by(col(ImportRun.created_at).desc(), col(ImportRun.id).desc()).limit(limit)).all()


def open_count(session: Session, dataset_id: str) -> int:
    """Return how many uploads of a dataset have their file."""
    asked = select(func.count()).where(ImportRun.dataset_id == dataset_id, col(ImportRun.state).in_(sorted(KEPT)))
    return session.exec(asked).one()


def waiting_for_stewards(
    session: Session, *, source_unit_id: str | None, limit: int = 100
) -> list[tuple[ImportRun, Dataset]]:
    """Return the uploads that a person must do something about, oldest first; of one unit's datasets or (None) of all.

    Those are files that were read and files that are kept apart.
    """
    states = [RunState.CHECKED.value, RunState.QUARANTINED.value]
    asked = (
        select(ImportRun, Dataset)
        .join(Dataset, col(Dataset.id) == col(ImportRun.dataset_id))
        .where(col(ImportRun.state).in_(states))
        .order_by(col(ImportRun.created_at))
        .limit(limit)
    )
    if source_unit_id is not None:
        asked = asked.where(Dataset.source_unit_id == source_unit_id)
    return [(row, dataset) for row, dataset in session.exec(asked).all()]


def last_mapping(session: Session, dataset_id: str) -> dict[str, str]:
    """Return by our columns' names the headings of the file that was loaded last; empty before the first."""
    asked = (
        select(ImportRun)
        .where(ImportRun.dataset_id == dataset_id, ImportRun.state == RunState.DONE)
        .order_by(col(ImportRun.ended_at).desc())
        .limit(1)
    )
    found = session.exec(asked).first()
    if found is None or found.found is None:
        return {}
    headings = [each["heading"] for each in found.found["columns"]]
    places: dict[str, int] = found.choices.get("mapping", {})
    return {name: headings[place] for name, place in places.items() if place < len(headings)}


def take_in(session: Session, run_id: str, *, before: int, **values: Any) -> bool:
    """Change an upload that is being received and has `before` bytes; False when it is another by now."""
    return _changed(session, run_id, [RunState.RECEIVING], col(ImportRun.received) == before, values)


def change(session: Session, run_id: str, states: Collection[str], **values: Any) -> bool:
    """Change an upload that is in one of `states`; False when it is in another by now."""
    return _changed(session, run_id, states, None, values)


# ---- work -----------------------------------------------------------------------------------------------------------


def claim(session: Session, states: Sequence[RunState], *, now: datetime, retake_before: datetime) -> ImportRun | None:
    """Return the oldest upload that waits in one of `states`, or whose worker died at it, claimed at `now`."""
    at_work = [WORK[state].value for state in states]
    dead = col(ImportRun.state).in_(at_work) & (col(ImportRun.beat_at) <= retake_before)
    asked = select(ImportRun).where(col(ImportRun.state).in_([state.value for state in states]) | dead)
    there = session.exec(asked.order_by(col(ImportRun.completed_at), col(ImportRun.id)).limit(1)).first()
    if there is None:
        return None
    state = WORK.get(RunState(there.state), RunState(there.state))
    values = {"state": state.value, "claimed_at": now, "beat_at": now, "tries": there.tries + 1, "progress": None}
    if not _changed(session, there.id, [there.state], col(ImportRun.tries) == there.tries, values):
        return None
    session.refresh(there)
    return there


def settle(session: Session, run: ImportRun, **values: Any) -> bool:
    """Change an upload that this worker still holds the claim on; False when the claim was retaken."""
    return _changed(session, run.id, [run.state], col(ImportRun.tries) == run.tries, values)


# ---- the end --------------------------------------------------------------------------------------------------------


def lapsed(session: Session, *, now: datetime, limit: int = 100) -> Sequence[ImportRun]:
    """Return the uploads whose time is over."""
    asked = select(ImportRun).where(
        col(ImportRun.state).in_([state.value for state in LAPSING]), col(ImportRun.expires_at) <= now
    )
    return session.exec(asked.limit(limit)).all()


def kept(session: Session, run_ids: Collection[str]) -> set[str]:
    """Return which of `run_ids` are uploads whose file is to be there."""
    asked = select(ImportRun.id).where(col(ImportRun.id).in_(run_ids), col(ImportRun.state).in_(sorted(KEPT)))
    return set(session.exec(asked).all())


def _changed(session: Session, run_id: str, states: Collection[str], also: Any, values: dict[str, Any]) -> bool:
    change = update(ImportRun).where(col(ImportRun.id) == run_id, col(ImportRun.state).in_([str(s) for s in states]))
    if also is not None:
        change = change.where(also)
    return session.execute(change.values(**values)).rowcount == 1  # type: ignore[attr-defined, no-any-return]
