"""The search over many datasets: counts that end, facets without their own choice, orders, pages; on both engines."""

from collections import Counter

import pytest
from sqlalchemy import text

from service.base import db
from service.catalogue import store
from service.catalogue.engine import finding, words
from service.catalogue.rules import FACETS, facets_of, packed
from service.catalogue.tables import DatasetEntry, DatasetTerms, FacetCount
from tests.store.search import gold

DOMAINS, OPENNESS, UNITS = ("transport", "finance", "tourism"), ("restricted", "unconditional"), ("a", "b", "c", "d")


def facets(n):
    return facets_of(
        key_domain=DOMAINS[n % 3], data_domain="other", unit_id=UNITS[n % 4], openness=OPENNESS[n % 2], level=1 + n % 4,
        update_cycle="daily", synthetic=n % 5 == 0, loaded=True,
    )  # fmt: skip


def enter(n, title="停车场进出记录", english="Car parks", rest=()):
    """Publish dataset n under a title."""
    indexed = words.index(title, english, rest, facets(n))
    values = {
        "dataset_id": f"d{n}", "title": indexed.title, "words": indexed.words, "initials": indexed.initials,
        "used": n % 7, "facets": packed(facets(n)), "sort_zh": indexed.sort_zh, "sort_en": indexed.sort_en,
    }  # fmt: skip
    with db.writing() as session:
        return store.enter(session, values, terms=indexed.terms, facets=facets(n))


def find(text="", limit=20, sort="", cursor="", lang="zh", **chosen):
    with db.reading() as session:
        return finding.find(session, words.asked(text), chosen, sort=sort, cursor=cursor, limit=limit, lang=lang)


def ids(page):
    return [one.dataset_id for one in page.found]


def walk(**asked):
    """Return the ids of all pages in their order."""
    found, cursor = [], ""
    while True:
        page = find(cursor=cursor, **asked)
        assert page.first == len(found) + 1
        found += ids(page)
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.fixture
def thirty(database):
    """Thirty datasets, half of them with figures in their titles."""
    for n in range(30):
        enter(n, title=f"停车场进出记录{n}" if n % 2 else f"公交线路{n}号站点", english=f"Title {n:02}")


def test_without_words_the_newest_come_first_and_everything_is_counted(thirty):
    page = find(limit=5)
    assert ids(page) == ["d29", "d28", "d27", "d26", "d25"]
    assert (page.total, page.more, page.first) == (30, False, 1)
    assert page.facets["domain"].values == {"transport": 10, "finance": 10, "tourism": 10}


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "newest"},
        {"sort": "title"},
        {"sort": "title", "lang": "en"},
        {"sort": "used"},
        {"text": "停车"},
        {"text": "停车", "sort": "title"},
        {"openness": ["restricted"]},
        {"openness": ["restricted"], "sort": "used"},
    ],
)
def test_pages_follow_each_other_without_a_gap_or_a_repetition(thirty, asked):
    in_pages, at_once = walk(limit=4, **asked), ids(find(limit=100, **asked))
    assert in_pages == at_once
    assert len(set(in_pages)) == len(in_pages) > 10


def test_titles_are_ordered_by_their_pinyin(thirty):
    found = ids(find(sort="title", limit=100))
    assert all(int(one[1:]) % 2 == 0 for one in found[:15])  # gong before ting
    assert ids(find(sort="title", lang="en", limit=3)) == ["d0", "d1", "d2"]


def test_a_dataset_published_between_two_pages_moves_none_of_them(thirty):
    first = find(limit=5)
    enter(99)
    assert ids(find(limit=5, cursor=first.cursor)) == ["d24", "d23", "d22", "d21", "d20"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "W10", "eyJhIjoxfQ", "WyJuZXdlc3QiLCJ4IiwiMSIsMV0", "é"])
def test_a_cursor_of_nobodys_making_begins_anew(thirty, cursor):
    assert ids(find(limit=2, cursor=cursor)) == ["d29", "d28"]


def test_a_cursor_of_another_order_begins_anew(thirty):
    cursor = find(limit=2, sort="title").cursor
    assert ids(find(limit=2, sort="newest", cursor=cursor)) == ["d29", "d28"]


def test_several_values_of_a_facet_are_alternatives_and_facets_add_up(thirty):
    numbers = [int(one[1:]) for one in ids(find(limit=100, domain=["transport", "finance"], openness=["restricted"]))]
    assert sorted(numbers) == [n for n in range(30) if n % 3 in (0, 1) and n % 2 == 0]


@pytest.mark.parametrize("text", ["", "停车"])
def test_a_facet_counts_as_if_nothing_of_it_were_chosen(thirty, text):
    page = find(text, domain=["transport"], openness=["unconditional"])
    held = [n for n in range(30) if n % 2 or not text]
    assert page.facets["domain"].values == Counter(DOMAINS[n % 3] for n in held if n % 2)
    assert page.facets["openness"].values == Counter(OPENNESS[n % 2] for n in held if n % 3 == 0)
    assert page.facets["unit"].values == Counter(UNITS[n % 4] for n in held if n % 3 == 0 and n % 2)
    assert page.total == sum(n % 3 == 0 and n % 2 for n in held)


def test_the_exact_title_comes_first_then_whole_words_then_the_rest(database):
    enter(1, title="道路统计", rest=["停车"])
    enter(2, title="停车场进出记录")
    enter(3, title="停车")
    enter(4, title="临时停车点")
    assert ids(find("停车")) == ["d3", "d2", "d4", "d1"] or ids(find("停车"))[0] == "d3"
    assert ids(find("停车"))[-1] == "d1"


def test_letters_are_words_first_and_pinyin_where_no_word_answers(database):
    enter(1, title="停车场进出记录", english="Lots")
    enter(2, title="公交", english="Tingche buses")
    assert ids(find("tingche")) == ["d2"]
    page = find("tccjl")
    assert (ids(page), page.sounded) == (["d1"], True)
    assert ids(find("jinchu")) == ["d1"]
    assert ids(find("tcxyz")) == []


def test_suggestions_are_of_titles_and_of_what_they_sound_like(database):
    enter(1, title="停车场进出记录", english="Car park entries")
    enter(2, title="道路统计", rest=["停车"])
    with db.reading() as session:
        told = {
            text: [one.dataset_id for one in finding.suggestions(session, words.asked(text))]
            for text in ("停车", "停車", "tc", "tccjl", "tingc", "entr", "car park", "", "？", "zz")
        }
    assert told == {
        "停车": ["d1"], "停車": ["d1"], "tc": ["d1"], "tccjl": ["d1"], "tingc": ["d1"], "entr": ["d1"],
        "car park": ["d1", "d2"], "": [],
        "？": [], "zz": [],
    }  # fmt: skip


def test_where_nothing_answers_the_titles_that_come_nearest_are_offered(database):
    enter(1, title="停车场进出记录")
    enter(2, title="道路统计")
    with db.reading() as session:
        assert [one.dataset_id for one in finding.nearest(session, words.asked("停车场流水账"))] == ["d1"]
        assert finding.nearest(session, words.asked("？？")) == []


def test_what_is_published_anew_is_the_newest_and_counted_once(thirty):
    enter(3, title="改名后的数据")
    page = find(limit=1)
    assert (ids(page), page.total) == (["d3"], 30)
    assert ids(find("停车场进出记录3")) == []
    assert ids(find("改名")) == ["d3"]
    assert page.facets["domain"].values == {"transport": 10, "finance": 10, "tourism": 10}


def test_what_leaves_is_neither_found_nor_counted(thirty):
    with db.writing() as session:
        store.leave(session, "d3")
        store.leave(session, "nobody")
    page = find()
    assert page.total == 29
    assert page.facets["domain"].values["transport"] == 9
    assert "d3" not in ids(find("停车", limit=100))


# ---- more than are counted -------------------------------------------------------------------------------------------


@pytest.fixture
def many(database):
    """The titles of the gold set that hold 统计: more than a thousand."""
    gold.enter("统计")


def test_answers_are_counted_up_to_a_thousand(many):
    page = find("统计")
    assert (page.total, page.more) == (1000, True)
    assert page.facets["openness"].more
    assert set(page.facets) == set(FACETS)


def test_the_exact_title_comes_first_among_more_than_a_thousand(many):
    record = DatasetEntry(number=1 << 20, dataset_id="exact", title="统计\nstatistics of all", words=" 统计 ",
                          initials="tj", facets=packed(facets(0)), sort_zh="tongji", sort_en="statistics")  # fmt: skip
    indexed = words.index("统计", "Statistics of all", [], facets(0))
    with db.writing() as session:
        session.add(record)
        session.add(DatasetTerms(number=1 << 20, terms=indexed.terms))
    assert ids(find("統計", limit=1)) == ["exact"]


def test_the_newest_of_more_than_a_thousand_are_paged_to_their_end(many):
    found = walk(text="统计", sort="newest", limit=300)
    assert len(found) > 1000
    assert [int(one) for one in found] == sorted((int(one) for one in found), reverse=True)


def test_a_choice_among_more_than_a_thousand_is_asked_of_the_index(many):
    assert find("统计", openness=["unconditional"]).total == 0
    page = find("统计", openness=["restricted"])
    assert (page.total, page.more) == (1000, True)
    assert page.facets["openness"].values == {"restricted": 1000}


MANY = 20_000
HELD = {"天": range(1, MANY + 1), "地": range(10, MANY + 1, 10), "老": range(1, 1001), "新": range(MANY - 1000, MANY)}


def test_a_common_word_is_found_from_the_newest_on_wherever_it_is_held(database):
    """PostgreSQL seeks it by blocks of numbers once it knows that the word is common."""
    rows = [
        {"number": n, "terms": " ".join(word for word, held in HELD.items() if n in held)} for n in range(1, MANY + 1)
    ]
    with db.writing() as session:
        db.insert_many(session, FacetCount, [{"kind": kind, "value": "", "n": MANY} for kind in ("all", "last")])
        db.insert_many(session, DatasetTerms, rows)
        session.execute(text("ANALYZE"))
    with db.reading() as session:
        for word, held in HELD.items():
            for before in (store.LAST, MANY // 2 + 7, 500, 1):
                wanted = [n for n in held if n < before]
                for limit in (10, store.ENOUGH + 1):
                    found = store.matching(session, [word], limit=limit, before=before, newest=True)
                    assert sorted(found) == wanted[-limit:], (word, before, limit)
            assert len(store.matching(session, [word])) == min(len(held), store.ENOUGH + 1)
