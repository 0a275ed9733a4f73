"""Finding datasets: candidates from the index, ordered, counted by facet and given out page by page.

No count is ever made over the whole catalogue: candidates end at `store.ENOUGH`, and what is asked for without words
is counted when a dataset is published.
"""

import base64
import binascii
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from service.base.db import Session
from service.catalogue import store
from service.catalogue.engine import words
from service.catalogue.engine.words import Asked
from service.catalogue.rules import FACETS, unpacked
from service.catalogue.store import ENOUGH, Candidate, Query

NEAREST = 5
BEST = 200  # titles that hold the words, ten pages of them: beyond, the letters alone are not asked for
SUGGESTED = 8
SORTS = ("relevance", "newest", "title", "used")
Chosen = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many answers each value of a facet would leave, the other facets' choices kept; `more`: or more than that."""

    values: Mapping[str, int]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of answers.  `total` counts all, `more` says that there are more than that.

    `first` is the place of the page's first answer among all, `cursor` asks for what comes after; `sounded` says that
    the words were read as pinyin because nothing holds them.
    """

    found: Sequence[Candidate] = ()
    total: int = 0
    more: bool = False
    first: int = 1
    cursor: str | None = None
    facets: Mapping[str, Counted] = field(default_factory=dict)
    sounded: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: after the entry of this key and number, which stood at place `at`."""

    key: Any
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, and how it is to be given: `demanded` are the words as terms, or what they sound like."""

    query: Asked
    demanded: Query
    chosen: Chosen
    sort: str
    place: _Place | None
    limit: int
    lang: str
    sounded: bool = False

    @property
    def lean(self) -> bool:
        """Whether neither pinyin nor another order than the words' or the newest is asked for."""
        return self.sort in {"relevance", "newest"} and not self.query.latin

    def limited(self, reading: Query, but: str = "") -> list[Query]:
        """Return a reading of the words, which may be empty, with the choices of every facet but one."""
        limits: list[Query] = [words.choices(kind, values) for kind, values in self.chosen.items() if kind != but]
        return [reading, *limits] if reading else limits


def find(
    session: Session, query: Asked, chosen: Chosen, *, sort: str = "", cursor: str = "", limit: int = 20,
    lang: str = "zh",
) -> Page:  # fmt: skip
    """Return the page of datasets that answer the words and the choices.

    Without a sort, words are answered by relevance and no words by the newest.
    """
    chosen = {kind: values for kind, values in chosen.items() if values}
    sort = sort if sort and (query.demanded or sort != "relevance") else "relevance" if query.demanded else "newest"
    wish = _Wish(query, words.anywhere(query), chosen, sort, _place(cursor, sort), limit, lang)
    if query.nothing:
        return Page()
    if not query.demanded and not chosen:
        return _browsed(session, wish)
    page = _searched(session, wish)
    if page.total or not (sounds := words.spelt(query)):
        return page
    return _searched(session, replace(wish, demanded=[sounds], sounded=True))


def nearest(session: Session, query: Asked) -> list[Candidate]:
    """Return the few datasets whose titles share most pairs of characters with a query that nothing answers."""
    if (alike := words.alike(query)) is None:
        return []
    asked = set(query.demanded)

    def shared(one: Candidate) -> float:
        return len({term for term in asked if term in one.title}) / (len(asked) + len(one.title) / 40)

    found = store.entries(session, store.matching(session, [alike]), lean=True)
    return sorted(found, key=lambda one: (-shared(one), -one.number))[:NEAREST]


def known(session: Session, word: str) -> bool:
    """Whether any dataset holds a word."""
    return bool(store.matching(session, words.anywhere(words.asked(word)), limit=1))


def suggestions(session: Session, query: Asked) -> list[Candidate]:
    """Return the few datasets whose titles hold what somebody has typed so far, or sound like it."""
    if not query.demanded:
        return []
    sounds = words.spelt(query, least=2)
    demanded = words.in_title(query)
    found = store.entries(session, store.matching(session, [(demanded, *sounds)] if sounds else demanded))
    kept = [one for one in found if not sounds or _sounds_so(one, query) or all(run in one.title for run in query.runs)]
    score = _score(query)
    return [one for _points, one in _first([(score(one), one) for one in kept], SUGGESTED, rising=False)]


# ---- without words ---------------------------------------------------------------------------------------------------


def _browsed(session: Session, wish: _Wish) -> Page:
    counts = store.counts(session)
    by = {"title": f"sort_{wish.lang}", "used": "used"}.get(wish.sort, "number")
    after = (wish.place.key, wish.place.number) if wish.place else None
    found = store.browse(session, limit=wish.limit + 1, by=by, after=after)
    facets = {kind: Counted(counts.get(kind, {})) for kind in FACETS}
    return _page([(getattr(one, by), one) for one in found], counts.get("all", {}).get("", 0), wish, facets)


# ---- with words or choices -------------------------------------------------------------------------------------------


def _searched(session: Session, wish: _Wish) -> Page:
    """Answer from all that hold the words where they are few, else from the best or the newest `store.ENOUGH`.

    Titles that hold the words whole are asked for first where they come first: of a common word they are enough.
    """
    plain = wish.sort == "relevance" and not wish.chosen and not wish.sounded
    whole = store.matching(session, words.as_words(wish.query)) if plain else None
    if whole and len(whole) > ENOUGH:
        return _capped(session, wish, whole, whole)
    numbers = store.matching(session, wish.demanded) if wish.demanded else []
    if wish.demanded and len(numbers) <= ENOUGH:
        return _whole(session, wish, numbers)
    if wish.chosen:
        numbers = store.matching(session, wish.limited(wish.demanded), newest=wish.sort == "newest")
    return _capped(session, wish, numbers, whole)


def _whole(session: Session, wish: _Wish, numbers: Sequence[int]) -> Page:
    held = store.entries(session, numbers, lean=wish.lean)
    if wish.sounded:
        held = [one for one in held if _sounds_so(one, wish.query)]
    found = [one for one in held if _fits(one, wish.chosen)]
    facets = _counted(found)
    for kind in wish.chosen:
        facets[kind] = _counted([one for one in held if _fits(one, wish.chosen, but=kind)])[kind]
    return _given(found, wish, facets)


def _capped(session: Session, wish: _Wish, numbers: Sequence[int], whole: Sequence[int] | None) -> Page:
    """Answer from as many candidates as are counted; `whole` are those that hold the words whole, if that was asked."""
    more = len(numbers) > ENOUGH
    if more and wish.sort == "relevance":
        numbers = _better(session, wish, numbers, whole)
    found = store.entries(session, numbers[:ENOUGH], lean=wish.lean)
    facets = _counted(found, more=more)
    for kind in wish.chosen:
        facets[kind] = _without(session, wish, kind)
    if more and wish.sort == "newest":
        return _newest(session, wish, facets)
    return _given(found, wish, facets, more=more)


def _fits(one: Candidate, chosen: Chosen, but: str = "") -> bool:
    if not chosen:
        return True
    facets = unpacked(one.facets)
    return all(kind == but or not set(values).isdisjoint(facets[kind]) for kind, values in chosen.items())


def _counted(found: Sequence[Candidate], *, more: bool = False) -> dict[str, Counted]:
    """Count the values of every facet: those that were kept together first, then taken apart."""
    if not found:
        return {kind: Counted({}, more) for kind in FACETS}
    facets, kept = {}, "|".join([one.facets for one in found]).split("|")
    for at, kind in enumerate(FACETS):
        counted: Counter[str] = Counter()
        for together, n in Counter(kept[at :: len(FACETS)]).items():
            for value in together.split(",") if together else ():
                counted[value] += n
        facets[kind] = Counted(counted, more)
    return facets


def _without(session: Session, wish: _Wish, kind: str) -> Counted:
    """Count a facet as if nothing of it were chosen, where the candidates are too many to filter them here."""
    if not (asked := wish.limited(wish.demanded, but=kind)):
        return Counted(store.counts(session).get(kind, {}))
    numbers = store.matching(session, asked)
    return _counted(store.entries(session, numbers[:ENOUGH], lean=True), more=len(numbers) > ENOUGH)[kind]


def _better(session: Session, wish: _Wish, numbers: Sequence[int], whole: Sequence[int] | None) -> list[int]:
    """Put before many candidates those whose titles hold the words: the exact title, whole words, then the letters."""
    query = wish.query
    alike = [one for one in store.titled(session, words.spelling(query.text)) if _fits(one, wish.chosen)]
    found = dict.fromkeys(one.number for one in alike if query.text in one.title.split("\n"))
    if whole is None:
        whole = store.matching(session, wish.limited(words.as_words(query)), limit=ENOUGH)
    found |= dict.fromkeys(whole)
    if len(found) < BEST:
        found |= dict.fromkeys(store.matching(session, wish.limited(words.in_title(query)), limit=ENOUGH))
    return [*found, *(number for number in numbers if number not in found)]


def _newest(session: Session, wish: _Wish, facets: Mapping[str, Counted]) -> Page:
    before = wish.place.number if wish.place else store.LAST
    asked = wish.limited(wish.demanded)
    numbers = store.matching(session, asked, limit=wish.limit + 1, before=before, newest=True)
    found = sorted(store.entries(session, numbers, lean=True), key=lambda one: -one.number)
    return _page([(one.number, one) for one in found], ENOUGH, wish, facets, more=True)


def _given(found: Sequence[Candidate], wish: _Wish, facets: Mapping[str, Counted], *, more: bool = False) -> Page:
    key, rising = _keys(wish.query, wish.sort, wish.lang), wish.sort == "title"
    keyed = [(key(one), one) for one in found]
    if place := wish.place:
        keyed = [(held, one) for held, one in keyed if _after(held, one.number, place, rising=rising)]
    return _page(_first(keyed, wish.limit + 1, rising=rising), len(found), wish, facets, more=more)


def _page(
    found: Sequence[tuple[Any, Candidate]], total: int, wish: _Wish, facets: Mapping[str, Counted], *,
    more: bool = False,
) -> Page:  # fmt: skip
    """Cut a page off what comes after its place, each with its key; one answer too many says that there is a next."""
    at, cursor = wish.place.at if wish.place else 0, None
    if len(found) > wish.limit:
        key, last = found[wish.limit - 1]
        cursor = _cursor(wish.sort, _Place(key, last.number, at + wish.limit))
    shown = [one for _key, one in found[: wish.limit]]
    return Page(shown, total, more, at + 1, cursor, facets, wish.sounded)


# ---- order -----------------------------------------------------------------------------------------------------------


def _first(keyed: Iterable[tuple[Any, Candidate]], n: int, *, rising: bool) -> list[tuple[Any, Candidate]]:
    """Return the first `n`: by key, and of equal ones the newest first."""
    if rising:
        return heapq.nsmallest(n, keyed, key=lambda held: (held[0], -held[1].number))
    return heapq.nlargest(n, keyed)  # an entry begins with its number


def _keys(query: Asked, sort: str, lang: str) -> Callable[[Candidate], Any]:
    """Return what entries are ordered by: titles rise, all else falls."""
    names = {"title": f"sort_{lang}", "used": "used", "newest": "number"}
    return attrgetter(names[sort]) if sort in names else _score(query)


def _score(query: Asked) -> Callable[[Candidate], int]:
    """Return how well an entry answers: the exact title, then its beginning, its whole words, its letters.

    Of two titles that hold the same, the shorter one says less beside it.
    """
    text, runs, latin = query.text, query.runs if len(query.runs) > 1 else (), query.latin
    whole, after_break = [f" {word} " for word in query.words], f"\n{text}"

    def score(one: Candidate) -> int:
        title, points, held = one.title, 0, 0
        if text in title:
            points = 1000
            if title.startswith(text) or after_break in title:
                points += sum(_beginning(side, text) for side in title.split("\n"))
        for word in whole:
            held += word in one.words
        points += 300 * held + (2000 if held == len(whole) else 0)
        for run in runs:
            points += 150 if run in title else 0
        if latin and one.initials.startswith(latin):
            points += 1000
        return points - min(len(title), 100) if points else 0

    return score


def _beginning(title: str, text: str) -> int:
    """Return the points of a title for beginning with the query; nothing but brackets after it is the most."""
    if not title.startswith(text):
        return 0
    return 7000 if title == text or title[len(text) :].lstrip().startswith("(") else 500


def _sounds_so(one: Candidate, query: Asked) -> bool:
    """Whether the letters are the title's pinyin, or initials of it in their order."""
    letters = iter(one.initials)
    return query.latin in one.sort_zh or all(letter in letters for letter in query.latin)


def _after(key: Any, number: int, place: _Place, *, rising: bool) -> bool:
    if key == place.key:
        return number < place.number
    return bool(key > place.key if rising else key < place.key)


# ---- the cursor ------------------------------------------------------------------------------------------------------


def _cursor(sort: str, place: _Place) -> str:
    told = json.dumps([sort, place.key, place.number, place.at], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _place(cursor: str, sort: str) -> _Place | None:
    """Return where a cursor stands; None, which is the beginning, for one of another order or of nobody's making."""
    try:
        told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        of, key, number, at = told
    except (ValueError, TypeError, binascii.Error):
        return None
    if of != sort or type(number) is not int or type(at) is not int or not _orders(key, sort):
        return None
    return _Place(key, number, at) if 0 < at < 1 << 31 and 0 < number < store.LAST else None


def _orders(key: object, sort: str) -> bool:
    """Whether a cursor's key is one that entries are ordered by: both engines take it as it is."""
    if sort == "title":
        return isinstance(key, str) and key.isprintable()  # no NUL, no half of a letter
    return type(key) is int and abs(key) < store.LAST
