"""The format negative-list/1.  These models are its single source: validation, JSON Schema and the judge's input."""

import json
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Outcome = Literal["pass", "condition", "review", "prohibit"]
Domain = Literal["common", "transport", "education", "healthcare", "finance", "tourism"]
Mode = Literal["secure_env", "query", "api", "download"]
MODES: tuple[Mode, ...] = ("secure_env", "query", "api", "download")
ORDER: tuple[Outcome, ...] = ("pass", "condition", "review", "prohibit")

Dotted = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Positive = Annotated[int, Field(ge=1)]


def strictness(outcome: Outcome) -> int:
    """Return the rank of an outcome: 0 for pass up to 3 for prohibit."""
    return ORDER.index(outcome)


def strictest(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the strictest outcome; pass when there is none."""
    return max(outcomes, key=strictness, default="pass")


class Model(BaseModel):
    """Frozen and closed: an unknown key is an error, a number is not a text, and `yes` is not true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def of(cls, document: object) -> Self:
        """Return plain data (as from JSON or YAML) as this model.  Raises pydantic's ValidationError."""
        return cls.model_validate_json(json.dumps(document, ensure_ascii=False))

    def written(self) -> dict[str, Any]:
        """Return the plain data this was read from: what was left out stays left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Text(Model):
    zh: str
    en: str


class Span(Model):
    """Beijing calendar days, both ends included; no `until` means without end."""

    start: date = Field(alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def forwards(self) -> Self:
        if self.until and self.until < self.start:
            raise PydanticCustomError("span", "until 早于 from / until lies before from")
        return self

    def holds(self, day: date) -> bool:
        return self.start <= day and (self.until is None or day <= self.until)

    def overlaps(self, other: "Span") -> bool:
        return self.start <= (other.until or date.max) and other.start <= (self.until or date.max)


class Basis(Model):
    law: str
    article: str | None = None
    clause: str | None = None
    note: str | None = None
    kind: Literal["law", "regulation", "rule", "normative", "standard", "analogy", "assumption"] = "law"
    mark: Literal["read", "second_hand", "memory"]
    checked_on: date | None = None


class SetMatch(Model):
    """Words against a set (or one word): every key present must hold.  A word matches all words below it."""

    any_of: Words | None = None
    all_of: Words | None = None
    none_of: Words | None = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if self.any_of is None and self.all_of is None and self.none_of is None:
            raise PydanticCustomError("empty", "需要 any_of、all_of 或 none_of / needs any_of, all_of or none_of")
        return self


class NumMatch(Model):
    """Bounds on a number: `at_least`, `at_most` include the bound, `above`, `below` do not; all present must hold."""

    at_least: int | float | None = None
    at_most: int | float | None = None
    below: int | float | None = None
    above: int | float | None = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if self.at_least is self.at_most is self.below is self.above is None:
            raise PydanticCustomError("empty", "需要至少一个界限 / needs at least one bound")
        return self


class When(Model):
    """All keys present must hold.  The keys are the closed vocabulary's."""

    dataset_tags: SetMatch | None = None
    dataset_level: NumMatch | None = None
    dataset_subjects: SetMatch | None = None
    dataset_records: NumMatch | None = None
    columns: SetMatch | None = None
    columns_text: SetMatch | None = None
    quasi_identifiers: NumMatch | None = None
    record_unit: SetMatch | None = None
    spatial_m: NumMatch | None = None
    temporal_min: NumMatch | None = None
    min_group: NumMatch | None = None
    purpose: SetMatch | None = None
    purpose_text: SetMatch | None = None
    applicant_kind: SetMatch | None = None
    applicant_foreign_share: NumMatch | None = None
    applicant_certs: SetMatch | None = None
    applicant_credit: SetMatch | None = None
    delivery: SetMatch | None = None
    retention_days: NumMatch | None = None
    cross_border: bool | None = None
    onward_sharing: bool | None = None
    linked_columns: SetMatch | None = None
    linked_tags: SetMatch | None = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if not self.clauses:
            raise PydanticCustomError("empty", "空条件恒为真，不接受 / an empty condition always holds")
        return self

    @cached_property
    def clauses(self) -> tuple[tuple[str, SetMatch | NumMatch | bool], ...]:
        """The keys present, in the order of the format."""
        pairs = ((key, getattr(self, key)) for key in type(self).model_fields)
        return tuple((key, match) for key, match in pairs if match is not None)


class Unless(Model):
    id: str
    reason: Text
    when: When


class MaxRetention(Model):
    kind: Literal["max_retention"]
    days: Positive


class MinGroup(Model):
    kind: Literal["min_group"]
    k: Positive


class DropColumns(Model):
    kind: Literal["drop_columns"]
    semantics: Annotated[tuple[Dotted, ...], Field(min_length=1)]


class Transform(Model):
    kind: Literal["transform"]
    semantics: Annotated[tuple[Dotted, ...], Field(min_length=1)]
    method: Literal["mask", "keyed_hash", "truncate", "bucket", "generalise"]
    to: str | None = None


class CoarsenSpatial(Model):
    kind: Literal["coarsen_spatial"]
    metres: Positive


class CoarsenTime(Model):
    kind: Literal["coarsen_time"]
    minutes: Positive


class Delivery(Model):
    kind: Literal["delivery_only"]
    modes: tuple[Mode, ...]


class Flag(Model):
    kind: Literal[
        "aggregate_only",
        "output_check",
        "no_memorisation",
        "training_register",
        "retire_on_revocation",
        "no_cross_border",
        "no_onward_sharing",
        "no_reidentification",
        "watermark",
    ]


class Doc(Model):
    kind: Literal["document"]
    name: Literal[
        "legal_review",
        "secrecy_review",
        "operating_licence",
        "anonymisation_assessment",
        "security_assessment",
        "ethics_approval",
        "individual_consent",
        "dpia",
        "agreement",
        "hgr_filing",
        "guardian_consent",
        "rightholder_consent",
        "qualification",
        "important_data_assessment",
        "export_path",
        "model_card",
        "destruction_plan",
    ]


class Report(Model):
    kind: Literal["usage_report"]
    every_days: Positive


class Delay(Model):
    kind: Literal["delay"]
    minutes: Positive


class Quota(Model):
    kind: Literal["quota"]
    rows_per_day: Positive


class Attribution(Model):
    kind: Literal["attribution"]
    text: str | None = None


class Destruction(Model):
    kind: Literal["destruction_proof"]
    within_days: Positive


class Approver(Model):
    kind: Literal["approver"]
    role: str


Obligation = Annotated[
    MaxRetention
    | MinGroup
    | DropColumns
    | Transform
    | CoarsenSpatial
    | CoarsenTime
    | Delivery
    | Flag
    | Doc
    | Report
    | Delay
    | Quota
    | Attribution
    | Destruction
    | Approver,
    Field(discriminator="kind"),
]


class Rule(Model):
    """One line of a negative list: `when` and any block of `when_any` hold, and no exception does."""

    id: str = Field(pattern=r"^[A-Z]{2}-\d{3}$")
    title: Text
    basis: Annotated[tuple[Basis, ...], Field(min_length=1)]
    outcome: Literal["prohibit", "review", "condition"]
    when: When | None = None
    when_any: Annotated[tuple[When, ...], Field(min_length=1)] | None = None
    unless: tuple[Unless, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    remedy: Text | None = None
    effective: Span | None = None
    live_grants: Literal["keep", "recheck", "propose_narrow", "propose_suspend", "propose_end"] = "recheck"

    @model_validator(mode="after")
    def holds_together(self) -> Self:
        if self.when is None and self.when_any is None:
            raise PydanticCustomError("when", "需要 when 或 when_any / needs when or when_any")
        if self.outcome == "condition" and not self.obligations:
            raise PydanticCustomError("obligations", "condition 必须带有义务 / a condition needs obligations")
        if self.outcome == "prohibit" and self.obligations:
            raise PydanticCustomError("obligations", "prohibit 不得带有义务 / a prohibition has no obligations")
        if self.outcome == "prohibit" and all(basis.kind in {"analogy", "assumption"} for basis in self.basis):
            raise PydanticCustomError(
                "basis", "prohibit 不得仅以类推或假设为依据 / a prohibition may not rest on analogy or assumption alone"
            )
        if any(obligation.kind == "delivery_only" and not obligation.modes for obligation in self.obligations):
            raise PydanticCustomError("modes", "modes 不得为空 / modes must not be empty")
        return self


class Expect(Model):
    """What a case must give.  `rules` are the ids that hit, all of them; `obligations` the kinds, all of them;
    `evidence` a part of what each named rule found."""

    outcome: Outcome
    rules: tuple[str, ...] | None = None
    obligations: tuple[str, ...] | None = None
    evidence: dict[str, tuple[str, ...]] | None = None


class Case(Model):
    """`given` is laid over the list's `base_case`."""

    name: str
    given: dict[str, Any]
    expect: Expect


class NegativeList(Model):
    """One edition of one list."""

    format: Literal["negative-list/1"]
    id: str = Field(min_length=1)
    edition: str = Field(min_length=1)
    domain: Domain
    title: Text
    issued_by: Text
    effective: Span
    supersedes: str | None = None
    rules: tuple[Rule, ...]
    base_case: dict[str, Any] = {}
    tests: tuple[Case, ...] = ()

    @model_validator(mode="after")
    def ids_are_unique(self) -> Self:
        ids = [rule.id for rule in self.rules] + [but.id for rule in self.rules for but in rule.unless]
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            raise PydanticCustomError("twice", "规则编号重复 {ids} / ids used twice: {ids}", {"ids": ", ".join(twice)})
        return self

    @cached_property
    def digest(self) -> str:
        """The sha256 of the edition's RFC 8785 JSON without `tests`, in hex.

        Taken over what the file says, not over its defaults: adding a key with its default value is a new text.
        `base_case` belongs to the text; only `tests` stand outside.
        """
        body = self.written()
        body.pop("tests", None)
        return sha256(rfc8785.dumps(body)).hexdigest()
