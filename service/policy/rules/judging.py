"""The judge: facts and lists in, a verdict out.  Three-valued, so that what is not known is never taken for harmless.

The same arguments give the same bytes, whatever the order of files and rules and whatever the hash seed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from service.policy.rules.facts import Facts
from service.policy.rules.matching import applies, matches, unclassified
from service.policy.rules.merging import clash, merge, plain
from service.policy.rules.models import NegativeList, Obligation, Outcome, Rule, strictest, strictness

State = Literal["hit", "unknown", "exempt"]
STATES: tuple[State, ...] = ("hit", "unknown", "exempt")

# Bumped when the same facts and lists may come out otherwise; stored with every screening.
SEMANTICS = "1"

LEVEL_DEFAULT = Rule.of(
    {
        "id": "DE-003",
        "title": {"zh": "三级及以上数据一律须人工审核", "en": "Data of level 3 and above always need review"},
        "basis": [
            {
                "law": "平台默认规则",
                "note": "就高从严；未列入清单的三级数据不得自动放行",
                "kind": "assumption",
                "mark": "memory",
            }
        ],
        "outcome": "review",
        "when": {"dataset_level": {"at_least": 3}},
        "remedy": {
            "zh": "只申请二级及以下的字段，或等待人工审核",
            "en": "Ask only for columns of level 2 and below, or await the review",
        },
    }
)
LEVEL_DEFAULT_ID = "DEFAULT-L3"

CLASHES = {
    "delivery_only": {
        "zh": "义务冲突：各规则允许的提供方式没有交集，须人工审核",
        "en": "Obligations clash: the rules leave no delivery mode in common; a person must review",
    },
    "drop_columns": {
        "zh": "义务冲突：申请的字段须全部删除，须人工审核",
        "en": "Obligations clash: every requested column would have to be dropped; a person must review",
    },
}


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """One rule that hit, that might have hit (unknown), or that an exception lifted (exempt)."""

    id: str
    list_id: str | None
    state: State
    outcome: Outcome
    rule: Rule
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exception: str | None = None

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": self.id,
            "list": self.list_id,
            "state": self.state,
            "outcome": self.outcome,
            "title": self.rule.title.written(),
            "evidence": list(self.evidence),
            "basis": [basis.model_dump(mode="json", exclude_none=True) for basis in self.rule.basis],
            "remedy": self.rule.remedy.written() if self.rule.remedy else None,
            "missing": list(self.missing),
            "obligations": [plain(obligation) for obligation in self.rule.obligations],
        }
        return shown | ({"exception": self.exception} if self.exception else {})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the lists say of one request.  It informs; only a person decides."""

    outcome: Outcome
    floor: Outcome
    ceiling: Outcome
    missing: tuple[str, ...]
    rules: tuple[RuleVerdict, ...]
    obligations: tuple[Obligation, ...]
    lists: tuple[NegativeList, ...]
    notes: tuple[dict[str, str], ...]
    day: date

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as stored, shown and printed."""
        return {
            "outcome": self.outcome,
            "floor": self.floor,
            "ceiling": self.ceiling,
            "missing": list(self.missing),
            "rules": [rule.as_json() for rule in self.rules],
            "obligations": [plain(obligation) for obligation in self.obligations],
            "lists": [{"id": each.id, "edition": each.edition, "digest": each.digest} for each in self.lists],
            "notes": list(self.notes),
            "date": self.day.isoformat(),
            "semantics": SEMANTICS,
        }


def judge(facts: Facts, lists: Iterable[NegativeList], *, date: date) -> Verdict:
    """Return the verdict of every list that is `common` or of the facts' domains, in force on `date` (Beijing day).

    All rules are judged, not the first that hits, so that the applicant can mend the request in one go.  The outcome
    is certain when floor and ceiling agree or the floor is prohibit; otherwise it is review, with what is missing.
    """
    in_force = sorted(applicable(lists, facts, on=date), key=lambda each: (each.id, each.edition, each.digest))
    judged = [_judge_rule(LEVEL_DEFAULT, None, facts)]
    judged += [
        _judge_rule(rule, each.id, facts)
        for each in in_force
        for rule in each.rules
        if rule.effective is None or rule.effective.holds(date)
    ]
    rules = sorted((rule for rule in judged if rule), key=_most_serious_first)
    return _conclude(rules, facts, tuple(in_force), date)


def applicable(lists: Iterable[NegativeList], facts: Facts, *, on: date) -> list[NegativeList]:
    """Return the lists in force on the Beijing day `on` that judge a request of these domains (absent: all)."""
    return [
        each
        for each in lists
        if each.effective.holds(on)
        and (each.domain == "common" or facts.domains is None or each.domain in facts.domains)
    ]


def _most_serious_first(rule: RuleVerdict) -> tuple[int, int, str, str]:
    return STATES.index(rule.state), -strictness(rule.outcome), rule.list_id or "", rule.id


def _conclude(rules: Sequence[RuleVerdict], facts: Facts, lists: tuple[NegativeList, ...], day: date) -> Verdict:
    certain = [rule for rule in rules if rule.state == "hit"]
    possible = [rule for rule in rules if rule.state in {"hit", "unknown"}]
    obligations = merge(each for rule in certain for each in rule.rule.obligations)
    clashes, kind = clash(obligations, facts)
    may_clash, _ = clash(merge(each for rule in possible for each in rule.rule.obligations), facts)
    floor = strictest([*(rule.outcome for rule in certain), "review" if clashes else "pass"])
    ceiling = strictest([*(rule.outcome for rule in possible), "pass" if may_clash is False else "review"])
    missing = {name for rule in rules for name in rule.missing}
    if may_clash is None:
        missing |= unclassified(facts)
    return Verdict(
        outcome=floor if floor in {ceiling, "prohibit"} else "review",
        floor=floor,
        ceiling=ceiling,
        missing=tuple(sorted(missing)),
        rules=tuple(rules),
        obligations=obligations,
        lists=lists,
        notes=(CLASHES[kind],) if clashes else (),
        day=day,
    )


def _judge_rule(rule: Rule, list_id: str | None, facts: Facts) -> RuleVerdict | None:
    """Return what the rule says of these facts; None when it certainly does not apply."""
    id = LEVEL_DEFAULT_ID if list_id is None else rule.id
    found = applies(rule, facts)
    if found.truth is False:
        return None
    lifted = [(but.id, matches(but.when, facts)) for but in rule.unless]
    exempting = next((but for but, exception in lifted if exception.truth), None)
    if exempting and found.truth is None:
        return None
    if exempting:
        return RuleVerdict(id, list_id, "exempt", rule.outcome, rule, found.evidence, exception=exempting)
    missing = found.missing.union(*(exception.missing for _, exception in lifted))
    state: State = "unknown" if missing else "hit"
    return RuleVerdict(id, list_id, state, rule.outcome, rule, found.evidence, tuple(sorted(missing)))
