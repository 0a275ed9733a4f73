"""uploads that resume, and what becomes of them.

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

from service.base import db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "importrun",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("fingerprint", sa.String(300), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("completed_at", db.UTCDateTime(), nullable=True),
        sa.Column("choices", db.Document, nullable=False),
        sa.Column("found", db.Document, nullable=True),
        sa.Column("progress", db.Document, nullable=True),
        sa.Column("report", db.Document, nullable=True),
        sa.Column("faults", db.Document, nullable=False),
        sa.Column("marks", db.Document, nullable=False),
        sa.Column("confirmed_by", sa.String(64), nullable=True),
        sa.Column("confirmed_at", db.UTCDateTime(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("claimed_at", db.UTCDateTime(), nullable=True),
        sa.Column("beat_at", db.UTCDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(64), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_importrun")),
    )
    for name in ("dataset_id", "state"):
        op.create_index(op.f(f"ix_importrun_{name}"), "importrun", [name], unique=False)


def downgrade() -> None:
    op.drop_table("importrun")
