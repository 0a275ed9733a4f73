"""Loading a version, publishing it, withdrawing it.  Each is one change that tells the log; none commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_, gettext
from service.base.ids import new_id
from service.catalogue import store
from service.catalogue.actions import recalls
from service.catalogue.rules import versions as rules
from service.catalogue.rules.versions import Change, NotAppendable, VersionState
from service.catalogue.store import history as rows
from service.catalogue.store import secrecy
from service.catalogue.tables import DatasetPart, DatasetVersion

LOADED_BY_THEM = N_("版本由一人导入、另一人发布，两人不得为同一人。")
OTHER_COLUMN = N_("追加的数据须有与前一版本相同的字段和类型；字段有变的，须整体导入")


@dataclass(frozen=True, slots=True)
class StoredData:
    """Data that lies in the blob store already; its rows are typed as the manifest says.

    `report` says what was left out when it was read (loading.Report), without a value.
    """

    blob_key: str
    sha256: str
    rows: int
    bytes: int
    period_from: date | None
    period_to: date | None
    report: Mapping[str, Any] | None = None


def add_version(
    session: Session, dataset_id: str, data: Sequence[StoredData], *, append: bool, by: str, now: datetime,
    renamed: Mapping[str, str] | None = None, report: Mapping[str, Any] | None = None,
) -> DatasetVersion:  # fmt: skip
    """Load data as the next version, which waits to be published; return it.

    `append` keeps the parts of the newest version that was not withdrawn and adds those of `data` that it does not
    have; otherwise the version holds `data` alone.  Its columns are those the dataset has now; `renamed` says new name
    → old.
    What would be the same version again is returned as it is.  Raises NotAppendable when the columns are not those of
    the parts before.
    """
    rows.take_turns(session, dataset_id)
    base = rows.base_or_none(session, dataset_id)
    columns = schema(session, dataset_id)
    before = store.parts(session, dataset_id, base.number) if base else []
    if append and base:
        _demand_same_columns(base, columns)
    held = _with(session, dataset_id, before if append else [], data, now=now)
    digest = rules.manifest_digest(columns, [(part.sha256, part.rows) for part in held])
    if base and base.sha256 == digest:
        return base
    newest = store.newest_or_none(session, dataset_id)
    number = newest.number + 1 if newest else 1
    changes = rules.differences(rules.fields(base.columns), rules.fields(columns), renamed=renamed) if base else ()
    row = DatasetVersion(
        dataset_id=dataset_id, number=number, sha256=digest, columns=columns, created_at=now, loaded_by=by,
        changes=[change.document() for change in changes], report=dict(report) if report else None, **_summed(held),
    )  # fmt: skip
    session.add(row)
    rows.hold_parts(session, dataset_id, number, held)
    session.flush()
    facts = {"rows": row.rows, "parts": len(held), "sha256": digest, "breaking": _breaking(changes)}
    _record(session, row, "version:load", by=by, now=now, **facts)
    return row


def publish_version(session: Session, dataset_id: str, number: int, *, by: str, now: datetime) -> DatasetVersion:
    """Give the public a version that was loaded; one that is published already stays as it is.

    `latest` points at it at once, or after the overlap when it breaks what readers have.  Raises NotFound,
    VersionWithdrawn, VersionOvertaken, SecrecyReviewMissing, and SecondPersonRequired for the one who loaded it.
    """
    rows.take_turns(session, dataset_id)
    row = rows.version_anew(session, dataset_id, number)
    if row.state == VersionState.PUBLISHED:
        return row
    review = demand_publishable(session, row, by=by)
    before = rows.newest_published(session, dataset_id)
    latest = store.latest_or_none(session, dataset_id, now=now)
    row.latest_from = _latest_from(session, row, latest, now=now)
    row.state, row.published_at = VersionState.PUBLISHED.value, now
    if before is not None and before.number != number - 1:
        changes = rules.differences(rules.fields(before.columns), rules.fields(row.columns), renamed=_renames(row))
        row.changes = [change.document() for change in changes]
    session.add(row)
    _count_records(session, row, before)
    session.flush()
    facts = {"review": review, "sha256": row.sha256, "latest_from": row.latest_from.astimezone(UTC).isoformat()}
    _record(session, row, "version:publish", by=by, now=now, **facts)
    return row


def withdraw_version(
    session: Session, dataset_id: str, number: int, *, reason: Mapping[str, str], successor: int | None = None,
    by: str, now: datetime,
) -> DatasetVersion:  # fmt: skip
    """Serve a version no more, for good; return it.  `reason` has a text "zh" and may have one "en".

    When nothing else is left for `latest`, the version that waits shortest for its overlap is waited for no longer.
    Raises NotFound (for the successor too, unless it is published), WrongState when it is withdrawn already.
    """
    rows.take_turns(session, dataset_id)
    row = rows.version_anew(session, dataset_id, number)
    if row.state == VersionState.WITHDRAWN:
        raise WrongState(state=row.state)
    if successor is not None:
        _demand_successor(session, row, successor)
    was_public = row.state == VersionState.PUBLISHED
    row.state, row.withdrawn_at, row.successor = VersionState.WITHDRAWN.value, now, successor
    row.withdrawn_reason_zh, row.withdrawn_reason_en = reason["zh"], reason.get("en", "")
    session.add(row)
    session.flush()
    opened = _end_of_waiting(session, dataset_id, now=now) if was_public else None
    facts = {"successor": successor, "was_public": was_public, "opened": opened}
    _record(session, row, "version:withdraw", by=by, now=now, **facts)
    return row


def demand_served(row: DatasetVersion) -> DatasetVersion:
    """Return a version that somebody asks for by its number; NotFound while it is not published, VersionWithdrawn."""
    if row.published_at is None:
        raise NotFound()
    if row.state == VersionState.WITHDRAWN:
        raise withdrawn(row)
    return row


def withdrawn(row: DatasetVersion) -> rules.VersionWithdrawn:
    return rules.VersionWithdrawn(version=row.number, successor=row.successor, reason=row.withdrawn_reason)


def schema(session: Session, dataset_id: str) -> list[dict[str, Any]]:
    """Return the columns that a dataset has now as a version keeps them."""
    return [
        {"name": each.name, "type": each.type, "semantic": each.semantic, "level": each.level}
        for each in store.columns(session, dataset_id)
    ]


# ---- parts ----------------------------------------------------------------------------------------------------------


def _with(
    session: Session, dataset_id: str, before: Sequence[DatasetPart], data: Sequence[StoredData], *, now: datetime
) -> list[DatasetPart]:
    """Return the parts of a new version; bytes that are a part of the dataset already are that part again."""
    held = list(before)
    for each in data:
        recalls.demand_not_recalled(session, each.sha256)
        part = rows.part_with(session, dataset_id, each.sha256)
        if part is None:
            part = DatasetPart(
                id=new_id(now), dataset_id=dataset_id, blob_key=each.blob_key, sha256=each.sha256, rows=each.rows,
                bytes=each.bytes, period_from=each.period_from, period_to=each.period_to, created_at=now,
            )  # fmt: skip
            session.add(part)
            session.flush()
        if part.id not in {other.id for other in held}:
            held.append(part)
    return held


def _summed(held: Sequence[DatasetPart]) -> dict[str, Any]:
    firsts = [part.period_from for part in held if part.period_from]
    lasts = [part.period_to for part in held if part.period_to]
    return {
        "rows": sum(part.rows for part in held), "bytes": sum(part.bytes for part in held),
        "period_from": min(firsts, default=None), "period_to": max(lasts, default=None),
    }  # fmt: skip


def _demand_same_columns(base: DatasetVersion, columns: Sequence[Mapping[str, Any]]) -> None:
    before = [(each["name"], each["type"]) for each in base.columns]
    after = [(each["name"], each["type"]) for each in columns]
    if before != after:
        wrong = [name for name, _type in dict.fromkeys([*before, *after]) if (name, _type) not in {*before} & {*after}]
        names = list(dict.fromkeys(wrong)) or [name for name, _type in after]
        raise NotAppendable(errors=[{"field": name, "message": gettext(OTHER_COLUMN)} for name in names])


# ---- publishing -----------------------------------------------------------------------------------------------------


def demand_publishable(session: Session, row: DatasetVersion, *, by: str) -> str:
    """Return the id of the review that clears a version for publication, empty for one that is published already.

    Raises what publish_version raises.
    """
    if row.state == VersionState.PUBLISHED:
        return ""
    if row.state == VersionState.WITHDRAWN:
        raise withdrawn(row)
    newest = rows.newest_published(session, row.dataset_id)
    if newest is not None and newest.number > row.number:
        raise rules.VersionOvertaken(version=newest.number)
    review = secrecy.standing_review(session, row.dataset_id, row.number)
    if review is None or review.outcome != "cleared":
        raise rules.SecrecyReviewMissing(version=row.number)
    if row.loaded_by == by and review.place == "service":
        raise SecondPersonRequired(LOADED_BY_THEM)
    return review.id


def _latest_from(session: Session, row: DatasetVersion, latest: DatasetVersion | None, *, now: datetime) -> datetime:
    waiting = rows.held(session, row.dataset_id, now=now)
    held = next(((rules.fields(each.columns), each.latest_from) for each in waiting if each.latest_from), None)
    before = rules.fields(latest.columns) if latest else None
    return rules.latest_from(rules.fields(row.columns), latest=before, held=held, now=now)


def _renames(row: DatasetVersion) -> dict[str, str]:
    return {each["to"]: each["from"] for each in row.changes if each["kind"] == rules.ChangeKind.RENAMED}


def _count_records(session: Session, row: DatasetVersion, before: DatasetVersion | None) -> None:
    """Let the entry's number of records follow the rows, where it did before; a manifest may count otherwise."""
    found = store.dataset(session, row.dataset_id)
    if before is not None and found.records == before.rows:
        found.records = row.rows
        session.add(found)


def _demand_successor(session: Session, row: DatasetVersion, successor: int) -> None:
    other = store.version(session, row.dataset_id, successor)
    if other.number == row.number or other.state != VersionState.PUBLISHED:
        raise NotFound()


def _end_of_waiting(session: Session, dataset_id: str, *, now: datetime) -> int | None:
    """Let `latest` go to a version that waits when it has nowhere else to point; return that version's number."""
    if store.latest_or_none(session, dataset_id, now=now) is not None:
        return None
    following = rules.next_in_line(rows.held(session, dataset_id, now=now), now)
    if following is None:
        return None
    following.latest_from = now
    session.add(following)
    session.flush()
    return following.number


def _breaking(changes: Sequence[Change]) -> bool:
    return any(change.breaking for change in changes)


def _record(session: Session, row: DatasetVersion, kind: str, *, by: str, now: datetime, **facts: object) -> None:
    record(session, subject=f"version:{row.dataset_id}:{row.number}", kind=kind, by=by, now=now, facts=facts)
