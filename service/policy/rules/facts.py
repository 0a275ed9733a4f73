"""The facts of one request, in the vocabulary's keys.  A key that is absent or null is unknown, never false."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from service.policy.rules.models import Domain, Model
from service.policy.rules.vocabulary import AXES, Vocabulary

Count = Annotated[int, Field(ge=0)]
Measure = Annotated[int | float, Field(ge=0)]
Provenance = Literal["catalogue", "register", "computed", "declared"]


class FactsError(ValueError):
    """Facts that cannot be judged.  `errors` holds (key path, message) pairs, all of them at once."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in errors))
        self.errors = errors


class Column(Model):
    """One requested column.  Without a semantic it is unclassified, and whatever asks about columns is unknown."""

    name: str = Field(min_length=1)
    semantic: str | None = None
    title: str | None = None


class Facts(Model):
    """What is known of one request.  `provenance` says where each value comes from; it is kept, not judged."""

    dataset_tags: tuple[str, ...] | None = None
    dataset_level: Annotated[int, Field(ge=1, le=4)] | None = None
    dataset_subjects: tuple[str, ...] | None = None
    dataset_records: Count | None = None
    columns: tuple[Column, ...] | None = None
    quasi_identifiers: Count | None = None
    record_unit: str | None = None
    spatial_m: Measure | None = None
    temporal_min: Measure | None = None
    min_group: Count | None = None
    purpose: str | None = None
    purpose_statement: str | None = None
    applicant_kind: str | None = None
    applicant_foreign_share: Annotated[int | float, Field(ge=0, le=100)] | None = None
    applicant_certs: tuple[str, ...] | None = None
    applicant_credit: str | None = None
    delivery: str | None = None
    retention_days: Count | None = None
    cross_border: bool | None = None
    onward_sharing: bool | None = None
    linked_columns: tuple[str, ...] | None = None
    linked_tags: tuple[str, ...] | None = None
    day: date | None = Field(default=None, alias="date")
    domains: tuple[Domain, ...] | None = None
    provenance: dict[str, Provenance] | None = None

    @model_validator(mode="after")
    def keys_are_known(self) -> "Facts":
        if unknown := sorted(set(self.provenance or {}) - KEYS):
            raise PydanticCustomError(
                "provenance", "不是事实项 {keys} / not keys of the facts: {keys}", {"keys": ", ".join(unknown)}
            )
        names = [column.name for column in self.columns or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PydanticCustomError(
                "columns", "字段重复 {names} / columns named twice: {names}", {"names": ", ".join(twice)}
            )
        return self

    def words(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key path, key, word) for every vocabulary word in these facts."""
        for key in AXES:
            value = getattr(self, key)
            if value is None:
                continue
            if key == "columns":
                for column in value:
                    if column.semantic is not None:
                        yield f"columns.{column.name}", key, column.semantic
            elif isinstance(value, str):
                yield key, key, value
            else:
                yield from ((key, key, word) for word in value)


KEYS = frozenset(Facts.model_fields) - {"day", "domains", "provenance"}


def read_facts(document: Mapping[str, Any], vocabulary: Vocabulary) -> Facts:
    """Return a plain document as facts.

    A word may be one of the vocabulary or lie below one (`health.visit.icd.chapter`).  Raises FactsError with every
    fault: an unknown key, a value of the wrong type, a word that no branch of the vocabulary holds.
    """
    try:
        facts = Facts.of(document)
    except ValidationError as fault:
        raise FactsError([(_path_of(dict(error)), str(error["msg"])) for error in fault.errors()]) from None
    if errors := [
        (path, unknown_word(vocabulary, AXES[key], word))
        for path, key, word in facts.words()
        if vocabulary.word(AXES[key], word) is None
    ]:
        raise FactsError(errors)
    return facts


def _path_of(error: dict[str, Any]) -> str:
    """Return where an error is; of one between values, the key that it is about."""
    path = ".".join(map(str, error["loc"]))
    return path or (str(error["type"]) if error["type"] in Facts.model_fields else "facts")


def unknown_word(vocabulary: Vocabulary, axis: str, word: str) -> str:
    """Return what to say about a word that is not in the vocabulary, with the nearest one that is."""
    near = vocabulary.near(axis, word)
    hint = f"；是否指 {near}？/ did you mean {near}?" if near else ""
    return f"词表 {axis} 中没有 {word} / {word} is not in the vocabulary's {axis}{hint}"
