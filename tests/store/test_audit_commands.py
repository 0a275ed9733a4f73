"""`qiantang audit`: what an operator sees, and what a script can rely on."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from service.audit import actions, commands
from service.base import db, i18n

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def run(database, tmp_path, monkeypatch):
    """Return a function that runs `qiantang audit …` on a log of two events."""
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    for version in (1, 2):
        tell(version)

    def run_command(*arguments, given=None):
        return CliRunner().invoke(commands.audit, arguments, input=given)

    return run_command


def tell(version):
    with db.writing() as session:
        actions.record(session, subject="application:a", version=version, kind="application:submit", by="p1", now=NOW)


def test_a_sound_log_is_said_to_be_sound(run):
    done = run("verify")
    assert done.exit_code == 0
    assert "日志完好：已封存 2 个事件" in done.output
    i18n.speak("en")
    assert "The log is sound: 2 events sealed" in run("verify").output


def test_the_first_thing_wrong_is_named(run):
    run("verify")
    with db.writing() as session:
        on = " ON event" if session.get_bind().dialect.name == "postgresql" else ""
        session.execute(text(f"DROP TRIGGER event_keep{on}"))
        session.execute(text("UPDATE event SET kind = 'application:approve' WHERE version = 2"))
    done = run("verify")
    assert done.exit_code == 1
    assert "（application:a 第 2 版）被改动" in done.output


def test_a_checkpoint_is_taken_from_a_file_standard_input_or_the_line(run, tmp_path):
    kept = run("checkpoint").output
    assert json.loads(kept)["size"] == 2
    file = tmp_path / "kept.json"
    file.write_text(kept)
    tell(3)
    assert run("verify", "--since", str(file)).exit_code == 0
    assert run("verify", "--since", "-", given=kept).exit_code == 0
    assert run("verify", "--since", kept).exit_code == 0
    other = json.dumps(json.loads(kept) | {"root": "00" * 32})
    done = run("verify", "--since", other)
    assert (done.exit_code, "签名无效" in done.output) == (1, True)
    assert run("verify", "--since", str(tmp_path / "none.json")).exit_code == 2
    assert run("verify", "--since", "{}").exit_code == 2


def test_a_lost_key_is_not_silently_replaced(run, tmp_path):
    run("verify")
    tell(3)
    (tmp_path / "home" / "keys" / "audit.key").unlink()
    done = run("verify")
    assert done.exit_code == 1
    assert "找不到日志的签名密钥" in done.output
    assert not (tmp_path / "home" / "keys" / "audit.key").exists()


def test_an_empty_log_has_no_checkpoint(sqlite, tmp_path, monkeypatch):
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QIANTANG_DATABASE_URL", sqlite.url)
    done = CliRunner().invoke(commands.audit, ["checkpoint"])
    assert (done.exit_code, "没有封存" in done.output) == (1, True)
