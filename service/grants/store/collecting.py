"""SQL of views and files that nobody needs any more, and of the objects that no row names."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, delete, exists, or_, select, text, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from service.base.db import Session, col
from service.catalogue.tables import DatasetVersion
from service.grants.rules import FileState, ViewState
from service.grants.tables import Grant, Handback, ReleasedView, ViewFile, ViewPart

LOCK = 7_081_002  # of the advisory lock below; any number that nobody else takes
KEPT = (ViewState.READY.value, ViewState.BUILDING.value)


def lock_objects(session: Session) -> None:
    """Let nobody else name or delete objects of views until this transaction ends; on SQLite one writes at a time."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def needless(session: Session, *, before: datetime, limit: int) -> Sequence[str]:
    """Return the ids of views that have served nobody since `before`, oldest first."""
    asked = select(col(ReleasedView.id)).where(
        col(ReleasedView.state).in_(KEPT), or_(_of_dead_grant(before), _superseded(before), _withdrawn(before))
    )
    return session.scalars(asked.order_by(col(ReleasedView.id)).limit(limit)).all()


def _of_dead_grant(before: datetime) -> ColumnElement[bool]:
    """The grant has ended or was handed back, or its view was cut anew for a later epoch."""
    returned = exists().where(col(Handback.grant_id) == col(Grant.id), col(Handback.at) <= before)
    renewed = aliased(ReleasedView)
    later = exists().where(
        col(renewed.grant_id) == col(ReleasedView.grant_id), col(renewed.state) == ViewState.READY.value,
        col(renewed.epoch) == col(Grant.epoch), col(renewed.built_at) <= before,
    )  # fmt: skip
    stale = and_(col(ReleasedView.epoch) < col(Grant.epoch), later)
    over = or_(col(Grant.ends_at) <= before, returned, stale)
    return exists().where(col(Grant.id) == col(ReleasedView.grant_id), over)


def _superseded(before: datetime) -> ColumnElement[bool]:
    """Another public view of the same version has served since."""
    other = aliased(ReleasedView)
    newer = exists().where(
        col(other.dataset_id) == col(ReleasedView.dataset_id), col(other.grant_id).is_(None),
        col(other.dataset_version) == col(ReleasedView.dataset_version), col(other.state) == ViewState.READY.value,
        col(other.serves_from) > col(ReleasedView.serves_from), col(other.serves_from) <= before,
    )  # fmt: skip
    return and_(col(ReleasedView.grant_id).is_(None), newer)


def _withdrawn(before: datetime) -> ColumnElement[bool]:
    return exists().where(
        col(DatasetVersion.dataset_id) == col(ReleasedView.dataset_id),
        col(DatasetVersion.number) == col(ReleasedView.dataset_version), col(DatasetVersion.withdrawn_at) <= before,
    )  # fmt: skip


def forsaken(session: Session, *, before: datetime, limit: int) -> Sequence[str]:
    """Return the ids of views that were held back before then and still name objects."""
    named = exists().where(col(ViewPart.view_id) == col(ReleasedView.id), col(ViewPart.key) != "")
    asked = select(col(ReleasedView.id)).where(
        col(ReleasedView.state) == ViewState.QUARANTINED.value, col(ReleasedView.built_at) <= before, named
    )
    return session.scalars(asked.limit(limit)).all()


def old_files(session: Session, *, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Return whole files of versions that their grant has left, made before then, as (view, format).

    Their parts stay: a file is made of them again when somebody wants it.
    """
    asked = (
        select(col(ViewFile.view_id), col(ViewFile.format))
        .join(ReleasedView, col(ReleasedView.id) == col(ViewFile.view_id))
        .join(Grant, col(Grant.id) == col(ReleasedView.grant_id))
        .where(col(ViewFile.state) == FileState.READY.value, col(ViewFile.built_at) <= before)
        .where(col(ReleasedView.dataset_version) != col(Grant.dataset_version))
        .order_by(col(ViewFile.view_id), col(ViewFile.format))
    )
    return [(view_id, format) for view_id, format in session.execute(asked.limit(limit))]


def drop_view(session: Session, view_id: str, *, state: str | None) -> set[str]:
    """Let a view name no objects any more, and return those that it named; `state` None leaves it in its own."""
    keys = _keys(session, view_id)
    session.execute(update(ViewPart).where(col(ViewPart.view_id) == view_id).values(key=""))
    session.execute(delete(ViewFile).where(col(ViewFile.view_id) == view_id))
    if state is not None:
        session.execute(update(ReleasedView).where(col(ReleasedView.id) == view_id).values(state=state, note=None))
    return keys


def drop_file(session: Session, view_id: str, format: str) -> set[str]:
    """Forget a whole file, and return the object that it named."""
    this = (col(ViewFile.view_id) == view_id, col(ViewFile.format) == format)
    keys = set(session.scalars(select(col(ViewFile.key)).where(*this)))
    session.execute(delete(ViewFile).where(*this))
    return keys


def unnamed(session: Session, keys: Collection[str]) -> set[str]:
    """Return those keys that no part and no file of any view names."""
    left, listed = set(keys), sorted(keys)
    for start in range(0, len(listed), 500):
        some = listed[start : start + 500]
        for column in (col(ViewPart.key), col(ViewFile.key)):
            left -= set(session.scalars(select(column).where(column.in_(some))))
    return left


def _keys(session: Session, view_id: str) -> set[str]:
    of_parts = select(col(ViewPart.key)).where(col(ViewPart.view_id) == view_id)
    of_files = select(col(ViewFile.key)).where(col(ViewFile.view_id) == view_id)
    return {key for asked in (of_parts, of_files) for key in session.scalars(asked) if key}
