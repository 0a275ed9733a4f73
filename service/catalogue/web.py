"""The list of datasets: words, facets, order, pages; and what to offer while somebody types or finds nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.db import Session
from service.base.errors import Invalid
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import current, gettext, pick
from service.catalogue import rules, store
from service.catalogue.engine import finding, words
from service.catalogue.engine.finding import Counted, Page
from service.catalogue.engine.words import Asked
from service.catalogue.forms import SEARCH_LISTS, SearchForm
from service.people import store as people

pages = Blueprint("catalogue", __name__)

PAGE = 20
SHOWN = 6  # values of a facet before the rest is folded
UNITS = 30  # source units offered, those with most datasets
PATH = "/datasets"


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a facet: how many answers it has, and that number as it is shown ("412+" of capped answers)."""

    value: str
    title: str
    n: int
    count: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet with its values; those from `cut` on stand behind a fold, which is open when one of them is chosen."""

    kind: str
    title: str
    options: Sequence[Option]
    cut: int

    @property
    def opened(self) -> bool:
        return any(option.chosen for option in self.options[self.cut :])


@dataclass(frozen=True, slots=True)
class Chip:
    """A choice that a link takes back."""

    title: str
    address: str


@pages.app_context_processor
def titles() -> dict[str, object]:
    """Give every template the titles of the catalogue's words."""
    return {
        "key_domains": rules.KEY_DOMAINS,
        "openness_titles": rules.OPENNESS_TITLES,
        "column_types": rules.TYPE_TITLES,
        "bases": rules.BASIS_TITLES,
    }


@pages.get(PATH)
@requires(Role.PUBLIC)
def datasets() -> ResponseReturnValue:
    """List a page of the published datasets that answer the reader's words and choices.

    Visitors all see the same list: a page made for one is kept for the next until a dataset is published or leaves.
    """
    with db.reading() as session:
        return http.shared_page(store.revision(session), lambda: _answer(session))


def _answer(session: Session) -> Response:
    try:
        asked, errors = parse(SearchForm, form_data(request.args, lists=SEARCH_LISTS)), {}
    except Invalid as fault:
        asked, errors = SearchForm(), errors_by_field(fault)
    query = words.asked(asked.q)
    page = finding.find(
        session, query, asked.chosen, sort=asked.sort or "", cursor=asked.cursor, limit=PAGE, lang=current()
    )
    if errors:
        page = replace(page, found=(), cursor=None)
    status = 422 if errors else 200
    return http.page("catalogue/list.html", status=status, **_list(session, asked, query, page, errors))


@pages.get(f"{PATH}/suggestions")
@requires(Role.PUBLIC)
def suggestions() -> ResponseReturnValue:
    """Answer {"suggestions": [{"id", "title", "unit"}]}: a few datasets that begin as what was typed does."""
    asked = parse(SearchForm, {"q": request.args.get("q", "")})
    with db.reading() as session:
        found = finding.suggestions(session, words.asked(asked.q))
        rows = store.cards(session, [one.dataset_id for one in found])
        units = people.units_by_id(session, [row.source_unit_id for row in rows])
    told = [
        {
            "id": row.id,
            "title": pick(row.title),
            "unit": pick({"zh": (unit := units[row.source_unit_id]).name, "en": unit.name_en}),
        }
        for row in rows
    ]
    return http.json_answer({"suggestions": told})


def _list(session: Session, asked: SearchForm, query: Asked, page: Page, errors: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page shows."""
    ids = [one.dataset_id for one in page.found]
    all_counts = store.counts(session)
    rows = store.cards(session, ids)
    offered = _values("unit", all_counts.get("unit", {}), asked.unit)
    known = {*offered, *(row.source_unit_id for row in rows)}
    units = people.units_by_id(session, known)
    names = {unit.id: pick({"zh": unit.name, "en": unit.name_en}) for unit in units.values()}
    return {
        "asked": asked,
        "typed": request.args.get("q", "") if errors else asked.q,
        "errors": errors,
        "page": page,
        "datasets": rows,
        "hits": {row.id: _hit_words(pick(row.title), query) for row in rows},
        "units": units,
        "versions": store.latest_of(session, ids, now=clock.now(session)),
        "tallies": store.tallies(session, ids),
        "cycles": rules.UPDATE_CYCLES,
        "facets": [_facet(kind, asked, page.facets.get(kind, Counted({})), all_counts, names) for kind in rules.FACETS],
        "choices": _chips(asked, names),
        "sorts": _sorts(session, asked, query),
        "cleared": _address(asked, **dict.fromkeys(rules.FACETS, ())),
        "next": _address(asked, cursor=page.cursor) if page.cursor else None,
        "start": _address(asked) if asked.cursor and page.first > 1 else None,
        "nothing_yet": not all_counts.get("all", {}).get(""),
        "near": _near(session, asked, query, page, names) if not page.found and not errors else None,
    }  # fmt: skip


# ---- facets ----------------------------------------------------------------------------------------------------------


def _facet(
    kind: str,
    asked: SearchForm,
    counted: Counted,
    all_counts: Mapping[str, Mapping[str, int]],
    names: Mapping[str, str],
) -> Facet:
    chosen = asked.chosen.get(kind, ())
    least = "+" if counted.more else ""
    options = [
        Option(value, title_of(kind, value, names), n := counted.values.get(value, 0), f"{n:,}{least}", value in chosen)
        for value in _values(kind, all_counts.get(kind, {}), chosen)
    ]
    cut = len(options) if len(options) <= SHOWN + 1 else SHOWN
    return Facet(kind, gettext(rules.FACETS[kind]), options, cut)


def _values(kind: str, present: Mapping[str, int], chosen: Sequence[str]) -> list[str]:
    """Return the values to offer: all of a short list, of a long one those that any dataset has."""
    fixed: dict[str, Iterable[str]] = {
        "domain": rules.KEY_DOMAINS, "openness": map(str, rules.Openness), "level": rules.LEVEL_TITLES,
        "format": rules.FORMATS, "has": rules.HAS,
    }  # fmt: skip
    if kind in fixed:
        return list(fixed[kind])
    there = [value for value, n in present.items() if n]
    ordered = {"cycle": rules.UPDATE_CYCLES, "data_domain": rules.DATA_DOMAINS}.get(kind)
    if ordered is None:
        return list(dict.fromkeys([*there[:UNITS], *chosen]))
    return [value for value in ordered if value in {*there, *chosen}]


def title_of(kind: str, value: str, names: Mapping[str, str]) -> str:
    """Return what a facet's value is called."""
    titles: Mapping[str, Mapping[str, str]] = {
        "domain": rules.KEY_DOMAINS, "openness": {word.value: title for word, title in rules.OPENNESS_TITLES.items()},
        "level": rules.LEVEL_TITLES, "cycle": rules.UPDATE_CYCLES, "data_domain": rules.DATA_DOMAINS, "has": rules.HAS,
    }  # fmt: skip
    if kind in titles:
        return gettext(titles[kind][value])
    return rules.FORMATS.get(value, names.get(value, value))


def _chips(asked: SearchForm, names: Mapping[str, str]) -> list[Chip]:
    return [
        Chip(title_of(kind, value, names), _address(asked, **{kind: [one for one in values if one != value]}))
        for kind, values in asked.chosen.items()
        for value in values
    ]


def _sorts(session: Session, asked: SearchForm, query: Asked) -> list[tuple[str, str, bool]]:
    """Return the orders as (value, title, chosen); the first is what nobody has to ask for, and has no value.

    Without any use on record there is no order by it.
    """
    unknown = {"relevance"} if not query.demanded else set()
    if not any(one.used for one in store.browse(session, limit=1, by="used")):
        unknown.add("used")
    offered = [sort for sort in finding.SORTS if sort not in unknown]
    chosen = asked.sort if asked.sort in offered else offered[0]
    return [("" if sort == offered[0] else sort, gettext(rules.SORT_TITLES[sort]), sort == chosen) for sort in offered]


def _address(asked: SearchForm, **changes: Any) -> str:
    """Return the address of the list with other choices; it begins on the first page."""
    pairs = [("q", asked.q)] if asked.q else []
    for kind in rules.FACETS:
        pairs += [(kind, value) for value in changes.get(kind, asked.chosen.get(kind, ()))]
    if asked.sort:
        pairs.append(("sort", asked.sort))
    if cursor := changes.get("cursor"):
        pairs.append(("cursor", cursor))
    return PATH + ("?" + urlencode(pairs) if pairs else "")


# ---- nothing found ---------------------------------------------------------------------------------------------------


def _near(session: Session, asked: SearchForm, query: Asked, page: Page, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what to try where nothing answers: fewer words, without one facet, titles that look alike."""
    fewer = (
        [] if len(query.words) < 2 else [word for word in query.words if len(word) > 1 and finding.known(session, word)]
    )
    without = [
        Chip(" · ".join(title_of(kind, value, names) for value in values), _address(asked, **{kind: ()}))
        for kind, values in asked.chosen.items()
        if any(page.facets.get(kind, Counted({})).values.values())
    ]
    alike = finding.nearest(session, query)
    return {
        "fewer": [Chip(word, PATH + "?" + urlencode({"q": word})) for word in fewer[:3]],
        "without": without,
        "alike": [(row.id, pick(row.title)) for row in store.cards(session, [one.dataset_id for one in alike])],
        "everywhere": Chip(asked.q, PATH + "?" + urlencode({"q": asked.q})) if asked.q and asked.chosen else None,
    }


# ---- titles ----------------------------------------------------------------------------------------------------------


def _hit_words(title: str, query: Asked) -> list[list[tuple[str, bool]]]:
    """Return a title's words, each in pieces with whether the query asked for them."""
    plain = words.folded(title)
    marked = [False] * len(title)
    for run in query.runs if len(plain) == len(title) else ():
        at = plain.find(run)
        while at >= 0:
            marked[at : at + len(run)] = [True] * len(run)
            at = plain.find(run, at + len(run))
    found, at = [], 0
    for word in words.breaks(title):
        found.append(_pieces(word, marked[at : at + len(word)]))
        at += len(word)
    return found


def _pieces(word: str, marked: Sequence[bool]) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    for letter, hit in zip(word, marked, strict=True):
        if pieces and pieces[-1][1] == hit:
            pieces[-1] = (pieces[-1][0] + letter, hit)
        else:
            pieces.append((letter, hit))
    return pieces
