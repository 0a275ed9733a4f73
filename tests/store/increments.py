"""One process of the increment race: `python -m tests.store.increments URL TIMES` adds to the one row of `counter`."""

import sys

from sqlalchemy import text

from service.base import db


def add(times: int) -> None:
    """Read the row, then write it, `times` times, each in a transaction of its own."""
    lock = " for update" if db.engine().dialect.name == "postgresql" else ""
    for _ in range(times):
        with db.writing() as session:
            n = session.execute(text(f"select n from counter{lock}")).scalar_one()
            session.execute(text("update counter set n = :n"), {"n": n + 1})


if __name__ == "__main__":
    db.connect(sys.argv[1])
    add(int(sys.argv[2]))
