"""One line of migrations leads from nothing to this version's tables, on both engines."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from service import migrations
from service.base import db


def _differences() -> list[object]:
    migrations.load_tables()
    with db.engine().connect() as connection:
        options = {"compare_type": True, "include_name": migrations.compared}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, db.metadata))


def test_there_is_one_head():
    folder = str(next(iter(migrations.__path__)))
    assert len(ScriptDirectory(folder).get_heads()) == 1


def test_the_migrations_make_exactly_the_tables_of_the_code(empty_database):
    migrations.upgrade()
    assert _differences() == []


def test_a_second_upgrade_changes_nothing(empty_database):
    migrations.upgrade()
    migrations.upgrade()
    assert _differences() == []
