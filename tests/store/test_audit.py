"""The log on both engines: recording, sealing, and every way of tampering named."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.audit import actions, engine, jobs, rules, store
from service.base import db
from service.base.errors import Changed, NotFound
from tests.merkle import extends, includes

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def log(database, home):
    """A log of two cases with three acts each, sealed in two goes."""
    for version in (1, 2):
        tell("application:a", version, "application:submit")
        tell("application:b", version, "application:submit")
    jobs.seal(home)
    tell("application:a", 3, "application:approve")
    tell("application:b", 3, "application:refuse")
    jobs.seal(home)
    return database


def tell(subject, version=None, kind="application:submit", **facts):
    with db.writing() as session:
        return actions.record(session, subject=subject, version=version, kind=kind, by="p1", now=NOW, facts=facts)


def check(home, since=None):
    with db.snapshot() as session:
        return actions.verify(session, keys=engine.public_keys(home), since=since)


def tamper(*statements):
    """Change the database as somebody who owns it could: without the triggers."""
    with db.writing() as session:
        for table in ("event", "leaf", "tile", "treehead"):
            for name in (f"{table}_keep", f"{table}_keep_all"):
                on = f' ON "{table}"' if session.get_bind().dialect.name == "postgresql" else ""
                session.execute(text(f"DROP TRIGGER IF EXISTS {name}{on}"))
        for statement in statements:
            session.execute(text(statement))


def test_a_sealed_log_verifies(log, home):
    report = check(home)
    assert report.fault is None
    assert (report.size, report.unsealed, report.unsealed_since) == (6, 0, None)


def test_an_event_waits_until_it_is_sealed(database, home):
    tell("unit:u1", kind="unit:register")
    report = check(home)
    assert report.fault is None
    assert (report.size, report.unsealed, report.unsealed_since) == (0, 1, NOW)
    assert jobs.seal(home) == 1
    assert jobs.seal(home) == 0
    assert check(home).size == 1


def test_an_event_lives_and_dies_with_its_act(database, home):
    with pytest.raises(RuntimeError), db.writing() as session:
        actions.record(session, subject="unit:u1", kind="unit:register", by="p1", now=NOW)
        raise RuntimeError("the act failed")
    assert check(home).unsealed == 0


def test_one_version_is_told_once(database):
    tell("application:a", 1)
    with pytest.raises(Changed):
        tell("application:a", 1)
    tell("application:b", 1)


def test_things_without_versions_get_the_next_one(database):
    for _ in range(3):
        tell("unit:u1", kind="unit:change")
    with db.reading() as session:
        assert [event.version for event in store.events_of(session, "unit:u1")] == [1, 2, 3]
        assert store.next_version(session, "unit:u1") == 4


@pytest.mark.parametrize(
    ("act", "why"),
    [
        ({"kind": "application:eat"}, "does not know"),
        ({"subject": "no noun"}, "noun:id"),
        ({"version": 0 - 1}, "begin at 1"),
        ({"facts": {"reason": "材料不全"}}, "not text"),
        ({"facts": {"reason": "two words"}}, "not text"),
        ({"facts": {"parts": [{"at": NOW}]}}, "no place"),
    ],
)
def test_the_log_takes_known_words_and_codes_only(sqlite, act, why):
    given = {"subject": "application:a", "version": 1, "kind": "application:submit", "by": "p1", "now": NOW} | act
    with pytest.raises(ValueError, match=why), db.writing() as session:
        actions.record(session, **given)


@pytest.mark.parametrize("table", ["event", "leaf", "treehead", "tile"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_the_database_refuses_to_change_the_log(log, table, statement):
    if table == "tile":
        with db.writing() as session:
            session.execute(text("INSERT INTO tile (level, number, hash) VALUES (8, 0, :hash)"), {"hash": b"x"})
    column = {"event": "kind", "leaf": "event_id", "treehead": "root", "tile": "hash"}[table]
    with pytest.raises(DBAPIError, match="only ever added"), db.writing() as session:
        session.execute(text(statement.format(f'"{table}"', column, column)))


def test_the_log_cannot_be_emptied_at_once(postgresql):
    with pytest.raises(DBAPIError, match="only ever added"), db.writing() as session:
        session.execute(text("TRUNCATE event"))


@pytest.mark.parametrize(
    ("statement", "code", "about"),
    [
        ("DELETE FROM event WHERE subject = 'application:a' AND version = 2", "version-missing", ("application:a", 2)),
        ("DELETE FROM event WHERE subject = 'application:b' AND version = 3", "event-missing", ("", None)),
        ("UPDATE event SET kind = 'application:approve' WHERE subject = 'application:b' AND version = 3",
         "event-changed", ("application:b", 3)),
        ("UPDATE event SET by = 'p9' WHERE subject = 'application:a' AND version = 1",
         "event-changed", ("application:a", 1)),
        ("UPDATE event SET facts = '{\"x\": 1}' WHERE subject = 'application:a' AND version = 1",
         "event-changed", ("application:a", 1)),
        ("UPDATE event SET version = 4 WHERE subject = 'application:a' AND version = 3",
         "version-missing", ("application:a", 3)),
        ("UPDATE event SET commitment = salt WHERE subject = 'application:a' AND version = 2",
         "event-changed", ("application:a", 2)),
        ("UPDATE leaf SET hash = (SELECT hash FROM leaf WHERE position = 0) WHERE position = 3",
         "leaf-changed", ("application:b", 2)),
        ("DELETE FROM leaf WHERE position = 2", "event-stray", ("application:b", 1)),
        ("DELETE FROM treehead WHERE size = 6", "head-missing", ("", None)),
        ("UPDATE treehead SET root = (SELECT root FROM treehead WHERE size = 4) WHERE size = 6",
         "head-changed", ("", None)),
        ("UPDATE treehead SET signature = (SELECT signature FROM treehead WHERE size = 4) WHERE size = 6",
         "head-signature", ("", None)),
        (f"UPDATE treehead SET key = '{'ab' * 32}' WHERE size = 4", "head-key", ("", None)),
        ("INSERT INTO event SELECT 'zzz', subject, 4, kind, by, at, facts, salt, commitment FROM event "
         "WHERE subject = 'application:a' AND version = 3", "event-stray", ("application:a", 4)),
    ],
)  # fmt: skip
def test_tampering_is_named(log, home, statement, code, about):
    tamper(statement)
    fault = check(home).fault
    assert fault is not None
    assert (fault.code, (fault.subject, fault.version)) == (code, about)
    assert rules.FAULTS[fault.code] % {name: getattr(fault, name) for name in fault.__slots__}


def test_an_event_removed_before_it_was_sealed_is_missed(database, home):
    id = tell("unit:u1", kind="unit:register")
    tamper("DELETE FROM event")
    assert check(home).fault == rules.Fault("event-lost", event=id)


def test_a_long_queue_is_sealed_in_short_transactions(sqlite, home, monkeypatch):
    monkeypatch.setattr(actions, "SEAL_LIMIT", 2)
    for _ in range(5):
        tell("unit:u1", kind="unit:change")
    assert jobs.seal(home) == 5
    with db.reading() as session:
        assert [head.size for head in store.heads(session)] == [2, 4, 5]


def test_the_last_acts_cannot_be_cut_off_together_with_their_head(log, home):
    kept = checkpoint()
    tamper(
        "DELETE FROM treehead WHERE size = 6",
        "DELETE FROM event WHERE version = 3",
        "DELETE FROM leaf WHERE position > 3",
    )
    assert check(home).fault is None  # a log that was cut cleanly looks whole from inside
    assert check(home, kept).fault == rules.Fault("checkpoint-ahead", size=6)


def test_a_log_written_anew_differs_from_the_checkpoint(log, home):
    kept = checkpoint()
    tamper(
        "UPDATE event SET kind = 'application:approve' WHERE subject = 'application:b' AND version = 3",
        "DELETE FROM treehead", "DELETE FROM leaf",
        "INSERT INTO unsealed SELECT id, at FROM event",
    )  # fmt: skip
    with db.writing() as session:
        for event in store.events(session):
            commitment = rules.commitment(store.act_of(event), event.salt)
            session.execute(text("UPDATE event SET commitment = :c WHERE id = :id"), {"c": commitment, "id": event.id})
    jobs.seal(home)
    assert check(home).fault is None
    assert check(home, kept).fault == rules.Fault("checkpoint-differs", size=6)


def test_a_checkpoint_must_be_signed_by_us(log, home):
    kept = checkpoint()
    assert check(home, kept).fault is None
    assert check(home, replace(kept, size=5)).fault == rules.Fault("checkpoint-signature", size=5)
    assert check(home, replace(kept, key="00" * 32)).fault == rules.Fault("checkpoint-signature", size=6)


def test_a_checkpoint_survives_as_json(log):
    kept = checkpoint()
    assert rules.checkpoint_from(kept.document()) == kept
    for broken in (None, [], {}, kept.document() | {"root": "xyz"}, kept.document() | {"signed_at": "2026-01-01"}):
        with pytest.raises(ValueError, match="not a"):
            rules.checkpoint_from(broken)


def test_proofs_hold_across_tiles(database, home):
    with db.writing() as session:
        ids = [
            actions.record(session, subject=f"unit:u{n}", kind="unit:register", by="p1", now=NOW + timedelta(seconds=n))
            for n in range(600)
        ]
    for _ in range(3):
        with db.writing() as session:
            actions.seal(session, signer=engine.signer(home), now=NOW, limit=256)
    with db.reading() as session:
        head, nodes = store.head(session), store.nodes(session)
        assert head.size == 600
        root = bytes.fromhex(head.root)
        for position in (0, 255, 256, 511, 512, 599):
            leaf = store.leaf_of(session, ids[position])
            assert leaf.position == position
            path = rules.inclusion_proof(position, 600, nodes)
            assert includes(leaf.hash, position, 600, path, root)
        old = next(store.heads(session))
        path = rules.consistency_proof(256, 600, nodes)
        assert extends(256, bytes.fromhex(old.root), 600, root, path)
    assert check(home).fault is None
    tamper("UPDATE tile SET hash = (SELECT hash FROM leaf WHERE position = 7) WHERE number = 1")
    assert check(home).fault == rules.Fault("tile-changed", position=511)


def test_an_unknown_event_has_no_leaf(database):
    with db.reading() as session, pytest.raises(NotFound):
        store.leaf_of(session, "nothing")


def test_recorders_and_sealers_at_once_lose_and_repeat_nothing(database, home):
    stop, faults = threading.Event(), []
    engine.signer(home)

    def guard(run):
        def guarded():
            try:
                run()
            except Exception as fault:
                faults.append(fault)

        return threading.Thread(target=guarded)

    def write(writer):
        for n in range(12):
            tell(f"application:{writer}", n + 1)
            tell("unit:shared", kind="unit:change")

    def seal():
        while not stop.is_set():
            jobs.seal(home)

    writers = [guard(lambda w=w: write(w)) for w in range(4)]
    sealers = [guard(seal) for _ in range(2)]
    for thread in writers + sealers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    jobs.seal(home)
    assert faults == []
    report = check(home)
    assert report.fault is None
    assert (report.size, report.unsealed) == (4 * 12 * 2, 0)


def test_the_key_is_made_once_and_is_private(home):
    first = engine.signer(home)
    assert engine.signer(home).key == first.key
    assert (home / "keys" / "audit.key").stat().st_mode & 0o777 == 0o600
    assert engine.public_keys(home) == {first.key}
    assert not engine.holds(first.key, b"message", first.sign(b"other"))
    assert not engine.holds("no key", b"message", first.sign(b"message"))


def checkpoint():
    with db.reading() as session:
        found = store.checkpoint(session)
    assert found is not None
    return found
