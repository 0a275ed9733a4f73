"""Processes that are killed while they make views, two that make one, and a disk that is full: what is left of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.base import blobs, clock, db
from service.grants import actions, jobs
from tests.store import granted
from tests.store.viewing import all_views, files_of, later, parts_of, settle, view_of

WORKER = """
import os, signal, sys, threading
from service.base import blobs, clock, db
from service.grants import actions, engine, jobs
from service.migrations import load_tables
from tests.store.granted import NOW

load_tables()
url, store, step, job = sys.argv[1:]
db.connect(url)
blobs.connect(store)
with db.reading() as session:
    clock.set_shift(NOW - clock.database_now(session))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(act, when):
    def instead(*given, **more):
        if when == "before":
            die()
        if when == "during":
            threading.Timer(0.02, die).start()
        act(*given, **more)
        die()
    return instead

place, name, when = {
    "cutting": (engine, "do", "during"), "storing": (blobs, "put", "before"),
    "stored": (blobs, "put", "after"),
    "settled": (actions, "settle_ready", "after"), "file": (actions, "settle_file", "after"), "": (None, "", ""),
}[step]
if place:
    setattr(place, name, dying(getattr(place, name), when))
sys.stdin.readline()
print(getattr(jobs, job)())
"""


@pytest.fixture
def grant(database, store, tmp_path):
    """A grant of 20,000 car park records, on each engine."""
    return issued(tmp_path)


@pytest.fixture
def on_sqlite(sqlite, store, tmp_path):
    """The same, for what does not depend on the engine."""
    return issued(tmp_path)


def issued(folder: Path):
    settle(folder, rows=20_000)
    with db.writing() as session:
        return granted.issue(session)


def worker(database, store: Path, step: str = "", job: str = "build_missing", *before: str, **variables: str):
    """Start a process that does a job once it is told to, and dies at a step of it."""
    command = [*before, sys.executable, "-c", WORKER, database.url, f"file://{store}", step, job]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | variables, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def named() -> set[str]:
    """Return the objects that rows of views name."""
    with db.reading() as session:
        found = session.connection().exec_driver_sql("select key from view_part union select key from view_file")
        return {row[0] for row in found if row[0]}


@pytest.mark.parametrize("step", ["cutting", "storing", "stored"])
def test_a_process_that_is_killed_before_it_writes_anything_down_leaves_its_claim_alone(on_sqlite, sqlite, store, step):
    killed_and_made_good(on_sqlite, worker(sqlite, store, step))


def test_a_process_that_is_killed_as_it_settles_leaves_no_half_view(grant, database, store):
    killed_and_made_good(grant, worker(database, store, "settled"))


def killed_and_made_good(grant, process) -> None:
    out, errors = process.communicate("\n", timeout=60)
    assert (process.returncode, out) == (-signal.SIGKILL, ""), errors
    assert view_of(grant) is None
    assert named() <= set(blobs.keys())
    assert jobs.build_missing() == 0  # its claim is respected while it might live
    later(11)
    assert jobs.build_missing() == 1
    whole(grant)


def whole(grant) -> None:
    """Check that there is one view of a grant, with every byte that it names, and no other object of views."""
    (view,) = all_views()
    assert (view.state, view.rows) == ("ready", 20_000)
    assert view_of(grant) is not None
    (part,) = parts_of(view)
    assert part.rows == 20_000
    for file in files_of(view).values():
        assert blobs.size(file.key) == file.bytes
    assert set(blobs.keys("views")) == named()


def test_a_process_that_is_killed_while_it_converts_leaves_no_half_file(on_sqlite, sqlite, store):
    assert jobs.build_missing() == 1
    view = view_of(on_sqlite)
    with db.writing() as session:
        actions.want_file(session, view.id, "arrow", now=clock.now(session))
    process = worker(sqlite, store, "file", "make_wanted")
    process.communicate("\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert "arrow" not in files_of(view)
    assert jobs.make_wanted() == 0
    later(11)
    assert jobs.make_wanted() == 1
    assert "arrow" in files_of(view)
    whole(on_sqlite)


def test_two_processes_that_build_one_view_make_it_once(grant, database, store):
    both = [worker(database, store) for _ in range(2)]
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    made = [one.communicate(timeout=60) for one in both]
    assert sorted(out for out, _errors in made) == ["0\n", "1\n"], made
    whole(grant)


@pytest.mark.parametrize("room", ["64k", "512k"])
def test_a_full_disk_is_said_and_the_view_is_made_once_there_is_room(on_sqlite, sqlite, store, tmp_path, room):
    """First there is no room for its rows, then none for the file in CSV."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk of his own")
    mount = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size={room} none "{disk}" && exec "$@"', "sh"]
    out, errors = worker(sqlite, store, "", "build_missing", *mount, TMPDIR=str(disk)).communicate("\n", timeout=60)
    assert out == "0\n", errors
    (view,) = all_views()
    assert (view.state, view.note) == ("building", "disk")
    assert view_of(on_sqlite) is None
    later(11)
    assert jobs.build_missing() == 1
    whole(on_sqlite)
