"""what became of a request, by its id; and grants that were given back.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "handback",
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_handback")),
    )
    op.create_table(
        "refused_request",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=True),
        sa.Column("dataset_id", sa.String(64), nullable=True),
        sa.Column("endpoint", sa.String(20), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("facts", db.Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_request")),
    )
    for column in ("at", "unit_id", "client_id"):
        op.create_index(op.f(f"ix_refused_request_{column}"), "refused_request", [column])


def downgrade() -> None:
    op.drop_table("refused_request")
    op.drop_table("handback")
