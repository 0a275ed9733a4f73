"""Whole views in the formats that somebody wanted: each made once, measured, and whole or not at all."""

import threading

import pytest

from service.base import blobs, clock, db
from service.base.errors import NotFound
from service.grants import actions, engine, jobs, rules, store
from service.grants.rules import Format
from tests.store import granted
from tests.store.viewing import files_of, later, settle, view_of


@pytest.fixture
def ready(database, store, tmp_path):
    """A database of each engine with the people, the dataset, one version of it, at NOW."""
    settle(tmp_path)
    return database


@pytest.fixture
def grant(ready):
    with db.writing() as session:
        return granted.issue(session)


def _want(view, format):
    with db.writing() as session:
        return actions.want_file(session, view.id, format, now=clock.now(session))


@pytest.fixture
def view(grant):
    assert jobs.build_missing() == 1
    return view_of(grant)


def test_a_format_is_made_when_it_is_wanted_and_once(view):
    for format in ("arrow", "jsonl", "excel", "csv.zst"):
        assert _want(view, format).state == "wanted"
        assert _want(view, format).state == "wanted"
    assert jobs.make_wanted() == 4
    assert jobs.make_wanted() == 0
    files = files_of(view)
    assert set(files) == {one.value for one in Format}
    for file in files.values():
        assert blobs.size(file.key) == file.bytes and file.rows == view.rows
    assert _want(view, "arrow").state == "ready"
    assert _want(view, "parquet").state == "ready"


def test_what_is_no_format_or_no_view_is_not_found(view):
    for view_id, format in ((view.id, "xlsx"), ("nothing", "csv")):
        with db.writing() as session, pytest.raises(NotFound):
            actions.want_file(session, view_id, format, now=clock.now(session))


def test_four_workers_make_a_file_once(view):
    _want(view, "arrow")
    start, made = threading.Barrier(4), []

    def make():
        start.wait()
        made.append(jobs.make_wanted())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 1]


def test_a_worker_that_died_while_converting_leaves_nothing_half_and_is_made_good(view, monkeypatch):
    _want(view, "arrow")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(engine, "do", _interrupted)
        jobs.make_wanted()
    assert "arrow" not in files_of(view)
    assert jobs.make_wanted() == 0
    later(11)
    assert jobs.make_wanted() == 1
    assert "arrow" in files_of(view)


def _interrupted(_job, _hear):
    raise KeyboardInterrupt


def test_a_file_that_cannot_be_made_says_why_and_can_be_wanted_again(view, monkeypatch):
    def fails(_job, _hear):
        raise engine.Failed("disk")

    _want(view, "arrow")
    with monkeypatch.context() as patched:
        patched.setattr(engine, "do", fails)
        for _ in range(rules.TOLD_AFTER):
            assert jobs.make_wanted() == 0
            later(11)
        assert jobs.make_wanted() == 0
    found = _want(view, "arrow")
    assert (found.state, found.note, found.tries) == ("wanted", "disk", 0)
    assert jobs.make_wanted() == 1


def test_a_file_that_measures_worse_is_not_served(view, monkeypatch):
    _want(view, "jsonl")
    real = engine.do
    monkeypatch.setattr(engine, "do", lambda job, hear: engine.Made(real(job, hear).file, ("jsonl-keys",)))
    assert jobs.make_wanted() == 0
    assert "jsonl" not in files_of(view)
    with db.reading() as session:
        assert store.file_of(session, view.id, "jsonl").note == "jsonl-keys"
    assert not [key for key in blobs.keys("views") if key.endswith(".jsonl")]
