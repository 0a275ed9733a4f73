"""Rules of negative lists as sentences that people read: generated from the rule, so that they never differ from it.

Both languages are composed from the same clauses.  The same rule and vocabulary give the same sentence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from service.policy.rules import phrases
from service.policy.rules.models import NumMatch, Obligation, Rule, SetMatch, Unless, When
from service.policy.rules.vocabulary import AXES, Vocabulary, Word

Language = Literal["zh", "en"]
Match = SetMatch | NumMatch | bool
Clause = tuple[str, Match]
Block = tuple[Clause, ...]

BRANCHES_SHOWN = 6  # words below a type that are named with it; more are counted


@dataclass(frozen=True, slots=True)
class Speaker:
    """One language: its phrases over the vocabulary's names."""

    language: Language
    vocabulary: Vocabulary
    text: phrases.Phrases

    def clause(self, clause: Clause) -> str:
        """Return one condition: a set, a number or a yes."""
        key, match = clause
        if isinstance(match, bool):
            return self.text.truths[key, match]
        if isinstance(match, NumMatch):
            return self._number(key, match)
        said = [
            self._set(key, operator, words)
            for operator in ("any_of", "all_of", "none_of")
            if (words := getattr(match, operator)) is not None
        ]
        return self.both(said)

    def both(self, said: Sequence[str]) -> str:
        """Return clauses that all hold."""
        if len(said) < 2:
            return said[0]
        return self.text.comma.join(said[:-1]) + self.text.and_last + said[-1]

    def row(self, said: Sequence[str]) -> str:
        """Return alternatives in a row; only where nothing that must hold besides could be read into them."""
        return self.text.either.format(self.text.or_clause.join(said)) if len(said) > 1 else said[0]

    def numbered(self, said: Sequence[str]) -> str:
        return self.text.semicolon.join(self.text.numbers[index] + each for index, each in enumerate(said))

    def listed(self, words: Sequence[str], last: str) -> str:
        """Return names in a row, `last` between the last two."""
        if len(words) < 2:
            return "".join(words)
        return (self.text.pause.join(words[:-1]) + last + words[-1]).replace(*self.text.between_quotes)

    def _set(self, key: str, operator: str, words: tuple[str, ...]) -> str:
        known = self.text.groups.get((key, operator, frozenset(words)))
        if known is not None:
            return known
        template = self.text.sets[key][phrases.OPERATORS.index(operator)]
        if key in phrases.SPOKEN:
            return template.format(self.text.spoken(words))
        names = [self._name(key, word) for word in words]
        return template.format(self.listed(names, self.text.and_ if operator == "all_of" else self.text.or_))

    def _name(self, key: str, word: str) -> str:
        axis = AXES[key]
        name = self.text.renamed.get(word) or self.text.name(self.vocabulary.label(axis, word, self.language))
        shown = self.text.quotes.format(name) if key in self.text.quoted else name
        if axis == "semantics" and (below := self._below(word)):
            return shown + self.text.brackets.format(self._children(below))
        return shown

    def _below(self, word: str) -> list[Word]:
        return [each for each in self.vocabulary.semantics if each.parent == word]

    def _children(self, below: Sequence[Word]) -> str:
        if len(below) > BRANCHES_SHOWN:
            return self.text.kinds.format(len(below))
        names = [self.text.name(each.zh if self.language == "zh" else each.en) for each in below]
        return self.text.pause.join(names)

    def _number(self, key: str, match: NumMatch) -> str:
        noun, unit, words = self.text.numbers_of[key]
        bounds = match.model_dump(exclude_none=True)
        said = [
            self.text.measures[words, operator].format(unit.format(_figure(bounds[operator])))
            for operator in ("at_least", "above", "at_most", "below")
            if operator in bounds
        ]
        return noun + self.text.and_.join(said)


def _figure(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def sentence(rule: Rule, vocabulary: Vocabulary) -> dict[str, str]:
    """Return what a rule says, as one sentence in each language (a second one for the conditions it sets)."""
    return {
        "zh": _sentence(rule, Speaker("zh", vocabulary, phrases.ZH)),
        "en": _sentence(rule, Speaker("en", vocabulary, phrases.EN)),
    }


def _sentence(rule: Rule, speaker: Speaker) -> str:
    text = speaker.text
    holds, cases = _conditions(rule, speaker)
    unless, separately = _exceptions(rule.unless, speaker, apart=bool(cases))
    said = text.outcomes[rule.outcome].format(holds + (text.one_of_these if cases else ""), unless)
    said += (text.colon + speaker.numbered(cases) if cases else "") + text.stop + separately
    if rule.obligations:
        duties = text.semicolon.join(_duty(each, speaker) for each in rule.obligations)
        said += text.conditions[rule.outcome].format(duties)
    if rule.effective:
        said += text.span(rule.effective.start, rule.effective.until)
    return said


def _conditions(rule: Rule, speaker: Speaker) -> tuple[str, list[str]]:
    """Return what must hold, and the cases of which one must hold besides (none, or two and more)."""
    common, blocks = _factored(rule)
    said = [speaker.clause(each) for each in common]
    if not blocks:
        return speaker.both(said), []
    *firsts, last = ([_block(block, speaker) for block in part] for part in _parts(blocks))
    said += [speaker.row(part) for part in firsts]
    if not said and len(last) == 2 and all(len(block) == 1 for block in blocks):
        return speaker.row(last), []
    return speaker.both([*said, ""]) if said else "", last


def _block(block: Iterable[Clause], speaker: Speaker) -> str:
    return speaker.both([speaker.clause(each) for each in block])


def _factored(rule: Rule) -> tuple[list[Clause], list[Block]]:
    """Return what must hold in any case, and the blocks of which one must hold besides."""
    common: list[Clause] = list(_clauses(rule.when)) if rule.when else []
    blocks = [_clauses(block) for block in rule.when_any or ()]
    if len(blocks) == 1:
        return [*common, *blocks[0]], []
    shared = [each for each in blocks[0] if all(each in block for block in blocks)] if blocks else []
    left = [tuple(each for each in block if each not in shared) for block in blocks]
    if not all(left):
        return [*common, *shared], []  # a block that says no more than what is shared makes the others idle
    return [*common, *shared], left


def _clauses(when: When) -> Block:
    return when.clauses


def _parts(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return the blocks as alternatives that must hold together: two sets when every pair of them is a block."""
    if all(len(block) == 2 for block in blocks):
        firsts, seconds = (list(dict.fromkeys(block[place] for block in blocks)) for place in (0, 1))
        pairs = list(product(firsts, seconds))
        if len(firsts) > 1 and len(seconds) > 1 and len(pairs) == len(blocks) and set(pairs) == set(blocks):
            return [[(each,) for each in firsts], [(each,) for each in seconds]]
    return [list(blocks)]


def _exceptions(exceptions: Sequence[Unless], speaker: Speaker, *, apart: bool) -> tuple[str, str]:
    """Return the exception as a clause of the sentence; as a sentence of its own when it is `apart` or not the only."""
    said = [_block(each.when.clauses, speaker) for each in exceptions]
    if not said:
        return "", ""
    if len(said) > 1:
        return "", speaker.text.exceptions.format(speaker.numbered(said))
    return ("", speaker.text.exception.format(said[0])) if apart else (speaker.text.unless.format(said[0]), "")


def _duty(obligation: Obligation, speaker: Speaker) -> str:
    text = speaker.text
    values = {
        name: _value(obligation.kind, name, value, speaker)
        for name, value in obligation.model_dump(exclude_none=True).items()
        if name != "kind"
    }
    if obligation.kind in text.choices:
        return text.choices[obligation.kind](values)
    return text.duties[obligation.kind].format(**values)


# Which axis of the vocabulary a word of an obligation is from.
_WORDS: dict[tuple[str, str], str] = {
    ("drop_columns", "semantics"): "semantics",
    ("transform", "semantics"): "semantics",
    ("transform", "to"): "semantics",
    ("delivery_only", "modes"): "delivery",
    ("document", "name"): "documents",
    ("approver", "role"): "roles",
}


def _value(kind: str, name: str, value: object, speaker: Speaker) -> str:
    text = speaker.text
    if isinstance(value, int):
        return _figure(value)
    if (kind, name) == ("transform", "method"):
        return text.methods[str(value)]
    axis = _WORDS.get((kind, name))
    if axis is None:
        return str(value)
    if isinstance(value, str):
        return _named(axis, value, speaker)
    words = [_named(axis, str(word), speaker) for word in value] if isinstance(value, tuple | list) else []
    return speaker.listed(words, text.or_ if kind == "delivery_only" else text.and_)


def _named(axis: str, word: str, speaker: Speaker) -> str:
    return speaker.text.name(speaker.vocabulary.label(axis, word, speaker.language))
