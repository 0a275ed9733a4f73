"""What is kept in a process is bounded, and what was asked for least recently leaves first."""

from service.base.shelf import Shelf


def test_the_least_recently_asked_for_leaves_first():
    shelf = Shelf(80)
    for name in "abcdefgh":
        shelf.put(name, b"x" * 10, 10)
    assert shelf.get("a")
    shelf.put("i", b"y" * 10, 10)
    assert shelf.get("b") is None
    assert shelf.get("a") and shelf.get("i")


def test_an_entry_put_anew_takes_the_place_of_the_old_one():
    shelf = Shelf(80)
    for _ in range(100):
        shelf.put("a", b"x" * 10, 10)
    shelf.put("b", b"y" * 10, 10)
    assert shelf.get("a") and shelf.get("b") == b"y" * 10


def test_what_is_too_large_is_not_kept():
    shelf = Shelf(80)
    shelf.put("large", b"x" * 11, 11)
    assert shelf.get("large") is None
