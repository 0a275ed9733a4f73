"""SQL of grants that follow their dataset: which versions wait to be judged for them, and which they may move to."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from service.base.db import Session, col, insert_or_ignore, select
from service.catalogue.rules.versions import VersionState as Stage
from service.catalogue.tables import Dataset, DatasetVersion
from service.grants.rules import VersionState, ViewState
from service.grants.rules.groups import AGAIN
from service.grants.store.grants import returned
from service.grants.tables import Grant, GrantVersion, ReleasedView

_Other = aliased(GrantVersion)


def unjudged(session: Session, *, now: datetime, limit: int) -> list[tuple[str, int]]:
    """Return (grant, version) for the versions that `latest` has come to, newer than what grants serve, and that nobody
    has judged for them or somebody wants judged again; the oldest version first.
    """
    settled = exists().where(
        col(GrantVersion.grant_id) == Grant.id, col(GrantVersion.number) == DatasetVersion.number,
        col(GrantVersion.state) != AGAIN,
    ).correlate(Grant, DatasetVersion)  # fmt: skip
    rows = session.exec(
        select(Grant.id, DatasetVersion.number)
        .join(DatasetVersion, col(DatasetVersion.dataset_id) == Grant.dataset_id)
        .where(*_following(now), *_served(now), ~settled)
        .order_by(col(DatasetVersion.published_at), col(DatasetVersion.number), col(Grant.id))
        .limit(limit)
    ).all()
    return [(grant_id, number) for grant_id, number in rows]


def movable(session: Session, *, now: datetime, limit: int) -> list[tuple[str, int]]:
    """Return (grant, version): the newest version that was judged for each following grant and whose view is ready."""
    ready = exists().where(
        col(ReleasedView.grant_id) == Grant.id, col(ReleasedView.dataset_version) == GrantVersion.number,
        col(ReleasedView.epoch) == Grant.epoch, col(ReleasedView.state) == ViewState.READY,
    ).correlate(Grant, GrantVersion)  # fmt: skip
    rows = session.exec(
        select(Grant.id, func.max(col(GrantVersion.number)))
        .join(GrantVersion, col(GrantVersion.grant_id) == Grant.id)
        .join(
            DatasetVersion,
            (col(DatasetVersion.dataset_id) == Grant.dataset_id) & (col(DatasetVersion.number) == GrantVersion.number),
        )
        .where(*_following(now), *_served(now), GrantVersion.state == VersionState.JUDGED, ready)
        .group_by(col(Grant.id))
        .order_by(col(Grant.id))
        .limit(limit)
    ).all()
    return [(grant_id, number) for grant_id, number in rows]


def _following(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(Grant.follows).is_(True), col(Grant.ends_at) > now, ~returned()


def _served(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(DatasetVersion.state) == Stage.PUBLISHED, col(DatasetVersion.latest_from) <= now,
        col(DatasetVersion.number) > Grant.dataset_version,
    )  # fmt: skip


def version_of(session: Session, grant_id: str, number: int) -> GrantVersion | None:
    """Return how a version was judged for a grant; None while nobody has."""
    return session.get(GrantVersion, (grant_id, number))


def settle_version(
    session: Session, grant_id: str, number: int, *, state: str, reasons: Sequence[object], now: datetime
) -> bool:
    """Write down how a version was judged for a grant; False when another worker has, and nobody wants it again."""
    values = {"state": str(state), "at": now, "reasons": list(reasons)}
    if insert_or_ignore(session, GrantVersion, grant_id=grant_id, number=number, screening_id=None, **values):
        return True
    again = update(GrantVersion).where(*_is(grant_id, number, AGAIN)).values(**values)
    return session.execute(again).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def note_screening(session: Session, grant_id: str, number: int, screening_id: str) -> None:
    there = col(GrantVersion.grant_id) == grant_id, col(GrantVersion.number) == number
    session.execute(update(GrantVersion).where(*there).values(screening_id=screening_id))


def want_again(session: Session, grant_id: str, number: int, *, now: datetime) -> bool:
    """Have a version that is held judged again; False when it is not held (any more)."""
    again = update(GrantVersion).where(*_is(grant_id, number, VersionState.HELD)).values(state=AGAIN, at=now)
    return session.execute(again).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def _is(grant_id: str, number: int, state: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(GrantVersion.grant_id) == grant_id, col(GrantVersion.number) == number,
        col(GrantVersion.state) == str(state),
    )  # fmt: skip


def others(session: Session, unit_id: str, dataset_id: str, *, besides: str, now: datetime) -> Sequence[Grant]:
    """Return the other grants of a unit on a dataset whose last day is not over, suspended and handed back ones too:
    what was read stays read.
    """
    asked = select(Grant).where(
        Grant.unit_id == unit_id, Grant.dataset_id == dataset_id, Grant.id != besides, now < Grant.ends_at
    )
    return session.exec(asked.order_by(col(Grant.created_at), col(Grant.id))).all()


def held_for(
    session: Session, *, source_unit_id: str | None, now: datetime, limit: int = 100
) -> list[tuple[GrantVersion, Grant, Dataset]]:
    """Return the newest version of each grant in force that is held for it, newer than the one that it serves, oldest
    first: of one source unit's datasets or of all.
    """
    newer = exists().where(
        col(_Other.grant_id) == Grant.id, col(_Other.number) > GrantVersion.number,
        col(_Other.state) != AGAIN,
    ).correlate(Grant, GrantVersion)  # fmt: skip
    asked = (
        select(GrantVersion, Grant, Dataset)
        .join(Grant, col(Grant.id) == GrantVersion.grant_id)
        .join(Dataset, col(Dataset.id) == Grant.dataset_id)
        .where(GrantVersion.state == VersionState.HELD, col(GrantVersion.number) > Grant.dataset_version)
        .where(*_following(now), ~newer)
        .order_by(col(GrantVersion.at), col(GrantVersion.grant_id))
        .limit(limit)
    )
    if source_unit_id is not None:
        asked = asked.where(Dataset.source_unit_id == source_unit_id)
    return [(row, grant, dataset) for row, grant, dataset in session.exec(asked).all()]
