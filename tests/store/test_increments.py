"""Several processes write one row at once; nothing is lost and nobody fails, on either engine."""

import subprocess
import sys

from sqlalchemy import text

from service.base import db
from tests.house.scan import ROOT

PROCESSES = 4
TIMES = 300


def test_no_increment_is_lost_among_processes(database):
    with db.writing() as session:
        session.execute(text("create table counter (n integer)"))
        session.execute(text("insert into counter values (0)"))
    command = [sys.executable, "-m", "tests.store.increments", database.url, str(TIMES)]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    faults = [process.communicate(timeout=200)[1] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, faults
    with db.reading() as session:
        assert session.execute(text("select n from counter")).scalar_one() == PROCESSES * TIMES
