"""Who may do what in the secrecy review (保密审查) of a version: an officer files, another reviews, a head approves.

All three are of the source unit.  Where it has too few persons the authority lends the ones that are missing; no act is
ever done by the person who did the one before it, and nobody clears alone what they filed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from service.base.i18n import N_


class Outcome(StrEnum):
    OPEN = "open"
    CLEARED = "cleared"
    REFUSED = "refused"


class Act(StrEnum):
    REVIEW = "review"
    APPROVE = "approve"


OUTCOME_TITLES = {
    Outcome.OPEN: N_("审查中"),
    Outcome.CLEARED: N_("可以公开"),
    Outcome.REFUSED: N_("不得公开"),
}
ACT_TITLES = {Act.REVIEW: N_("待审核"), Act.APPROVE: N_("待负责人批准")}


class Review(Protocol):
    """What decides whose turn it is."""

    @property
    def outcome(self) -> str: ...
    @property
    def filed_by(self) -> str: ...
    @property
    def reviewed_by(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, the stewards of the dataset's source unit and the officers of the authority."""

    person_id: str
    stewards: frozenset[str]
    officers: frozenset[str]


def due(review: Review) -> Act | None:
    """Return the act that a review waits for; None when it has ended."""
    if review.outcome != Outcome.OPEN:
        return None
    return Act.REVIEW if review.reviewed_by is None else Act.APPROVE


def may_file(reader: Reader) -> bool:
    return reader.person_id in reader.stewards


def may_take_part(reader: Reader) -> bool:
    """Whether a person may know of the reviews of a source unit's data at all."""
    return reader.person_id in reader.stewards | reader.officers


def may(reader: Reader, act: Act, review: Review) -> bool:
    """Whether a person may do `act` now.

    The reviewer is another steward; an officer of the authority where the unit has no other.  The head is a third
    person of either; with only two persons in all, the second of them may do both.
    """
    if due(review) is not act or not may_take_part(reader) or reader.person_id == review.filed_by:
        return False
    others = reader.stewards - {review.filed_by}
    if act is Act.REVIEW:
        return reader.person_id in (others or reader.officers)
    third = (reader.stewards | reader.officers) - {review.filed_by, str(review.reviewed_by)}
    return reader.person_id in third or not third
