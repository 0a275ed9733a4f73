"""Work on grants that nobody waits for: building views, reminding, flagging.  A late job changes no right.

A view is built between two short transactions: claim, work, settle.  A worker that dies leaves a claim that grows old
and is taken over; the files go into the store before the row says `ready`, so there is never half a view.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock, db, log
from service.base.errors import Refusal
from service.grants import actions, engine, rules, store
from service.grants.actions import Claimed
from service.grants.engine import BuiltFile, BuiltView
from service.grants.rules import BadRecipe, ViewBuilding, ViewHeld, ViewState
from service.grants.tables import ReleasedView
from service.policy import engine as policy

# ---- views ----------------------------------------------------------------------------------------------------------


def build_missing(limit: int = 20) -> int:
    """Build the views that grants are waiting for; return how many were made.  Safe to run twice, late or at once."""
    with db.reading() as session:
        now = clock.now(session)
        waiting = store.without_view(session, now=now, retake_before=now - rules.RETAKE_AFTER, limit=limit)
    return sum(build_grant_view(grant_id) for grant_id in waiting)


def build_grant_view(grant_id: str) -> bool:
    """Build the view of one grant; False when it is made, somebody is at it, or it could not be made.

    Raises nothing, so that one grant does not hold up the others: what went wrong stands on the view's row, or in the
    log when there is none, and is tried again.
    """
    try:
        with db.writing() as session:
            claimed = actions.claim_grant_view(session, grant_id, now=clock.now(session))
    except (Refusal, ValueError) as fault:
        log.info("grants", "view not begun", grant=grant_id, fault=f"{type(fault).__name__}: {fault}")
        return False
    return claimed is not None and _build(claimed)


def build_public_view(dataset_id: str, columns: Sequence[str], *, version: int | None = None) -> ReleasedView:
    """Build the standing public view of a dataset and return it; the same recipe is not built twice.

    `version` None is the latest.  Raises ViewHeld when the bytes measured worse than they should, ViewBuilding when
    another worker is at it or the build failed.
    """
    with db.writing() as session:
        found = actions.claim_public_view(session, dataset_id, columns, version=version, now=clock.now(session))
    if isinstance(found, Claimed):
        _build(found)
    view_id = found.view_id if isinstance(found, Claimed) else found.id
    with db.reading() as session:
        view = store.view(session, view_id)
    if view.state == ViewState.QUARANTINED:
        raise ViewHeld(retry_after=3600, reasons=view.note)
    if view.state != ViewState.READY:
        raise ViewBuilding(retry_after=30)
    return view


def _build(claimed: Claimed) -> bool:
    try:
        return _work(claimed)
    except Exception as fault:
        _note(claimed, _told(fault))
        return False


def _told(fault: Exception) -> str:
    """Return what may be told of a fault: DuckDB and Arrow repeat the value that they stumbled over, ours do not."""
    kind = type(fault).__name__
    return f"{kind}: {fault}" if isinstance(fault, BadRecipe | OSError) else kind


def _work(claimed: Claimed) -> bool:
    with TemporaryDirectory(prefix="qiantang-view-") as folder, blobs.as_file(claimed.source_key) as source:
        built = engine.build_view(source, claimed.recipe, Path(folder))
        reasons = engine.measure(built, claimed.recipe)
        if not reasons:
            _keep(built)
    with db.writing() as session:
        now = clock.now(session)
        if reasons:
            actions.settle_quarantined(session, claimed, reasons, now=now)
            return False
        return actions.settle_ready(session, claimed, built, now=now)


def _keep(built: BuiltView) -> None:
    for file in (built.parquet, built.csv):
        blobs.put(file.key, file.path)
        _verify(file)


def _verify(file: BuiltFile) -> None:
    """Read a file back from the store: what goes out must be what was measured."""
    with blobs.as_file(file.key) as kept:
        if engine.sha256(kept) != file.sha256:
            raise OSError(f"the store holds other bytes under {file.key}")


def _note(claimed: Claimed, fault: str) -> None:
    with db.writing() as session:
        actions.note_failed_build(session, claimed, fault, now=clock.now(session))
    log.info("grants", "view not built", view=claimed.view_id, fault=fault)


# ---- reminders and flags --------------------------------------------------------------------------------------------


def remind_of_expiry(limit: int = 100) -> int:
    """Queue the 30, 7 and 1 day reminders that are due; return how many.  Safe to run twice or late."""
    return sum(_remind(days, more, most, limit) for days, more, most in rules.windows())


def _remind(days: int, more_than: timedelta, at_most: timedelta, limit: int) -> int:
    with db.writing() as session:
        now = clock.now(session)
        due = store.reminders_due(session, days, more_than=more_than, at_most=at_most, now=now, limit=limit)
        return sum(actions.remind(session, grant, days=days, now=now) for grant in due)


def flag_unconfirmed_suspensions(limit: int = 100) -> int:
    """Tell the authority of suspensions that nobody confirmed within a working day; return how many.

    It only tells: the suspension stays until a person confirms or lifts it.
    """
    works = policy.current().calendar.works
    with db.writing() as session:
        now = clock.now(session)
        told = 0
        for grant, suspension in store.unflagged(session, limit=limit):
            due = rules.confirmation_due(suspension.at, works=works)
            told += due <= now and actions.flag(session, grant, suspension, due=due, now=now)
        return told
