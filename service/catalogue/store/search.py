"""Finding entries by their terms, what a list shows of them, and counting them while they come and go."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import TextClause, and_, delete, insert, or_, text

from service.base.db import Session, add_to_counts, col, glance, select
from service.catalogue.rules import unpacked
from service.catalogue.tables import (
    LARGE_BLOCK,
    SMALL_BLOCK,
    Dataset,
    DatasetEntry,
    DatasetTerms,
    FacetCount,
)

ENOUGH = 1000  # candidates that are ordered and counted; with one more an answer says 1000+
BROAD = 0.6  # times what is wanted times all entries: the square of how many answers are better sought block by block
Query = str | Sequence["Query"]


class Candidate(NamedTuple):
    """An entry that may answer: what it is filtered, counted and ordered by."""

    number: int
    dataset_id: str
    title: str
    words: str
    facets: str
    initials: str = ""
    sort_zh: str = ""
    sort_en: str = ""
    used: int = 0


LEAN = 5  # of a candidate's columns: enough to count, and to order by words of Han characters
_ON_SQLITE = text("""
SELECT group_concat(number) FROM (
    SELECT rowid AS number FROM datasetfts WHERE datasetfts MATCH :query AND rowid < :before
    ORDER BY rowid DESC LIMIT :limit)""")
_ON_POSTGRESQL = text("""
SELECT string_agg(CAST(number AS text), ',') FROM (
    SELECT number FROM datasetterms WHERE vector @@ CAST(:query AS tsquery) LIMIT :limit) AS found""")
_NEWEST_ON_POSTGRESQL = text("""
WITH found AS MATERIALIZED (
    SELECT number FROM datasetterms WHERE vector @@ CAST(:query AS tsquery))
SELECT string_agg(CAST(number AS text), ',') FROM (
    SELECT number FROM found WHERE number < :before ORDER BY number DESC LIMIT :limit) AS newest""")
_EXPECTED = text("EXPLAIN (FORMAT JSON) SELECT FROM datasetterms WHERE vector @@ CAST(:query AS tsquery)")
_OF = {
    "sqlite": "SELECT {} FROM datasetentry WHERE number IN (SELECT value FROM json_each('[' || :numbers || ']'))",
    "postgresql": "SELECT {} FROM datasetentry WHERE number = ANY(CAST('{{' || :numbers || '}}' AS integer[]))",
}
_ENTRIES = {
    (engine, lean): text(asked.format(", ".join(Candidate._fields[: LEAN if lean else None])))
    for engine, asked in _OF.items()
    for lean in (True, False)
}
_REVISION = "SELECT kind, n FROM facetcount WHERE kind IN ('last', 'all') AND value = ''"
LAST = 1 << 62


def matching(
    session: Session, query: Query, *, limit: int = ENOUGH + 1, before: int = LAST, newest: bool = False
) -> list[int]:
    """Return the numbers of up to `limit` entries that answer a query.

    When there are more than that, they are the newest if `newest` says so or the engine gives those sooner; only then
    is `before`, the number that all are below, heeded.
    """
    if session.get_bind().dialect.name == "sqlite":
        written = _matched(query, " AND ", " OR ", '"{}"', '"{}" *')
        return _numbers(session, _ON_SQLITE, query=written, before=before, limit=limit)
    written = _matched(query, " & ", " | ", "'{}'", "'{}':*")
    if (found := _among_newest(session, written, limit, before)) is not None:
        return found
    if newest:
        return _numbers(session, _NEWEST_ON_POSTGRESQL, query=written, before=before, limit=limit)
    return _numbers(session, _ON_POSTGRESQL, query=written, limit=limit)


def entries(session: Session, numbers: Sequence[int], *, lean: bool = False) -> list[Candidate]:
    """Return the entries of these numbers, in no order; `lean` ones have no pinyin and nothing else to sort by."""
    asked = _ENTRIES[session.get_bind().dialect.name, lean]
    # Numbers go and come as one text: drivers take a millisecond for a thousand values.
    rows = session.connection().execute(asked, {"numbers": ",".join(map(str, numbers))}).all()
    return list(starmap(Candidate, rows))


def _numbers(session: Session, asked: TextClause, **values: Any) -> list[int]:
    found = session.connection().execute(asked, values).scalar()
    return list(map(int, found.split(","))) if found else []


def _among_newest(session: Session, written: str, limit: int, before: int) -> list[int] | None:
    """Return the newest answers to a query that PostgreSQL expects very many of; None when they are sooner collected.

    Its index cannot be read from the newest on, and collecting what is common costs by all that there is.  So as many
    of the newest blocks of numbers are asked for as should hold enough, and once more four times as many.
    """
    [(plan,)] = session.connection().execute(_EXPECTED, {"query": written})
    expected = float(plan[0]["Plan"]["Plan Rows"])
    if expected < limit:
        return None
    last, _all = revision(session)
    if expected * expected < BROAD * limit * last:
        return None
    found: list[int] = []
    top, span = min(before - 1, last), int(1.2 * limit * last / expected) + (1 << SMALL_BLOCK)
    for width in (span, 4 * span):
        bottom, blocks = _blocks(top, width)
        found += _numbers(
            session, _NEWEST_ON_POSTGRESQL, query=f"{written} & ({blocks})", before=before, limit=limit - len(found)
        )
        if len(found) == limit or bottom == 0:
            return found
        top = bottom - 1
    return None


def _blocks(top: int, width: int) -> tuple[int, str]:
    """Return the lowest number of the blocks that hold the `width` numbers up to `top`, and the blocks as a query."""
    mark, bits = ("##", LARGE_BLOCK) if width >> LARGE_BLOCK else ("#", SMALL_BLOCK)
    first = max(top - width, 0) >> bits
    return first << bits, " | ".join(f"'{mark}{block}'" for block in range(first, (top >> bits) + 1))


def _matched(query: Query, both: str, either: str, whole: str, beginning: str) -> str:
    """Write a query in an engine's words: a list demands all, a tuple any.

    Terms hold no quotation mark: words are cut to letters and figures, and the form lets no other facet through.
    """
    if isinstance(query, str):
        return beginning.format(query[:-1]) if query.endswith("*") else whole.format(query)
    parts = [_matched(part, both, either, whole, beginning) for part in query]
    return f"({(either if isinstance(query, tuple) else both).join(parts)})"


def browse(
    session: Session, *, limit: int, by: str = "number", after: tuple[Any, int] | None = None
) -> list[Candidate]:
    """Return published entries in the order of `by` (number, used: highest first; sort_zh, sort_en: lowest first).

    `after` is the value and the number of the entry that came last.
    """
    key, number = col(getattr(DatasetEntry, by)), col(DatasetEntry.number)
    rising = by.startswith("sort")
    asked = select(*(getattr(DatasetEntry, name) for name in Candidate._fields))
    if after and by == "number":
        asked = asked.where(number < after[1])
    elif after:
        beyond = key > after[0] if rising else key < after[0]
        asked = asked.where(or_(beyond, and_(key == after[0], number < after[1])))
    rows = session.execute(asked.order_by(key if rising else key.desc(), number.desc()).limit(limit))
    return [Candidate(*row) for row in rows]


def titled(session: Session, sort_zh: str, *, limit: int = 20) -> list[Candidate]:
    """Return the entries whose title sounds exactly so: an exact title is found however many others answer."""
    asked = select(*(getattr(DatasetEntry, name) for name in Candidate._fields))
    return [Candidate(*row) for row in session.execute(asked.where(DatasetEntry.sort_zh == sort_zh).limit(limit))]


def tallies(session: Session, dataset_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return how many columns of each dataset had each verdict when it was published."""
    asked = select(DatasetEntry.dataset_id, DatasetEntry.tally).where(
        col(DatasetEntry.dataset_id).in_(set(dataset_ids))
    )
    return {dataset_id: dict(tally) for dataset_id, tally in session.exec(asked) if tally}


class Card(NamedTuple):
    """What a list shows of a dataset."""

    id: str
    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    source_unit_id: str
    key_domain: str
    openness: str
    level: int
    public_columns: list[str] | None
    update_cycle: str

    @property
    def title(self) -> dict[str, str]:
        return {"zh": self.title_zh, "en": self.title_en}

    @property
    def summary(self) -> dict[str, str]:
        return {"zh": self.summary_zh, "en": self.summary_en}


def cards(session: Session, dataset_ids: Sequence[str]) -> list[Card]:
    """Return what a list shows of these datasets, in their order."""
    asked = select(*(getattr(Dataset, name) for name in Card._fields)).where(col(Dataset.id).in_(dataset_ids))
    found = {row[0]: Card(*row) for row in session.execute(asked)}
    return [found[dataset_id] for dataset_id in dataset_ids if dataset_id in found]


def counts(session: Session, *, most: int = 500) -> dict[str, dict[str, int]]:
    """Return how many published datasets each value of each facet has; up to `most` values, the largest."""
    asked = select(FacetCount.kind, FacetCount.value, FacetCount.n)
    found: dict[str, dict[str, int]] = {}
    for kind, value, n in session.exec(asked.order_by(col(FacetCount.n).desc(), col(FacetCount.value)).limit(most)):
        found.setdefault(kind, {})[value] = n
    return found


def count_of(session: Session, kind: str, value: str = "") -> int:
    row = session.get(FacetCount, (kind, value))
    return row.n if row else 0


def revision(session: Session) -> tuple[int, int]:
    """Return what changes whenever a dataset is entered or leaves, and with it what any list shows."""
    return _revision(session.connection().exec_driver_sql(_REVISION))


def revision_now() -> tuple[int, int]:
    """Return the revision as it is committed now, without a session."""
    return _revision(glance(_REVISION))


def _revision(rows: Iterable[Any]) -> tuple[int, int]:
    found = {str(kind): int(n) for kind, n in rows}
    return found.get("last", 0), found.get("all", 0)


def enter(session: Session, values: Mapping[str, Any], *, terms: str, facets: Mapping[str, Sequence[str]]) -> int:
    """Make a dataset found and counted; return its number.  One that is found already is entered anew, as the newest.

    Counting comes first: its rows are locked until the end, so that two publications do not take one number.
    """
    leave(session, str(values["dataset_id"]))
    _count(session, {"all": [""], "last": [""], **facets}, 1)
    number = session.exec(select(FacetCount.n).where(FacetCount.kind == "last")).one()
    session.execute(insert(DatasetEntry).values(number=number, **values))
    session.execute(insert(DatasetTerms).values(number=number, terms=terms))
    return int(number)


def leave(session: Session, dataset_id: str) -> None:
    """Let a dataset no longer be found or counted; nothing happens when it is not."""
    asked = select(DatasetEntry.number, DatasetEntry.facets).where(DatasetEntry.dataset_id == dataset_id)
    if (found := session.exec(asked).first()) is None:
        return
    number, facets = found
    _count(session, {"all": [""], **unpacked(facets)}, -1)
    session.execute(delete(DatasetEntry).where(col(DatasetEntry.number) == number))
    session.execute(delete(DatasetTerms).where(col(DatasetTerms.number) == number))


def _count(session: Session, facets: Mapping[str, Sequence[str]], by: int) -> None:
    """Add to the counts, one row after the other in order, so that no two transactions wait for each other."""
    counted = sorted((kind, value) for kind, values in facets.items() for value in values)
    add_to_counts(session, FacetCount, "n", [{"kind": kind, "value": value, "n": by} for kind, value in counted])
