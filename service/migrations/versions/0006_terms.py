"""PostgreSQL finds an entry by the blocks of its number too, so that common words are sought from the newest on.

Revision: 0006
Follows: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TERMS = "string_to_array(terms, ' ')"
BLOCKS = "('#' || (number >> 10)::text) || ('##' || (number >> 13)::text)"


def upgrade() -> None:
    _index(f"{TERMS} || {BLOCKS}", statistics=200)


def downgrade() -> None:
    _index(TERMS, statistics=2000)


def _index(terms: str, *, statistics: int) -> None:
    """Make the generated column and its index anew.  SQLite's index can be read from the newest on as it is."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for statement in (
        "ALTER TABLE datasetterms DROP COLUMN vector",
        f"ALTER TABLE datasetterms ADD COLUMN vector tsvector GENERATED ALWAYS AS (array_to_tsvector({terms})) STORED",
        f"ALTER TABLE datasetterms ALTER COLUMN vector SET STATISTICS {statistics}",
        "CREATE INDEX datasetterms_vector ON datasetterms USING gin (vector) WITH (fastupdate = off)",
        "ANALYZE datasetterms (vector)",
    ):
        op.get_bind().exec_driver_sql(statement)
