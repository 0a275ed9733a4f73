"""rows that were recalled.

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recall",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("column", sa.String(64), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("values", db.Document, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("filed_by", sa.String(64), nullable=False),
        sa.Column("filed_at", db.UTCDateTime(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("decided_at", db.UTCDateTime(), nullable=True),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("done_at", db.UTCDateTime(), nullable=True),
        sa.Column("removed", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
    )
    for column in ("dataset_id", "state"):
        op.create_index(op.f(f"ix_recall_{column}"), "recall", [column])
    op.create_table(
        "recalledpart",
        sa.Column("recall_id", sa.String(32), nullable=False),
        sa.Column("part_id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.String(100), nullable=False),
        sa.Column("places", db.Document, nullable=False),
        sa.Column("numbers", db.Document, nullable=False),
        sa.Column("new_part_id", sa.String(32), nullable=True),
        sa.Column("deleted_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("recall_id", "part_id", name=op.f("pk_recalledpart")),
    )
    for column in ("dataset_id", "sha256"):
        op.create_index(op.f(f"ix_recalledpart_{column}"), "recalledpart", [column])
    op.create_table(
        "recall_answer",
        sa.Column("recall_id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("stopped_at", db.UTCDateTime(), nullable=False),
        sa.Column("told_at", db.UTCDateTime(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=True),
        sa.Column("answered_by", sa.String(64), nullable=True),
        sa.Column("answered_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("recall_id", "grant_id", "number", name=op.f("pk_recall_answer")),
    )
    op.create_index(op.f("ix_recall_answer_grant_id"), "recall_answer", ["grant_id"])


def downgrade() -> None:
    op.drop_table("recall_answer")
    op.drop_table("recalledpart")
    op.drop_table("recall")
