"""The closed vocabulary: every word that a list or a facts document may use."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from service.policy.rules.models import Model

# Which part of the vocabulary a key of the facts, or of a rule's `when`, takes its words from.
AXES = {
    "dataset_tags": "tags",
    "linked_tags": "tags",
    "dataset_subjects": "subjects",
    "columns": "semantics",
    "linked_columns": "semantics",
    "record_unit": "record_units",
    "purpose": "purposes",
    "applicant_kind": "applicant_kinds",
    "applicant_certs": "applicant_certs",
    "applicant_credit": "credit_states",
    "delivery": "delivery",
}


class Word(Model):
    """One word.  `parent` is the dotted prefix; a word matches itself and everything below it."""

    word: str
    parent: str | None = None
    zh: str
    en: str
    definition: str = ""
    columns: tuple[str, ...] = ()
    level: int | None = None
    roles: tuple[Literal["direct", "quasi", "sensitive", "confidential"], ...] = ()
    status: Literal["allowed", "conditional", "qualified", "forbidden"] | None = None
    domain: str | None = None
    implies: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()


class FactKey(Model):
    key: str
    zh: str
    type: str
    words: str | None
    provenance: Literal["catalogue", "register", "computed", "declared"]
    basis: tuple[str, ...] = ()


class ObligationKind(Model):
    """How an obligation is enforced (`system`, `process`, `contract`) and how two of a kind combine."""

    kind: str
    zh: str
    en: str
    definition: str
    params: dict[str, str]
    enforced_by: tuple[Literal["system", "process", "contract"], ...]
    merge: Literal["min", "max", "union", "intersection", "all", "any"]


class Vocabulary(Model):
    """The words of one edition, by axis."""

    format: Literal["vocabulary/1"]
    edition: str
    basis_document: str
    facts: tuple[FactKey, ...]
    semantics: tuple[Word, ...]
    tags: tuple[Word, ...]
    subjects: tuple[Word, ...]
    record_units: tuple[Word, ...]
    purposes: tuple[Word, ...]
    delivery: tuple[Word, ...]
    applicant_kinds: tuple[Word, ...]
    applicant_certs: tuple[Word, ...]
    credit_states: tuple[Word, ...]
    roles: tuple[Word, ...]
    documents: tuple[Word, ...]
    obligations: tuple[ObligationKind, ...]

    @cached_property
    def _axes(self) -> dict[str, dict[str, Word]]:
        names = {*AXES.values(), "roles", "documents"}
        return {name: {word.word: word for word in getattr(self, name)} for name in names}

    @cached_property
    def roots(self) -> frozenset[str]:
        """Semantic types without a parent: too wide to be named by a rule, since they hold harmless words too."""
        return frozenset(word.word for word in self.semantics if word.parent is None)

    @cached_property
    def enforcers(self) -> dict[str, tuple[str, ...]]:
        """Kind of obligation → who enforces it."""
        return {kind.kind: kind.enforced_by for kind in self.obligations}

    def word(self, axis: str, word: str) -> Word | None:
        """Return the nearest known word: itself, else the closest ancestor; None when no part of it is known."""
        known, name = self._axes[axis], word
        while name and name not in known:
            name = name.rpartition(".")[0]
        return known.get(name)

    def knows(self, axis: str, word: str) -> bool:
        return word in self._axes[axis]

    def label(self, axis: str, word: str, language: str = "zh") -> str:
        """Return the word's name in `language`, or the word itself when it is not known."""
        found = self.word(axis, word)
        if found is None:
            return word
        return found.zh if language == "zh" else found.en

    def near(self, axis: str, word: str) -> str | None:
        """Return the known word most like a misspelt one."""
        close = get_close_matches(word, self._axes[axis], n=1, cutoff=0.6)
        return close[0] if close else None

    def domains_of(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the domains whose lists judge a dataset with these tags, sorted; `common` always judges."""
        words = (self.word("tags", tag) for tag in tags)
        return tuple(sorted({word.domain for word in words if word and word.domain and word.domain != "common"}))
