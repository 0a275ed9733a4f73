"""SQL of released views and of their parts."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import exists, or_, update
from sqlmodel.sql.expression import SelectOfScalar

from service.base import clock
from service.base.db import Session, col, insert_or_ignore, select
from service.base.errors import NotFound
from service.catalogue import store as catalogue
from service.catalogue.tables import DatasetVersion
from service.grants.rules import VersionState, ViewState
from service.grants.store.grants import returned
from service.grants.tables import Grant, GrantVersion, ReleasedView, ViewPart

RECALLED = "recalled"  # the note on a view that a recall of rows has emptied


def view(session: Session, view_id: str) -> ReleasedView:
    """Return a view in any state; NotFound."""
    if (found := session.get(ReleasedView, view_id)) is None:
        raise NotFound()
    return found


def view_of(session: Session, grant_id: str, version: int | None = None) -> ReleasedView | None:
    """Return the ready view of a grant's epoch on the version that it serves, or on one that was judged for it.

    None when there is none (yet).
    """
    return session.exec(_views_of(grant_id, version).where(ReleasedView.state == ViewState.READY)).first()


def view_state(session: Session, grant_id: str, version: int | None = None) -> str:
    """Return the state of the view that `view_of` looks for; `building` when nobody has begun."""
    states = {found.state for found in session.exec(_views_of(grant_id, version))}
    order = (ViewState.READY, ViewState.QUARANTINED)
    return next((state for state in order if state in states), ViewState.BUILDING)


def view_at_hand(session: Session, grant_id: str) -> ReleasedView | None:
    """Return the view of the version that a grant serves in whatever state, to show how far it is."""
    return session.exec(_views_of(grant_id, None).order_by(col(ReleasedView.claimed_at).desc())).first()


def _views_of(grant_id: str, version: int | None) -> SelectOfScalar[ReleasedView]:
    asked = (
        select(ReleasedView)
        .join(Grant, col(Grant.id) == ReleasedView.grant_id)
        .where(Grant.id == grant_id, ReleasedView.epoch == Grant.epoch)
        .order_by(col(ReleasedView.built_at).desc())
    )
    if version is None:
        return asked.where(ReleasedView.dataset_version == Grant.dataset_version)
    judged = exists().where(
        col(GrantVersion.grant_id) == grant_id, col(GrantVersion.number) == version,
        col(GrantVersion.state) == VersionState.JUDGED,
    )  # fmt: skip
    return asked.where(ReleasedView.dataset_version == version, judged)


def public_view(session: Session, dataset_id: str, version: int | None = None) -> ReleasedView | None:
    """Return the public view of the version that `latest` points at, or of another; None when there is none."""
    if version is None:
        latest = catalogue.latest_or_none(session, dataset_id, now=clock.now(session))
        if latest is None:
            return None
        version = latest.number
    asked = select(ReleasedView).where(
        ReleasedView.dataset_id == dataset_id, col(ReleasedView.grant_id).is_(None),
        ReleasedView.state == ViewState.READY, ReleasedView.dataset_version == version,
    )  # fmt: skip
    return session.exec(asked.order_by(col(ReleasedView.serves_from).desc(), col(ReleasedView.id).desc())).first()


def without_view(session: Session, *, now: datetime, retake_before: datetime, limit: int) -> Sequence[tuple[str, int]]:
    """Return the grants that have not ended, and the judged versions of theirs whose view nobody has made or is making.

    The version that a grant serves comes first, then the newest; versions that it has left and those that were
    withdrawn are not made any more, but for those that a recall of rows has emptied.  A quarantined view counts as
    made: a person looks at it.  A claim that has not been heard of since `retake_before` counts as nobody's.
    """
    serves = col(Grant.dataset_version) == GrantVersion.number
    made = (
        exists()
        .where(col(ReleasedView.grant_id) == Grant.id, col(ReleasedView.dataset_version) == GrantVersion.number)
        .where(col(ReleasedView.epoch) == Grant.epoch)
        .where(col(ReleasedView.state) != ViewState.COLLECTED)
        .where((col(ReleasedView.state) != ViewState.BUILDING) | (col(ReleasedView.beat_at) > retake_before))
        .correlate(Grant, GrantVersion)
    )
    emptied = (
        exists()
        .where(col(ReleasedView.grant_id) == Grant.id, col(ReleasedView.dataset_version) == GrantVersion.number)
        .where(col(ReleasedView.state) == ViewState.COLLECTED, col(ReleasedView.note) == RECALLED)
        .correlate(Grant, GrantVersion)
    )
    withdrawn = (
        exists()
        .where(col(DatasetVersion.dataset_id) == Grant.dataset_id, col(DatasetVersion.number) == GrantVersion.number)
        .where(col(DatasetVersion.withdrawn_at).is_not(None))
        .correlate(Grant, GrantVersion)
    )
    rows = session.exec(
        select(Grant.id, GrantVersion.number)
        .join(GrantVersion, col(GrantVersion.grant_id) == Grant.id)
        .where(Grant.ends_at > now, GrantVersion.state == VersionState.JUDGED, ~made, ~withdrawn, ~returned())
        .where(or_(col(GrantVersion.number) >= Grant.dataset_version, emptied))
        .order_by(serves.desc(), col(Grant.created_at), col(GrantVersion.number).desc())
        .limit(limit)
    ).all()
    return [(grant_id, number) for grant_id, number in rows]


def claim_view(
    session: Session, values: dict[str, object], *, retake_before: datetime, again: Collection[str] = ()
) -> ReleasedView | None:
    """Return the row to build, claimed at values["claimed_at"]; None when it is made or somebody is at it.

    A claim that was last heard of before `retake_before` is taken over, and its first owner can no longer settle it.  A
    view in one of the states of `again` is made and measured again.
    """
    if insert_or_ignore(session, ReleasedView, **values):
        return view(session, str(values["id"]))
    if (there := same_view(session, values)) is None:
        return None
    free = (col(ReleasedView.state) == ViewState.BUILDING) & (col(ReleasedView.beat_at) <= retake_before)
    free = free | col(ReleasedView.state).in_([str(state) for state in again])
    now = values["claimed_at"]
    retake = (
        update(ReleasedView)
        .where(col(ReleasedView.id) == there.id, col(ReleasedView.claimed_at) == there.claimed_at, free)
        .values(
            state=ViewState.BUILDING.value, claimed_at=now, beat_at=now, tries=there.tries + 1, rows=0, parts_done=0,
            parts_total=values["parts_total"],
        )
    )  # fmt: skip
    if session.execute(retake).rowcount != 1:  # type: ignore[attr-defined]
        return None
    session.refresh(there)
    return there


def same_view(session: Session, values: dict[str, object]) -> ReleasedView | None:
    """Return the view of the same subject, version, epoch and recipe, in any state."""
    same = [
        getattr(ReleasedView, name) == values[name] for name in ("subject", "dataset_version", "epoch", "recipe_digest")
    ]
    return session.exec(select(ReleasedView).where(*same)).first()


def beat(session: Session, view_id: str, *, claimed_at: datetime, now: datetime, **progress: object) -> bool:
    """Say that a build is still under way, and how far; False when its claim was retaken."""
    return _change(session, view_id, claimed_at, {"beat_at": now, **progress})


def settle_view(session: Session, view_id: str, *, claimed_at: datetime, **values: object) -> bool:
    """End a build that this worker still holds the claim on; False when the claim was retaken."""
    return _change(session, view_id, claimed_at, values)


def _change(session: Session, view_id: str, claimed_at: datetime, values: dict[str, object]) -> bool:
    change = (
        update(ReleasedView)
        .where(col(ReleasedView.id) == view_id, col(ReleasedView.state) == ViewState.BUILDING)
        .where(col(ReleasedView.claimed_at) == claimed_at)
        .values(**values)
    )
    return session.execute(change).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def serve_from(session: Session, view_id: str, *, now: datetime) -> None:
    """Make a ready public view the one that serves from `now` on."""
    session.execute(update(ReleasedView).where(col(ReleasedView.id) == view_id).values(serves_from=now))


# ---- parts ----------------------------------------------------------------------------------------------------------


def parts_of(session: Session, view_id: str) -> Sequence[ViewPart]:
    """Return the Parquet parts of a view in their order."""
    return session.exec(select(ViewPart).where(ViewPart.view_id == view_id).order_by(col(ViewPart.position))).all()


def same_cuts(session: Session, cuts: Sequence[str]) -> dict[str, ViewPart]:
    """Return parts that were cut so before, measured and are still kept, by their cut."""
    found: dict[str, ViewPart] = {}
    for start in range(0, len(cuts), 500):
        asked = select(ViewPart).where(col(ViewPart.cut).in_(cuts[start : start + 500]), ViewPart.key != "")
        found |= {part.cut: part for part in session.exec(asked)}
    return found


def keep_part(session: Session, part: ViewPart) -> None:
    """Write down a part of a view that is being built; the same place is written twice when a build is taken over."""
    if (there := session.get(ViewPart, (part.view_id, part.position))) is not None:
        for name in ("part_id", "cut", "key", "sha256", "rows", "bytes"):
            setattr(there, name, getattr(part, name))
        session.add(there)
        return
    session.add(part)
