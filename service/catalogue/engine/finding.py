"""Finding datasets: candidates from the index, ordered, counted by facet and given out page by page.

No count is ever made over the whole catalogue: candidates end at `store.ENOUGH`, and what is asked for without words
is counted when a dataset is published.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


def find(
    session: Session, query: Asked, chosen: Chosen, *, sort: str = "", cursor: str = "", limit: int = 20,
    lang: str = "zh",
) -> Page:  # fmt: skip
    """Return the page of datasets that answer the words and the choices.

    Without a sort, words are answered by relevance and no words by the newest.
    """
    chosen = {kind: values for kind, values in chosen.items() if values}
    sort = sort if sort and (query.demanded or sort != "relevance") else "relevance" if query.demanded else "newest"
    place = _place(cursor, sort)
    if query.nothing:
        return Page()
    if not query.demanded and not chosen:
        return _browsed(session, sort, place, limit=limit, lang=lang)
    page = _searched(session, query, words.anywhere(query), chosen, sort, place, limit=limit, lang=lang)
    if page.total or not (sounds := words.spelt(query)):
        return page
    return _searched(session, query, [sounds], chosen, sort, place, limit=limit, lang=lang, sounded=True)


def nearest(session: Session, query: Asked) -> list[Candidate]:
    """Return the few datasets whose titles share most pairs of characters with a query that nothing answers."""
    if (alike := words.alike(query)) is None:
        return []
    asked = set(query.demanded)

    def shared(one: Candidate) -> float:
        return len({term for term in asked if term in one.title}) / (len(asked) + len(one.title) / 40)

    found = store.entries(session, store.matching(session, [alike]))
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
    return _ordered(kept, query, "relevance", "zh")[:SUGGESTED]


# ---- without words ---------------------------------------------------------------------------------------------------


def _browsed(session: Session, sort: str, place: _Place | None, *, limit: int, lang: str) -> Page:
    counts = store.counts(session)
    by = {"title": f"sort_{lang}", "used": "used"}.get(sort, "number")
    after = (place.key, place.number) if place else None
    found = store.browse(session, limit=limit + 1, by=by, after=after)
    facets = {kind: Counted(counts.get(kind, {})) for kind in FACETS}
    total = counts.get("all", {}).get("", 0)
    return _page(found, total, place, sort, facets, limit=limit, key=lambda one: getattr(one, by))


# ---- with words or choices -------------------------------------------------------------------------------------------


def _searched(
    session: Session, query: Asked, demanded: Query, chosen: Chosen, sort: str, place: _Place | None, *, limit: int,
    lang: str, sounded: bool = False,
) -> Page:  # fmt: skip
    numbers = store.matching(session, demanded) if demanded else []
    if demanded and len(numbers) <= ENOUGH:
        held = store.entries(session, numbers)
        if sounded:
            held = [one for one in held if _sounds_so(one, query)]
        found = [one for one in held if _fits(one, chosen)]
        facets = _counted(found)
        for kind in chosen:
            facets[kind] = _counted([one for one in held if _fits(one, chosen, but=kind)])[kind]
        return _given(found, query, sort, place, facets, limit=limit, lang=lang, sounded=sounded)
    limits = _choices(chosen)
    asked = [demanded, *limits] if demanded else limits
    if limits:
        numbers = store.matching(session, asked, newest=sort == "newest")
    more = len(numbers) > ENOUGH
    if more and sort == "relevance":
        numbers = _better(session, query, chosen, numbers)
    found = store.entries(session, numbers[:ENOUGH])
    facets = _counted(found, more=more)
    for kind in chosen:
        facets[kind] = _without(session, demanded, chosen, kind)
    if more and sort == "newest":
        return _newest(session, asked, place, facets, limit=limit)
    return _given(found, query, sort, place, facets, limit=limit, lang=lang, sounded=sounded, more=more)


def _choices(chosen: Chosen) -> list[Query]:
    return [words.choices(kind, values) for kind, values in chosen.items()]


def _fits(one: Candidate, chosen: Chosen, but: str = "") -> bool:
    if not chosen:
        return True
    facets = unpacked(one.facets)
    return all(kind == but or not set(values).isdisjoint(facets[kind]) for kind, values in chosen.items())


def _counted(found: Sequence[Candidate], *, more: bool = False) -> dict[str, Counted]:
    """Count the values of every facet: those that were kept together first, then taken apart."""
    facets = {}
    columns = zip(*(one.facets.split("|") for one in found), strict=True) if found else ((),) * len(FACETS)
    for kind, column in zip(FACETS, columns, strict=True):
        counted: Counter[str] = Counter()
        for together, n in Counter(column).items():
            for value in together.split(",") if together else ():
                counted[value] += n
        facets[kind] = Counted(counted, more)
    return facets


def _without(session: Session, demanded: Query, chosen: Chosen, kind: str) -> Counted:
    """Count a facet as if nothing of it were chosen, where the candidates are too many to filter them here."""
    rest = _choices({name: values for name, values in chosen.items() if name != kind})
    if not demanded and not rest:
        return Counted(store.counts(session).get(kind, {}))
    numbers = store.matching(session, [demanded, *rest] if demanded else rest)
    return _counted(store.entries(session, numbers[:ENOUGH]), more=len(numbers) > ENOUGH)[kind]


def _better(session: Session, query: Asked, chosen: Chosen, numbers: Sequence[int]) -> list[int]:
    """Put before many candidates those whose titles hold the words: the exact title, whole words, then the letters."""
    alike = [one for one in store.titled(session, words.spelling(query.text)) if _fits(one, chosen)]
    found = dict.fromkeys(one.number for one in alike if query.text in one.title.split("\n"))
    limits = _choices(chosen)
    for reading in (words.as_words, words.in_title):
        if len(found) < BEST:
            found |= dict.fromkeys(store.matching(session, [reading(query), *limits], limit=ENOUGH))
    return [*found, *(number for number in numbers if number not in found)]


def _given(
    found: Sequence[Candidate], query: Asked, sort: str, place: _Place | None, facets: Mapping[str, Counted], *,
    limit: int, lang: str, sounded: bool = False, more: bool = False,
) -> Page:  # fmt: skip
    ordered = _ordered(found, query, sort, lang)
    key = _keys(query, sort, lang)
    if place:
        ordered = [one for one in ordered if _after(key(one), one.number, place, rising=sort == "title")]
    return _page(ordered, len(found), place, sort, facets, limit=limit, key=key, sounded=sounded, more=more)


def _newest(session: Session, asked: Query, place: _Place | None, facets: Mapping[str, Counted], *, limit: int) -> Page:
    before = place.number if place else store.LAST
    numbers = store.matching(session, asked, limit=limit + 1, before=before, newest=True)
    found = sorted(store.entries(session, numbers), key=lambda one: -one.number)
    return _page(found, ENOUGH, place, "newest", facets, limit=limit, key=lambda one: one.number, more=True)


def _page(
    found: Sequence[Candidate], total: int, place: _Place | None, sort: str, facets: Mapping[str, Counted], *,
    limit: int, key: Callable[[Candidate], Any], sounded: bool = False, more: bool = False,
) -> Page:  # fmt: skip
    """Cut a page off what comes after `place`; one answer too many says that there is a next page."""
    at, shown = place.at if place else 0, found[:limit]
    cursor = None
    if len(found) > limit:
        last = shown[-1]
        cursor = _cursor(sort, _Place(key(last), last.number, at + limit))
    return Page(shown, total, more, at + 1, cursor, facets, sounded)


# ---- order -----------------------------------------------------------------------------------------------------------


def _ordered(found: Sequence[Candidate], query: Asked, sort: str, lang: str) -> list[Candidate]:
    key = _keys(query, sort, lang)
    if sort == "title":
        return sorted(found, key=lambda one: (key(one), -one.number))
    return sorted(found, key=lambda one: (key(one), one.number), reverse=True)


def _keys(query: Asked, sort: str, lang: str) -> Callable[[Candidate], Any]:
    if sort == "title":
        return lambda one: one.sort_zh if lang == "zh" else one.sort_en
    if sort == "used":
        return lambda one: one.used
    if sort == "newest":
        return lambda one: one.number
    return lambda one: score(one, query)


def score(one: Candidate, query: Asked) -> int:
    """Return how well an entry answers: the exact title, then its beginning, its whole words, its letters.

    Of two titles that hold the same, the shorter one says less beside it.
    """
    text, title, points = query.text, one.title, 0
    if text in title:
        points = 1000
        for side in title.split("\n"):
            if side.startswith(text):
                points += 7000 if side == text or side[len(text) :].lstrip().startswith("(") else 500
    whole = 0
    for word in query.words:
        whole += f" {word} " in one.words
    points += 2000 * (whole == len(query.words)) + 300 * whole
    if len(query.runs) > 1:
        points += 150 * sum(run in title for run in query.runs)
    if query.latin and one.initials.startswith(query.latin):
        points += 1000
    return points - min(len(title), 100) if points else 0


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
