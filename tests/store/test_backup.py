"""A backup goes out of either database and into either, whole or not at all."""

import hashlib
import json
import tarfile
from datetime import UTC, date, datetime, timedelta

import click
import pytest
from sqlalchemy import text

from service.audit import actions, engine, jobs, rules
from service.audit import store as log
from service.base import archive, blobs, db, state
from service.base.errors import SecondPersonRequired
from service.base.settings import Settings
from service.data import gate
from service.home import commands
from service.oauth.tables import Token
from service.people.tables import LoginSession, Unit
from tests import buckets

NOW = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(database, tmp_path, request):
    """An empty store: a folder beside SQLite, a bucket beside PostgreSQL."""
    connect_beside(database.engine, f"file://{tmp_path}/store", tmp_path, request)


def connect_beside(engine, url, folder, request):
    if engine == "postgresql":
        request.getfixturevalue("bucket")  # it lets this process in
        url = buckets.url()
    blobs.connect(url, folder / "copies")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "first")


@pytest.fixture
def second(tmp_path):
    return Settings(home=tmp_path / "second")


@pytest.fixture
def service(database, store, settings, tmp_path):
    """A service with a unit, a live session and token, an object, and a sealed log."""
    (settings.home / "keys").mkdir(parents=True)
    (settings.home / "keys" / "secret.key").write_text("a pepper")
    with db.writing() as session:
        session.add(
            Unit(id="u1", kind="enterprise", name="西湖智行", name_en="Xihu", certs=["iso27001"], created_at=NOW)
        )
        session.add(
            LoginSession(
                id_hash="h1", person_id="p1", created_at=NOW, seen_at=NOW, authenticated_at=NOW, agent="a", origin="o"
            )
        )
        session.add(
            Token(digest="t1", client_id="c1", secret_id="s1", scope="data", details=[{"a": 1}], issued_at=NOW,
                  expires_at=NOW + HOUR)
        )  # fmt: skip
        for n in range(3):
            actions.record(session, subject="unit:u1", kind="unit:change", by="p1", now=NOW, facts={"n": n, "x": 0.5})
    jobs.seal(settings.home)
    object_ = tmp_path / "object"
    object_.write_bytes(b"parquet" * 1000)
    blobs.put("views/ab/cd.parquet", object_)
    return database


@pytest.fixture
def file(service, settings, tmp_path):
    made = tmp_path / "backup.tar.gz"
    commands.make_backup(made, settings, revision="r1")
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request, file, tmp_path):
    """Another, empty service, on each engine and store in turn; the process is connected to it."""
    made = request.getfixturevalue(f"make_{request.param}")()
    db.engine().dispose()
    db.connect(made.url)
    connect_beside(request.param, f"file://{tmp_path}/elsewhere", tmp_path, request)
    yield made
    db.engine().dispose()


def put_back(file, settings, kept=None):
    return commands.restore_backup(file, settings, revision="r1", kept=kept)


def verify(home):
    with db.snapshot() as session:
        return actions.verify(session, keys=engine.public_keys(home))


def test_a_service_comes_back_whole_on_either_engine(file, elsewhere, second):
    manifest, report = put_back(file, second)
    assert manifest.rows["event"] == report.size == 3
    with db.reading() as session:
        unit = session.get(Unit, "u1")
        assert (unit.name, unit.certs, unit.created_at) == ("西湖智行", ["iso27001"], NOW)
    assert blobs.read("views/ab/cd.parquet") == b"parquet" * 1000
    assert (second.home / "keys" / "secret.key").read_text() == "a pepper"
    assert (second.home / "keys" / "audit.key").stat().st_mode & 0o777 == 0o600
    assert verify(second.home).fault is None
    assert jobs.seal(second.home) == 1  # the restore itself, under the same key
    assert verify(second.home).fault is None
    with pytest.raises(Exception, match="only ever added"), db.writing() as session:
        session.execute(text("DELETE FROM event"))


def test_nobody_is_let_in_by_what_was_issued_before(file, elsewhere, second):
    put_back(file, second)
    with db.reading() as session:
        assert session.get(LoginSession, "h1").ended_at is not None
        assert session.get(Token, "t1").revoked_at is not None


def test_no_data_leaves_until_two_persons_have_checked(file, elsewhere, second):
    put_back(file, second)
    asked = gate.Asked("any", None, None, "api")
    with db.reading() as session, pytest.raises(state.DataPlaneShut):
        gate.admit(session, asked, now=NOW)
    assert check("p1") is False
    with pytest.raises(SecondPersonRequired):
        check("p1")
    with db.reading() as session, pytest.raises(state.DataPlaneShut):
        state.demand_open(session)
    assert check("p2") is True
    with db.reading() as session:
        state.demand_open(session)
    with pytest.raises(rules.NotShut):
        check("p3")


def check(person):
    with db.writing() as session:
        return actions.check_restored(session, by=person, now=NOW)


def test_a_restore_writes_over_nothing(file, service, settings, second):
    with pytest.raises(click.ClickException, match="这里已有：event"):
        put_back(file, second)
    with pytest.raises(click.ClickException, match="已存在"):
        commands.make_backup(file, settings, revision="r1")


def test_another_version_s_backup_is_refused(file, elsewhere, second):
    with pytest.raises(click.ClickException, match="r1"):
        commands.restore_backup(file, second, revision="r2", kept=None)


def test_a_backup_older_than_the_checkpoint_is_refused_and_leaves_nothing(file, settings, elsewhere, second, service):
    db.connect(service.url)
    with db.writing() as session:
        actions.record(session, subject="unit:u1", kind="unit:change", by="p1", now=NOW)
    jobs.seal(settings.home)
    with db.reading() as session:
        kept = log.checkpoint(session)
    db.engine().dispose()
    db.connect(elsewhere.url)
    with pytest.raises(click.ClickException, match="被截断或回退"):
        put_back(file, second, kept)
    archive.demand_empty(second.home / "keys")


def rewritten(file, made, change):
    """Write the archive again with one member's content changed, and the manifest made to fit."""
    contents = {}
    with tarfile.open(file) as tar:
        for member in tar:
            contents[member.name] = tar.extractfile(member).read()
    change(contents)
    with tarfile.open(made, "w:gz") as tar:
        for name, content in contents.items():
            source = made.with_suffix(".member")
            source.write_bytes(content)
            tar.add(source, name)
    return made


def test_a_log_changed_inside_the_backup_is_found(file, elsewhere, second, tmp_path):
    def change(contents):
        contents["rows/event.jsonl"] = contents["rows/event.jsonl"].replace(b'"p1"', b'"p9"', 1)
        manifest = json.loads(contents["manifest.json"])
        manifest["digests"]["rows/event.jsonl"] = hashlib.sha256(contents["rows/event.jsonl"]).hexdigest()
        contents["manifest.json"] = json.dumps(manifest).encode()

    with pytest.raises(click.ClickException, match="被改动"):
        put_back(rewritten(file, tmp_path / "changed.tar.gz", change), second)
    archive.demand_empty(second.home / "keys")


@pytest.mark.parametrize(
    "change",
    [
        lambda contents: contents.pop("manifest.json"),
        lambda contents: contents.pop("rows/leaf.jsonl"),
        lambda contents: contents.update({"rows/event.jsonl": b"{}\n"}),
        lambda contents: contents.update({"keys/../../evil": b""}),
        lambda contents: contents.update({"evil": b""}),
        lambda contents: contents.update({"manifest.json": b"{}"}),
    ],
)
def test_what_is_not_the_backup_that_was_written_is_refused(sqlite, store, settings, second, tmp_path, change):
    whole = tmp_path / "whole.tar.gz"
    commands.make_backup(whole, settings, revision="r1")
    with pytest.raises(click.ClickException, match="不是完好的备份"):
        put_back(rewritten(whole, tmp_path / "other.tar.gz", change), second)


def test_half_a_backup_is_refused(sqlite, store, settings, second, tmp_path):
    whole = tmp_path / "whole.tar.gz"
    commands.make_backup(whole, settings, revision="r1")
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(click.ClickException, match="不是完好的备份"):
        put_back(whole, second)


def test_the_backup_is_for_its_owner_alone(file):
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.glob(".backup*")] == []


def test_days_survive():
    assert archive._value(archive.Date(), archive._plain(date(2026, 2, 28))) == date(2026, 2, 28)


@pytest.mark.parametrize(
    "name", ["keys//{outside}/evil", "keys/{outside}/evil", "objects//{outside}/evil", "keys/./evil"]
)
def test_no_member_leaves_its_place(sqlite, store, settings, second, tmp_path, name):
    """A backup that somebody else made could name a file of the machine, its digest right."""
    whole, outside = tmp_path / "whole.tar.gz", tmp_path / "outside"
    outside.mkdir()
    commands.make_backup(whole, settings, revision="r1")
    member = name.format(outside=outside).replace("///", "//")

    def plant(contents):
        manifest = json.loads(contents["manifest.json"])
        manifest["digests"][member] = hashlib.sha256(b"planted").hexdigest()
        contents.update({member: b"planted", "manifest.json": json.dumps(manifest).encode()})

    with pytest.raises(click.ClickException, match="不是完好的备份"):
        put_back(rewritten(whole, tmp_path / "other.tar.gz", plant), second)
    assert not list(outside.iterdir())
