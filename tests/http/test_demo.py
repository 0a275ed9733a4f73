"""What the demo holds when it has been loaded: cases in every state, each won and lost through its own acts."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from service.applications.rules import STATES
from service.base import clock, db
from service.home import jobs as home
from service.home.jobs.cast import AGE, beginning, cast, moment
from service.policy import engine as policy
from tests import cases

MONDAY = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in Beijing


def test_there_is_a_case_in_every_state(world):
    found = Counter(state for (state,) in world.found("select state from application"))
    assert set(found) == set(STATES)
    assert found["in_review"] >= 5


def test_the_tours_firm_has_no_application_and_no_grant_yet(world):
    assert not world.found("select 1 from application where unit_id = 'firm-tide'")
    assert not world.found("select 1 from \"grant\" where unit_id = 'firm-tide'")
    assert world.known["tour"] == cast()["tour"]


def test_cases_wait_with_clocks_that_run_that_are_nearly_over_and_that_are_over(world):
    rows = world.found("select step_role, due_at from application where state = 'in_review'")
    assert {role for role, _due in rows} == {"steward", "authority"}
    left = sorted(datetime.fromisoformat(due).replace(tzinfo=UTC) - world.now() for _role, due in rows)
    assert left[0] < timedelta(0) < left[1] <= timedelta(days=10)


def test_one_form_holds_three_cases_of_one_source_unit(world):
    rows = world.found(
        "select a.bundle_id, count(*), count(distinct d.source_unit_id) from application a"
        " join dataset d on d.id = a.dataset_id where a.bundle_id is not null group by a.bundle_id"
    )
    assert [tuple(row)[1:] for row in rows] == [(3, 1)]


def test_one_grant_is_read_day_by_day_and_one_is_suspended_by_two_persons(world):
    ((grant, reads, days),) = world.found(
        "select grant_id, count(*), count(distinct date(at)) from usageevent group by 1"
    )
    assert grant != world.grant
    assert reads >= 40 and days >= 8
    ((by, confirmed_by, lifted_at),) = world.found("select by, confirmed_by, lifted_at from suspension")
    assert confirmed_by and by != confirmed_by and lifted_at is None


def test_nothing_of_it_lies_ahead_and_every_act_has_its_event(world):
    now = world.now().isoformat(" ")
    assert not world.found("select 1 from event where at > :now", now=now)
    assert not world.found("select 1 from application where submitted_at > :now", now=now)
    events = world.found("select count(*) from event where subject like 'application:%'")[0][0]
    assert events == world.found("select count(*) from application_history")[0][0]


def test_cases_come_after_the_datasets_and_are_numbered_as_they_came(world):
    rows = world.found("select number, submitted_at from application where number is not null order by number")
    assert [at for _number, at in rows] == sorted(at for _number, at in rows)
    first = world.found("select published_at from datasetversion where number = 1 and published_at is not null")
    assert max(row[0] for row in first) < rows[0][1]


def test_a_second_load_changes_nothing(world):
    def counted():
        return {table: world.found(f'select count(*) from "{table}"')[0][0] for table in tables}

    tables = ("event", "application", "grant", "token", "usageevent", "suspension", "dataset", "person")
    world.change("update suspension set lifted_at = at")  # as an officer did meanwhile
    before = counted()
    assert home.load_demo(world.settings) == {**world.known, "base_url": world.settings.base_url}
    assert counted() == before


def test_a_home_of_an_older_demo_gets_the_new_accounts(world):
    file = home.demo_file(world.settings)
    known = {**world.known, "accounts": world.known["accounts"][:4]}
    world.change("delete from personrole where person_id in (select id from person where login = 'cloud-apply')")
    world.change("delete from person where login = 'cloud-apply'")
    home._write(world.settings, known)
    again = home.load_demo(world.settings)
    assert [one["login"] for one in again["accounts"]] == [who["login"] for who in cast()["people"]]
    assert file.stat().st_mode & 0o077 == 0


@pytest.fixture
def lists():
    """The policies that ship, in use."""
    policy.use(cases.policies())


def test_acts_happen_on_working_days_in_their_order(lists):
    assert moment(MONDAY, 0, 5) == MONDAY
    assert moment(MONDAY, 1, 0) == datetime(2026, 11, 20, 1, 30, tzinfo=UTC)  # Friday, 9:30 in Beijing
    assert moment(MONDAY, 1, 2) > moment(MONDAY, 1, 1) > moment(MONDAY, 2, 9)


def test_the_demo_does_not_begin_before_its_lists(lists):
    assert beginning(MONDAY) == MONDAY - AGE
    soon_after = datetime(2026, 3, 5, tzinfo=UTC)
    assert beginning(soon_after) == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert moment(soon_after, 20, 3) == beginning(soon_after)
    before = datetime(2026, 1, 5, tzinfo=UTC)
    assert beginning(before) == before


def test_the_clock_moves_for_a_block_only(sqlite):
    with db.reading() as session:
        with clock.moved(timedelta(days=-3)):
            assert clock.now(session) < clock.database_now(session) - timedelta(days=2)
        assert abs(clock.now(session) - clock.database_now(session)) < timedelta(seconds=5)
