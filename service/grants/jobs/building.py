"""Building released views, part by part.

A view is built between short transactions: claim, one for each part, settle.  A worker that dies leaves a claim that
grows old and is taken over; parts that were made by then are not made again, and the row says `ready` only when every
file is in the store, so there is never half a view.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock, db, log
from service.base.errors import Refusal
from service.grants import actions, engine, rules, store
from service.grants.actions import Claimed, Source
from service.grants.engine import BuiltFile
from service.grants.jobs.keeping import Retaken, demand_there, keep, told
from service.grants.rules import AT_ONCE, Format, ViewBuilding, ViewHeld, ViewState
from service.grants.tables import ReleasedView, ViewPart


class Worse(Exception):
    """The bytes are worse than their verdict.  `reasons` are those of the measuring."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = list(reasons)


def build_missing(limit: int = 20, *, pepper: bytes | None = None) -> int:
    """Build the views that grants are waiting for; return how many were made.  Safe to run twice, late or at once.

    Without `pepper` those that need keys are left for whoever has it.
    """
    with db.reading() as session:
        now = clock.now(session)
        waiting = store.without_view(session, now=now, retake_before=now - rules.RETAKE_AFTER, limit=limit)
    return sum(build_grant_view(grant_id, number, pepper=pepper) for grant_id, number in waiting)


def build_grant_view(grant_id: str, number: int | None = None, *, pepper: bytes | None = None) -> bool:
    """Build the view of one grant on a version (None: the one that it serves).

    False when it is made, somebody is at it, or it could not be made.  Raises nothing, so that one grant does not hold
    up the others: what went wrong stands on the view's row, or in the log when there is none, and is tried again.
    """
    try:
        with db.writing() as session:
            now = clock.now(session)
            claimed = actions.claim_grant_view(session, grant_id, now=now, number=number, pepper=pepper)
    except (Refusal, ValueError) as fault:
        log.info("grants", "view not begun", grant=grant_id, fault=f"{type(fault).__name__}: {fault}")
        return False
    return claimed is not None and build(claimed)


def build_public_view(dataset_id: str, columns: Sequence[str], *, version: int | None = None) -> ReleasedView:
    """Build the standing public view of a dataset and return it; the same recipe is not built twice.

    `version` None is the latest.  Raises ViewHeld when the bytes measured worse than they should, ViewBuilding when
    another worker is at it or the build failed.
    """
    with db.writing() as session:
        found = actions.claim_public_view(session, dataset_id, columns, version=version, now=clock.now(session))
    if isinstance(found, Claimed):
        build(found)
    view_id = found.view_id if isinstance(found, Claimed) else found.id
    with db.reading() as session:
        view = store.view(session, view_id)
    if view.state == ViewState.QUARANTINED:
        raise ViewHeld(retry_after=3600, reasons=view.note)
    if view.state != ViewState.READY:
        raise ViewBuilding(retry_after=30)
    return view


def build(claimed: Claimed) -> bool:
    """Do the work of a claim; False when it did not end in a view that may be read."""
    try:
        parts = _parts(claimed)
        files = _files(claimed, parts)
    except Worse as worse:
        with db.writing() as session:
            actions.settle_quarantined(session, claimed, worse.reasons, now=clock.now(session))
        return False
    except Exception as fault:
        _note(claimed, told(fault))
        return False
    with db.writing() as session:
        demand_there(session, [file.key for file in files.values()])
        return actions.settle_ready(session, claimed, files, now=clock.now(session))


# ---- parts ----------------------------------------------------------------------------------------------------------


def _parts(claimed: Claimed) -> list[ViewPart]:
    """Return the parts of a view, in their order: each as it was cut before, or cut, measured and stored now."""
    cuts = actions.cuts_of(claimed)
    with db.reading() as session:
        made = store.same_cuts(session, [cut for _sources, cut in cuts])
    parts: list[ViewPart] = []
    for position, (sources, cut) in enumerate(cuts):
        part = _copied(claimed, position, made[cut]) if cut in made else _cut(claimed, position, sources, cut)
        parts.append(part)
        rows = sum(part.rows for part in parts)
        with db.writing() as session:
            demand_there(session, [part.key])
            if not actions.keep_part(session, claimed, part, rows=rows, now=clock.now(session)):
                raise Retaken
    return parts


def _copied(claimed: Claimed, position: int, there: ViewPart) -> ViewPart:
    values = there.model_dump() | {"view_id": claimed.view_id, "position": position}
    return ViewPart(**values)


def _cut(claimed: Claimed, position: int, sources: Sequence[Source], cut: str) -> ViewPart:
    with TemporaryDirectory(prefix="qiantang-view-") as folder, ExitStack() as held:
        files = [held.enter_context(blobs.as_file(source.key)) for source in sources]
        job = engine.Cut(tuple(files), claimed.recipe, Path(folder), claimed.keys)
        made = engine.do(job, lambda _share: _beat(claimed))
        if made.reasons:
            raise Worse(made.reasons)
        built = made.file
        keep(built)
    part_id = sources[0].part_id if len(sources) == 1 else None
    return ViewPart(
        view_id=claimed.view_id, position=position, part_id=part_id, cut=cut, key=built.key, sha256=built.sha256,
        rows=built.rows, bytes=built.size,
    )  # fmt: skip


# ---- files ----------------------------------------------------------------------------------------------------------


def _files(claimed: Claimed, parts: Sequence[ViewPart]) -> Mapping[Format, BuiltFile]:
    """Return the files that are made together with a view, in the store."""
    return {format: _file(claimed, parts, format) for format in AT_ONCE}


def _file(claimed: Claimed, parts: Sequence[ViewPart], format: Format) -> BuiltFile:
    if format is Format.PARQUET and len(parts) == 1:
        [part] = parts
        return BuiltFile(Path(part.key), part.key, part.sha256, part.bytes, part.rows)
    with TemporaryDirectory(prefix="qiantang-file-") as folder, ExitStack() as held:
        files = [held.enter_context(blobs.as_file(part.key)) for part in parts]
        rows = sum(part.rows for part in parts)
        job = engine.Write(tuple(files), format, claimed.recipe.promise, rows, Path(folder))
        made = engine.do(job, lambda _share: _beat(claimed))
        if made.reasons:
            raise Worse(made.reasons)
        keep(made.file)
    return made.file


def _beat(claimed: Claimed) -> None:
    """Say that the work goes on; Retaken when another worker has it."""
    with db.writing() as session:
        if not store.beat(session, claimed.view_id, claimed_at=claimed.claimed_at, now=clock.now(session)):
            raise Retaken


def _note(claimed: Claimed, fault: str) -> None:
    with db.writing() as session:
        actions.note_failed_build(session, claimed, fault, now=clock.now(session))
    log.info("grants", "view not built", view=claimed.view_id, fault=fault)
