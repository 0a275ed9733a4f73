"""The bytes of views go when nobody needs them, a day later, and never while any row names them."""

from datetime import timedelta

import pytest

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.catalogue import store as catalogue
from service.grants import actions, engine, jobs, store
from service.grants.jobs import collecting
from service.grants.tables import Grant
from tests.store import granted
from tests.store.granted import DATASET, NOW
from tests.store.viewing import all_views, files_of, later, parts_of, settle, view_of

DAY = 60 * 24


@pytest.fixture
def ready(database, store, tmp_path):
    settle(tmp_path)
    collecting._strays.clear()
    return database


def _issue(application="a1", **changes):
    with db.writing() as session:
        return granted.issue(session, application=application, **changes)


def _objects():
    return set(blobs.keys("views"))


def _end(grant, days_ago):
    """Let a grant have ended."""
    with db.writing() as session:
        there = session.get(Grant, grant.id)
        there.ends_at = clock.now(session) - timedelta(days=days_ago)
        session.add(there)


def test_a_view_stays_for_a_day_after_its_grant_and_then_goes(ready):
    grant = _issue()
    assert jobs.build_missing() == 1
    _end(grant, 0.9)
    assert jobs.collect() == 0
    _end(grant, 1.1)
    assert jobs.collect() == 2
    assert _objects() == set()
    (view,) = all_views()
    assert (view.state, files_of(view), [part.key for part in parts_of(view)]) == ("collected", {}, [""])
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"view:{view.id}").order_by(Event.version)).all()
    assert [event.kind for event in events] == ["view:ready", "view:collect"]
    assert jobs.collect() == 0
    assert jobs.build_missing() == 0


def test_what_another_view_names_too_is_not_deleted(ready):
    gone, stays = _issue("a1"), _issue("a2")
    assert jobs.build_missing() == 2
    assert len(_objects()) == 2
    _end(gone, 2)
    assert jobs.collect() == 0
    for file in files_of(view_of(stays)).values():
        assert blobs.size(file.key) == file.bytes
    _end(stays, 2)
    assert jobs.collect() == 2


def test_the_view_of_a_grant_that_lives_stays_however_old(ready):
    grant = _issue()
    assert jobs.build_missing() == 1
    later(30 * DAY)
    assert jobs.collect() == 0
    assert view_of(grant) is not None


def test_a_public_view_that_another_one_replaced_goes_a_day_later(ready):
    jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    later(1)
    narrow = jobs.build_public_view(DATASET, ["lot_id"])
    assert jobs.collect() == 0
    later(DAY + 1)
    assert jobs.collect() == 2
    assert {view.id: view.state for view in all_views()}[narrow.id] == "ready"
    with db.reading() as session:
        assert store.public_view(session, DATASET).id == narrow.id


def test_the_view_of_a_version_that_was_withdrawn_goes_and_is_not_made_again(ready):
    _issue()
    assert jobs.build_missing() == 1
    with db.writing() as session:
        version = catalogue.version(session, DATASET, 1)
        version.withdrawn_at = NOW
        session.add(version)
    later(DAY + 1)
    assert jobs.collect() == 2
    assert jobs.build_missing() == 0


def test_whole_files_of_a_version_that_the_grant_left_go_after_a_week_and_can_be_had_again(ready, tmp_path):
    grant = _issue()
    assert jobs.build_missing() == 1
    with db.writing() as session:
        granted.version(session, DATASET, 2, [granted.records(50, seed=8)], tmp_path)
        store.note_version(session, grant.id, 2, state="judged", now=clock.now(session))
    assert jobs.build_missing() == 1
    with db.writing() as session:
        actions.move_to(session, store.grant(session, grant.id), 2, now=clock.now(session))
    later(8 * DAY)
    assert jobs.collect() == 1  # the CSV: the one part is the Parquet file too
    old = view_of(grant, 1)
    assert old.state == "ready" and files_of(old) == {}
    assert set(files_of(view_of(grant))) == {"csv", "parquet"}
    with db.writing() as session:
        for format in ("csv", "parquet"):
            actions.want_file(session, old.id, format, now=clock.now(session))
    assert jobs.make_wanted() == 2
    assert set(files_of(old)) == {"csv", "parquet"}


def test_a_view_that_was_held_back_names_nothing_in_the_end(ready, tmp_path):
    smuggled = granted.records(50)
    smuggled = smuggled.set_column(4, "vehicle_type", smuggled["plate"])
    with db.writing() as session:
        granted.version(session, DATASET, 2, [granted.records(100, seed=5), smuggled], tmp_path)
    _issue(dataset_version=2)
    assert jobs.build_missing() == 0
    assert len(_objects()) == 1  # the part before the one that was found
    later(DAY + 1)
    assert jobs.collect() == 1
    (view,) = all_views()
    assert (view.state, view.note) == ("quarantined", "plate:vehicle_type")


def test_what_a_killed_worker_left_is_deleted_after_a_day_unless_somebody_names_it(ready, tmp_path):
    grant = _issue()
    (tmp_path / "left").write_bytes(b"left behind")
    blobs.put("views/left.parquet", tmp_path / "left")
    assert jobs.collect() == 0
    assert jobs.build_missing() == 1
    later(DAY + 1)
    assert jobs.collect() == 1
    assert "views/left.parquet" not in _objects()
    assert view_of(grant) is not None


def test_a_part_whose_object_was_deleted_meanwhile_is_not_named(ready, monkeypatch):
    """A worker found a part that was cut before; before it could name it, the part was collected."""
    first = _issue("a1")
    assert jobs.build_missing() == 1
    second = _issue("a2")
    real = store.same_cuts

    def then_collected(session, cuts):
        found = real(session, cuts)
        for key in _objects():
            blobs.delete(key)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(store, "same_cuts", then_collected)
        assert jobs.build_missing() == 0
    assert view_of(second) is None
    _end(first, 2)
    jobs.collect()
    later(11)
    assert jobs.build_missing() == 1
    for file in files_of(view_of(second)).values():
        assert engine.sha256(blobs.folder() / file.key) == file.sha256
