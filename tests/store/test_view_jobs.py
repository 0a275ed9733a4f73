"""Views are built by jobs: each once, part by part, whole or not at all, whoever dies on the way."""

import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.base.errors import WrongState
from service.catalogue import store as catalogue
from service.catalogue.tables import DatasetColumn
from service.grants import actions, engine, jobs, store
from service.grants.rules import ViewBuilding, ViewHeld
from service.notices.tables import Outbox
from tests.store import granted
from tests.store.granted import COLUMNS, DATASET
from tests.store.viewing import PEPPER, all_views, files_of, later, parts_of, settle, view_of


@pytest.fixture
def ready(database, store, tmp_path):
    """A database of each engine with the people, the dataset, one version of it, at NOW."""
    settle(tmp_path)
    return database


@pytest.fixture
def grant(ready):
    with db.writing() as session:
        return granted.issue(session)


def test_a_grant_is_given_its_view_once(grant):
    assert view_of(grant) is None
    assert jobs.build_missing() == 1
    assert jobs.build_missing() == 0
    view = view_of(grant)
    assert view is not None
    assert [column["name"] for column in view.columns] == list(COLUMNS)
    assert view.columns[1]["type"] == "datetime"
    files = files_of(view)
    assert set(files) == {"parquet", "csv"}
    assert blobs.size(files["parquet"].key) == files["parquet"].bytes
    assert blobs.read(files["csv"].key).count(b"\r\n") == view.rows + 1
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"view:{view.id}")).all()
    assert [event.kind for event in events] == ["view:ready"]


def test_a_grant_stays_on_its_dataset_version(grant, tmp_path):
    jobs.build_missing()
    before = view_of(grant)
    with db.writing() as session:
        granted.version(session, DATASET, 2, [granted.records(50, seed=8)], tmp_path)
    assert jobs.build_missing() == 0
    after = view_of(grant)
    assert before is not None
    assert after is not None
    assert (after.id, after.dataset_version) == (before.id, 1)


def test_an_ended_grant_is_given_no_view(ready):
    with db.writing() as session:
        granted.issue(session, days=1)
    later(60 * 24 * 2)
    assert jobs.build_missing() == 0


def test_a_crash_between_claim_and_settle_leaves_no_half_view_and_is_made_good(grant):
    with db.writing() as session:
        assert actions.claim_grant_view(session, grant.id, now=clock.now(session)) is not None
    # the worker died here
    assert view_of(grant) is None
    assert jobs.build_missing() == 0
    later(9)
    assert jobs.build_missing() == 0
    later(2)
    assert jobs.build_missing() == 1
    assert view_of(grant) is not None
    assert len(all_views()) == 1


def test_a_worker_whose_claim_was_retaken_settles_nothing(grant, tmp_path):
    with db.writing() as session:
        slow = actions.claim_grant_view(session, grant.id, now=clock.now(session))
    assert slow is not None
    later(11)
    with db.writing() as session:
        quick = actions.claim_grant_view(session, grant.id, now=clock.now(session))
    assert quick is not None
    assert (quick.view_id, quick.tries) == (slow.view_id, 2)
    assert jobs.build(slow) is False
    assert view_of(grant) is None
    assert jobs.build(quick) is True
    assert view_of(grant) is not None


def test_four_workers_build_a_view_once(grant):
    start, made = threading.Barrier(4), []

    def build():
        start.wait()
        made.append(jobs.build_missing())

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 1]
    assert len(all_views()) == 1


def test_a_build_that_fails_says_why_is_tried_again_and_told_after_the_third_time(grant):
    with db.reading() as session:
        [part] = catalogue.parts(session, DATASET, 1)
        key = part.blob_key
    kept = blobs.read(key)
    blobs.delete(key)
    for _ in range(4):
        assert jobs.build_missing() == 0
        later(11)
    (view,) = all_views()
    assert view.state == "building"
    assert view.tries == 4
    assert view.note
    with db.reading() as session:
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-failed")).all()
    assert [entry.to_role for entry in told] == ["operator"]
    restored = blobs._root / key
    restored.write_bytes(kept)
    assert jobs.build_missing() == 1
    assert view_of(grant) is not None


def test_a_grant_whose_column_is_gone_does_not_hold_up_the_others(ready):
    with db.writing() as session:
        stuck = granted.issue(session, columns=["minutes"])
        fine = granted.issue(session, application="a2", columns=["lot_id"])
        version = catalogue.version(session, DATASET, 1)
        version.columns = [column for column in version.columns if column["name"] != "minutes"]
        session.add(version)
    assert jobs.build_missing() == 1
    assert view_of(stuck) is None
    assert view_of(fine) is not None


def test_a_view_worse_than_its_verdict_is_quarantined_and_the_stewards_are_told(ready, tmp_path):
    smuggled = granted.records(50)
    smuggled = smuggled.set_column(4, "vehicle_type", smuggled["plate"])
    with db.writing() as session:
        granted.version(session, DATASET, 2, [smuggled], tmp_path)
        grant = granted.issue(session, dataset_version=2)
    assert jobs.build_missing() == 0
    assert jobs.build_missing() == 0
    assert view_of(grant) is None
    (view,) = all_views()
    assert (view.state, view.note, files_of(view)) == ("quarantined", "plate:vehicle_type", {})
    stored = list(blobs.keys())
    assert not [key for key in stored if key.startswith("views/")]
    with db.reading() as session:
        assert store.view_state(session, grant.id) == "quarantined"
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-quarantined")).all()
    assert [(entry.to_unit, entry.to_role) for entry in told] == [("source", "steward")]


def test_a_column_graded_worse_later_does_not_make_plates_fit_for_a_grant_won_before(ready, tmp_path):
    smuggled = granted.records(50)
    smuggled = smuggled.set_column(4, "vehicle_type", smuggled["plate"])
    with db.writing() as session:
        granted.version(session, DATASET, 2, [smuggled], tmp_path)
        grant = granted.issue(session, dataset_version=2)
        session.flush()
        _record_as(session, "vehicle_type", "vehicle.plate")
    assert jobs.build_missing() == 0
    later(60 * 24 * 3)
    assert jobs.build_missing() == 0
    assert view_of(grant) is None


def test_publishing_again_measures_a_quarantined_public_view_again(ready, tmp_path):
    phones = granted.records(50).set_column(1, "lot_id", pa.array([f"1380000{n:04d}" for n in range(50)]))
    with db.writing() as session:
        granted.version(session, DATASET, 2, [phones], tmp_path)
    for _ in range(2):
        with pytest.raises(ViewHeld):
            jobs.build_public_view(DATASET, ["lot_id"])
    with db.writing() as session:
        _record_as(session, "lot_id", "org.phone")
    view = jobs.build_public_view(DATASET, ["lot_id"])
    assert view.rows == 50
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"view:{view.id}").order_by(Event.version)).all()
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-quarantined")).all()
    assert [event.kind for event in events] == ["view:quarantine", "view:quarantine", "view:ready"]
    assert len(told) == 1


def _record_as(session, name, semantic):
    column = session.get(DatasetColumn, (DATASET, name))
    column.semantic = semantic
    session.add(column)


def test_the_public_view_is_built_at_once_and_the_same_recipe_not_twice(ready):
    first = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    again = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    assert (first.id, first.grant_id, first.rows) == (again.id, None, 200)
    with db.reading() as session:
        served = store.public_view(session, DATASET)
    assert served is not None
    assert served.id == first.id


def test_the_public_view_that_was_published_last_serves(ready):
    wide = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    later(1)
    narrow = jobs.build_public_view(DATASET, ["lot_id"])
    with db.reading() as session:
        assert store.public_view(session, DATASET).id == narrow.id
    later(1)
    jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    with db.reading() as session:
        assert store.public_view(session, DATASET).id == wide.id


def test_a_public_view_with_plates_in_it_is_held(ready, tmp_path):
    with db.writing() as session:
        table = granted.records(50).set_column(1, "lot_id", granted.records(50)["plate"])
        granted.version(session, DATASET, 2, [table], tmp_path)
    with pytest.raises(ViewHeld):
        jobs.build_public_view(DATASET, ["lot_id"])
    with db.reading() as session:
        assert store.public_view(session, DATASET) is None


def test_a_public_view_that_another_worker_builds_is_waited_for(ready):
    with db.writing() as session:
        actions.claim_public_view(session, DATASET, ["lot_id"], version=None, now=clock.now(session))
    with pytest.raises(ViewBuilding):
        jobs.build_public_view(DATASET, ["lot_id"])


# ---- parts ----------------------------------------------------------------------------------------------------------

DAYS = [granted.records(100, seed=seed) for seed in (1, 2, 3)]


def _judge(grant, number, **changes):
    with db.writing() as session:
        now = clock.now(session)
        store.note_version(session, grant.id, number, state=changes.get("state", "judged"), now=now)


def _version(number, tables, tmp_path):
    with db.writing() as session:
        granted.version(session, DATASET, number, tables, tmp_path)


@pytest.fixture
def daily(ready, tmp_path):
    """A grant on version 2, which has two parts."""
    _version(2, DAYS[:2], tmp_path)
    with db.writing() as session:
        found = granted.issue(session, dataset_version=2)
    assert jobs.build_missing() == 1
    return found


def test_a_new_day_is_cut_alone_and_the_days_before_are_taken_as_they_are(daily, tmp_path, monkeypatch):
    _version(3, DAYS, tmp_path)
    _judge(daily, 3)
    cut = []
    real = engine.do
    monkeypatch.setattr(engine, "do", lambda job, hear: cut.append(job) or real(job, hear))
    assert jobs.build_missing() == 1
    assert sum(isinstance(job, engine.Cut) for job in cut) == 1
    before, after = parts_of(view_of(daily, 2)), parts_of(view_of(daily, 3))
    assert [part.key for part in after[:2]] == [part.key for part in before]
    assert [part.rows for part in after] == [100, 100, 100]
    view = view_of(daily, 3)
    assert (view.rows, view.parts_done, view.parts_total) == (300, 3, 3)


def test_the_whole_files_of_several_parts_hold_them_in_order(daily):
    view = view_of(daily)
    files, parts = files_of(view), parts_of(view)
    with blobs.as_file(files["parquet"].key) as whole:
        rows = pq.read_table(whole).to_pylist()
    expected = []
    for part in parts:
        with blobs.as_file(part.key) as file:
            expected += pq.read_table(file).to_pylist()
    assert rows == expected
    assert blobs.read(files["csv"].key).count(b"\r\n") >= view.rows + 1


def test_a_part_cut_for_one_grant_serves_another_of_the_same_recipe_and_no_other(daily, monkeypatch):
    with db.writing() as session:
        same = granted.issue(session, dataset_version=2, application="a2")
        other = granted.issue(session, dataset_version=2, application="a3", columns=["lot_id"])
    cut = []
    real = engine.do
    monkeypatch.setattr(engine, "do", lambda job, hear: cut.append(job) or real(job, hear))
    assert jobs.build_missing() == 2
    assert sum(isinstance(job, engine.Cut) for job in cut) == 2  # the other's two parts
    assert [part.key for part in parts_of(view_of(same))] == [part.key for part in parts_of(view_of(daily))]
    assert not {part.key for part in parts_of(view_of(other))} & {part.key for part in parts_of(view_of(same))}


def test_a_worker_that_died_between_parts_leaves_what_it_made(ready, tmp_path, monkeypatch):
    _version(2, DAYS, tmp_path)
    with db.writing() as session:
        grant = granted.issue(session, dataset_version=2)
    made, real = [], engine.do

    def twice(job, hear):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(job)
        return real(job, hear)

    monkeypatch.setattr(engine, "do", twice)
    with pytest.raises(KeyboardInterrupt):
        jobs.build_missing()
    (view,) = all_views()
    assert (view.state, view.parts_done, view.parts_total, view.rows) == ("building", 2, 3, 200)
    assert view_of(grant) is None and files_of(view) == {}
    made.clear()
    monkeypatch.setattr(engine, "do", lambda job, hear: made.append(job) or real(job, hear))
    later(11)
    assert jobs.build_missing() == 1
    assert sum(isinstance(job, engine.Cut) for job in made) == 1
    assert view_of(grant).rows == 300


def test_a_build_that_says_that_it_goes_on_is_not_taken_over(grant):
    with db.writing() as session:
        claimed = actions.claim_grant_view(session, grant.id, now=clock.now(session))
    for _ in range(3):
        later(9)
        with db.writing() as session:
            assert store.beat(session, claimed.view_id, claimed_at=claimed.claimed_at, now=clock.now(session))
    assert jobs.build_missing() == 0
    assert jobs.build(claimed)


def test_a_version_that_was_not_judged_for_a_grant_is_neither_built_nor_served(daily, tmp_path):
    _version(3, DAYS, tmp_path)
    assert jobs.build_missing() == 0
    _judge(daily, 3, state="held")
    assert jobs.build_missing() == 0
    assert view_of(daily, 3) is None
    with db.writing() as session, pytest.raises(WrongState):
        actions.move_to(session, store.grant(session, daily.id), 3, now=clock.now(session))


def test_a_grant_moves_to_a_version_that_was_judged_for_it_and_the_one_before_stays_at_hand(daily, tmp_path):
    _version(3, DAYS, tmp_path)
    _judge(daily, 3)
    assert jobs.build_missing() == 1
    assert view_of(daily).dataset_version == 2
    with db.writing() as session:
        actions.move_to(session, store.grant(session, daily.id), 3, now=clock.now(session))
    assert view_of(daily).dataset_version == 3
    assert view_of(daily, 2).rows == 200
    with db.reading() as session:
        kinds = [event.kind for event in session.exec(db.select(Event).where(Event.subject == f"grant:{daily.id}"))]
    assert kinds == ["grant:issue", "grant:move"]


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_a_view_with_tokens_waits_for_whoever_has_the_key(ready):
    with db.writing() as session:
        columns = ["plate", "lot_id"]
        grant = granted.issue(session, columns=columns, transforms=[{"kind": "token", "column": "plate"}])
        renewal = granted.issue(
            session, application="a2", columns=columns, transforms=[{"kind": "token", "column": "plate"}],
            namespace=grant.namespace,
        )  # fmt: skip
        other = granted.issue(
            session, application="a3", columns=columns, transforms=[{"kind": "token", "column": "plate"}]
        )
    assert jobs.build_missing() == 0
    assert jobs.build_missing(pepper=PEPPER) == 3
    keys = [parts_of(view_of(one))[0].key for one in (grant, renewal, other)]
    assert keys[0] == keys[1] != keys[2]
