"""Reading and loading what stewards upload, file by file, each in a child process with limits.

A worker claims an upload, works without a transaction, and settles it in one.  While it works it is heard of now and
then; a claim that was not is a dead worker's and is taken over.  A file is deleted after its end is on record.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.base import blobs, clock, db, log
from service.base.db import Session
from service.base.errors import Refusal, Unavailable
from service.base.i18n import N_
from service.catalogue import store
from service.catalogue.actions import uploads as actions
from service.catalogue.actions.versions import StoredData
from service.catalogue.engine import loading, parked
from service.catalogue.engine.loading import Inspected, Loaded, Progress, Reading, Tolerance, Wanted
from service.catalogue.rules import BadData, ColumnType, TooDemanding
from service.catalogue.rules.uploads import MOST_TRIES, RETAKE_AFTER, Choices, RunState
from service.catalogue.store import uploads as rows
from service.catalogue.tables import Dataset, DatasetColumn, ImportRun

BEAT = 5.0  # seconds between two words of a worker
STRAY = 3600.0  # seconds after which a file that no upload owns is deleted
BROKEN = N_("系统读取这个文件时出错，已记入日志。请告知系统运维人员。")
NO_ROOM = N_("服务器的磁盘空间不足，腾出空间后会自动再试。请告知系统运维人员。")
LOST = N_("服务器上找不到这个文件。")
BY = "job"
TEXTS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".zip")  # what may be read in another way

Settle = Callable[[Session, datetime], bool]


def read_uploads(home: Path, *, limit: int = 20) -> int:
    """Look at the files that have come whole; return how many.  Safe to run twice, late or at once."""
    return _work(home, RunState.WAITING, _read, limit)


def load_uploads(home: Path, *, limit: int = 20) -> int:
    """Load the files that their stewards have confirmed; return how many.  Safe to run twice, late or at once."""
    return _work(home, RunState.CONFIRMED, _load, limit)


def expire_uploads(home: Path) -> int:
    """End the uploads whose time is over and delete files that no upload owns; return how many ended."""
    with db.writing() as session:
        now = clock.now(session)
        ended = [found for found in rows.lapsed(session, now=now) if actions.expire(session, found, by=BY, now=now)]
    for found in ended:
        parked.remove(parked.path(home, found.id, found.name))
    strays = dict(parked.strays(home, before=time.time() - STRAY))
    with db.reading() as session:
        kept = rows.kept(session, list(strays))
    for run_id, file in strays.items():
        if run_id not in kept:
            parked.remove(file)
    return len(ended)


def _work(home: Path, state: RunState, do: Callable[[Path, ImportRun], Settle], limit: int) -> int:
    done = 0
    while done < limit and (found := _claimed(state)) is not None:
        done += 1
        _settle(found, _outcome(home, found, do))
        _tidy(home, found)
    return done


def _settle(found: ImportRun, settle: Settle) -> None:
    """Enter what became of an upload; what cannot be entered is refused."""
    try:
        with db.writing() as session:
            settle(session, clock.now(session))
    except Refusal as fault:
        with db.writing() as session:
            _refused(found, [_said(fault)])(session, clock.now(session))


def _claimed(state: RunState) -> ImportRun | None:
    with db.writing() as session:
        now = clock.now(session)
        return rows.claim(session, [state], now=now, retake_before=now - RETAKE_AFTER)


def _outcome(home: Path, found: ImportRun, do: Callable[[Path, ImportRun], Settle]) -> Settle:
    """Return how an upload is to be settled, whatever happens at it.  Raises Unavailable when the disk is full."""
    source = parked.path(home, found.id, found.name)
    if not source.is_file():
        return _refused(found, [_told(LOST)])
    try:
        with _beating(found):
            return do(source, found)
    except BadData as fault:
        return _bad(found, fault)
    except Unavailable:  # the claim grows old, and a later turn tries again
        _beat(found, faults=[_told(NO_ROOM)])
        raise
    except Refusal as fault:
        return _refused(found, [_said(fault)])
    except Exception as fault:
        log.error("uploads", "not read", upload=found.id, fault=_place(fault))
        if found.tries < MOST_TRIES:
            raise
        return _refused(found, [_told(BROKEN)])


def _place(fault: Exception) -> str:
    """Return what is known of a fault without its words, which may repeat a value; the child's say only where."""
    return str(fault) if isinstance(fault, loading.Fault) else type(fault).__name__


def _bad(found: ImportRun, fault: BadData) -> Settle:
    """Keep a marked file apart, give back what may be read otherwise, refuse the rest."""
    told = [dict(one) for one in fault.told]
    if fault.marks:
        return lambda session, now: actions.settle_quarantined(session, found, fault.marks, now=now)
    mendable = found.found is not None or Path(found.name).suffix.lower() in TEXTS
    if isinstance(fault, TooDemanding) or not mendable:
        return _refused(found, told)
    return lambda session, now: actions.settle_checked(session, found, faults=told, report=fault.report, now=now)


def _refused(found: ImportRun, told: Sequence[Mapping[str, Any]]) -> Settle:
    return lambda session, now: actions.settle_refused(session, found, told, now=now)


def _said(fault: Refusal) -> dict[str, Any]:
    return _told(fault.detail or fault.title, **{name: fact for name, fact in fault.facts.items() if name != "errors"})


def _told(message: str, **blanks: Any) -> dict[str, Any]:
    return {"field": "", "message": message, "blanks": blanks}


# ---- reading --------------------------------------------------------------------------------------------------------


def _read(source: Path, found: ImportRun) -> Settle:
    with db.reading() as session:
        known = _known(session, found.dataset_id)
    choices = Choices(**found.choices)
    reading = Reading(choices.encoding, choices.delimiter, choices.sheet, choices.member)
    with TemporaryDirectory(prefix="qiantang-upload-") as folder:
        looked = loading.inspect(source, Path(folder), reading=reading, known=known)
    if looked.marks:
        return lambda session, now: actions.settle_quarantined(session, found, looked.marks, now=now)
    return lambda session, now: actions.settle_checked(session, found, looked=looked.document(), now=now)


def _known(session: Session, dataset_id: str) -> dict[str, list[str]]:
    """Return what each column may be called in a file: as in the last file, by its name, by its titles."""
    before = rows.last_mapping(session, dataset_id)
    return {
        column.name: [*filter(None, [before.get(column.name)]), column.name, column.title_zh, column.title_en]
        for column in store.columns(session, dataset_id)
    }


# ---- loading --------------------------------------------------------------------------------------------------------


def _load(source: Path, found: ImportRun) -> Settle:
    with db.reading() as session:
        dataset, columns = store.dataset(session, found.dataset_id), store.columns(session, found.dataset_id)
    with TemporaryDirectory(prefix="qiantang-upload-") as folder:
        loaded = _loaded(source, Path(folder), found, dataset, columns)
        if loaded.marks:
            return lambda session, now: actions.settle_quarantined(session, found, loaded.marks, now=now)
        key = f"raw/{loaded.sha256}.parquet"
        blobs.put(key, loaded.path)
    data = StoredData(
        key, loaded.sha256, loaded.rows, loaded.bytes, loaded.period_from, loaded.period_to, loaded.report.document()
    )
    return lambda session, now: actions.settle_loaded(session, found, data, now=now)


def _loaded(source: Path, folder: Path, found: ImportRun, dataset: Dataset, columns: Sequence[DatasetColumn]) -> Loaded:
    choices = Choices(**found.choices)
    looked = Inspected.of(found.found or {})
    return loading.load(
        source, folder, wanted_of(looked, columns, choices.mapping), time_column=dataset.time_column,
        reading=reading_of(looked, choices), tolerance=Tolerance(share=choices.most / 100), hear=_hearing(found),
    )  # fmt: skip


def wanted_of(looked: Inspected, columns: Sequence[DatasetColumn], mapping: Mapping[str, int]) -> list[Wanted]:
    """Return what is wanted of each column of a file, in the file's order; what is no column of ours is left out."""
    ours = {mapping[column.name]: (place, column) for place, column in enumerate(columns) if column.name in mapping}
    wanted = []
    for at, guess in enumerate(looked.columns):
        if at in ours:
            place, column = ours[at]
            wanted.append(Wanted(guess.heading, column.name, ColumnType(column.type), place))
        else:
            wanted.append(Wanted(guess.heading, "", ColumnType.STRING))
    return wanted


def reading_of(looked: Inspected, choices: Choices) -> Reading:
    """Return how a file is to be read: as it was looked at.  Several files in a zip may each have an encoding."""
    several = len(looked.members) > 1 and looked.reading.member is None
    seen = looked.reading
    return Reading(choices.encoding if several else seen.encoding, seen.delimiter, seen.sheet, seen.member)


# ---- the worker's word ----------------------------------------------------------------------------------------------


def _hearing(found: ImportRun) -> Callable[[Progress], None]:
    """Return what writes progress down, about once a second and at each new stage."""
    last, at = "", time.monotonic()

    def hear(progress: Progress) -> None:
        nonlocal last, at
        now = time.monotonic()
        if progress.stage != last or now - at >= 1.0:
            last, at = progress.stage, now
            _beat(found, progress={"stage": progress.stage, "rows": progress.rows, "bytes": progress.bytes})

    return hear


def _beat(found: ImportRun, **values: Any) -> None:
    with db.writing() as session:
        rows.settle(session, found, beat_at=clock.now(session), **values)


@contextmanager
def _beating(found: ImportRun) -> Iterator[None]:
    """Be heard of every few seconds, whatever the work is at."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            try:
                _beat(found)
            except Exception as fault:
                log.info("uploads", "not heard of", upload=found.id, fault=type(fault).__name__)

    thread = threading.Thread(target=beat, name="upload-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _tidy(home: Path, found: ImportRun) -> None:
    """Delete the file of an upload that has come to its end."""
    with db.reading() as session:
        kept = rows.kept(session, [found.id])
    if not kept:
        parked.remove(parked.path(home, found.id, found.name))
