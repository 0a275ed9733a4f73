"""Uses counted in this process, a minute at a time."""

import threading

import pytest

from service.base import cache
from service.base.cache import Minutes


@pytest.fixture
def moment(monkeypatch):
    """Return a function that sets this process's own time, in seconds."""
    at = [0.0]
    monkeypatch.setattr(cache.time, "monotonic", lambda: at[0])
    return lambda seconds: at.__setitem__(0, seconds)


def test_a_minute_has_so_many_uses_and_no_more(moment):
    moment(600.0)
    counts = Minutes()
    found = [counts.spend(3, ("requests", "g1")) for _ in range(4)]
    assert [(one.allowed, one.left) for one in found] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert found[-1].wait == 60
    assert counts.spend(3, ("requests", "g2")).allowed


def test_what_was_used_just_before_counts_by_the_share_of_it_that_is_near(moment):
    counts = Minutes()
    moment(659.0)
    for _ in range(10):
        counts.spend(10, ("g",))
    moment(660.0)
    assert not counts.spend(10, ("g",)).allowed, "a minute's end gives nothing twice"
    moment(690.0)
    assert [counts.spend(10, ("g",)).allowed for _ in range(6)] == [True] * 5 + [False]
    moment(780.0)
    assert counts.spend(10, ("g",)).left == 9


def test_many_threads_at_once_get_no_more_than_there_is():
    counts, won = Minutes(), []

    def use():
        won.extend(1 for _ in range(50) if counts.spend(100, ("g",)).allowed)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 100


def test_keys_of_minutes_past_are_forgotten(moment, monkeypatch):
    monkeypatch.setattr(cache, "MANY", 5)
    counts = Minutes()
    moment(60.0)
    for number in range(6):
        counts.spend(1, (str(number),))
    moment(600.0)
    counts.spend(1, ("now",))
    assert len(counts._counts) == 1
