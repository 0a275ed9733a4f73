"""The catalogue's rows: datasets, their columns, their stored versions and what they are found by."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Index, Table, event, text
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


class DatasetPart(SQLModel, table=True):
    """The typed rows of one load or one day: Parquet under `raw/<sha256>.parquet`, never changed, never served as is.

    `period_from` and `period_to` are the first and last Beijing day of the time column, both included.
    """

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    blob_key: str = Field(max_length=100)
    sha256: str = Field(max_length=64)
    rows: int
    bytes: int = Field(sa_type=BigInteger)
    period_from: date | None = None
    period_to: date | None = None
    created_at: datetime = Field(sa_type=UTCDateTime)


class VersionPart(SQLModel, table=True):
    """That a version holds a part, and where in its order."""

    dataset_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    part_id: str = Field(index=True, max_length=32)


class DatasetVersion(SQLModel, table=True):
    """An ordered list of parts with the columns that they had then; parts and columns never change.

    `sha256` is the manifest digest: of the RFC 8785 JSON {"columns", "parts": [{"sha256", "rows"}]}.  `changes` are
    against the version before; once published, against the one that readers had before.  `latest` may point here from
    `latest_from` on.  A withdrawn version is served no more; `successor` is the one to take instead.
    """

    dataset_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    sha256: str = Field(max_length=64)
    rows: int
    bytes: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UTCDateTime)
    period_from: date | None = None
    period_to: date | None = None
    columns: list[dict[str, Any]] = Field(sa_type=Document, description='[{"name", "type", "semantic", "level"}]')
    state: str = Field(default="loaded", max_length=16, description="loaded, published or withdrawn")
    changes: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=Document, description='[{"kind", "column", "from", "to", "breaking"}]'
    )
    latest_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    withdrawn_reason_zh: str = ""
    withdrawn_reason_en: str = ""
    successor: int | None = None
    report: dict[str, Any] | None = Field(default=None, sa_type=Document, description="of the import")
    loaded_by: str = Field(default="", max_length=64)

    @property
    def withdrawn_reason(self) -> Text:
        return {"zh": self.withdrawn_reason_zh, "en": self.withdrawn_reason_en or self.withdrawn_reason_zh}


class SecrecyReview(SQLModel, table=True):
    """The secrecy review (保密审查) of one version: filed by an officer, reviewed by another, approved by a head.

    `outcome` is open, cleared or refused; at most one of a version is not refused.  `place` is "service", or "terminal"
    for what an operator states there, with the `basis` that it rests on.
    """

    __table_args__ = (
        Index(
            "uq_secrecyreview_standing", "dataset_id", "number", unique=True,
            sqlite_where=text("outcome <> 'refused'"), postgresql_where=text("outcome <> 'refused'"),
        ),
    )  # fmt: skip

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    number: int
    place: str = Field(default="service", max_length=16)
    basis: str = Field(default="", max_length=500)
    outcome: str = Field(default="open", index=True, max_length=16)
    filed_by: str = Field(max_length=64)
    filed_at: datetime = Field(sa_type=UTCDateTime)
    filed_opinion: str = Field(default="", max_length=1000)
    reviewed_by: str | None = Field(default=None, max_length=64)
    reviewed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reviewed_opinion: str = Field(default="", max_length=1000)
    approved_by: str | None = Field(default=None, max_length=64)
    approved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    approved_opinion: str = Field(default="", max_length=1000)


class DatasetFollower(SQLModel, table=True):
    """That a person is told when something happens to the versions of a dataset."""

    person_id: str = Field(primary_key=True, max_length=64)
    dataset_id: str = Field(primary_key=True, index=True, max_length=64)
    at: datetime = Field(sa_type=UTCDateTime)


class Recall(SQLModel, table=True):
    """That rows of a dataset are recalled: those whose `column` has one of `values`, which are forgotten once done.

    Filed by one person, confirmed by another, then carried out by a job; `matched` is how many rows were found when it
    was filed, `removed` how many were taken out.  Due at the end of the working day after it was confirmed.
    """

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    reason: str = Field(max_length=24, description="corrected, erased, credit_repaired or complaint")
    note: str = Field(default="", max_length=500, description="the case it rests on; shown to officers only")
    column: str = Field(max_length=64)
    wanted: int = Field(description="how many values")
    values: list[str] | None = Field(default=None, sa_type=Document)
    state: str = Field(index=True, max_length=16, description="filed, confirmed, done or refused")
    filed_by: str = Field(max_length=64)
    filed_at: datetime = Field(sa_type=UTCDateTime)
    matched: int | None = None
    decided_by: str | None = Field(default=None, max_length=64)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    removed: int | None = None


class RecalledPart(SQLModel, table=True):
    """What is left of a part that rows were taken out of: its digest, the places of those rows, what took its place.

    `new_part_id` is None when no row was left.  `deleted_at` is when its object was gone from the store.
    """

    recall_id: str = Field(primary_key=True, max_length=32)
    part_id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    sha256: str = Field(index=True, max_length=64)
    blob_key: str = Field(max_length=100)
    places: list[int] = Field(sa_type=Document)
    numbers: list[int] = Field(sa_type=Document, description="of the versions that held it")
    new_part_id: str | None = Field(default=None, max_length=32)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ImportRun(SQLModel, table=True):
    """One upload and what becomes of it: received in pieces, read, put right by a steward, loaded as a version.

    `received` bytes of `size` are on the disk for good; what lies beyond them in the file is cut off.  The file is
    there while `state` says so (rules.uploads.KEPT).  `claimed_at` names the worker that is at it, `beat_at` when it
    was last heard of.
    """

    id: str = Field(primary_key=True, max_length=32)
    dataset_id: str = Field(index=True, max_length=64)
    by: str = Field(max_length=64)
    name: str = Field(max_length=200, description="of the file, as its sender calls it")
    fingerprint: str = Field(default="", max_length=300, description="by which the sender knows the same file again")
    size: int = Field(sa_type=BigInteger)
    received: int = Field(default=0, sa_type=BigInteger)
    state: str = Field(index=True, max_length=16)
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    choices: dict[str, Any] = Field(default_factory=dict, sa_type=Document, description="rules.uploads.Choices")
    found: dict[str, Any] | None = Field(default=None, sa_type=Document, description="loading.Inspected")
    progress: dict[str, Any] | None = Field(default=None, sa_type=Document, description="loading.Progress")
    report: dict[str, Any] | None = Field(default=None, sa_type=Document, description="loading.Report")
    faults: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=Document, description='[{"field", "message", "blanks"}], said in no language yet'
    )
    marks: list[str] = Field(default_factory=list, sa_type=Document)
    confirmed_by: str | None = Field(default=None, max_length=64)
    confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    number: int | None = Field(default=None, description="of the version it became")
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    beat_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    tries: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ended_by: str | None = Field(default=None, max_length=64)
    reason: str = Field(default="", max_length=500, description="why a marked file was purged")


class DatasetEntry(SQLModel, table=True):
    """A published dataset as the search sees it: narrow, so that a thousand candidates are read in a few pages.

    `number` counts publications, so that the newest has the highest.  `title` has both titles folded, `words` theirs,
    `facets` the values of every facet, one kind after the other ("a|b,c|…"); `sort_zh` is the title in pinyin.
    `used` is how much it was asked for; `tally` counts its columns by verdict when it was published ({"pass": 7 …}).
    """

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    dataset_id: str = Field(unique=True, max_length=64)
    title: str = Field(max_length=500)
    words: str = Field(max_length=1000)
    initials: str = Field(max_length=500)
    facets: str = Field(max_length=500)
    sort_zh: str = Field(index=True, max_length=120)
    sort_en: str = Field(index=True, max_length=120)
    used: int = Field(default=0, index=True)
    tally: dict[str, int] | None = Field(default=None, sa_type=Document)


class DatasetTerms(SQLModel, table=True):
    """The terms by which an entry is found, joined by blanks.  The database keeps its own index of them.

    SQLite: triggers fill `datasetfts`, a contentless FTS5 table that stores no positions.  PostgreSQL: `vector` is
    generated from the terms as they are and from the blocks that the number lies in, and has a GIN index.  Neither is
    a table or a column of the code's: a backup holds the terms, and writing them back makes the index.
    """

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    terms: str


class FacetCount(SQLModel, table=True):
    """How many published datasets have a value, kept in the transaction that publishes; and two counters.

    `all` is how many there are, `last` the number of the newest publication.
    """

    kind: str = Field(primary_key=True, max_length=16)
    value: str = Field(primary_key=True, max_length=64)
    n: int


# Numbers come in blocks of so many bits; PostgreSQL's index holds the blocks of an entry beside its terms.
SMALL_BLOCK, LARGE_BLOCK = 10, 13

# The same statements are in migrations 0002 and 0006.
INDEX_OF_SQLITE = (
    "CREATE VIRTUAL TABLE datasetfts"
    " USING fts5(terms, content='', detail=none, tokenize=\"ascii tokenchars '=_~^+@.-'\")",
    "CREATE TRIGGER datasetterms_added AFTER INSERT ON datasetterms BEGIN"
    " INSERT INTO datasetfts(rowid, terms) VALUES (new.number, new.terms); END",
    "CREATE TRIGGER datasetterms_removed AFTER DELETE ON datasetterms BEGIN"
    " INSERT INTO datasetfts(datasetfts, rowid, terms) VALUES ('delete', old.number, old.terms); END",
)
INDEX_OF_POSTGRESQL = (
    "ALTER TABLE datasetterms ADD COLUMN vector tsvector"
    " GENERATED ALWAYS AS (array_to_tsvector(string_to_array(terms, ' ')"
    f" || ('#' || (number >> {SMALL_BLOCK})::text) || ('##' || (number >> {LARGE_BLOCK})::text))) STORED",
    "ALTER TABLE datasetterms ALTER COLUMN vector SET STATISTICS 200",
    "CREATE INDEX datasetterms_vector ON datasetterms USING gin (vector) WITH (fastupdate = off)",
)


@event.listens_for(SQLModel.metadata.tables["datasetterms"], "after_create")
def _make_index(_table: Table, connection: Connection, **_options: object) -> None:
    for statement in INDEX_OF_SQLITE if connection.dialect.name == "sqlite" else INDEX_OF_POSTGRESQL:
        connection.exec_driver_sql(statement)
