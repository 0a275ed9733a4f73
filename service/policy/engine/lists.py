"""Negative lists from files: what the models alone cannot say is checked here, each fault at its place."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from service.policy.engine.reading import Fault, Path_, PolicyError, Source, as_model
from service.policy.rules.facts import Facts, FactsError, read_facts, unknown_word
from service.policy.rules.judging import LEVEL_DEFAULT_ID
from service.policy.rules.models import (
    Approver,
    Case,
    DropColumns,
    NegativeList,
    Obligation,
    Rule,
    SetMatch,
    Transform,
    When,
)
from service.policy.rules.vocabulary import AXES, Vocabulary


@dataclass(frozen=True, slots=True)
class ListFile:
    """One edition and the file it was read from."""

    source: Source
    list: NegativeList


def read_list(source: Source, vocabulary: Vocabulary) -> ListFile:
    """Return the list in `source`.  Raises PolicyError with every fault."""
    if twice := list(_ids_twice(source)):
        raise PolicyError(twice)
    found = as_model(source, NegativeList)
    faults = [source.fault(path, message) for path, message in _faults(found, vocabulary)]
    if faults:
        raise PolicyError(faults)
    return ListFile(source, found)


def _ids_twice(source: Source) -> Iterator[Fault]:
    """Yield the rules whose id an earlier rule has: the model sees it too, but does not know where it stands."""
    rules = source.data.get("rules") if isinstance(source.data, dict) else None
    seen: set[str] = set()
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        id = rule.get("id") if isinstance(rule, dict) else None
        if isinstance(id, str) and id in seen:
            yield source.fault(("rules", index, "id"), f"规则编号重复 {id} / an id used twice: {id}")
        seen.add(str(id))


def _faults(found: NegativeList, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    for index, rule in enumerate(found.rules):
        yield from _rule_faults(rule, ("rules", index), vocabulary)
    yield from _case_faults(found, vocabulary)


def _rule_faults(rule: Rule, path: Path_, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    if rule.when:
        yield from _when_faults(rule.when, (*path, "when"), vocabulary, exception=False)
    for index, block in enumerate(rule.when_any or ()):
        yield from _when_faults(block, (*path, "when_any", index), vocabulary, exception=False)
    for index, but in enumerate(rule.unless):
        yield from _when_faults(but.when, (*path, "unless", index, "when"), vocabulary, exception=True)
    for index, obligation in enumerate(rule.obligations):
        yield from _obligation_faults(obligation, (*path, "obligations", index), vocabulary)


def _when_faults(when: When, path: Path_, vocabulary: Vocabulary, *, exception: bool) -> Iterator[tuple[Path_, str]]:
    for key, match in when.clauses:
        if key not in AXES or not isinstance(match, SetMatch):
            continue
        for test in ("any_of", "all_of", "none_of"):
            # An exception may exclude a whole branch: that makes it narrower.  Everything else may not name one.
            may_be_root = exception and test == "none_of"
            for index, word in enumerate(getattr(match, test) or ()):
                message = _word_fault(AXES[key], word, vocabulary, may_be_root=may_be_root)
                if message:
                    yield (*path, key, test, index), message


def _word_fault(axis: str, word: str, vocabulary: Vocabulary, *, may_be_root: bool = False) -> str | None:
    if not vocabulary.knows(axis, word):
        return unknown_word(vocabulary, axis, word)
    if axis == "semantics" and word in vocabulary.roots and not may_be_root:
        return f"{word} 是语义类型的根，含无害的词，规则不得引用 / {word} is a bare root and holds harmless words too"
    return None


def _obligation_faults(obligation: Obligation, path: Path_, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    if isinstance(obligation, DropColumns | Transform):
        for index, word in enumerate(obligation.semantics):
            if message := _word_fault("semantics", word, vocabulary):
                yield (*path, "semantics", index), message
    if isinstance(obligation, Approver) and not vocabulary.knows("roles", obligation.role):
        yield (*path, "role"), unknown_word(vocabulary, "roles", obligation.role)


def _case_faults(found: NegativeList, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    ids = {rule.id for rule in found.rules} | {LEVEL_DEFAULT_ID}
    base = list(_facts_faults(found.base_case, ("base_case",), vocabulary))
    yield from base
    names = [case.name for case in found.tests]
    for index, case in enumerate(found.tests):
        path: Path_ = ("tests", index)
        if case.name in names[:index]:
            yield (*path, "name"), "用例名称重复 / two cases have this name"
        if not base:
            yield from _facts_faults(dict(found.base_case) | dict(case.given), (*path, "given"), vocabulary)
        yield from _expect_faults(case, (*path, "expect"), ids)


def _facts_faults(document: Mapping[str, Any], path: Path_, vocabulary: Vocabulary) -> Iterator[tuple[Path_, str]]:
    try:
        read_facts(document, vocabulary)
    except FactsError as fault:
        for key, message in fault.errors:
            yield (*path, *_steps(key)), message


def _steps(key: str) -> Path_:
    return tuple(int(step) if step.isdigit() else step for step in key.split("."))


def _expect_faults(case: Case, path: Path_, ids: set[str]) -> Iterator[tuple[Path_, str]]:
    missing = "清单中没有规则 {0} / the list has no rule {0}"
    for index, id in enumerate(case.expect.rules or ()):
        if id not in ids:
            yield (*path, "rules", index), missing.format(id)
    for id in case.expect.evidence or {}:
        if id not in ids:
            yield (*path, "evidence", id), missing.format(id)


def facts_of(case: Case, of: NegativeList, vocabulary: Vocabulary) -> Facts:
    """Return a case's facts: `given` laid over the list's `base_case`."""
    return read_facts(dict(of.base_case) | dict(case.given), vocabulary)


def between(files: Iterable[ListFile]) -> list[Fault]:
    """Return what is wrong between lists: the same edition twice, or two editions in force on one day."""
    faults = []
    for one, other in combinations(files, 2):
        if one.list.id != other.list.id:
            continue
        if one.list.edition == other.list.edition:
            faults.append(other.source.fault(("edition",), _twice(one, "同一版次 / the same edition as")))
        elif one.list.effective.overlaps(other.list.effective):
            faults.append(other.source.fault(("effective",), _twice(one, "生效期重叠 / in force together with")))
    return faults


def _twice(one: ListFile, message: str) -> str:
    return f"{message} {one.list.id} {one.list.edition} ({one.source.file})"
