"""Editions of a negative list beside each other: what a rule's text is, what changed, what a word finds.

Works on the plain text of editions as they were published, so that the oldest reads like the newest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from service.policy.rules.texts import fold

Body = Mapping[str, Any]
Kind = Literal["added", "removed", "changed"]

# What of a rule may change, in the order in which a change is told.
PARTS: dict[str, tuple[str, ...]] = {
    "outcome": ("outcome",),
    "title": ("title",),
    "conditions": ("when", "when_any"),
    "exceptions": ("unless",),
    "obligations": ("obligations",),
    "basis": ("basis",),
    "remedy": ("remedy",),
    "effective": ("effective",),
    "live_grants": ("live_grants",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one rule between two editions; `parts` are those of PARTS that differ."""

    id: str
    kind: Kind
    parts: tuple[str, ...]
    before: Body | None
    after: Body | None


def changes(old: Body, new: Body) -> tuple[Change, ...]:
    """Return what differs from `old` to `new`, rule by rule in the order of the newer list, what is gone last."""
    before = {rule["id"]: rule for rule in old["rules"]}
    after = {rule["id"]: rule for rule in new["rules"]}
    found = [_change(id, before.get(id), rule) for id, rule in after.items()]
    found += [_change(id, rule, None) for id, rule in before.items() if id not in after]
    return tuple(each for each in found if each is not None)


def _change(id: str, old: Body | None, new: Body | None) -> Change | None:
    if old is None:
        return Change(id, "added", (), None, new)
    if new is None:
        return Change(id, "removed", (), old, None)
    parts = tuple(part for part, keys in PARTS.items() if any(old.get(key) != new.get(key) for key in keys))
    return Change(id, "changed", parts, old, new) if parts else None


def history(editions: Sequence[tuple[str, Body]], id: str) -> tuple[tuple[str, Change], ...]:
    """Return (edition, change) for every edition of `editions`, oldest first, that touched a rule."""
    found: list[tuple[str, Change]] = []
    last: Body | None = None
    for name, body in editions:
        rule = next((each for each in body["rules"] if each["id"] == id), None)
        if (rule is not None or last is not None) and (change := _change(id, last, rule)) is not None:
            found.append((name, change))
        last = rule
    return tuple(found)


def finds(words: str, texts: Iterable[str]) -> bool:
    """Return whether every word of `words` (parted by spaces) stands in one of `texts`, however it is written."""
    folded = [fold(text) for text in texts]
    return all(any(fold(word) in text for text in folded) for word in words.split())


def texts_of(rule: Body) -> list[str]:
    """Return what a reader may look for in a rule besides its sentence: number, title, laws, exceptions, remedy."""
    said = [rule["id"], *rule["title"].values(), *rule.get("remedy", {}).values()]
    for basis in rule["basis"]:
        said += [f"《{basis['law']}》{basis.get('article', '')}{basis.get('clause', '')}", basis.get("note", "")]
    for exception in rule.get("unless", ()):
        said += [exception["id"], *exception["reason"].values()]
    return said


def is_verified(basis: Body) -> bool:
    """Return whether somebody has read the article and it is law: no analogy and nothing that is merely assumed."""
    return basis["mark"] == "read" and basis.get("kind", "law") not in ("analogy", "assumption")


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases beside a rule: those that it must hit, and those next to them that it must leave alone."""

    hits: tuple[Body, ...] = ()
    misses: tuple[Body, ...] = ()


def cases_by_rule(cases: Iterable[Body]) -> dict[str, Cases]:
    """Return the cases of each rule.  A case that no rule hits belongs to the rules of the last one before it that
    some rule hit: a list's file puts what must pass beside what it is to be told from."""
    hits: dict[str, list[Body]] = {}
    misses: dict[str, list[Body]] = {}
    beside: tuple[str, ...] = ()
    for case in cases:
        hit = tuple(case["expect"].get("rules") or ())
        for id in hit:
            hits.setdefault(id, []).append(case)
        if not hit:
            for id in beside:
                misses.setdefault(id, []).append(case)
        beside = hit or beside
    return {id: Cases(tuple(found), tuple(misses.get(id, ()))) for id, found in hits.items()}
