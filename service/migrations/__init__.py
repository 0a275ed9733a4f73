"""Migrations: Alembic, run from inside the package, so that an installed wheel can migrate too."""

from importlib import import_module
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from service.base import db

TABLES = (
    "base.leases", "base.state", "audit.tables", "notices.tables", "people.tables", "catalogue.tables", "grants.tables",
    "screening.tables", "applications.tables", "oauth.tables", "data.tables",
)  # fmt: skip


def load_tables() -> None:
    """Import every slice's tables, so that the metadata is whole."""
    for name in TABLES:
        import_module(f"service.{name}")


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for one open connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings


def compared(name: str | None, kind: str, _parents: Any = None) -> bool:
    """Whether something in the database is a part of the code's tables; the search index is the database's own."""
    index = (name or "").startswith("datasetfts") or (kind, name) in (
        ("column", "vector"),
        ("index", "datasetterms_vector"),
    )
    return not index


def upgrade(revision: str = "head") -> None:
    """Bring the connected database to `revision`; does nothing when it is there."""
    load_tables()
    with db.migrating() as connection:
        command.upgrade(config(connection), revision)


def behind() -> bool:
    """Whether the connected database is not at this version's revision."""
    with db.migrating() as connection:
        heads = ScriptDirectory.from_config(config(connection)).get_heads()
        return set(MigrationContext.configure(connection).get_current_heads()) != set(heads)


def current() -> str:
    """Return the connected database's revision, empty when it was never migrated."""
    with db.migrating() as connection:
        return " ".join(sorted(MigrationContext.configure(connection).get_current_heads()))
