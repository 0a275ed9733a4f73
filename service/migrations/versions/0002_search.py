"""what a dataset is found by.

Revision: 0002
Follows: 0001
"""

from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.base import db
from service.catalogue.engine import words
from service.catalogue.rules import DATA_DOMAINS, KEY_DOMAINS, facets_of, packed

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

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
    " GENERATED ALWAYS AS (array_to_tsvector(string_to_array(terms, ' '))) STORED",
    "ALTER TABLE datasetterms ALTER COLUMN vector SET STATISTICS 2000",
    "CREATE INDEX datasetterms_vector ON datasetterms USING gin (vector) WITH (fastupdate = off)",
)
DATASETS = """
SELECT d.id, d.title_zh, d.title_en, d.summary_zh, d.summary_en, d.key_domain, d.data_domain, d.source_unit_id,
       d.openness, d.level, d.update_cycle, d.synthetic, u.name, u.name_en
FROM dataset d JOIN unit u ON u.id = d.source_unit_id WHERE d.state = 'published' ORDER BY d.published_at, d.id"""
COLUMNS = "SELECT dataset_id, title_zh, title_en, name FROM datasetcolumn ORDER BY dataset_id, position"

TERMS = sa.table("datasetterms", sa.column("number"), sa.column("terms"))
COUNTS = sa.table("facetcount", sa.column("kind"), sa.column("value"), sa.column("n"))


def upgrade() -> None:
    op.create_table(
        "datasetentry",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("initials", sa.String(500), nullable=False),
        sa.Column("facets", sa.String(500), nullable=False),
        sa.Column("sort_zh", sa.String(120), nullable=False),
        sa.Column("sort_en", sa.String(120), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("tally", db.Document, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_datasetentry")),
        sa.UniqueConstraint("dataset_id", name=op.f("uq_datasetentry_dataset_id")),
    )
    for name in ("sort_en", "sort_zh", "used"):
        op.create_index(op.f(f"ix_datasetentry_{name}"), "datasetentry", [name], unique=False)
    op.create_table(
        "datasetterms",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_datasetterms")),
    )
    op.create_table(
        "facetcount",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_facetcount")),
    )
    connection = op.get_bind()
    for statement in INDEX_OF_SQLITE if connection.dialect.name == "sqlite" else INDEX_OF_POSTGRESQL:
        connection.exec_driver_sql(statement)
    _enter_published(connection)
    op.drop_table("datasetword")


def _enter_published(connection: sa.Connection) -> None:
    """Let what was published before be found and counted, the newest with the highest number."""
    columns: dict[str, list[str]] = {}
    for dataset_id, *texts in connection.execute(sa.text(COLUMNS)):
        columns.setdefault(dataset_id, []).extend(texts)
    counted: Counter[tuple[str, str]] = Counter()
    number = 0
    for number, row in enumerate(connection.execute(sa.text(DATASETS)).all(), 1):
        facets = facets_of(
            key_domain=row.key_domain, data_domain=row.data_domain, unit_id=row.source_unit_id, openness=row.openness,
            level=row.level, update_cycle=row.update_cycle, synthetic=bool(row.synthetic), loaded=True,
        )  # fmt: skip
        counted.update((kind, value) for kind, values in facets.items() for value in values)
        entry, terms = _rows(number, row, columns.get(row.id, []), facets)
        connection.execute(sa.table("datasetentry", *map(sa.column, entry)).insert(), entry)
        connection.execute(TERMS.insert(), {"number": number, "terms": terms})
    counted |= Counter({("all", ""): number, ("last", ""): number})
    if number:
        rows = [{"kind": kind, "value": value, "n": n} for (kind, value), n in counted.items()]
        connection.execute(COUNTS.insert(), rows)


def _rows(number: int, row: Any, columns: list[str], facets: dict[str, list[str]]) -> tuple[dict[str, Any], str]:
    domains = (KEY_DOMAINS[row.key_domain], DATA_DOMAINS[row.data_domain], row.key_domain)
    rest = (row.summary_zh, row.summary_en, row.id, row.name, row.name_en, *domains, *columns)
    found = words.index(row.title_zh, row.title_en, rest, facets)
    entry = {
        "number": number, "dataset_id": row.id, "title": found.title, "words": found.words,
        "initials": found.initials, "facets": packed(facets), "sort_zh": found.sort_zh, "sort_en": found.sort_en,
        "used": 0,
    }  # fmt: skip
    return entry, found.terms


def downgrade() -> None:
    op.create_table(
        "datasetword",
        sa.Column("word", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", "dataset_id", name=op.f("pk_datasetword")),
    )
    op.create_index(op.f("ix_datasetword_dataset_id"), "datasetword", ["dataset_id"], unique=False)
    op.drop_table("facetcount")
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql("DROP TABLE datasetfts")
    op.drop_table("datasetterms")
    op.drop_table("datasetentry")
