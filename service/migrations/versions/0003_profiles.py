"""what a version's columns look like.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile",
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("measured", sa.Integer(), nullable=False),
        sa.Column("body", db.Document, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "number", name=op.f("pk_profile")),
    )


def downgrade() -> None:
    op.drop_table("profile")
