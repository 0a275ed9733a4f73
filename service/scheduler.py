"""Scheduled jobs: one table, one leader.

Every replica may run this; the one that holds the lease runs the jobs.  A job must be safe to run twice or late: the
lease keeps two leaders apart only as far as clocks and pauses let it.
"""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler

from service.audit import jobs as audit
from service.base import blobs, clock, db, leases, log
from service.base.settings import Settings
from service.catalogue import jobs as catalogue
from service.data import jobs as data
from service.grants import jobs as grants
from service.notices import jobs as notices
from service.oauth import jobs as oauth
from service.people import jobs as people
from service.screening import jobs as screening

LEASE = "jobs"
LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
TIDY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something done every `seconds` by the leader."""

    name: str
    seconds: int
    run: Callable[[Settings], object]


JOBS: tuple[Job, ...] = (
    Job("audit-seal", 1, lambda settings: audit.seal(settings.home)),
    Job("notices-deliver", 5, lambda _settings: notices.deliver()),
    Job("versions-judge", 5, lambda _settings: screening.judge_versions()),
    Job("grants-views", 2, lambda settings: grants.build_missing(pepper=settings.pepper())),
    Job("grants-files", 2, lambda _settings: grants.make_wanted()),
    Job("uploads-read", 2, lambda settings: catalogue.read_uploads(settings.home)),
    Job("uploads-load", 2, lambda settings: catalogue.load_uploads(settings.home)),
    Job("uploads-expire", 600, lambda settings: catalogue.expire_uploads(settings.home)),
    Job("grants-views-collect", 3_600, lambda _settings: grants.collect()),
    Job("recalls-parts", 5, lambda _settings: grants.recall_parts()),
    Job("recalls-views", 5, lambda _settings: grants.recall_views()),
    Job("profiles-measure", 60, lambda _settings: screening.profile_missing()),
    Job("grants-remind", 60, lambda _settings: grants.remind_of_expiry()),
    Job("grants-suspensions", 60, lambda _settings: grants.flag_unconfirmed_suspensions()),
    Job("usage-settle", 60, lambda _settings: data.settle_lapsed()),
    Job("usage-watch", 300, lambda _settings: data.watch_usage()),
    Job("refusals-forget", 3_600, lambda _settings: oauth.forget_refusals()),
    Job("sessions-forget", 3_600, lambda _settings: people.forget_sessions()),
)


class Leader:
    """This process's candidature for the lease."""

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.fence: int | None = None

    def claim(self) -> bool:
        """Take or prolong the lease; say whether this process leads.  While the database is away nobody does."""
        try:
            with db.writing() as session:
                now = clock.database_now(session)
                fence = leases.claim(session, LEASE, holder=self.holder, now=now, seconds=LEASE_SECONDS)
        except Exception as fault:
            log.info("jobs", "the lease cannot be claimed", fault=f"{type(fault).__name__}: {fault}")
            fence = None
        if fence != self.fence:
            log.info("jobs", "leads" if fence else "follows", fence=fence or self.fence)
        self.fence = fence
        return fence is not None

    def leads(self) -> bool:
        """Whether the lease is still ours by the database's clock: asked before each job."""
        if self.fence is None:
            return False
        with db.reading() as session:
            now = clock.database_now(session)
            return leases.held(session, LEASE, holder=self.holder, now=now) == self.fence

    def resign(self) -> None:
        """Give the lease back."""
        if self.fence is None:
            return
        with db.writing() as session:
            leases.release(session, LEASE, holder=self.holder, now=clock.database_now(session))
        self.fence = None


def run_jobs(settings: Settings) -> None:
    """Run the jobs, whenever this process leads, until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    run_until(stop, settings, JOBS)


def run_until(stop: threading.Event, settings: Settings, jobs: tuple[Job, ...]) -> None:
    """Run `jobs` until `stop` is set; a job that is running is let finish.  Every replica keeps its own disk tidy."""
    leader, tidied = Leader(), -TIDY_SECONDS
    with _scheduled(leader, settings, jobs) as scheduler:
        while not stop.is_set():
            if time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                _tidy()
            if leader.claim():
                scheduler.resume()
            else:
                scheduler.pause()
            stop.wait(RENEW_SECONDS)
    leader.resign()


def _tidy() -> None:
    """Drop this machine's old copies of objects, whoever leads."""
    try:
        blobs.tidy()
    except Exception as fault:
        log.info("jobs", "the store was not tidied", fault=type(fault).__name__)


@contextmanager
def _scheduled(leader: Leader, settings: Settings, jobs: tuple[Job, ...]) -> Iterator[BackgroundScheduler]:
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None})
    for job in jobs:
        scheduler.add_job(partial(run_one, leader, settings, job), "interval", seconds=job.seconds, id=job.name)
    scheduler.start(paused=True)
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=True)


def run_one(leader: Leader, settings: Settings, job: Job) -> None:
    """Run one job if this process still leads; what it raises is logged, and the next turn tries again."""
    try:
        if leader.leads():
            job.run(settings)
    except Exception:
        logging.getLogger("jobs").exception("a job failed", extra={"fields": {"job": job.name}})
