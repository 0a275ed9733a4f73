"""Recalling rows: filed, confirmed by a second person, carried out.  One change each; nothing commits here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Invalid, NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_, gettext
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store
from service.catalogue.rules import recalls as rules
from service.catalogue.rules import versions as version_rules
from service.catalogue.rules.recalls import Reason, RecallState, Tombstone
from service.catalogue.store import recalls as rows
from service.catalogue.tables import DatasetPart, DatasetVersion, Recall, RecalledPart
from service.notices import actions as notices
from service.people import store as people

SAME_PERSON = N_("召回由一人提出、另一人确认，两人不得为同一人。")
NO_COLUMN = N_("数据集没有这个字段")
NO_VALUES = N_("请逐行填写要召回的值")
TOO_MANY = N_("一次最多召回 %(most)s 个值，每个值不超过 %(length)s 个字")


@dataclass(frozen=True, slots=True)
class Cut:
    """A part that rows are taken out of: where they stood, and what is left (None: nothing).

    `period` is the first and last Beijing day of what is left.
    """

    part: DatasetPart
    places: tuple[int, ...]
    blob_key: str | None = None
    sha256: str = ""
    rows: int = 0
    bytes: int = 0


def file_recall(
    session: Session, dataset_id: str, *, reason: Reason, column: str, values: Sequence[str], note: str, by: str,
    now: datetime,
) -> Recall:  # fmt: skip
    """File the recall of the rows whose `column` has one of `values`, as a steward of the source unit; return it.

    NotFound for everybody else; Invalid for a column that no version has, and for no, too many or too long values.
    """
    stewards, _officers = _people(session, dataset_id)
    if not rules.may_file(by, stewards=stewards):
        raise NotFound()
    _demand_fit(session, dataset_id, column, values)
    row = Recall(
        id=new_id(now), dataset_id=dataset_id, reason=reason.value, note=note, column=column, wanted=len(values),
        values=list(values), state=RecallState.FILED.value, filed_by=by, filed_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _record(session, row, "recall:file", by=by, now=now, reason=reason.value, wanted=len(values))
    unit = store.dataset(session, dataset_id).source_unit_id
    _tell(session, row, "recall-filed", now=now, to_unit=unit, to_role=Role.STEWARD)
    _tell(session, row, "recall-filed", now=now, to_role=Role.AUTHORITY)
    return row


def confirm_recall(
    session: Session, recall_id: str, *, by: str, now: datetime, works: Callable[[date], bool]
) -> Recall:
    """Let a recall be carried out, as the second person; from now on a working day runs."""
    row = _to_decide(session, recall_id, by)
    due = rules.due(now, works=works)
    rows.change(session, row, state=RecallState.CONFIRMED.value, decided_by=by, decided_at=now, due_at=due)
    _record(session, row, "recall:confirm", by=by, now=now)
    return row


def refuse_recall(session: Session, recall_id: str, *, by: str, now: datetime) -> Recall:
    """Let nothing be recalled, as the second person; what was looked for is forgotten."""
    row = _to_decide(session, recall_id, by)
    rows.change(session, row, state=RecallState.REFUSED.value, decided_by=by, decided_at=now, values=None)
    _record(session, row, "recall:refuse", by=by, now=now)
    return row


def note_matched(session: Session, recall_id: str, matched: int) -> None:
    """Write down how many rows a recall would take out, for the second person to see."""
    row = rows.recall(session, recall_id)
    row.matched = matched
    session.add(row)


def carry_out(session: Session, recall_id: str, cuts: Sequence[Cut], *, seen: frozenset[str], now: datetime) -> bool:
    """Put what is left in the place of the parts that rows were taken out of, in every version that held them.

    `seen` are the parts that were looked through: False, and nothing changes, when another has come meanwhile or one
    of these has gone; then it is looked through again.
    """
    row = rows.recall(session, recall_id)
    if row.state != RecallState.CONFIRMED:
        return False
    if {part.id for part in rows.parts_of_dataset(session, row.dataset_id)} != seen:
        return False
    for cut in cuts:
        replace(session, row, cut, now=now)
    removed = sum(len(cut.places) for cut in cuts)
    rows.change(session, row, state=RecallState.DONE.value, done_at=now, values=None, removed=removed)
    _record(session, row, "recall:carry-out", by="system", now=now, removed=removed, parts=len(cuts))
    unit = store.dataset(session, row.dataset_id).source_unit_id
    _tell(session, row, "recall-done", now=now, to_unit=unit, to_role=Role.STEWARD)
    return True


def replace(session: Session, recall: Recall, cut: Cut, *, now: datetime) -> None:
    """Let every version hold what is left of a part instead of it, and leave a tombstone."""
    new = _left(session, cut, now=now)
    numbers = rows.replace_part(session, cut.part.id, new)
    session.add(
        RecalledPart(
            recall_id=recall.id, part_id=cut.part.id, dataset_id=cut.part.dataset_id, sha256=cut.part.sha256,
            blob_key=cut.part.blob_key, places=list(cut.places), numbers=numbers, new_part_id=new.id if new else None,
        )
    )  # fmt: skip
    session.flush()
    for version in rows.versions(session, cut.part.dataset_id, numbers):
        _sum_up(session, version)


def recall_again(session: Session, tombstone: Tombstone, *, at: datetime, now: datetime) -> Recall:
    """Return the recall of a tombstone, entered as done when a restored backup is from before it."""
    there = rows.find(session, tombstone.recall_id)
    if there is not None and there.state == RecallState.DONE:
        return there
    if there is None:
        there = Recall(
            id=tombstone.recall_id, dataset_id=tombstone.dataset_id, reason=tombstone.reason, column="", wanted=0,
            state=RecallState.DONE.value, filed_by="restore", filed_at=at, done_at=at,
        )  # fmt: skip
    there.state, there.done_at, there.values = RecallState.DONE.value, at, None
    session.add(there)
    session.flush()
    _record(session, there, "recall:restore", by="operator", now=now)
    return there


def demand_not_recalled(session: Session, sha256: str) -> None:
    """Raise RowsRecalled when these very bytes had rows that were recalled since."""
    if (found := rows.recalled_bytes(session, sha256)) is not None and found.done_at is not None:
        raise rules.RowsRecalled(day=found.done_at.date().isoformat())


def _left(session: Session, cut: Cut, *, now: datetime) -> DatasetPart | None:
    if cut.blob_key is None:
        return None
    part = DatasetPart(
        id=new_id(now), dataset_id=cut.part.dataset_id, blob_key=cut.blob_key, sha256=cut.sha256, rows=cut.rows,
        bytes=cut.bytes, period_from=cut.part.period_from, period_to=cut.part.period_to,
        created_at=cut.part.created_at,
    )  # fmt: skip
    session.add(part)
    session.flush()
    return part


def _sum_up(session: Session, version: DatasetVersion) -> None:
    """Let a version tell of the parts that it holds now: its rows, its bytes, its manifest digest."""
    held = store.parts(session, version.dataset_id, version.number)
    version.rows, version.bytes = sum(part.rows for part in held), sum(part.bytes for part in held)
    listed = [(part.sha256, part.rows) for part in held]
    version.sha256 = version_rules.manifest_digest(version.columns, listed)
    session.add(version)


def _demand_fit(session: Session, dataset_id: str, column: str, values: Sequence[str]) -> None:
    known = {each["name"] for version in store.versions(session, dataset_id) for each in version.columns}
    errors = []
    if column not in known:
        errors.append({"field": "column", "message": gettext(NO_COLUMN)})
    if not values:
        errors.append({"field": "values", "message": gettext(NO_VALUES)})
    if len(values) > rules.MOST_VALUES or any(len(value) > rules.LONGEST_VALUE for value in values):
        message = gettext(TOO_MANY, most=rules.MOST_VALUES, length=rules.LONGEST_VALUE)
        errors.append({"field": "values", "message": message})
    if errors:
        raise Invalid(errors=errors)


def _to_decide(session: Session, recall_id: str, by: str) -> Recall:
    """Return a recall that waits for its second person, who `by` may be."""
    row = rows.recall(session, recall_id)
    stewards, officers = _people(session, row.dataset_id)
    if by not in stewards | officers:
        raise NotFound()
    if row.state != RecallState.FILED:
        raise WrongState(state=row.state)
    if not rules.may_confirm(by, filed_by=row.filed_by, stewards=stewards, officers=officers):
        raise SecondPersonRequired(SAME_PERSON)
    return row


def _people(session: Session, dataset_id: str) -> tuple[set[str], set[str]]:
    unit_id = store.dataset(session, dataset_id).source_unit_id
    stewards = {person.id for person in people.persons_with(session, Role.STEWARD, unit_id=unit_id)}
    return stewards, {person.id for person in people.persons_with(session, Role.AUTHORITY)}


def _record(session: Session, row: Recall, kind: str, *, by: str, now: datetime, **facts: object) -> None:
    record(session, subject=f"recall:{row.id}", kind=kind, by=by, now=now, facts={"dataset": row.dataset_id, **facts})


def _tell(session: Session, row: Recall, kind: str, *, now: datetime, **to: Any) -> None:
    facts = {"id": row.id, "dataset": store.dataset(session, row.dataset_id).title, "removed": row.removed}
    notices.put(session, kind=kind, facts=facts, now=now, **to)
