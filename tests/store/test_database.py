"""The database below everything: transactions, instants, and no lost update on either engine."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from service.base import clock, db


def test_the_clock_is_the_database_s_and_aware(database):
    with db.reading() as session:
        at = clock.now(session)
    assert at.utcoffset() == timedelta(0)
    assert abs(at - clock.system_now()) < timedelta(minutes=1)


def test_what_a_reader_writes_is_thrown_away(database):
    with db.writing() as session:
        session.execute(text("create table counter (n integer)"))
        session.execute(text("insert into counter values (0)"))
    with db.reading() as session:
        session.execute(text("update counter set n = 5"))
    with db.reading() as session:
        assert session.execute(text("select n from counter")).scalar_one() == 0


def test_a_failed_transaction_leaves_nothing(database):
    with db.writing() as session:
        session.execute(text("create table counter (n integer)"))
    with pytest.raises(RuntimeError, match="halfway"), db.writing() as session:
        session.execute(text("insert into counter values (1)"))
        raise RuntimeError("halfway")
    with db.reading() as session:
        assert session.execute(text("select count(*) from counter")).scalar_one() == 0


def test_no_increment_is_lost_among_threads(database):
    with db.writing() as session:
        session.execute(text("create table counter (n integer)"))
        session.execute(text("insert into counter values (0)"))

    def add() -> None:
        for _ in range(25):
            with db.writing() as session:
                n = session.execute(text("select n from counter" + _for_update(database))).scalar_one()
                session.execute(text("update counter set n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.reading() as session:
        assert session.execute(text("select n from counter")).scalar_one() == 100


def _for_update(database) -> str:
    return " for update" if database.engine == "postgresql" else ""


def test_a_naive_instant_has_no_place_in_the_database():
    kind = db.UTCDateTime()
    with pytest.raises(ValueError, match="naive"):
        kind.process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001 - the very thing refused


def test_an_instant_comes_back_as_it_went_in():
    kind, at = db.UTCDateTime(), datetime(2026, 1, 1, 8, tzinfo=clock.BEIJING)

    class SQLite:
        name = "sqlite"

    stored = kind.process_bind_param(at, SQLite())
    assert kind.process_result_value(stored, SQLite()) == at
    assert kind.process_result_value(stored, SQLite()).tzinfo is UTC
