"""Does a condition hold of the facts: true, false, or unknown (Kleene), with what was found and what is missing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from service.policy.rules.facts import Column, Facts
from service.policy.rules.merging import below
from service.policy.rules.models import NumMatch, Rule, SetMatch, When
from service.policy.rules.texts import fold


@dataclass(frozen=True, slots=True)
class Found:
    """One condition's truth (None: unknown), what was found, and which facts are missing (none unless unknown)."""

    truth: bool | None
    evidence: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()


FALSE = Found(False)


def both(parts: Sequence[Found]) -> Found:
    """Kleene AND: false beats unknown beats true.  Evidence is that of the parts that hold."""
    if any(part.truth is False for part in parts):
        return FALSE
    missing = _missing(parts)
    return Found(None if missing else True, _evidence(parts), missing)


def either(parts: Sequence[Found]) -> Found:
    """Kleene OR: true beats unknown beats false.  Evidence is that of every part that holds."""
    if held := [part for part in parts if part.truth]:
        return Found(True, _evidence(held))
    undecided = [part for part in parts if part.truth is None]
    return Found(None, _evidence(undecided), _missing(undecided)) if undecided else FALSE


def _missing(parts: Iterable[Found]) -> frozenset[str]:
    return frozenset(name for part in parts if part.truth is None for name in part.missing)


def _evidence(parts: Iterable[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for part in parts for word in part.evidence))


def applies(rule: Rule, facts: Facts) -> Found:
    """Return whether the rule's `when`, and any block of its `when_any`, hold; exceptions are not looked at."""
    blocks = [matches(rule.when, facts)] if rule.when else []
    if rule.when_any and FALSE not in blocks:
        blocks.append(either([matches(block, facts) for block in rule.when_any]))
    return both(blocks)


def matches(when: When, facts: Facts) -> Found:
    """Return whether every clause holds; those after a false one are not looked at."""
    parts = []
    for key, match in when.clauses:
        part = _clause(key, match, facts)
        if part.truth is False:
            return FALSE
        parts.append(part)
    return both(parts)


def _clause(key: str, match: SetMatch | NumMatch | bool, facts: Facts) -> Found:
    if isinstance(match, SetMatch):
        return _match_set(match, _looked_at(key, facts))
    value = getattr(facts, key)
    if value is None:
        return Found(None, missing=frozenset({key}))
    if isinstance(match, NumMatch):
        return Found(True, (f"{key}={_number(value)}",)) if _within(match, value) else FALSE
    return Found(True, (f"{key}={str(value).lower()}",)) if value is match else FALSE


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _within(match: NumMatch, value: float) -> bool:
    return (
        (match.at_least is None or value >= match.at_least)
        and (match.at_most is None or value <= match.at_most)
        and (match.below is None or value < match.below)
        and (match.above is None or value > match.above)
    )


@dataclass(frozen=True, slots=True)
class Values:
    """What a set condition looks at: (value, evidence) pairs, and what is missing and might be anything.

    `words`: the rule's own word is evidence too.  `shown`: a none_of that holds shows the values it looked at.
    """

    pairs: tuple[tuple[str, str], ...]
    missing: frozenset[str] = frozenset()
    holds: Callable[[str, str], bool] = below
    words: bool = False
    shown: bool = False


def _looked_at(key: str, facts: Facts) -> Values:
    if key == "columns":
        return _column_types(facts)
    if key == "columns_text":
        return _column_texts(facts)
    if key == "purpose_text":
        return _statement(facts)
    value = getattr(facts, key)
    if value is None:
        return Values((), frozenset({key}))
    words = (value,) if isinstance(value, str) else value
    return Values(tuple((word, f"{key}={word}") for word in words), shown=True)


def unclassified(facts: Facts) -> frozenset[str]:
    """Return the names under which unknown columns are reported: `columns`, or `columns.<name>` for each."""
    if facts.columns is None:
        return frozenset({"columns"})
    return frozenset(f"columns.{column.name}" for column in facts.columns if column.semantic is None)


def _column_types(facts: Facts) -> Values:
    pairs = ((column.semantic, column.name) for column in facts.columns or () if column.semantic is not None)
    return Values(tuple(pairs), unclassified(facts))


def _column_texts(facts: Facts) -> Values:
    if facts.columns is None:
        return Values((), frozenset({"columns"}))
    return Values(tuple((_text_of(each), each.name) for each in facts.columns), holds=_contains, words=True)


def _text_of(column: Column) -> str:
    """Name and title apart, so that no word is found across the two."""
    return f"{fold(column.name)}\n{fold(column.title or '')}"


def _statement(facts: Facts) -> Values:
    """A statement that is blank says nothing: it counts as not given."""
    text = fold(facts.purpose_statement or "")
    if not text:
        return Values((), frozenset({"purpose_statement"}), _contains)
    return Values(((text, ""),), holds=_contains, words=True)


def _contains(text: str, word: str) -> bool:
    return _folded(word) in text


_folded = lru_cache(maxsize=4096)(fold)


def _match_set(match: SetMatch, values: Values) -> Found:
    parts: list[Found] = []
    if not values.pairs and not values.missing and match.none_of is None:
        return FALSE
    if match.any_of is not None:
        if not values.missing and not _any_holds(match.any_of, values):
            return FALSE
        parts.append(either([_one_word(word, values) for word in match.any_of]))
    if match.all_of is not None:
        parts.append(both([_one_word(word, values) for word in match.all_of]))
    if match.none_of is not None:
        parts.append(_none(either([_one_word(word, values) for word in match.none_of]), values))
    return _in_order(both(parts), values)


def _any_holds(words: Iterable[str], values: Values) -> bool:
    """Whether any value holds any of the words; most conditions of most requests end here."""
    holds, found = values.holds, [value for value, _ in values.pairs]
    return any(holds(value, word) for word in words for value in found)


def _none(found: Found, values: Values) -> Found:
    if found.truth is None:
        return Found(None, missing=found.missing)
    if found.truth:
        return FALSE
    return Found(True, tuple(evidence for _, evidence in values.pairs) if values.shown else ())


def _one_word(word: str, values: Values) -> Found:
    found = [evidence for value, evidence in values.pairs if values.holds(value, word)]
    if not found:
        return Found(None, missing=values.missing) if values.missing else FALSE
    return Found(True, tuple(each for each in (*found, word if values.words else "") if each))


def _in_order(found: Found, values: Values) -> Found:
    """Evidence in the order of the facts, the rule's words after it."""
    if len(found.evidence) < 2:
        return found
    place = {evidence: index for index, (_, evidence) in enumerate(values.pairs)}
    ordered = sorted(found.evidence, key=lambda each: place.get(each, len(place)))
    return Found(found.truth, tuple(ordered), found.missing)
