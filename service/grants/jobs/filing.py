"""Making whole views in the formats that somebody wanted, each once."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from service.base import blobs, clock, db, log
from service.grants import actions, engine, rules, store
from service.grants.actions import Wanted
from service.grants.engine import BuiltFile
from service.grants.jobs.keeping import Retaken, demand_there, keep, told
from service.grants.rules import Format


def make_wanted(limit: int = 20) -> int:
    """Make the files that are waited for; return how many were made.  Safe to run twice, late or at once."""
    with db.reading() as session:
        wanted = store.wanted_files(session, retake_before=clock.now(session) - rules.RETAKE_AFTER, limit=limit)
    return sum(make_file(view_id, format) for view_id, format in wanted)


def make_file(view_id: str, format: str) -> bool:
    """Make a file that is wanted; False when it is made, somebody is at it, or it could not be made."""
    with db.writing() as session:
        wanted = actions.claim_file(session, view_id, format, now=clock.now(session))
    if wanted is None:
        return False
    try:
        built, reasons = _made(wanted)
    except Exception as fault:
        built, reasons = None, [told(fault)]
    with db.writing() as session:
        if built is None:
            actions.note_failed_file(session, wanted, ", ".join(reasons), now=clock.now(session))
            log.info("grants", "file not made", view=view_id, format=format, fault=", ".join(reasons))
            return False
        demand_there(session, [built.key])
        return actions.settle_file(session, wanted, built, now=clock.now(session))


def _made(wanted: Wanted) -> tuple[BuiltFile | None, list[str]]:
    format = Format(wanted.file.format)
    with TemporaryDirectory(prefix="qiantang-file-") as folder, ExitStack() as held:
        parts = [held.enter_context(blobs.as_file(part.key)) for part in wanted.parts]
        job = engine.Write(tuple(parts), format, wanted.promise, wanted.view.rows, Path(folder))
        made = engine.do(job, lambda share: _beat(wanted, share))
        if made.reasons:
            return None, list(made.reasons)
        keep(made.file)
    return made.file, []


def _beat(wanted: Wanted, share: float) -> None:
    """Say how far the file is; Retaken when another worker has it."""
    with db.writing() as session:
        now, rows = clock.now(session), int(share * wanted.view.rows)
        if not store.settle_file(session, wanted.file, beat_at=now, rows=rows):
            raise Retaken
