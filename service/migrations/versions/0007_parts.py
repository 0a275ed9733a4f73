"""versions of ordered parts, their schema and their standing.

Revision: 0007
Follows: 0006
"""

from datetime import datetime
from hashlib import sha256
from typing import Any

import rfc8785
import sqlalchemy as sa
from alembic import op

from service.base import db, ids

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OLD = sa.table(
    "datasetversion", sa.column("dataset_id"), sa.column("number"), sa.column("blob_key"), sa.column("sha256"),
    sa.column("rows"), sa.column("bytes"), sa.column("created_at", db.UTCDateTime()), sa.column("period_from", sa.Date()),
    sa.column("period_to", sa.Date()),
)  # fmt: skip
NEW = sa.table(
    "datasetversion", sa.column("dataset_id"), sa.column("number"), sa.column("sha256"),
    sa.column("columns", db.Document), sa.column("state"), sa.column("latest_from", db.UTCDateTime()),
    sa.column("published_at", db.UTCDateTime()),
)  # fmt: skip
PARTS = sa.table(
    "datasetpart", sa.column("id"), sa.column("dataset_id"), sa.column("blob_key"), sa.column("sha256"),
    sa.column("rows"), sa.column("bytes"), sa.column("period_from", sa.Date()), sa.column("period_to", sa.Date()),
    sa.column("created_at", db.UTCDateTime()),
)  # fmt: skip
PLACES = sa.table(
    "versionpart", sa.column("dataset_id"), sa.column("number"), sa.column("position"), sa.column("part_id")
)
DATASETS = sa.table("dataset", sa.column("id"), sa.column("state"), sa.column("published_at", db.UTCDateTime()))
COLUMNS = sa.table(
    "datasetcolumn", sa.column("dataset_id"), sa.column("position"), sa.column("name"), sa.column("type"),
    sa.column("semantic"), sa.column("level"),
)  # fmt: skip


def upgrade() -> None:
    _make_tables()
    _widen_versions()
    _carry_over(op.get_bind())
    with op.batch_alter_table("datasetversion", schema=None) as batch_op:
        batch_op.drop_column("blob_key")


def _make_tables() -> None:
    op.create_table(
        "datasetpart",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasetpart")),
    )
    op.create_index(op.f("ix_datasetpart_dataset_id"), "datasetpart", ["dataset_id"], unique=False)
    op.create_table(
        "versionpart",
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "number", "position", name=op.f("pk_versionpart")),
    )
    op.create_index(op.f("ix_versionpart_part_id"), "versionpart", ["part_id"], unique=False)
    op.create_table(
        "datasetfollower",
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "dataset_id", name=op.f("pk_datasetfollower")),
    )
    op.create_index(op.f("ix_datasetfollower_dataset_id"), "datasetfollower", ["dataset_id"], unique=False)
    _make_reviews()


def _make_reviews() -> None:
    op.create_table(
        "secrecyreview",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("basis", sa.String(500), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("filed_by", sa.String(64), nullable=False),
        sa.Column("filed_at", db.UTCDateTime(), nullable=False),
        sa.Column("filed_opinion", sa.String(1000), nullable=False),
        sa.Column("reviewed_by", sa.String(64), nullable=True),
        sa.Column("reviewed_at", db.UTCDateTime(), nullable=True),
        sa.Column("reviewed_opinion", sa.String(1000), nullable=False),
        sa.Column("approved_by", sa.String(64), nullable=True),
        sa.Column("approved_at", db.UTCDateTime(), nullable=True),
        sa.Column("approved_opinion", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrecyreview")),
    )
    for name in ("dataset_id", "outcome"):
        op.create_index(op.f(f"ix_secrecyreview_{name}"), "secrecyreview", [name], unique=False)
    op.create_index(
        "uq_secrecyreview_standing", "secrecyreview", ["dataset_id", "number"], unique=True,
        sqlite_where=sa.text("outcome <> 'refused'"), postgresql_where=sa.text("outcome <> 'refused'"),
    )  # fmt: skip


def _widen_versions() -> None:
    """Add what a version says of itself; the default is for the rows that are there and does not stay."""
    empty = sa.text("'[]'")
    with op.batch_alter_table("datasetversion", schema=None) as batch_op:
        batch_op.alter_column("bytes", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        batch_op.add_column(sa.Column("columns", db.Document, nullable=False, server_default=empty))
        batch_op.add_column(sa.Column("state", sa.String(16), nullable=False, server_default="loaded"))
        batch_op.add_column(sa.Column("changes", db.Document, nullable=False, server_default=empty))
        batch_op.add_column(sa.Column("latest_from", db.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("published_at", db.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("withdrawn_at", db.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("withdrawn_reason_zh", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("withdrawn_reason_en", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("successor", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("report", db.Document, nullable=True))
        batch_op.add_column(sa.Column("loaded_by", sa.String(64), nullable=False, server_default=""))


def _carry_over(connection: sa.Connection) -> None:
    """Make one part of each version there is.

    Versions that were there when their dataset was last published count as published, as does every one of a published
    dataset: each was, when it came, the one that the public had.  The columns of earlier versions were not kept; they
    are taken to be those of today.
    """
    shown = {row.id: (row.state, row.published_at) for row in connection.execute(DATASETS.select())}
    schemas: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(COLUMNS.select().order_by(COLUMNS.c.dataset_id, COLUMNS.c.position)):
        column = {"name": row.name, "type": row.type, "semantic": row.semantic, "level": row.level}
        schemas.setdefault(row.dataset_id, []).append(column)
    for row in connection.execute(OLD.select().order_by(OLD.c.dataset_id, OLD.c.number)).all():
        part_id = ids.new_id(row.created_at)
        values = {column.name: getattr(row, column.name) for column in PARTS.c if column.name != "id"}
        connection.execute(PARTS.insert().values(id=part_id, **values))
        place = {"dataset_id": row.dataset_id, "number": row.number, "position": 0, "part_id": part_id}
        connection.execute(PLACES.insert().values(**place))
        since = _published_at(row.created_at, *shown.get(row.dataset_id, ("draft", None)))
        columns = schemas.get(row.dataset_id, [])
        connection.execute(
            NEW.update()
            .where(NEW.c.dataset_id == row.dataset_id, NEW.c.number == row.number)
            .values(
                sha256=_digest(columns, row.sha256, row.rows), columns=columns,
                state="published" if since else "loaded", published_at=since, latest_from=since,
            )
        )  # fmt: skip


def _published_at(created_at: datetime, state: str, published_at: datetime | None) -> datetime | None:
    if published_at is None or (state != "published" and created_at > published_at):
        return None
    return max(published_at, created_at)


def _digest(columns: list[dict[str, Any]], part_sha256: str, rows: int) -> str:
    """Return the manifest digest of a version of one part."""
    return sha256(rfc8785.dumps({"columns": columns, "parts": [{"sha256": part_sha256, "rows": rows}]})).hexdigest()


def downgrade() -> None:
    with op.batch_alter_table("datasetversion", schema=None) as batch_op:
        batch_op.add_column(sa.Column("blob_key", sa.String(100), nullable=False, server_default=""))
        for name in (
            "loaded_by", "report", "successor", "withdrawn_reason_en", "withdrawn_reason_zh", "withdrawn_at", "published_at",
            "latest_from", "changes", "state", "columns",
        ):  # fmt: skip
            batch_op.drop_column(name)
    for name in ("secrecyreview", "datasetfollower", "versionpart", "datasetpart"):
        op.drop_table(name)
