"""A new version reaches a grant only after it was judged for it, difference included; meanwhile both sides are told."""

import threading

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.base.errors import NotFound, WrongState
from service.catalogue.actions import versions as catalogue
from service.catalogue.store import history
from service.grants import actions as grants
from service.grants.actions import following as acts
from service.grants.store import view_of
from service.notices.rules import text as words
from service.screening import commands, jobs
from service.screening import store as screenings
from service.screening.actions import versions
from service.screening.jobs import following as job
from service.screening.rules.versions import RowsTooClose
from service.screening.tables import Screening
from tests.store import following as world
from tests.store.following import DATASET, judged, rides, serves, state, told, version
from tests.store.viewing import later

DAY = {"A": 93, "B": 93}


@pytest.fixture(autouse=True)
def settled(database, store, tmp_path):
    world.settle(tmp_path)
    version(1, [rides(DAY)], tmp_path)
    job._failed.clear()
    return tmp_path


def test_a_day_that_is_large_enough_reaches_the_grant_once_its_view_is_ready(tmp_path):
    grant = world.grant()
    world.build()
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    assert jobs.judge_versions() == 1
    assert state(grant, 2) == ("judged", [])
    assert serves(grant) == 1  # its view is not there yet
    with db.reading() as session:
        assert view_of(session, grant.id) is not None
    assert jobs.judge_versions() == 0
    assert serves(grant) == 1
    world.build()
    assert jobs.judge_versions() == 0
    assert serves(grant) == 2
    with db.reading() as session:
        assert view_of(session, grant.id).rows == 372
    assert told("grant-version-held") == []


def test_ninety_three_on_each_day_and_one_on_the_difference_waits(tmp_path):
    grant = world.grant()
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    assert jobs.judge_versions() == 1
    row = judged(grant, 2)
    assert (row.state, row.reasons) == ("held", [{"code": "difference-too-small", "k": 10, "base": 1}])
    world.build()
    jobs.judge_versions()
    assert serves(grant) == 1


def test_what_went_is_measured_as_what_came(tmp_path):
    grant = world.grant()
    version(2, [rides({"A": 92, "B": 93})], tmp_path)
    jobs.judge_versions()
    assert state(grant, 2) == ("held", ["difference-too-small"])


def test_the_difference_is_measured_by_the_columns_that_tell_people_apart(tmp_path):
    """Twelve rows came, but no station and age band of them together has ten."""
    grant = world.grant()
    old = [rides(DAY), rides(DAY, band="40-49")]
    version(2, old, tmp_path)
    jobs.judge_versions()
    assert state(grant, 2)[0] == "judged"
    version(3, [*old, rides({"A": 6}, day=1), rides({"A": 6}, day=1, band="40-49")], tmp_path)
    jobs.judge_versions()
    assert state(grant, 3) == ("held", ["difference-too-small"])


def test_what_waits_adds_up_until_it_is_enough(tmp_path):
    grant, parts = world.grant(), [rides(DAY)]
    for number, state_of_it in ((2, "held"), (3, "held"), (4, "judged")):
        parts.append(rides({"A": 4}, day=number))
        version(number, parts, tmp_path)
        jobs.judge_versions()
        assert state(grant, number)[0] == state_of_it, number
    world.build()
    jobs.judge_versions()
    assert serves(grant) == 4


def test_a_new_version_is_held_against_every_one_that_the_grant_has_where_rows_went(tmp_path):
    """Twenty came and nineteen went: against the last version enough, against the first one row."""
    grant = world.grant()
    version(2, [rides({"A": 113, "B": 93})], tmp_path)
    jobs.judge_versions()
    assert state(grant, 2)[0] == "judged"
    version(3, [rides({"A": 94, "B": 93})], tmp_path)
    jobs.judge_versions()
    row = judged(grant, 3)
    assert row.reasons == [{"code": "difference-too-small", "k": 10, "base": 1}]


def test_groups_that_do_not_go_out_hold_nothing_up(tmp_path):
    grant = world.grant()
    version(2, [rides(DAY), rides({"C": 3}), rides({"B": 10})], tmp_path)
    jobs.judge_versions()
    assert state(grant, 2) == ("judged", [])


def test_where_no_smallest_group_binds_any_difference_may_come(tmp_path):
    grant = world.grant(columns=["day", "minutes"])
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    jobs.judge_versions()
    assert state(grant, 2) == ("judged", [])


# ---- schema, level, lists -------------------------------------------------------------------------------------------


def recolumn(number, name, **changes):
    """Change what a version says of a column; None takes it away."""
    with db.writing() as session:
        row = history.version(session, DATASET, number)
        kept = [each for each in row.columns if each["name"] != name or changes]
        row.columns = [each | changes if each["name"] == name else each for each in kept]
        session.add(row)


def later_version(tmp_path, number=2):
    """Add an older and a newer version, so that what the entry says is not said of the older one."""
    version(number, [rides(DAY), rides(DAY, day=1)], tmp_path)
    version(number + 1, [rides(DAY), rides(DAY, day=1), rides(DAY, day=2)], tmp_path)


@pytest.mark.parametrize("change", [None, {"type": "string"}, {"semantic": "time.date"}])
def test_a_granted_column_that_is_gone_or_means_something_else_holds_the_version(tmp_path, change):
    grant = world.grant()
    later_version(tmp_path)
    recolumn(2, "minutes", **change or {})
    jobs.judge_versions()
    row = judged(grant, 2)
    assert (row.state, row.reasons) == ("held", [{"code": "schema-changed", "columns": ["minutes"]}])
    assert state(grant, 3)[0] == "judged"


def test_a_filtering_column_counts_as_a_granted_one(tmp_path):
    grant = world.grant(columns=["minutes"], row_filter={"from": "2026-11-01", "to": "2026-11-30"})
    later_version(tmp_path)
    recolumn(2, "day", type="datetime")
    jobs.judge_versions()
    assert judged(grant, 2).reasons == [{"code": "schema-changed", "columns": ["day"]}]


def test_a_column_that_came_stays_closed_and_holds_nothing_up(tmp_path):
    grant = world.grant()
    later_version(tmp_path)
    with db.writing() as session:
        row = history.version(session, DATASET, 2)
        row.columns = [*row.columns, {"name": "card", "type": "string", "semantic": "person.id", "level": 3}]
        session.add(row)
    jobs.judge_versions()
    assert state(grant, 2) == ("judged", [])


def test_a_level_that_rose_holds_the_version_and_one_that_fell_does_not(tmp_path):
    grant = world.grant()
    later_version(tmp_path)
    recolumn(2, "minutes", level=3)
    recolumn(3, "minutes", level=1)
    jobs.judge_versions()
    row = judged(grant, 2)
    assert {"code": "level-raised", "before": 2, "after": 3} in row.reasons
    assert state(grant, 3)[0] == "judged"


def test_a_new_edition_of_a_list_holds_what_it_is_stricter_on(tmp_path):
    grant, other = world.grant(), world.grant(columns=["day", "station"], unit="stranger", application="a2")
    world.use_list(tmp_path, "2026-2", more=world.NO_TIMES)
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    assert jobs.judge_versions() == 2
    row = judged(grant, 2)
    assert row.state == "held"
    assert [(reason["code"], reason["rules"]) for reason in row.reasons] == [("verdict-stricter", ["RI-002"])]
    assert state(other, 2) == ("judged", [])


def test_what_was_judged_is_kept_and_comes_out_the_same_when_it_is_judged_again(tmp_path, database, monkeypatch):
    grant = world.grant()
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    jobs.judge_versions()
    with db.reading() as session:
        kept = session.exec(db.select(Screening).where(Screening.subject == f"grant:{grant.id}")).one()
    assert (kept.moment, kept.id) == ("version", judged(grant, 2).screening_id)
    assert [column["name"] for column in kept.facts["columns"]] == list(world.COLUMNS)
    assert jobs.replay() == (2, [])


# ---- who is judged for what -----------------------------------------------------------------------------------------


def test_only_versions_that_latest_has_come_to_are_judged(tmp_path):
    grant = world.grant()
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    for column, value in (("state", "loaded"), ("state", "withdrawn")):
        with db.writing() as session:
            session.execute(text(f"update datasetversion set {column} = :value where number = 2"), {"value": value})
        assert jobs.judge_versions() == 0
    with db.writing() as session:
        row = history.version(session, DATASET, 2)
        row.state, row.latest_from = "published", world.NOW + catalogue.rules.OVERLAP
        session.add(row)
    assert jobs.judge_versions() == 0
    later(60 * 24 * 89)
    assert jobs.judge_versions() == 0
    assert state(grant, 2) == (None, [])


def test_a_grant_that_is_over_given_back_or_does_not_follow_is_left_where_it_is(tmp_path):
    still, back = world.grant(follows=False), world.grant(application="a2", unit="stranger")
    with db.writing() as session:
        grants.hand_back(session, back.id, by="rival", now=clock.now(session))
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    assert jobs.judge_versions() == 0
    assert (state(still, 2), state(back, 2)) == ((None, []), (None, []))


def test_a_grant_that_rests_on_no_screening_is_held(tmp_path):
    grant = world.grant(rests_on={"screening": "none", "lists": [], "agreement": ""})
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    jobs.judge_versions()
    assert state(grant, 2) == ("held", ["basis-missing"])


# ---- telling and looking again --------------------------------------------------------------------------------------


def test_both_sides_are_told_once_what_and_what_to_do(tmp_path):
    grant = world.grant()
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    for _ in range(3):
        jobs.judge_versions()
    sent = told("grant-version-held")
    assert sorted((one.to_unit, one.to_role) for one in sent) == [("firm", None), ("source", "steward")]
    said = words(sent[0].kind, sent[0].facts)
    assert "第 2 版暂缓提供" in said and "不足 10 行" in said and "自动提供" in said and grant.id in said
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"grant:{grant.id}")).all()
    assert [event.kind for event in events] == ["grant:issue", "grant:hold"]


def test_a_steward_has_a_held_version_judged_again_and_overrides_nothing(tmp_path):
    grant = world.grant()
    world.use_list(tmp_path, "2026-2", more=world.NO_TIMES)
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    jobs.judge_versions()
    with pytest.raises(NotFound), db.writing() as session:
        acts.look_again(session, grant.id, 2, by="manager", now=clock.now(session))
    look_again(grant)
    with pytest.raises(WrongState):
        look_again(grant)  # it is being judged
    assert jobs.judge_versions() == 1
    assert state(grant, 2)[0] == "held"
    world.use_list(tmp_path, "2026-3")
    look_again(grant)
    assert jobs.judge_versions() == 1
    assert state(grant, 2) == ("judged", [])
    assert len(told("grant-version-held")) == 2


def look_again(grant):
    with db.writing() as session:
        acts.look_again(session, grant.id, 2, by="steward", now=clock.now(session))


# ---- two at once, and what is broken --------------------------------------------------------------------------------


def test_two_workers_judge_a_version_once(tmp_path):
    grant = world.grant()
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    workers = [threading.Thread(target=jobs.judge_versions) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert state(grant, 2)[0] == "held"
    assert len(told("grant-version-held")) == 2
    with db.reading() as session:
        assert len(screenings.screenings(session)) == 2


def test_what_changed_while_it_was_measured_is_judged_again(tmp_path):
    grant = world.grant()
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    with db.reading() as session:
        case = versions.open_case(session, grant.id, 2, now=clock.now(session))
    world.use_list(tmp_path, "2026-2", more=world.NO_TIMES)
    with db.writing() as session:
        assert not versions.settle(session, case, [], now=clock.now(session))
    assert state(grant, 2) == (None, [])


def test_a_version_that_cannot_be_measured_holds_no_other_up_and_is_held_in_the_end(tmp_path):
    broken, well = world.grant(), world.grant(columns=["day", "minutes"], unit="stranger", application="a2")
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    with db.reading() as session:
        parts = history.parts(session, DATASET, 2)
    blobs.delete(parts[1].blob_key)
    assert jobs.judge_versions() == 1
    assert (state(broken, 2), state(well, 2)) == ((None, []), ("judged", []))
    for _ in range(3 * job.SKIP + 3):
        jobs.judge_versions()
    assert state(broken, 2) == ("held", ["not-measured"])
    assert job._failed == {} or jobs.judge_versions() == 0


# ---- two grants of one unit -----------------------------------------------------------------------------------------

NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30"}


def test_two_grants_of_a_unit_whose_rows_differ_by_too_few_are_not_both_issued(tmp_path):
    version(2, [rides(DAY), rides({"A": 1}, day=30)], tmp_path)
    world.grant(number=2)
    with pytest.raises(RowsTooClose) as refusal:
        world.grant(row_filter=NOVEMBER, application="a2", number=2, apart=True)
    assert refusal.value.facts["k"] == 10
    world.grant(row_filter=NOVEMBER, application="a3", unit="stranger", number=2, apart=True)


def test_two_grants_of_a_unit_may_differ_by_whole_groups_or_not_at_all(tmp_path):
    version(2, [rides(DAY), rides({"A": 10, "B": 93}, day=30)], tmp_path)
    world.grant(number=2)
    world.grant(row_filter=NOVEMBER, application="a2", number=2, apart=True)
    world.grant(application="a3", number=2, apart=True)


def test_a_unit_does_not_come_by_a_held_version_through_a_second_grant(tmp_path):
    world.grant()
    version(2, [rides({"A": 94, "B": 93})], tmp_path)
    jobs.judge_versions()
    with pytest.raises(RowsTooClose):
        world.grant(columns=["station", "day"], application="a2", number=2, apart=True)


def test_a_version_is_held_that_would_bring_two_grants_of_a_unit_too_close(tmp_path):
    whole, november = world.grant(), world.grant(row_filter=NOVEMBER, application="a2", apart=True)
    version(2, [rides(DAY), rides({"A": 12}, day=1), rides({"A": 12}, day=30)], tmp_path)
    jobs.judge_versions()
    assert [state(each, 2)[0] for each in (whole, november)] == ["judged", "judged"]
    version(3, [rides(DAY), rides({"A": 12}, day=1), rides({"A": 12}, day=30), rides({"A": 5}, day=31)], tmp_path)
    jobs.judge_versions()
    assert state(whole, 3)[0] == "held"
    assert state(november, 3)[0] == "judged"


def test_replaying_at_the_terminal_covers_what_was_judged_of_versions(tmp_path, database, monkeypatch):
    world.grant()
    version(2, [rides(DAY), rides(DAY, day=1)], tmp_path)
    jobs.judge_versions()
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path))
    result = CliRunner().invoke(commands.replay)
    assert result.output == "2 same, 0 different\n"
