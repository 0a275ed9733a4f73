"""The manifest of a dataset (one YAML file beside its data) and the search form."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from service.base.beijing import end_of_day
from service.base.forms import Form, OneLine
from service.base.i18n import N_
from service.catalogue.engine import loading
from service.catalogue.engine.loading import marks
from service.catalogue.engine.loading.text import DELIMITERS, ENCODINGS
from service.catalogue.rules import (
    DATA_DOMAINS,
    FACETS,
    FORMATS,
    HAS,
    KEY_DOMAINS,
    UPDATE_CYCLES,
    Basis,
    ColumnType,
    Openness,
)
from service.catalogue.rules.uploads import Choices

UNSUPPORTED = N_("数据文件应为以下格式之一：%(suffixes)s")
MARKED = N_("文件的标题、表头或名称中有“%(mark)s”标志")
LAST_NUMBER = 2**31 - 1
NAME = r"^[a-z][a-z0-9_]{0,62}$"
SLUG = r"^[a-z][a-z0-9-]{1,62}$"
WORD = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"

Slug = Annotated[str, Field(pattern=SLUG)]
Name = Annotated[str, Field(pattern=NAME)]
Word = Annotated[str, Field(pattern=WORD, max_length=64)]
Level = Annotated[int, Field(ge=1, le=4, strict=True)]


def _one_of(words: dict[str, str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in words:
            raise PydanticCustomError("unknown_word", N_("不在可选范围内"))
        return value

    return AfterValidator(check)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Said(Strict):
    """A text in both languages."""

    zh: Annotated[str, Field(min_length=1, max_length=4000)]
    en: Annotated[str, Field(min_length=1, max_length=4000)]


class Title(Strict):
    zh: Annotated[str, Field(min_length=1, max_length=200)]
    en: Annotated[str, Field(min_length=1, max_length=200)]


class ColumnEntry(Strict):
    """One column: `name` is ours; `source` is the file's own heading where it differs.

    `renamed_from` is what the column was called in the version before.
    """

    name: Name
    source: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    title: Title
    type: ColumnType
    description: Said
    level: Level | None = None
    semantic: Word | None = None
    renamed_from: Name | None = None

    @property
    def heading(self) -> str:
        return self.source or self.name


class DataFile(Strict):
    """Where the data is: a file beside the manifest, or a generator of ours with its seed (synthetic data only)."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)] | None = None
    generator: Name | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if (self.path is None) == (self.generator is None):
            raise PydanticCustomError("one_of", N_("须写明 path 或 generator 其中之一"))
        if (self.generator is None) != (self.seed is None):
            raise PydanticCustomError("seed", N_("generator 须同时写明 seed"))
        return self


class Licence(Strict):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, Field(pattern=r"^https?://", max_length=500)]


class Source(Strict):
    note: Said
    url: Annotated[str, Field(pattern=r"^https?://", max_length=500)] | None = None


class Assessment(Strict):
    """An anonymisation assessment: how, by whom, when, with what result."""

    method: Said
    assessor: Said
    date: date
    result: Said


class RestsOn(Strict):
    code: Basis
    note: Said
    assessment: Assessment | None = None


class Derivation(Strict):
    """How a dataset came from another one, and the grade that it was given anew."""

    dataset: Slug
    method: Said
    assessor: Said
    date: date
    level: Level


class Manifest(Strict):
    """A dataset's entry with its data.  Whether it may be published is asked later (rules.faults)."""

    format: Literal["dataset/1"]
    id: Slug
    title: Title
    summary: Said
    source_unit: Slug
    data_domain: Annotated[str, _one_of(DATA_DOMAINS)]
    key_domain: Annotated[str, _one_of(KEY_DOMAINS)]
    update_cycle: Annotated[str, _one_of(UPDATE_CYCLES)]
    openness: Openness
    level: Level
    tags: Annotated[list[Word], Field(min_length=1)]
    subjects: list[Word] = []
    record_unit: Word
    spatial_m: Annotated[float, Field(gt=0)] | None = None
    temporal_min: Annotated[float, Field(gt=0)] | None = None
    records: Annotated[int, Field(ge=0)] | None = None
    time_column: Name | None = None
    area_column: Name | None = None
    public_columns: list[Name] | None = None
    licence: Licence
    source: Source
    synthetic: bool = False
    conditions: Said | None = None
    requirements: Said | None = None
    safeguards: Said | None = None
    basis: RestsOn | None = None
    derived: Derivation | None = None
    data: DataFile
    columns: Annotated[list[ColumnEntry], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        for names in ([column.name for column in self.columns], [column.heading for column in self.columns]):
            if len(set(names)) < len(names):
                raise PydanticCustomError("duplicate_column", N_("字段名重复"))
        if self.data.generator and not self.synthetic:
            raise PydanticCustomError("not_synthetic", N_("由程序生成的数据须标明 synthetic: true"))
        return self


class VersionForm(Form):
    """Which version of a dataset is asked for: by its number, or by when it was in use (a day, an instant)."""

    version: Annotated[int, Field(ge=1, le=LAST_NUMBER)] | None = None
    as_of: Annotated[str, Field(max_length=40)] = ""

    @field_validator("as_of")
    @classmethod
    def readable(cls, value: str) -> str:
        try:
            _moment(value)
        except ValueError:
            raise PydanticCustomError("as_of", N_("应为版本号、日期或带时区的时刻")) from None
        return value

    @property
    def number(self) -> int | None:
        return self.version if self.version is not None else int(self.as_of) if _is_number(self.as_of) else None

    @property
    def moment(self) -> datetime | None:
        return _moment(self.as_of)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= LAST_NUMBER


def _moment(text: str) -> datetime | None:
    """Return the instant that a text names: the end of a Beijing day, or the instant itself; ValueError for neither."""
    if not text or _is_number(text):
        return None
    if len(text) == len("2026-01-01"):
        return end_of_day(date.fromisoformat(text))
    at = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in an address is a blank
    if at.tzinfo is None:
        raise ValueError("an instant says its zone")
    return at


class OpinionForm(Form):
    """What somebody writes when they file, review or approve a secrecy review; a refusal says why."""

    act: Literal["agree", "refuse"] = "agree"
    opinion: Annotated[str, Field(max_length=1000, validate_default=True)] = ""

    @field_validator("opinion")
    @classmethod
    def said_why(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("act") == "refuse" and not value.strip():
            raise PydanticCustomError("no_reason", N_("不予公开须写明理由"))
        return value


class WithdrawalForm(Form):
    """Why a version is withdrawn, and the version to take instead."""

    reason_zh: Annotated[str, Field(min_length=1, max_length=500)]
    reason_en: Annotated[str, Field(max_length=500)] = ""
    successor: Annotated[int, Field(ge=1)] | None = None

    @field_validator("successor", mode="before")
    @classmethod
    def none_chosen(cls, value: object) -> object:
        return None if value == "" else value


class UploadForm(Form):
    """An upload that is to come: for which dataset, what its file is called, how long it is.

    `fingerprint` is whatever its sender knows the same file by.
    """

    dataset: Slug
    filename: Annotated[OneLine, Field(min_length=1, max_length=200)]
    fingerprint: Annotated[str, Field(max_length=300)] = ""
    size: Annotated[int, Field(ge=1)]

    @field_validator("filename")
    @classmethod
    def readable(cls, value: str) -> str:
        if PurePath(value).suffix.lower() not in loading.SUFFIXES:
            raise PydanticCustomError("suffix", UNSUPPORTED, {"suffixes": " ".join(loading.SUFFIXES)})
        if mark := marks.of_title(PurePath(value).stem):
            raise PydanticCustomError("marked", MARKED, {"mark": mark})
        return value


class ReadingForm(Form):
    """How a steward says that a file is to be read; empty is to be found out."""

    encoding: Annotated[str, _one_of({"": "", **ENCODINGS})] = ""
    delimiter: Annotated[str, _one_of({"": "", "tab": "", **DELIMITERS})] = ""
    sheet: Annotated[str, Field(max_length=200)] = ""
    member: Annotated[str, Field(max_length=500)] = ""

    @property
    def choices(self) -> Choices:
        delimiter = "\t" if self.delimiter == "tab" else self.delimiter
        return Choices(self.encoding or None, delimiter or None, self.sheet or None, self.member or None)


class LoadingForm(Form):
    """Which heading is which column, whether the rows come on top, and how many may be left out (per cent)."""

    mapping: dict[str, Annotated[int, Field(ge=0, lt=1000)]]
    mode: Literal["replace", "append"]
    most: Annotated[float, Field(ge=0, lt=100)] = 0.0

    @field_validator("mapping")
    @classmethod
    def once_each(cls, value: dict[str, int]) -> dict[str, int]:
        if len(set(value.values())) < len(value):
            raise PydanticCustomError("mapped_twice", N_("文件的一列只能对应一个字段"))
        return value


class PurgeForm(Form):
    """Why a file with secrecy marks is deleted."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class FollowingForm(Form):
    follow: Literal["yes", "no"]


Among = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=50)]
Ids = Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]], Field(max_length=50)]
SEARCH_LISTS = frozenset(FACETS)


def _all_of(known: Iterable[str]) -> AfterValidator:
    allowed = frozenset(known)

    def check(values: list[str]) -> list[str]:
        if not allowed.issuperset(values):
            raise PydanticCustomError("unknown_word", N_("不在可选范围内"))
        return values

    return AfterValidator(check)


class SearchForm(Form):
    """What a reader may ask of the list.  Words beyond 100 letters are refused, not cut.

    Each facet takes several values, any of which will do; a cursor of another order begins anew.
    """

    q: Annotated[str, Field(max_length=100)] = ""
    domain: Annotated[Among, _all_of(KEY_DOMAINS)] = []
    openness: Annotated[Among, _all_of(Openness)] = []
    level: Annotated[Among, _all_of("1234")] = []
    unit: Ids = []
    cycle: Annotated[Among, _all_of(UPDATE_CYCLES)] = []
    data_domain: Annotated[Among, _all_of(DATA_DOMAINS)] = []
    format: Annotated[Among, _all_of(FORMATS)] = []
    has: Annotated[Among, _all_of(HAS)] = []
    sort: Literal["relevance", "newest", "title", "used"] | None = None
    cursor: Annotated[str, Field(max_length=400)] = ""

    @field_validator(*FACETS, mode="before")
    @classmethod
    def filled(cls, values: object) -> object:
        """Leave out what was given without a value: `?domain=` chooses nothing."""
        return [value for value in values if value != ""] if isinstance(values, list) else values

    @property
    def chosen(self) -> dict[str, list[str]]:
        """What was chosen of each facet that anything was chosen of."""
        return {kind: list(dict.fromkeys(values)) for kind in FACETS if (values := getattr(self, kind))}
