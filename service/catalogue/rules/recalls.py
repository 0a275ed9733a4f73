"""Recall of rows: a corrected, erased or credit-repaired row leaves every part and every view within one working day.

The immutability of versions yields to this, on record (PIPL 47; 浙江省公共信用信息管理条例 16, 32).  Two persons: one
files, another carries it.  What was looked for is forgotten once it is done; what stays are places in a part that no
longer exists, which say nothing about anybody and let the recall be carried out again on a restored copy.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from service.base.beijing import day_of, end_of_day
from service.base.errors import Refusal
from service.base.i18n import N_

MOST_VALUES = 1000
LONGEST_VALUE = 200  # characters


class Reason(StrEnum):
    CORRECTED = "corrected"
    ERASED = "erased"
    CREDIT_REPAIRED = "credit_repaired"
    COMPLAINT = "complaint"


class RecallState(StrEnum):
    """`filed` waits for the second person, `confirmed` for the work."""

    FILED = "filed"
    CONFIRMED = "confirmed"
    DONE = "done"
    REFUSED = "refused"


REASON_TITLES = {
    Reason.CORRECTED: N_("数据纠错"),
    Reason.ERASED: N_("删除个人信息"),
    Reason.CREDIT_REPAIRED: N_("信用修复"),
    Reason.COMPLAINT: N_("权益异议成立"),
}
STATE_TITLES = {
    RecallState.FILED: N_("待第二人确认"),
    RecallState.CONFIRMED: N_("正在召回"),
    RecallState.DONE: N_("已召回"),
    RecallState.REFUSED: N_("不予召回"),
}


class RowsRecalled(Refusal):
    """The data that is to be loaded are bytes that rows were recalled from.  Facts: `day`, when they were recalled."""

    code = "rows-recalled"
    title = N_("数据中含有已召回的行")
    status = 409
    detail = N_("这份数据与 %(day)s 召回过的数据完全相同，其中的行已依法召回，不得再次导入。请先从源系统中删除或更正。")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a recall in one part: the digest of the part that was, and the places of the rows, from 0.

    It says nothing about anybody, and is kept outside the house beside the checkpoints: a backup from before the recall
    still has the rows, and is restored without them.
    """

    recall_id: str
    dataset_id: str
    reason: str
    sha256: str
    places: tuple[int, ...]
    at: str

    def document(self) -> dict[str, Any]:
        return {
            "recall": self.recall_id, "dataset": self.dataset_id, "reason": self.reason, "part": self.sha256,
            "rows": list(self.places), "at": self.at,
        }  # fmt: skip


def tombstone(document: Any) -> Tombstone:
    """Return a tombstone from its document; ValueError for anything else."""
    match document:
        case {
            "recall": str(recall),
            "dataset": str(dataset),
            "reason": str(reason),
            "part": str(part),
            "rows": [*places],
            "at": str(at),
        } if len(part) == 64 and reason in set(Reason) and all(type(place) is int and place >= 0 for place in places):
            return Tombstone(recall, dataset, reason, part, tuple(places), at)
    raise ValueError("not a tombstone")


def values_of(text: str) -> tuple[str, ...]:
    """Return the values that a steward typed, one a line, each once, in their order."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def due(at: datetime, *, works: Callable[[date], bool]) -> datetime:
    """Return the moment by which rows recalled at `at` must be gone: 24:00 Beijing of the next working day."""
    day = day_of(at) + timedelta(days=1)
    while not works(day):
        day += timedelta(days=1)
    return end_of_day(day)


def may_file(person_id: str, *, stewards: Collection[str]) -> bool:
    return person_id in stewards


def may_confirm(person_id: str, *, filed_by: str, stewards: Collection[str], officers: Collection[str]) -> bool:
    """Whether a person may be the second: another steward of the source unit, or an officer of the authority."""
    return person_id != filed_by and (person_id in stewards or person_id in officers)
