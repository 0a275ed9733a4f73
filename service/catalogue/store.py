"""The catalogue's SQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, delete, insert, or_, text, update

from service.base.db import Session, add_to_counts, col, insert_many, select
from service.base.errors import Changed, NotFound
from service.catalogue.rules import Column, DatasetState, Entry, unpacked
from service.catalogue.tables import (
    Dataset,
    DatasetColumn,
    DatasetEntry,
    DatasetTerms,
    DatasetVersion,
    FacetCount,
)


def find(session: Session, dataset_id: str) -> Dataset | None:
    return session.get(Dataset, dataset_id)


def dataset(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset in any state; NotFound when there is none."""
    if (found := find(session, dataset_id)) is None:
        raise NotFound()
    return found


def published_dataset(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset that has been published; NotFound for drafts too: the public does not know of them."""
    found = dataset(session, dataset_id)
    if found.state != DatasetState.PUBLISHED:
        raise NotFound()
    return found


def columns(session: Session, dataset_id: str) -> list[DatasetColumn]:
    """Return a dataset's columns in their order."""
    asked = select(DatasetColumn).where(DatasetColumn.dataset_id == dataset_id).order_by(col(DatasetColumn.position))
    return list(session.exec(asked).all())


def latest_or_none(session: Session, dataset_id: str) -> DatasetVersion | None:
    newest = col(DatasetVersion.number).desc()
    return session.exec(select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id).order_by(newest)).first()


def latest(session: Session, dataset_id: str) -> DatasetVersion:
    """Return the newest stored version; NotFound when nothing was loaded."""
    if (found := latest_or_none(session, dataset_id)) is None:
        raise NotFound()
    return found


def version(session: Session, dataset_id: str, number: int) -> DatasetVersion:
    """Return one stored version; NotFound when there is none of that number."""
    if (found := session.get(DatasetVersion, (dataset_id, number))) is None:
        raise NotFound()
    return found


def versions(session: Session, dataset_id: str) -> Sequence[DatasetVersion]:
    """Return a dataset's stored versions, the newest first."""
    newest = col(DatasetVersion.number).desc()
    return session.exec(select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id).order_by(newest)).all()


def latest_of(session: Session, dataset_ids: Iterable[str]) -> dict[str, DatasetVersion]:
    """Return the newest stored version of several datasets, by dataset."""
    asked = select(DatasetVersion).where(col(DatasetVersion.dataset_id).in_(set(dataset_ids)))
    return {row.dataset_id: row for row in session.exec(asked.order_by(col(DatasetVersion.number)))}


def public_columns(session: Session, dataset_id: str) -> list[str]:
    """Return the names, in order, of the columns that a standing public view of this dataset would ask for."""
    chosen = dataset(session, dataset_id).public_columns
    return [column.name for column in columns(session, dataset_id) if chosen is None or column.name in chosen]


def datasets_by_id(session: Session, dataset_ids: Iterable[str]) -> dict[str, Dataset]:
    asked = select(Dataset).where(col(Dataset.id).in_(set(dataset_ids)))
    return {row.id: row for row in session.exec(asked)}


# ---- search ----------------------------------------------------------------------------------------------------------

ENOUGH = 1000  # candidates that are ordered and counted; with one more an answer says 1000+
BROAD = 0.03  # share of all entries from which on the newest are found sooner by walking than by collecting
Query = str | Sequence["Query"]


class Candidate(NamedTuple):
    """An entry that may answer: what it is filtered, counted and ordered by."""

    number: int
    dataset_id: str
    title: str
    words: str
    initials: str
    facets: str
    sort_zh: str
    sort_en: str
    used: int


_ON_SQLITE = """
SELECT rowid FROM datasetfts WHERE datasetfts MATCH :query AND rowid < :before ORDER BY rowid DESC LIMIT :limit"""
_ON_POSTGRESQL = """
SELECT number FROM datasetterms WHERE vector @@ CAST(:query AS tsquery) AND number < :before {order} LIMIT :limit"""
_ENTRIES = f"SELECT {', '.join(Candidate._fields)} FROM datasetentry WHERE number "
_OF_SQLITE = _ENTRIES + "IN (SELECT value FROM json_each(:numbers))"
_OF_POSTGRESQL = _ENTRIES + "= ANY(CAST(:numbers AS integer[]))"
_ESTIMATED = "EXPLAIN (FORMAT JSON) SELECT FROM datasetterms WHERE vector @@ CAST(:query AS tsquery)"
_REVISION = text("SELECT kind, n FROM facetcount WHERE kind IN ('last', 'all') AND value = ''")
LAST = 1 << 62


def matching(
    session: Session, query: Query, *, limit: int = ENOUGH + 1, before: int = LAST, newest: bool = False
) -> list[int]:
    """Return the numbers of up to `limit` entries that answer a query.

    When there are more than that, they are the newest if `newest` says so or the engine gives those for nothing.
    """
    asked: dict[str, Any] = {"before": before, "limit": limit}
    if session.get_bind().dialect.name == "sqlite":
        asked["query"] = _matched(query, " AND ", " OR ", '"{}"', '"{}" *')
        return list(session.execute(text(_ON_SQLITE), asked).scalars().all())
    asked["query"] = written = _matched(query, " & ", " | ", "'{}'", "'{}':*")
    order = "ORDER BY number DESC" if newest or _broad(session, written) else ""
    return list(session.execute(text(_ON_POSTGRESQL.format(order=order)), asked).scalars().all())


def entries(session: Session, numbers: Sequence[int]) -> list[Candidate]:
    """Return the entries of these numbers, in no order."""
    if session.get_bind().dialect.name == "sqlite":
        rows = session.execute(text(_OF_SQLITE), {"numbers": json.dumps(numbers)})
    else:
        rows = session.execute(text(_OF_POSTGRESQL), {"numbers": list(numbers)})
    return list(map(Candidate._make, rows.all()))


def _broad(session: Session, written: str) -> bool:
    """Whether PostgreSQL expects so many answers that walking from the newest entry on ends soon."""
    [(plan,)] = session.execute(text(_ESTIMATED), {"query": written}).all()
    return float(plan[0]["Plan"]["Plan Rows"]) > BROAD * max(count_of(session, "all"), 1)


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
    found = {str(row.kind): int(row.n) for row in session.connection().execute(_REVISION)}
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


def unpublished_ids(session: Session) -> list[str]:
    """Return the ids of the datasets that are drafts, in order."""
    return list(session.exec(select(Dataset.id).where(Dataset.state == DatasetState.DRAFT).order_by(Dataset.id)).all())


def replace_columns(session: Session, dataset_id: str, rows: Sequence[DatasetColumn]) -> None:
    session.execute(delete(DatasetColumn).where(col(DatasetColumn.dataset_id) == dataset_id))
    insert_many(session, DatasetColumn, [row.model_dump() for row in rows])


def move(session: Session, found: Dataset, *, now: datetime, **values: object) -> None:
    """Change a dataset that is still as it was read, and count its version up; Changed when somebody was faster."""
    seen = found.version
    changed = (
        update(Dataset)
        .where(col(Dataset.id) == found.id, col(Dataset.version) == seen)
        .values(version=seen + 1, updated_at=now, **values)
    )
    if session.execute(changed).rowcount != 1:  # type: ignore[attr-defined]
        raise Changed(seen=seen)
    session.refresh(found)


def entry(found: Dataset, rows: Sequence[DatasetColumn]) -> Entry:
    """Return a dataset as the rules read it."""
    texts = ("title", "summary", "conditions", "requirements", "safeguards", "basis_note")
    return Entry(
        openness=found.openness, level=found.level, columns=graded(rows), tags=tuple(found.tags),
        texts={name: (getattr(found, name)["zh"], getattr(found, name)["en"]) for name in texts},
        basis=found.basis, assessment=found.assessment, derived_from=found.derived_from, derivation=found.derivation,
        synthetic=found.synthetic, time_column=found.time_column, area_column=found.area_column,
        public_columns=None if found.public_columns is None else tuple(found.public_columns),
    )  # fmt: skip


def graded(rows: Iterable[DatasetColumn]) -> tuple[Column, ...]:
    return tuple(Column(row.name, row.level, row.semantic) for row in rows)
