"""What goes wrong tells no value: faults are read by operators and kept in logs, who may not see a row."""

import json
import logging

import duckdb
import pytest
from sqlalchemy.exc import IntegrityError

from service.base import clock, db
from service.catalogue import store as catalogue
from service.grants import jobs
from service.grants.engine import opening
from service.grants.rules import RETAKE_AFTER, BadRecipe
from service.grants.tables import ReleasedView
from service.notices.tables import Outbox
from service.people.tables import Person
from tests.store import granted
from tests.store.granted import DATASET, NOW

LOGIN, HASH, NAME = "zhang.san", "$argon2id$a-hash-that-is-secret", "张三"


@pytest.fixture
def ready(database, store, tmp_path):
    """People, a dataset whose plates are text, and a grant on a column that was retyped after it was won."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(50), tmp_path)
        clock.set_shift(NOW - clock.database_now(session))
        granted.issue(session, columns=["plate"])
        version = catalogue.version(session, DATASET, 1)
        version.columns = [each | {"type": "integer"} if each["name"] == "plate" else each for each in version.columns]


def test_a_value_that_stops_a_build_is_shown_to_nobody(ready, caplog):
    with caplog.at_level(logging.INFO):
        for turn in range(3):
            jobs.build_missing()
            clock.set_shift(NOW + (turn + 1) * 2 * RETAKE_AFTER - _now())
    with db.reading() as session:
        views = session.exec(db.select(ReleasedView)).all()
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-failed")).all()
    assert views and views[0].note and told
    logged = [json.dumps(getattr(record, "fields", {}), ensure_ascii=False) for record in caplog.records]
    for text in (views[0].note, str(told[0].facts), *logged, caplog.text):
        assert "浙A" not in text
    assert "ConversionException" in views[0].note


def test_a_recipe_that_cannot_be_made_still_says_why(ready):
    with db.writing() as session:
        version = catalogue.version(session, DATASET, 1)
        version.columns = [each for each in version.columns if each["name"] != "plate"]
    with pytest.raises(BadRecipe, match="plate"), db.writing() as session:
        granted.issue(session, application="a2", columns=["plate"])


def test_a_statement_that_fails_names_no_person(database):
    def add():
        with db.writing() as session:
            session.add(Person(id="p", login=LOGIN, name=NAME, password_hash=HASH, unit_id="u", created_at=NOW))

    add()
    with pytest.raises(IntegrityError) as caught:
        add()
    for word in (HASH, NAME):
        assert word not in str(caught.value)


def _now():
    with db.reading() as session:
        return clock.database_now(session)


@pytest.mark.parametrize("statement", [
    "SELECT * FROM read_text('{outside}')", "SELECT * FROM read_csv('{outside}')", "COPY (SELECT 1) TO '{outside}.csv'",
    "SET enable_external_access = true", "SET allowed_directories = ['/']", "ATTACH '{outside}.db'", "LOAD httpfs",
    "SELECT * FROM read_parquet('https://data.example.org/x.parquet')",
])  # fmt: skip
def test_what_builds_a_view_sees_its_own_files_only(tmp_path, statement):
    outside, folder = tmp_path / "outside.txt", tmp_path / "folder"
    outside.write_text("a\n1\n")
    folder.mkdir()
    with opening.opened(folder, tmp_path / "source.parquet") as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(outside=outside))
