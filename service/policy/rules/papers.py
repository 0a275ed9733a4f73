"""The texts that go out: agreements, reasons, the remedy block and the application form, each versioned."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from service.policy.rules.merging import below, plain
from service.policy.rules.models import Mode, Model, Obligation, Text
from service.policy.rules.vocabulary import Vocabulary

Language = Literal["zh", "en"]
_BLANK = re.compile(r"%\((\w+)\)s")


class Paper(Model):
    """A versioned text; its digest goes with the case."""

    @cached_property
    def digest(self) -> str:
        """The sha256 of the file's RFC 8785 JSON, in hex."""
        return sha256(rfc8785.dumps(self.written())).hexdigest()


def blanks_in(text: Text) -> frozenset[str]:
    """Return the names of the blanks %(name)s in either language."""
    return frozenset(_BLANK.findall(text.zh) + _BLANK.findall(text.en))


def fill(text: Text, blanks: Mapping[str, str], language: Language) -> str:
    """Return the text with its blanks filled; a value's own line breaks become spaces, so that it cannot pose as
    a clause.  Raises KeyError for a blank without a value."""
    template = text.zh if language == "zh" else text.en
    return _BLANK.sub(lambda blank: " ".join(blanks[blank[1]].split()), template)


class Clause(Model):
    """A clause of the agreement.  It is in when every condition present holds: purpose, obligation, delivery."""

    id: str
    title: Text
    text: Text
    purposes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    obligations: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    delivery: Annotated[tuple[Mode, ...], Field(min_length=1)] | None = None


class Agreement(Paper):
    format: Literal["agreement/1"]
    id: str
    edition: str
    title: Text
    preamble: Text
    clauses: Annotated[tuple[Clause, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def ids_are_unique(self) -> Self:
        ids = [clause.id for clause in self.clauses]
        if len(ids) != len(set(ids)):
            raise PydanticCustomError("twice", "条款编号重复 / a clause id is used twice")
        return self


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agreement says of its case.  Days are YYYY-MM-DD by the Beijing calendar; `ends_on` is the last day."""

    number: str
    applicant: str
    applicant_uscc: str
    source_unit: str
    authority: str
    dataset: str
    columns: tuple[str, ...]
    rows: str
    purpose: str
    statement: str
    delivery: str
    starts_on: str
    ends_on: str
    security_contact: str = ""
    members: tuple[str, ...] = ()


# The blanks that every clause may use; `<obligation kind>_<parameter>` come besides when the kind is among the duties.
TERM_BLANKS = frozenset(Terms.__slots__)


def agreement_text(
    agreement: Agreement,
    terms: Terms,
    obligations: Iterable[Obligation],
    vocabulary: Vocabulary,
    *,
    language: Language = "zh",
) -> str:
    """Return the agreement of one case; the same arguments give the same text."""
    duties = tuple(obligations)
    blanks = _term_blanks(terms, vocabulary, language) | _duty_blanks(duties, vocabulary, language)
    kinds: set[str] = {duty.kind for duty in duties}
    clauses = [each for each in agreement.clauses if _included(each, terms, kinds)]
    lines = [fill(agreement.title, blanks, language), "", fill(agreement.preamble, blanks, language)]
    for number, clause in enumerate(clauses, start=1):
        head = f"第{_numeral(number)}条　" if language == "zh" else f"Article {number}. "
        lines += ["", f"{head}{fill(clause.title, blanks, language)}", fill(clause.text, blanks, language)]
    return "\n".join(lines) + "\n"


def _included(clause: Clause, terms: Terms, kinds: set[str]) -> bool:
    return (
        (clause.purposes is None or any(below(terms.purpose, purpose) for purpose in clause.purposes))
        and (clause.obligations is None or bool(kinds & set(clause.obligations)))
        and (clause.delivery is None or terms.delivery in clause.delivery)
    )


def _term_blanks(terms: Terms, vocabulary: Vocabulary, language: Language) -> dict[str, str]:
    joint = "、" if language == "zh" else ", "
    none = "无" if language == "zh" else "none"
    said = {name: getattr(terms, name) for name in Terms.__slots__}
    blanks = {name: value if isinstance(value, str) else joint.join(value) for name, value in said.items()}
    blanks["purpose"] = vocabulary.label("purposes", terms.purpose, language)
    blanks["delivery"] = vocabulary.label("delivery", terms.delivery, language)
    return {name: value or none for name, value in blanks.items()}


def _duty_blanks(duties: Iterable[Obligation], vocabulary: Vocabulary, language: Language) -> dict[str, str]:
    joint = "、" if language == "zh" else ", "
    values: dict[str, list[str]] = {}
    for duty in duties:
        for name, value in plain(duty).items():
            if name != "kind":
                shown = value if isinstance(value, list) else [value]
                values.setdefault(f"{duty.kind}_{name}", []).extend(
                    _shown(duty.kind, name, str(each), vocabulary, language) for each in shown
                )
    return {name: joint.join(dict.fromkeys(each)) for name, each in values.items()}


_LABELLED = {("document", "name"): "documents", ("approver", "role"): "roles", ("delivery_only", "modes"): "delivery"}


def _shown(kind: str, name: str, value: str, vocabulary: Vocabulary, language: Language) -> str:
    axis = _LABELLED.get((kind, name)) or ("semantics" if name == "semantics" else None)
    return vocabulary.label(axis, value, language) if axis else value


def _numeral(number: int) -> str:
    """Return 1…99 in Chinese numerals."""
    digits = " 一二三四五六七八九"
    tens, ones = divmod(number, 10)
    head = ("" if tens == 1 else digits[tens]) + "十" if tens else ""
    return head + (digits[ones] if ones else "")


class Category(Model):
    code: str
    zh: str
    en: str


class Reason(Model):
    """A reason an officer may start from and edits before signing.  `category` is what the statistics count."""

    code: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    verbs: Annotated[tuple[Literal["narrow", "return", "refuse", "suspend", "revoke"], ...], Field(min_length=1)]
    category: str
    text: Text


class Reasons(Paper):
    format: Literal["reasons/1"]
    edition: str
    categories: tuple[Category, ...]
    reasons: tuple[Reason, ...]

    def for_verb(self, verb: str) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if verb in reason.verbs)


class SignedOff(Model):
    by: Text
    on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Remedy(Paper):
    """The block that stands at the end of every adverse letter.  Until `signed_off`, it is shown as a draft."""

    format: Literal["remedy/1"]
    id: str
    edition: str
    title: Text
    text: Text
    basis: tuple[Text, ...]
    signed_off: SignedOff | None = None


class Option(Model):
    word: str
    zh: str
    en: str


class Question(Model):
    """One question of the application form; `words` names the vocabulary's axis that the answer comes from."""

    key: str
    label: Text
    hint: Text | None = None
    kind: Literal["text", "long_text", "word", "yes_no", "days", "date", "date_range", "columns", "list", "file"]
    required: bool
    words: str | None = None
    options: tuple[Option, ...] = ()


class Section(Model):
    title: Text
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]


class ApplicationForm(Paper):
    format: Literal["form/1"]
    id: str
    edition: str
    title: Text
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
