"""One holder at a time, each term with a higher fencing number, on both engines."""

import threading
from datetime import timedelta

from service.base import clock, db, leases


def test_the_first_to_ask_holds_the_lease(database):
    with db.writing() as session:
        now = clock.now(session)
        assert leases.claim(session, "jobs", holder="a", now=now, seconds=10) == 1
        assert leases.claim(session, "jobs", holder="b", now=now, seconds=10) is None


def test_the_holder_prolongs_under_the_same_number(database):
    with db.writing() as session:
        now = clock.now(session)
        leases.claim(session, "jobs", holder="a", now=now, seconds=10)
        assert leases.claim(session, "jobs", holder="a", now=now + timedelta(seconds=5), seconds=10) == 1


def test_a_lapsed_lease_goes_to_another_under_a_higher_number(database):
    with db.writing() as session:
        now = clock.now(session)
        leases.claim(session, "jobs", holder="a", now=now, seconds=10)
        later = now + timedelta(seconds=11)
        assert leases.held(session, "jobs", holder="a", now=later) is None
        assert leases.claim(session, "jobs", holder="b", now=later, seconds=10) == 2


def test_a_holder_that_lapsed_comes_back_under_a_higher_number(database):
    with db.writing() as session:
        now = clock.now(session)
        leases.claim(session, "jobs", holder="a", now=now, seconds=10)
        assert leases.claim(session, "jobs", holder="a", now=now + timedelta(seconds=11), seconds=10) == 2


def test_a_lease_given_back_is_free_at_once(database):
    with db.writing() as session:
        now = clock.now(session)
        leases.claim(session, "jobs", holder="a", now=now, seconds=10)
        leases.release(session, "jobs", holder="a", now=now)
        assert leases.claim(session, "jobs", holder="b", now=now, seconds=10) == 2


def test_of_many_that_ask_at_once_one_gets_it(database):
    got: list[int | None] = []

    def ask(holder: str) -> None:
        with db.writing() as session:
            got.append(leases.claim(session, "jobs", holder=holder, now=clock.now(session), seconds=10))

    threads = [threading.Thread(target=ask, args=(f"h{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=str) == [1, *[None] * 7]
