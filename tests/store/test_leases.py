"""One leader at a time, on both engines; and the scheduler that follows it."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service import scheduler
from service.audit import actions, store
from service.base import clock, db, leases
from service.base.settings import Settings
from service.scheduler import Job, Leader

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def claim(holder, now=NOW):
    with db.writing() as session:
        return leases.claim(session, "jobs", holder=holder, now=now, seconds=10)


def held(holder, now=NOW):
    with db.reading() as session:
        return leases.held(session, "jobs", holder=holder, now=now)


def test_the_first_claim_wins_and_is_prolonged(database):
    assert claim("a") == 1
    assert claim("b") is None
    assert claim("a", NOW + timedelta(seconds=9)) == 1
    assert claim("b", NOW + timedelta(seconds=11)) is None


def test_a_lapsed_lease_goes_to_another_under_a_higher_number(database):
    assert claim("a") == 1
    assert claim("b", NOW + timedelta(seconds=10)) == 2
    assert held("a", NOW + timedelta(seconds=10)) is None
    assert claim("a", NOW + timedelta(seconds=11)) is None


def test_a_holder_that_let_it_lapse_begins_a_new_term(database):
    assert claim("a") == 1
    assert claim("a", NOW + timedelta(seconds=30)) == 2


def test_a_lease_given_back_is_free_at_once(database):
    claim("a")
    with db.writing() as session:
        leases.release(session, "jobs", holder="b", now=NOW)
    assert held("a") == 1
    with db.writing() as session:
        leases.release(session, "jobs", holder="a", now=NOW)
    assert claim("b") == 2


def test_of_many_claims_at_once_one_wins(database):
    won, start = [], threading.Barrier(6)

    def run(name):
        start.wait()
        if claim(name) is not None:
            won.append(name)

    threads = [threading.Thread(target=run, args=(f"h{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert held(won[0]) == 1


def test_only_the_leader_runs_jobs(database, tmp_path):
    ran = []
    first, second, settings = Leader(), Leader(), Settings(home=tmp_path)
    job = Job("count", 1, lambda _settings: ran.append(1))
    assert first.claim()
    assert not second.claim()
    scheduler.run_one(second, settings, job)
    assert ran == []
    scheduler.run_one(first, settings, job)
    assert ran == [1]
    first.resign()
    scheduler.run_one(first, settings, job)
    assert ran == [1]
    assert second.claim()
    assert second.fence == 2


def test_a_job_that_fails_does_not_stop_the_others(sqlite, tmp_path, caplog):
    leader, settings = Leader(), Settings(home=tmp_path)
    leader.claim()

    def fail(_settings):
        raise RuntimeError("not today")

    scheduler.run_one(leader, settings, Job("fails", 1, fail))
    assert "a job failed" in caplog.text


def test_a_database_that_is_away_means_nobody_leads(sqlite, tmp_path):
    leader = Leader()
    assert leader.claim()
    db.connect(f"sqlite:///{tmp_path}/no/such/folder/x.db")
    assert not leader.claim()


def test_jobs_run_until_told_to_stop(database, tmp_path):
    stop, settings = threading.Event(), Settings(home=tmp_path)
    with db.writing() as session:
        actions.record(session, subject="unit:u1", kind="unit:register", by="p1", now=clock.now(session))
    seal = next(job for job in scheduler.JOBS if job.name == "audit-seal")

    def seal_and_stop(given):
        seal.run(given)
        stop.set()

    scheduler.run_until(stop, settings, (replace(seal, run=seal_and_stop),))
    with db.reading() as session:
        assert store.head(session).size == 1
        holder = session.get(leases.Lease, "jobs")
        assert holder.until <= clock.database_now(session)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_on_a_signal(sqlite, tmp_path, number):
    code = (
        "import sys; from service import scheduler; from service.base import db;"
        "from service.base.settings import Settings;"
        "db.connect(sys.argv[1]); print('ready', flush=True);"
        "scheduler.run_jobs(Settings(home=sys.argv[2]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, sqlite.url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "ready\n"
        deadline = threading.Event()
        while not _leads() and not deadline.wait(0.05):
            assert child.poll() is None
        child.send_signal(number)
        assert child.wait(timeout=20) == 0
    with db.reading() as session:
        assert session.get(leases.Lease, "jobs").until <= clock.database_now(session)


def _leads():
    with db.reading() as session:
        found = session.get(leases.Lease, "jobs")
    return found is not None
