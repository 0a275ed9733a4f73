"""What may be done about an upload.  Each is one change that tells the log; none commits, none touches a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store
from service.catalogue.actions import versions
from service.catalogue.actions.versions import StoredData
from service.catalogue.rules.uploads import (
    KEPT,
    LASTS,
    MOST_BYTES,
    MOST_OPEN,
    Choices,
    RunState,
    TooLong,
    TooManyUploads,
    UploadGone,
    WrongOffset,
)
from service.catalogue.store import uploads as rows
from service.catalogue.tables import ImportRun
from service.notices.actions import put
from service.people import store as people

SENT_BY_THEM = N_("带密级或内部标志的文件由一人上传、另一人清除，两人不得为同一人。")


def announce(
    session: Session, dataset_id: str, *, name: str, size: int, fingerprint: str, by: str, now: datetime
) -> ImportRun:
    """Enter an upload of `size` bytes that is to come; TooLong, TooManyUploads."""
    if size > MOST_BYTES:
        raise TooLong(most=MOST_BYTES)
    if rows.open_count(session, dataset_id) >= MOST_OPEN:
        raise TooManyUploads(most=MOST_OPEN)
    found = ImportRun(
        id=new_id(now), dataset_id=dataset_id, by=by, name=name, fingerprint=fingerprint, size=size,
        state=RunState.RECEIVING.value, created_at=now, expires_at=now + LASTS,
    )  # fmt: skip
    session.add(found)
    session.flush()
    _record(session, found, "upload:begin", by=by, now=now, dataset=dataset_id, size=size)
    return found


def demand_receiving(found: ImportRun, offset: int, *, now: datetime) -> None:
    """Raise UploadGone or WrongOffset unless a piece that begins at `offset` may come."""
    if found.state not in KEPT or found.expires_at <= now:
        raise UploadGone(state=found.state)
    if found.state != RunState.RECEIVING or offset != found.received:
        raise WrongOffset(offset=found.received)


def take_in(session: Session, found: ImportRun, size: int, *, by: str, now: datetime) -> ImportRun:
    """Note that `size` more bytes are on the disk; the last of them make the upload wait to be read."""
    received = found.received + size
    values: dict[str, Any] = {"received": received, "expires_at": now + LASTS}
    if received == found.size:
        values |= {"state": RunState.WAITING.value, "completed_at": now}
    if not rows.take_in(session, found.id, before=found.received, **values):
        raise UploadGone(state=found.state)
    changed = rows.run(session, found.id)
    session.refresh(changed)
    if received == found.size:
        _record(session, changed, "upload:complete", by=by, now=now, size=received)
    return changed


def read_again(session: Session, run_id: str, choices: Choices, *, by: str, now: datetime) -> None:
    """Have a file read in another way; WrongState unless it waits for its steward."""
    values: dict[str, Any] = {"found": None, "faults": [], "report": None, "tries": 0}
    values |= {"completed_at": now, "expires_at": now + LASTS}
    _change(session, run_id, RunState.CHECKED, RunState.WAITING, choices=choices.document(), **values)
    _record(session, rows.run(session, run_id), "upload:correct", by=by, now=now)


def confirm(session: Session, run_id: str, choices: Choices, *, by: str, now: datetime) -> None:
    """Have a file loaded as its steward has put it right; WrongState unless it waits for them."""
    values: dict[str, Any] = {"faults": [], "report": None, "tries": 0, "confirmed_by": by, "confirmed_at": now}
    _change(session, run_id, RunState.CHECKED, RunState.CONFIRMED, choices=choices.document(), **values)
    _record(session, rows.run(session, run_id), "upload:confirm", by=by, now=now, append=choices.append)


def end(session: Session, run_id: str, *, by: str, now: datetime) -> None:
    """Give an upload up; its file is to be deleted.  WrongState while somebody is at it, or once it has ended."""
    found = rows.run(session, run_id)
    states = [RunState.RECEIVING, RunState.WAITING, RunState.CHECKED]
    if not rows.change(session, run_id, states, state=RunState.ENDED.value, ended_at=now, ended_by=by):
        raise WrongState(state=found.state)
    _record(session, found, "upload:end", by=by, now=now)


def purge(session: Session, run_id: str, *, reason: str, by: str, now: datetime) -> None:
    """Have a file with secrecy marks deleted, for a reason that stays; WrongState, SecondPersonRequired."""
    found = rows.run(session, run_id)
    if found.state != RunState.QUARANTINED:
        raise WrongState(state=found.state)
    if found.by == by:
        raise SecondPersonRequired(SENT_BY_THEM)
    values: dict[str, Any] = {"reason": reason, "ended_at": now, "ended_by": by}
    _change(session, run_id, RunState.QUARANTINED, RunState.PURGED, **values)
    _record(session, found, "upload:purge", by=by, now=now, reason=len(reason))


def expire(session: Session, found: ImportRun, *, by: str, now: datetime) -> bool:
    """End an upload whose time is over; False when something else has become of it."""
    values: dict[str, Any] = {"state": RunState.EXPIRED.value, "ended_at": now, "ended_by": by}
    if not rows.change(session, found.id, [found.state], **values):
        return False
    _record(session, found, "upload:expire", by=by, now=now)
    return True


# ---- what a worker finds --------------------------------------------------------------------------------------------


def settle_checked(
    session: Session, found: ImportRun, *, now: datetime, faults: Sequence[Mapping[str, Any]] = (),
    report: Mapping[str, Any] | None = None, looked: Mapping[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Give a file back to its steward: with what was found in it, or with why it could not be read or loaded so."""
    values: dict[str, Any] = {"faults": list(faults), "report": report, "state": RunState.CHECKED.value}
    values |= {"found": looked} if looked is not None else {}
    if not rows.settle(session, found, **values, progress=None, expires_at=now + LASTS):
        return False
    _record(session, found, "upload:check", by=found.by, now=now, faults=len(faults))
    _tell(session, found, "upload-checked", now=now)
    return True


def settle_loaded(session: Session, found: ImportRun, data: StoredData, *, now: datetime) -> bool:
    """Enter the version that a file became, in the name of whoever confirmed it; raises as add_version does."""
    choices, by = Choices(**found.choices), found.confirmed_by or found.by
    values: dict[str, Any] = {"report": data.report, "faults": [], "progress": None, "ended_at": now}
    if not rows.settle(session, found, state=RunState.DONE.value, **values):
        return False
    version = versions.add_version(
        session, found.dataset_id, [data], append=choices.append, by=by, report=data.report, now=now
    )
    rows.change(session, found.id, [RunState.DONE], number=version.number)
    _record(session, found, "upload:load", by=by, now=now, number=version.number, rows=data.rows, sha256=data.sha256)
    _tell(session, found, "upload-loaded", now=now, version=version.number)
    return True


def settle_refused(session: Session, found: ImportRun, faults: Sequence[Mapping[str, Any]], *, now: datetime) -> bool:
    """Say that a file cannot be taken in, however it is read; it is to be deleted."""
    values: dict[str, Any] = {"faults": list(faults), "progress": None, "ended_at": now}
    if not rows.settle(session, found, state=RunState.REFUSED.value, **values):
        return False
    _record(session, found, "upload:refuse", by=found.by, now=now, faults=len(faults))
    _tell(session, found, "upload-refused", now=now)
    return True


def settle_quarantined(session: Session, found: ImportRun, marks: Sequence[str], *, now: datetime) -> bool:
    """Keep a file with secrecy marks apart: nothing of it is shown, and a second person is to purge it."""
    values: dict[str, Any] = {"marks": list(marks), "found": None, "report": None, "faults": [], "progress": None}
    if not rows.settle(session, found, state=RunState.QUARANTINED.value, **values):
        return False
    _record(session, found, "upload:quarantine", by=found.by, now=now, marks=len(marks))
    dataset = store.dataset(session, found.dataset_id)
    facts = {"dataset": dataset.title, "id": dataset.id, "upload": found.id}
    for to_unit, role in ((dataset.source_unit_id, Role.STEWARD), (None, Role.AUTHORITY)):
        put(session, kind="upload-quarantined", to_unit=to_unit, to_role=role, facts=facts, now=now)
    return True


def _change(session: Session, run_id: str, before: RunState, state: RunState, **values: Any) -> None:
    if not rows.change(session, run_id, [before], state=state.value, **values):
        raise WrongState(state=rows.run(session, run_id).state)


def _record(session: Session, found: ImportRun, kind: str, *, by: str, now: datetime, **facts: object) -> None:
    record(session, subject=f"upload:{found.id}", kind=kind, by=by, now=now, facts=facts)


def _tell(session: Session, found: ImportRun, kind: str, *, now: datetime, **facts: object) -> None:
    """Tell whoever sent the file, and whoever confirmed it."""
    dataset = store.dataset(session, found.dataset_id)
    about = {"dataset": dataset.title, "id": dataset.id, "upload": found.id, **facts}
    for person in sorted({found.by, found.confirmed_by or found.by}):
        if people.names_of(session, [person]):
            put(session, kind=kind, to_person=person, facts=about, now=now)


def demand_steward(session: Session, dataset_id: str, *, unit_id: str) -> None:
    """Raise NotFound unless the dataset is one of the unit's own."""
    if store.dataset(session, dataset_id).source_unit_id != unit_id:
        raise NotFound()
