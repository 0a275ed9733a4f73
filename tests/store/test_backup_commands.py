"""`qiantang backup`, `restore` and `reopen` from the first migration to the last word."""

import pytest
from click.testing import CliRunner

from service import migrations
from service.audit import actions, jobs
from service.audit.commands import audit
from service.base import blobs, clock, db
from service.base.roles import Role
from service.home.commands import backup, reopen, restore
from service.people import actions as people

PASSWORD = "correct horse battery"


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Return a function that points the commands, and this process, at one service: its HOME and its database."""

    def point(name, url):
        monkeypatch.setenv("QIANTANG_HOME", str(tmp_path / name))
        monkeypatch.setenv("QIANTANG_DATABASE_URL", url)
        db.connect(url)
        blobs.connect(f"file://{tmp_path / name}/store")

    return point


@pytest.fixture
def service(empty_database, at, tmp_path):
    """A migrated service with two officers and a sealed log."""
    at("first", empty_database.url)
    migrations.upgrade()
    with db.writing() as session:
        now = clock.now(session)
        unit = people.add_unit(session, people.NewUnit("authority", "主管部门", "Authority"), by="tests", now=now)
        for login in ("olga", "anna"):
            person = people.new_person(login, "某人", PASSWORD)
            people.add_person(session, person, unit_id=unit.id, roles=[Role.AUTHORITY], by="tests", now=now)
    jobs.seal(tmp_path / "first")
    return empty_database


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_service_moves_to_another_machine(service, at, tmp_path):
    file, kept = tmp_path / "backup.tar.gz", tmp_path / "kept.json"
    kept.write_text(run(audit, "checkpoint").output)
    done = run(backup, file)
    assert (done.exit_code, "已备份到" in done.output) == (0, True)
    assert run(backup, file).exit_code == 1

    at("second", f"sqlite:///{tmp_path}/second.db")
    done = run(restore, "--checkpoint", kept, file)
    assert done.exit_code == 0, done.output
    assert "审计日志核对无误" in done.output
    assert "qiantang reopen" in done.output
    assert run(audit, "verify", "--since", kept).exit_code == 0
    assert run(restore, file).exit_code == 1

    assert "已记录核对" in run(reopen, "--login", "olga", "--password", PASSWORD).output
    assert "须由另一人确认" in run(reopen, "--login", "olga", "--password", PASSWORD).output
    assert run(reopen, "--login", "anna", "--password", "wrong").exit_code == 1
    assert "已重新开放" in run(reopen, "--login", "anna", "--password", PASSWORD).output
    assert run(audit, "verify").exit_code == 0


def test_a_restore_says_when_it_could_not_be_compared(service, at, tmp_path):
    file = tmp_path / "backup.tar.gz"
    run(backup, file)
    at("second", f"sqlite:///{tmp_path}/second.db")
    assert "未给出系统之外保存的检查点" in run(restore, file).output


def test_a_migrated_log_refuses_changes_like_a_made_one(service, make_sqlite, make_postgresql):
    migrated = triggers()
    made = make_sqlite() if service.engine == "sqlite" else make_postgresql()
    db.connect(made.url)
    assert triggers() == migrated
    assert len(migrated) >= 8


def triggers():
    with db.reading() as session:
        if session.get_bind().dialect.name == "sqlite":
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        else:
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        return sorted(session.connection().exec_driver_sql(query).scalars())


def test_a_database_behind_its_migrations_is_not_backed_up(sqlite, at, tmp_path):
    at("first", sqlite.url)
    done = run(backup, tmp_path / "backup.tar.gz")
    assert (done.exit_code, "qiantang migrate" in done.output) == (1, True)


def test_what_is_told_during_a_backup_is_not_lost(service, tmp_path):
    with db.writing() as session:
        actions.record(session, subject="unit:x", kind="unit:change", by="p", now=clock.now(session))
    assert run(backup, tmp_path / "backup.tar.gz").exit_code == 0
    assert run(audit, "verify").exit_code == 0
