"""Real titles, queries of known answers (tests/store/search/GOLD.md): what is found, and what is found for nothing."""

from collections.abc import Callable
from itertools import chain
from statistics import fmean

import pytest

from service.base import db
from service.catalogue import store
from service.catalogue.engine import finding, words
from tests.store.search import gold

RECALL, PRECISION = 0.99, 0.95
TEXTS = [query.text for query in gold.queries()]
BOTH = (("停车场", "停車場"), ("图书馆", "圖書館"), ("台北市", "臺北市"), ("垃圾车", "垃圾車"))


_found: dict[str, dict[str, list[int]]] = {}  # by engine and query: the records are entered once an engine


@pytest.fixture
def answers(database) -> Callable[[str], list[int]]:
    """Return a function that gives the places of the records that the search finds, best first."""
    if database.engine not in _found:
        gold.enter()
        with db.reading() as session:
            _found[database.engine] = {text: _asked(session, text) for text in (*TEXTS, *chain(*BOTH))}
    return _found[database.engine].__getitem__


def _asked(session: db.Session, text: str) -> list[int]:
    page = finding.find(session, words.asked(text), {}, limit=store.ENOUGH)
    return [int(one.dataset_id) for one in page.found]


def recall(query: gold.Query, found: set[int]) -> float:
    return len(found & query.answers) / len(query.answers) if query.answers else 1.0


def precision(query: gold.Query, found: set[int]) -> float:
    return len(found & query.answers) / len(found) if found else 1.0


def test_the_gold_set_is_large_enough():
    assert len(gold.queries()) >= 220
    assert len({query.text for query in gold.queries()}) == len(gold.queries())
    assert sum(query.kind == "absent" for query in gold.queries()) >= 10


def test_nearly_everything_is_found_and_hardly_anything_else(answers):
    found = {query: set(answers(query.text)) for query in gold.queries()}
    held = [recall(query, found[query]) for query in found if query.answers]
    right = [precision(query, found[query]) for query in found]
    worst = sorted(found, key=lambda query: min(recall(query, found[query]), precision(query, found[query])))[:8]
    told = {query.text: (recall(query, found[query]), precision(query, found[query])) for query in worst}
    assert fmean(held) >= RECALL, told
    assert fmean(right) >= PRECISION, told


def test_words_that_are_in_no_record_find_hardly_anything(answers):
    asked = [query.text for query in gold.queries() if query.kind == "absent"]
    assert len(asked) >= 50
    assert sum(bool(answers(text)) for text in asked) <= 2


def test_a_whole_title_comes_first(answers):
    asked = [query for query in gold.queries() if query.kind == "whole titles"]
    assert [query.text for query in asked if answers(query.text)[0] not in query.answers] == []


def test_whole_words_come_before_letters_that_only_stand_side_by_side(answers):
    query = next(query for query in gold.queries() if query.text == "市民")
    found = answers("市民")
    first = found[: len(query.answers)]
    assert len(query.answers & set(first)) > len(query.answers) / len(found) * len(first)  # better than by chance


def test_both_ways_of_writing_find_the_same(answers):
    for simplified, traditional in BOTH:
        assert answers(simplified) == answers(traditional)
