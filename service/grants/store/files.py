"""SQL of the whole files of released views, one for each format."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, update

from service.base.db import Session, col, insert_or_ignore, select
from service.grants.rules import FileState, ViewState
from service.grants.tables import ReleasedView, ViewFile


def files_of(session: Session, view_id: str) -> dict[str, ViewFile]:
    """Return the files of a view that are ready, by format."""
    return {name: file for name, file in view_files(session, view_id).items() if file.state == FileState.READY}


def file_of(session: Session, view_id: str, format: str) -> ViewFile | None:
    """Return a view's file in one format, in any state; None when nobody has wanted it."""
    return session.get(ViewFile, (view_id, format))


def view_files(session: Session, view_id: str) -> dict[str, ViewFile]:
    """Return all files of a view, in any state, by format."""
    asked = select(ViewFile).where(ViewFile.view_id == view_id).order_by(col(ViewFile.format))
    return {file.format: file for file in session.exec(asked)}


def want_file(session: Session, view_id: str, format: str, *, now: datetime) -> bool:
    """Note that a view's file is wanted; False when it is there, being made or wanted already."""
    none: dict[str, object] = {"key": "", "sha256": "", "bytes": 0, "rows": 0, "tries": 0}
    state = FileState.WANTED.value
    return insert_or_ignore(session, ViewFile, view_id=view_id, format=format, state=state, wanted_at=now, **none)


def want_again(session: Session, view_id: str, format: str, *, now: datetime, failed_before: datetime) -> None:
    """Want a file once more that could not be made for good."""
    session.execute(
        update(ViewFile)
        .where(col(ViewFile.view_id) == view_id, col(ViewFile.format) == format)
        .where(col(ViewFile.state) == FileState.FAILED, col(ViewFile.beat_at) <= failed_before)
        .values(state=FileState.WANTED.value, wanted_at=now, tries=0)
    )


def wanted_files(session: Session, *, retake_before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Return the files of ready views that are wanted and that nobody is making, as (view, format), oldest first."""
    free = or_(
        col(ViewFile.state) == FileState.WANTED,
        (col(ViewFile.state) == FileState.BUILDING) & (col(ViewFile.beat_at) <= retake_before),
    )
    rows = session.exec(
        select(ViewFile.view_id, ViewFile.format)
        .join(ReleasedView, col(ReleasedView.id) == ViewFile.view_id)
        .where(ReleasedView.state == ViewState.READY, free)
        .order_by(col(ViewFile.wanted_at), col(ViewFile.view_id), col(ViewFile.format))
        .limit(limit)
    ).all()
    return [(view_id, format) for view_id, format in rows]


def claim_file(
    session: Session, view_id: str, format: str, *, now: datetime, retake_before: datetime
) -> ViewFile | None:
    """Return the file to make, claimed at `now`; None when it is made or somebody is at it."""
    there = session.get(ViewFile, (view_id, format))
    if there is None:
        return None
    stale = (col(ViewFile.state) == FileState.BUILDING) & (col(ViewFile.beat_at) <= retake_before)
    seen = col(ViewFile.tries) == there.tries
    claim = (
        update(ViewFile)
        .where(col(ViewFile.view_id) == view_id, col(ViewFile.format) == format, seen)
        .where(or_(col(ViewFile.state) == FileState.WANTED, stale))
        .values(state=FileState.BUILDING.value, claimed_at=now, beat_at=now, tries=there.tries + 1, rows=0)
    )
    if session.execute(claim).rowcount != 1:  # type: ignore[attr-defined]
        return None
    session.refresh(there)
    return there


def settle_file(session: Session, file: ViewFile, **values: object) -> bool:
    """Change a file that this worker still holds the claim on; False when the claim was retaken."""
    settle = (
        update(ViewFile)
        .where(col(ViewFile.view_id) == file.view_id, col(ViewFile.format) == file.format)
        .where(col(ViewFile.state) == FileState.BUILDING, col(ViewFile.tries) == file.tries)
        .values(**values)
    )
    return session.execute(settle).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def keep_file(session: Session, file: ViewFile) -> None:
    """Write down a file that was made together with its view."""
    session.merge(file)
