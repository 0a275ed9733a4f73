"""one form for several datasets.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft_revision", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("bundle_id", sa.String(32), nullable=True))
        batch_op.create_index(batch_op.f("ix_application_bundle_id"), ["bundle_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_application_bundle_id"))
        batch_op.drop_column("bundle_id")
        batch_op.drop_column("draft_revision")
