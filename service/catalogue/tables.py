"""The catalogue's rows: datasets, their columns, their stored versions and the words they are found by."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Field

from service.base.db import Document, SQLModel, UTCDateTime

Text = dict[str, str]


class Dataset(SQLModel, table=True):
    """One entry of the catalogue.

    `level` is the recorded grade, never below that of the highest column; `public_columns` names what the standing
    public view of an unconditional dataset holds (None: every column).  `version` counts the changes of this row and
    orders its audit events.
    """

    id: str = Field(primary_key=True, max_length=64)
    title_zh: str = Field(max_length=200)
    title_en: str = Field(max_length=200)
    summary_zh: str
    summary_en: str
    source_unit_id: str = Field(index=True, max_length=64)
    data_domain: str = Field(max_length=32)
    key_domain: str = Field(index=True, max_length=16)
    update_cycle: str = Field(max_length=16)
    openness: str = Field(index=True, max_length=16)
    level: int
    tags: list[str] = Field(sa_type=Document)
    subjects: list[str] = Field(sa_type=Document)
    record_unit: str = Field(max_length=16)
    spatial_m: float | None = None
    temporal_min: float | None = None
    records: int | None = None
    time_column: str | None = Field(default=None, max_length=64)
    area_column: str | None = Field(default=None, max_length=64)
    public_columns: list[str] | None = Field(default=None, sa_type=Document)
    licence: str = Field(max_length=64)
    licence_url: str = Field(max_length=500)
    source_note_zh: str = ""
    source_note_en: str = ""
    source_url: str | None = Field(default=None, max_length=500)
    synthetic: bool = False
    conditions_zh: str = ""
    conditions_en: str = ""
    requirements_zh: str = ""
    requirements_en: str = ""
    safeguards_zh: str = ""
    safeguards_en: str = ""
    basis: str | None = Field(default=None, max_length=32)
    basis_note_zh: str = ""
    basis_note_en: str = ""
    assessment: dict[str, Any] | None = Field(default=None, sa_type=Document)
    derived_from: str | None = Field(default=None, max_length=64)
    derivation: dict[str, Any] | None = Field(default=None, sa_type=Document)
    state: str = Field(default="draft", index=True, max_length=16)
    version: int = 1
    created_at: datetime = Field(sa_type=UTCDateTime)
    updated_at: datetime = Field(sa_type=UTCDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UTCDateTime)

    @property
    def title(self) -> Text:
        return {"zh": self.title_zh, "en": self.title_en}

    @property
    def summary(self) -> Text:
        return {"zh": self.summary_zh, "en": self.summary_en}

    @property
    def conditions(self) -> Text:
        return {"zh": self.conditions_zh, "en": self.conditions_en}

    @property
    def requirements(self) -> Text:
        return {"zh": self.requirements_zh, "en": self.requirements_en}

    @property
    def safeguards(self) -> Text:
        return {"zh": self.safeguards_zh, "en": self.safeguards_en}

    @property
    def basis_note(self) -> Text:
        return {"zh": self.basis_note_zh, "en": self.basis_note_en}

    @property
    def source_note(self) -> Text:
        return {"zh": self.source_note_zh, "en": self.source_note_en}


class DatasetColumn(SQLModel, table=True):
    """One column.  A `semantic` of None means that nobody has classified it yet; a `level` of None, ungraded."""

    dataset_id: str = Field(primary_key=True, max_length=64)
    name: str = Field(primary_key=True, max_length=64)
    position: int
    title_zh: str = Field(max_length=200)
    title_en: str = Field(max_length=200)
    type: str = Field(max_length=16)
    description_zh: str = ""
    description_en: str = ""
    level: int | None = None
    semantic: str | None = Field(default=None, max_length=64)

    @property
    def title(self) -> Text:
        return {"zh": self.title_zh, "en": self.title_en}

    @property
    def description(self) -> Text:
        return {"zh": self.description_zh, "en": self.description_en}


class DatasetVersion(SQLModel, table=True):
    """The stored data of one load: Parquet in the blob store under `raw/<sha256>.parquet`, never served as it is.

    `period_from` and `period_to` are the first and last Beijing day of the time column, both included.
    """

    dataset_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    blob_key: str = Field(max_length=100)
    sha256: str = Field(max_length=64)
    rows: int
    bytes: int
    created_at: datetime = Field(sa_type=UTCDateTime)
    period_from: date | None = None
    period_to: date | None = None


class DatasetWord(SQLModel, table=True):
    """The search index: words, characters, pairs of characters and beginnings of Latin words, folded.

    `weight` is higher for words of the title.
    """

    word: str = Field(primary_key=True, max_length=64)
    dataset_id: str = Field(primary_key=True, index=True, max_length=64)
    weight: int
