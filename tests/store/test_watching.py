"""Flags on the use of grants: told once to the stewards of the data, and stopping nothing."""

from datetime import timedelta

import pytest

from service.base import clock, db
from service.base.beijing import day_of
from service.data import jobs, store
from service.data.rules.watching import FLOOR_SIZE
from service.data.tables import UsageFlag
from service.grants import store as grants
from service.notices import jobs as outbox
from service.notices.tables import Notice
from service.oauth.tables import Client
from tests.store import granted


@pytest.fixture
def read(database, store_folder):
    """A grant with a client; return a function that notes one answer to it, so many days ago."""
    with db.writing() as session:
        now = clock.now(session)
        granted.settle(session, now)
        granted.publish(session, granted.records(20), store_folder)
        grant = granted.issue(session, now=now)
        session.add(Client(id="c1", unit_id="firm", name="取数系统", created_by="manager", created_at=now))

    def note(size: int, *, ago: int = 0, network: str | None = "203.0.113.0/24", minutes: int = 0) -> None:
        with db.writing() as session:
            at = clock.now(session) - timedelta(days=ago, minutes=minutes)
            store.note_usage(
                session, now=at, dataset_id=granted.DATASET, grant_id=grant.id, client_id="c1", view_id="v", face="csv",
                rows=1, size=size, whole=True, network=network,
            )  # fmt: skip

    note.grant = grant.id
    return note


@pytest.fixture
def store_folder(store, tmp_path):
    return tmp_path


def flags():
    with db.reading() as session:
        return session.exec(db.select(UsageFlag).order_by(UsageFlag.about)).all()


def notices():
    outbox.deliver()
    with db.reading() as session:
        return [row for row in session.exec(db.select(Notice)).all() if row.kind.startswith("usage-")]


def test_a_sudden_volume_is_flagged_once_a_day_and_told_to_the_source_s_stewards(read):
    for ago in range(1, 6):
        read(1000, ago=ago)
    read(FLOOR_SIZE + 1)
    assert (jobs.watch_usage(), jobs.watch_usage()) == (1, 0)
    (flag,) = flags()
    assert (flag.kind, flag.grant_id, flag.facts["today"], flag.facts["usual"]) == (
        "volume", read.grant, FLOOR_SIZE + 1, 1000,
    )  # fmt: skip
    (notice,) = notices()
    assert (notice.kind, notice.unit_id, notice.role) == ("usage-volume", "source", "steward")
    with db.reading() as session:
        assert grants.open_suspension(session, read.grant) is None


def test_a_grant_s_first_network_is_learnt_and_the_next_one_is_flagged(read):
    read(10, minutes=10)
    assert jobs.watch_usage() == 0
    read(10)
    read(10, network="198.51.100.0/24")
    assert (jobs.watch_usage(), jobs.watch_usage()) == (1, 0)
    (flag,) = flags()
    assert (flag.kind, flag.client_id, flag.facts) == ("network", "c1", {"network": "198.51.100.0/24"})
    (notice,) = notices()
    assert notice.facts["system"] == "取数系统" and notice.facts["network"] == "198.51.100.0/24"


def test_what_has_no_network_is_let_be(read):
    read(10, network=None)
    assert jobs.watch_usage() == 0 and flags() == []


def test_of_a_dataset_the_sums_are_had_by_day_grant_and_way(read):
    read(10, ago=1)
    read(30)
    with db.reading() as session:
        today = day_of(clock.now(session))
        since = today - timedelta(days=7)
        by_day = store.dataset_by_day(session, granted.DATASET, since=since)
        assert {day: one.size for day, one in by_day.items()} == {today: 30, today - timedelta(days=1): 10}
        assert store.dataset_by_grant(session, granted.DATASET, since=since)[read.grant].answers == 2
        assert store.dataset_by_face(session, granted.DATASET, since=since)["csv"].rows == 2
