"""The jobs that read and load uploads: two workers at one file, a dead one, a claim that was lost, a full disk."""

import io
import threading
from datetime import timedelta

import pytest

from service.base import clock, db
from service.base.errors import Unavailable
from service.catalogue import jobs, store
from service.catalogue.actions import recalls
from service.catalogue.actions import uploads as actions
from service.catalogue.engine import loading, parked
from service.catalogue.jobs import uploads as working
from service.catalogue.rules.recalls import RowsRecalled
from service.catalogue.rules.uploads import RETAKE_AFTER, Choices, RunState
from service.catalogue.store import uploads as rows
from service.catalogue.tables import DatasetColumn, DatasetVersion, ImportRun
from service.notices.tables import Outbox
from tests.store import granted

NAMES = ("plate", "lot_id", "entry_time", "minutes", "vehicle_type")
DATA = (",".join(NAMES) + "\n浙A1,L001,2026-09-01 08:00,15,car\n").encode()
AS_IT_IS = {name: place for place, name in enumerate(NAMES)}


@pytest.fixture
def home(database, store, tmp_path):
    """A HOME, and a dataset with a steward."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(20), tmp_path)
    return tmp_path


def sent(home, data=DATA, name="records.csv"):
    """Return the id of an upload that has come whole."""
    with db.writing() as session:
        now = clock.now(session)
        run = actions.announce(
            session, granted.DATASET, name=name, size=len(data), fingerprint="", by="steward", now=now
        )  # fmt: skip
        file = parked.path(home, run.id, name)
        parked.make(file, len(data))
    with parked.held(file) as opened, db.writing() as session:
        taken = parked.append(opened, io.BytesIO(data), at=0, most=len(data))
        actions.take_in(session, run, taken.size, by="steward", now=clock.now(session))
    return run.id


def confirmed(home, choices=None, data=DATA):
    run_id = sent(home, data)
    jobs.read_uploads(home)
    with db.writing() as session:
        chosen = choices or Choices(mapping=AS_IT_IS)
        actions.confirm(session, run_id, chosen, by="second", now=clock.now(session))
    return run_id


def run_of(run_id):
    with db.reading() as session:
        return rows.run(session, run_id)


def versions():
    with db.reading() as session:
        return [row.number for row in session.exec(db.select(DatasetVersion)).all()]


def told(kind):
    with db.reading() as session:
        return [row.to_person for row in session.exec(db.select(Outbox).where(Outbox.kind == kind)).all()]


def test_two_workers_read_a_file_once(home, monkeypatch):
    run_id = sent(home)
    looks, real = [], loading.inspect
    monkeypatch.setattr(loading, "inspect", lambda *given, **named: (looks.append(1), real(*given, **named))[1])
    workers = [threading.Thread(target=jobs.read_uploads, args=(home,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(looks) == 1
    assert run_of(run_id).state == RunState.CHECKED
    assert told("upload-checked") == ["steward"]


def test_a_dead_worker_s_file_is_taken_over_and_loaded_once(home):
    run_id = confirmed(home)
    dead = working._claimed(RunState.CONFIRMED)
    assert dead.id == run_id
    assert jobs.load_uploads(home) == 0  # somebody is at it
    with clock.moved(RETAKE_AFTER + timedelta(seconds=1)):
        assert jobs.load_uploads(home) == 1
    assert run_of(run_id).state == RunState.DONE
    late = working._load(_copy(home), dead)
    with db.writing() as session:
        assert late(session, clock.now(session)) is False
    assert versions() == [1, 2]


def _copy(home):
    file = home / "late.csv"
    file.write_bytes(DATA)
    return file


def test_the_version_is_loaded_in_the_name_of_who_confirmed_it_and_both_are_told(home):
    run_id = confirmed(home)
    jobs.load_uploads(home)
    with db.reading() as session:
        assert store.version(session, granted.DATASET, 2).loaded_by == "second"
    assert run_of(run_id).number == 2
    assert sorted(told("upload-loaded")) == ["second", "steward"]


def test_a_full_disk_leaves_the_file_for_later(home, monkeypatch):
    run_id = confirmed(home)

    def full(*_given, **_named):
        raise Unavailable(retry_after=600)

    monkeypatch.setattr(loading, "load", full)
    with pytest.raises(Unavailable):
        jobs.load_uploads(home)
    assert run_of(run_id).faults
    assert parked.path(home, run_id, "records.csv").exists()
    monkeypatch.undo()
    with clock.moved(RETAKE_AFTER + timedelta(seconds=1)):
        jobs.load_uploads(home)
    assert run_of(run_id).state == RunState.DONE


def test_rows_that_were_recalled_do_not_come_back_by_an_upload(home, monkeypatch):
    run_id = confirmed(home)

    def recalled(_session, _sha256):
        raise RowsRecalled(day="2026-11-20")

    monkeypatch.setattr(recalls, "demand_not_recalled", recalled)
    jobs.load_uploads(home)
    run = run_of(run_id)
    assert run.state == RunState.REFUSED
    assert run.faults[0]["blanks"]["day"] == "2026-11-20"
    assert versions() == [1]
    assert not parked.path(home, run_id, "records.csv").exists()
    assert told("upload-refused")


def test_rows_of_other_columns_do_not_come_on_top(home):
    run_id = confirmed(home, Choices(mapping=AS_IT_IS, append=True))
    with db.writing() as session:
        session.get(DatasetColumn, (granted.DATASET, "minutes")).type = "number"
    jobs.load_uploads(home)
    assert run_of(run_id).state == RunState.REFUSED
    assert versions() == [1]


def test_a_bomb_is_refused_and_the_next_file_read(home):
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("records.csv", b"0" * (200 << 20))
    bomb, good = sent(home, out.getvalue(), "bomb.zip"), sent(home)
    assert jobs.read_uploads(home) == 2
    assert run_of(bomb).state in (RunState.REFUSED, RunState.CHECKED)
    assert run_of(bomb).faults
    assert run_of(good).state == RunState.CHECKED


def test_progress_is_written_down_and_the_worker_heard_of(home, monkeypatch):
    run_id = confirmed(home)
    seen, real = [], working._beat

    def beat(found, **values):
        real(found, **values)
        seen.append((run_of(run_id).progress, values))

    monkeypatch.setattr(working, "_beat", beat)
    jobs.load_uploads(home)
    assert any(progress and progress["stage"] == "writing" for progress, _values in seen)
    assert run_of(run_id).progress is None


def test_a_file_that_was_lost_is_said_to_be(home):
    run_id = sent(home)
    parked.remove(parked.path(home, run_id, "records.csv"))
    jobs.read_uploads(home)
    assert run_of(run_id).state == RunState.REFUSED
    with db.reading() as session:
        assert session.exec(db.select(ImportRun)).one().faults
