"""what was read by day and face, by whom and from where; answers on their way; what stood out.

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_events()
    op.create_table(
        "usage_day",
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("face", sa.String(20), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", "day", "dataset_id", "client_id", "face", name=op.f("pk_usage_day")),
    )
    op.create_index("ix_usage_day_dataset_id_day", "usage_day", ["dataset_id", "day"])
    _sum_up()
    _make_the_rest()


def _widen_events() -> None:
    with op.batch_alter_table("usageevent") as change:
        change.add_column(sa.Column("person_id", sa.String(64), nullable=True))
        change.add_column(sa.Column("credential", sa.String(10), nullable=True))
        change.add_column(sa.Column("network", sa.String(50), nullable=True))
        change.alter_column("rows", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        change.drop_index(op.f("ix_usageevent_grant_id"))
        change.create_index("ix_usageevent_grant_id_id", ["grant_id", "id"])
    op.execute("UPDATE usageevent SET credential = 'token' WHERE client_id IS NOT NULL")


def _sum_up() -> None:
    """Make the sums of what was read before, by Beijing day."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    day = "CAST(timezone('Asia/Shanghai', at) AS DATE)" if postgresql else "date(at, '+8 hours')"
    op.execute(
        "INSERT INTO usage_day (grant_id, day, dataset_id, client_id, face, requests, rows, size, last_at) "
        f"SELECT coalesce(grant_id, ''), {day}, dataset_id, coalesce(client_id, ''), face, count(*), sum(rows), "
        f"sum(size), max(at) FROM usageevent GROUP BY coalesce(grant_id, ''), {day}, dataset_id, "
        "coalesce(client_id, ''), face"
    )


def _make_the_rest() -> None:
    op.create_table(
        "usage_reservation",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sent_rows", sa.BigInteger(), nullable=False),
        sa.Column("sent_size", sa.BigInteger(), nullable=False),
        sa.Column("answer", db.Document, nullable=False),
        sa.Column("lapses_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_reservation")),
    )
    op.create_index("ix_usage_reservation_grant_id_day", "usage_reservation", ["grant_id", "day"])
    op.create_index(op.f("ix_usage_reservation_lapses_at"), "usage_reservation", ["lapses_at"])
    op.create_table(
        "client_network",
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("network", sa.String(50), nullable=False),
        sa.Column("first_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "network", name=op.f("pk_client_network")),
    )
    op.create_table(
        "usage_flag",
        sa.Column("about", sa.String(150), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(32), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("facts", db.Document, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("about", name=op.f("pk_usage_flag")),
    )
    op.create_table(
        "told_cell",
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("cell", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "dataset_id", "cell", name=op.f("pk_told_cell")),
    )
    for column in ("dataset_id", "grant_id"):
        op.create_index(op.f(f"ix_usage_flag_{column}"), "usage_flag", [column])


def downgrade() -> None:
    for table in ("told_cell", "usage_flag", "client_network", "usage_reservation", "usage_day"):
        op.drop_table(table)
    with op.batch_alter_table("usageevent") as change:
        change.drop_index("ix_usageevent_grant_id_id")
        change.create_index(op.f("ix_usageevent_grant_id"), ["grant_id"])
        change.alter_column("rows", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
        for name in ("person_id", "credential", "network"):
            change.drop_column(name)
