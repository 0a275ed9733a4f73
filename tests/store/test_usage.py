"""What was read, by Beijing day and by grant, on both engines."""

from datetime import UTC, date, datetime, timedelta

import pytest

from service.base import db
from service.data import store

MIDNIGHT = datetime(2026, 11, 23, 16, tzinfo=UTC)  # 00:00 of 24 November in Beijing
SECOND = timedelta(seconds=1)


@pytest.fixture
def read(database):
    """Return a function that notes one answer."""

    def note(at: datetime, rows: int, grant: str = "g1", client: str | None = "c1") -> None:
        with db.writing() as session:
            store.note_usage(
                session, now=at, dataset_id="d", grant_id=grant, client_id=client, view_id="v", face="rows", rows=rows,
                size=rows * 10, whole=True,
            )  # fmt: skip

    return note


def test_a_day_begins_at_midnight_in_beijing(read):
    read(MIDNIGHT - SECOND, 1)
    read(MIDNIGHT, 2)
    read(MIDNIGHT + timedelta(hours=23, minutes=59), 4)
    read(MIDNIGHT, 100, grant="g2")
    with db.reading() as session:
        found = store.usage_by_day(session, "g1", since=date(2026, 10, 25))
    assert {day: (one.answers, one.rows, one.size) for day, one in found.items()} == {
        date(2026, 11, 23): (1, 1, 10),
        date(2026, 11, 24): (2, 6, 60),
    }


def test_what_lies_before_is_left_out(read):
    read(MIDNIGHT - SECOND, 1)
    with db.reading() as session:
        assert store.usage_by_day(session, "g1", since=date(2026, 11, 24)) == {}
        assert store.usage_since(session, ["g1"], since=date(2026, 11, 24)) == {}


def test_several_grants_are_counted_in_one_go_with_the_last_answer_of_each(read):
    read(MIDNIGHT, 1)
    read(MIDNIGHT + SECOND, 2)
    read(MIDNIGHT, 7, grant="g2")
    with db.reading() as session:
        found = store.usage_since(session, ["g1", "g2", "g3"], since=date(2026, 11, 24))
        assert store.usage_since(session, [], since=date(2026, 11, 24)) == {}
    assert found == {
        "g1": store.Usage(2, 3, 30, MIDNIGHT + SECOND),
        "g2": store.Usage(1, 7, 70, MIDNIGHT),
    }


def test_each_system_knows_when_it_last_read_under_a_grant(read):
    read(MIDNIGHT, 1)
    read(MIDNIGHT + SECOND, 1)
    read(MIDNIGHT, 1, client="c2")
    read(MIDNIGHT, 1, client=None)
    with db.reading() as session:
        assert store.last_uses(session, "g1") == {"c1": MIDNIGHT + SECOND, "c2": MIDNIGHT}
