"""released views by part and by format, the versions judged for a grant, its quota and its namespace.

Revision: 0008
Follows: 0007
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OLD_FILES = {
    "parquet": ("parquet_key", "parquet_sha256", "parquet_bytes"),
    "csv": ("csv_key", "csv_sha256", "csv_bytes"),
}


def upgrade() -> None:
    grant_version, view_part, view_file = _made()
    _carry_grants(grant_version)
    _carry_views(view_part, view_file)


def _made() -> tuple[sa.Table, sa.Table, sa.Table]:
    judged = op.create_table(
        "grant_version",
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("reasons", db.Document, nullable=False),
        sa.Column("screening_id", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("grant_id", "number", name=op.f("pk_grant_version")),
    )
    parts = op.create_table(
        "view_part",
        sa.Column("view_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.String(32), nullable=True),
        sa.Column("cut", sa.String(64), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("view_id", "position", name=op.f("pk_view_part")),
    )
    files = op.create_table(
        "view_file",
        sa.Column("view_id", sa.String(32), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("wanted_at", db.UTCDateTime(), nullable=False),
        sa.Column("claimed_at", db.UTCDateTime(), nullable=True),
        sa.Column("beat_at", db.UTCDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("built_at", db.UTCDateTime(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("view_id", "format", name=op.f("pk_view_file")),
    )
    for table, columns in (("view_part", ("cut", "key")), ("view_file", ("key", "state"))):
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    return judged, parts, files


def _carry_grants(grant_version: sa.Table) -> None:
    """A grant goes on following, in a namespace of its own, and the version that it has was judged when it was won."""
    with op.batch_alter_table("grant") as change:
        change.add_column(sa.Column("follows", sa.Boolean(), nullable=True))
        change.add_column(sa.Column("quota", db.Document, nullable=True))
        change.add_column(sa.Column("namespace", sa.String(32), nullable=True))
    grant = sa.table(
        "grant", sa.column("id", sa.String), sa.column("dataset_version", sa.Integer), sa.column("follows", sa.Boolean),
        sa.column("quota", db.Document), sa.column("namespace", sa.String), sa.column("rests_on", db.Document),
        sa.column("created_at", db.UTCDateTime()),
    )  # fmt: skip
    op.execute(sa.update(grant).values(follows=True, quota={}, namespace=grant.c.id))
    with op.batch_alter_table("grant") as change:
        change.alter_column("follows", existing_type=sa.Boolean(), nullable=False)
        change.alter_column("quota", existing_type=db.Document, nullable=False)
        change.alter_column("namespace", existing_type=sa.String(32), nullable=False)
    rows = [
        {
            "grant_id": row["id"], "number": row["dataset_version"], "state": "judged", "at": row["created_at"],
            "reasons": [], "screening_id": row["rests_on"].get("screening"),
        }
        for row in op.get_bind().execute(sa.select(grant)).mappings()
    ]  # fmt: skip
    if rows:
        op.bulk_insert(grant_version, rows)


def _carry_views(view_part: sa.Table, view_file: sa.Table) -> None:
    """The file of a view that is ready becomes its one part and, with its CSV, its two files."""
    with op.batch_alter_table("releasedview") as change:
        change.add_column(sa.Column("beat_at", db.UTCDateTime(), nullable=True))
        change.add_column(sa.Column("parts_done", sa.Integer(), nullable=True))
        change.add_column(sa.Column("parts_total", sa.Integer(), nullable=True))
    view = sa.table(
        "releasedview", *(sa.column(name) for name in ("id", "dataset_id", "dataset_version", "recipe_digest", "state")),
        *(sa.column(name) for names in OLD_FILES.values() for name in names),
        sa.column("rows", sa.Integer), sa.column("parts_done", sa.Integer), sa.column("parts_total", sa.Integer),
        *(sa.column(name, db.UTCDateTime()) for name in ("claimed_at", "beat_at", "built_at")),
    )  # fmt: skip
    ready = op.get_bind().execute(sa.select(view).where(view.c.state == "ready")).mappings().all()
    if ready:
        parts = _stored_parts()
        op.bulk_insert(view_part, [_part(row, parts) for row in ready])
        op.bulk_insert(view_file, [file for row in ready for file in _files(row)])
    op.execute(sa.update(view).values(beat_at=view.c.claimed_at, parts_done=0, parts_total=0))
    op.execute(sa.update(view).where(view.c.state == "ready").values(parts_done=1, parts_total=1))
    with op.batch_alter_table("releasedview") as change:
        for name, kind in (("beat_at", db.UTCDateTime()), ("parts_done", sa.Integer()), ("parts_total", sa.Integer())):
            change.alter_column(name, existing_type=kind, nullable=False)
        change.alter_column("rows", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        for name in (name for names in OLD_FILES.values() for name in names):
            change.drop_column(name)


def _stored_parts() -> dict[tuple[str, int], str]:
    """Return the one part that each landed version has."""
    places = sa.table("versionpart", *(sa.column(name) for name in ("dataset_id", "number", "part_id")))
    return {(row.dataset_id, row.number): row.part_id for row in op.get_bind().execute(sa.select(places))}


def _part(row: Any, parts: dict[tuple[str, int], str]) -> dict[str, Any]:
    """Return the part of a view of a landed version, which had one only; it was cut in a way that nothing else is."""
    part_id = parts.get((row["dataset_id"], row["dataset_version"]))
    return {
        "view_id": row["id"], "position": 0, "part_id": part_id, "cut": sha256(f"landed {row['id']}".encode()).hexdigest(),
        "key": row["parquet_key"], "sha256": row["parquet_sha256"], "rows": row["rows"], "bytes": row["parquet_bytes"],
    }  # fmt: skip


def _files(row: Any) -> Iterator[dict[str, Any]]:
    for name, (key, digest, size) in OLD_FILES.items():
        yield {
            "view_id": row["id"], "format": name, "state": "ready", "key": row[key], "sha256": row[digest],
            "bytes": row[size], "rows": row["rows"], "wanted_at": row["claimed_at"], "claimed_at": row["claimed_at"],
            "beat_at": row["claimed_at"], "tries": 1, "built_at": row["built_at"], "note": None,
        }  # fmt: skip


def downgrade() -> None:
    with op.batch_alter_table("releasedview") as change:
        for names in OLD_FILES.values():
            key, digest, size = names
            change.add_column(sa.Column(key, sa.String(100), nullable=False, server_default=""))
            change.add_column(sa.Column(digest, sa.String(64), nullable=False, server_default=""))
            change.add_column(sa.Column(size, sa.BigInteger(), nullable=False, server_default="0"))
        for name in ("beat_at", "parts_done", "parts_total"):
            change.drop_column(name)
        change.alter_column("rows", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
    with op.batch_alter_table("grant") as change:
        for name in ("follows", "quota", "namespace"):
            change.drop_column(name)
    for table in ("view_file", "view_part", "grant_version"):
        op.drop_table(table)
