"""What may be told of a dataset's versions: on its page, on theirs and to programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.base import http
from service.base.beijing import day_of
from service.base.db import Session
from service.base.i18n import current, pick
from service.catalogue import store as catalogue
from service.catalogue.engine.profile import SMALLEST
from service.catalogue.rules import TYPE_TITLES, ColumnType, Openness
from service.catalogue.rules.versions import STATE_TITLES, VersionState, is_held
from service.catalogue.tables import Dataset, DatasetVersion
from service.grants import store as grants
from service.grants.actions import telling
from service.home.web import citing
from service.people.tables import Unit


@dataclass(frozen=True, slots=True)
class Told:
    """A version as a page shows it: `waits_until` is the day from which `latest` points at it, while that is ahead."""

    row: DatasetVersion
    title: str
    current: bool
    waits_until: datetime | None
    changes: tuple[str, ...]
    breaking: bool
    checksum: str
    parts: int


def told(session: Session, found: Dataset, rows: Sequence[DatasetVersion], *, now: datetime) -> list[Told]:
    """Return versions as people are told of them, in the order in which they are given."""
    latest = catalogue.latest_or_none(session, found.id, now=now)
    public = public_names(session, found)
    counts = catalogue.part_counts(session, found.id, [row.number for row in rows])
    return [
        Told(
            row,
            STATE_TITLES[VersionState(row.state)],
            current=latest is not None and row.number == latest.number,
            waits_until=row.latest_from if row.state == VersionState.PUBLISHED and is_held(row, now) else None,
            changes=_changes(found, row, _before(rows, row)),
            breaking=any(change["breaking"] for change in row.changes),
            checksum=checksum(row, public),
            parts=counts.get(row.number, 0),
        )
        for row in rows
    ]


def _before(rows: Sequence[DatasetVersion], row: DatasetVersion) -> DatasetVersion | None:
    earlier = (each for each in rows if each.number < row.number and each.state == VersionState.PUBLISHED)
    return max(earlier, key=lambda each: each.number, default=None)


def _changes(found: Dataset, row: DatasetVersion, before: DatasetVersion | None) -> tuple[str, ...]:
    rows = telling.rows_said(found, before, row) if before else []
    return (*rows, *telling.lines(row.changes))


def public_names(session: Session, found: Dataset) -> frozenset[str]:
    """Return the columns that everybody may have now."""
    view = grants.public_view(session, found.id) if found.openness == Openness.UNCONDITIONAL else None
    return frozenset(column["name"] for column in view.columns) if view else frozenset()


def checksum(row: DatasetVersion, public: frozenset[str]) -> str:
    """Return a version's checksum as people are told it.

    Plain where everybody may have every column.  Otherwise under a key: whoever has most of a small table could try
    out what is missing until the digests agree.
    """
    whole = {column["name"] for column in row.columns} <= public
    return citing.checksum(row.sha256, plain=whole, key=http.settings().pepper())


def cited(
    found: Dataset, source: Unit, row: DatasetVersion, sum: str, *, address: str, now: datetime
) -> dict[str, str]:
    """Return how one version is cited, by GB/T 7714 and as BibTeX."""
    told = citing.Cited(
        id=found.id, title=pick(found.title), maker=source.name if current() == "zh" else source.name_en or source.name,
        version=row.number, made_on=day_of(row.created_at), address=f"{http.settings().base_url}{address}",
        checksum=sum,
    )  # fmt: skip
    return {"gbt7714": citing.gbt7714(told, seen_on=day_of(now)), "bibtex": citing.bibtex(told)}


def beside(before: DatasetVersion, after: DatasetVersion) -> list[tuple[str, str | None, str | None]]:
    """Return the columns of two versions, each with its type in one and in the other, None where it is not there."""
    had, has = (
        {each["name"]: TYPE_TITLES[ColumnType(each["type"])] for each in row.columns} for row in (before, after)
    )
    return [(name, had.get(name), has.get(name)) for name in dict.fromkeys([*had, *has])]


def document(one: Told, found: Dataset) -> dict[str, Any]:
    """Return a version for programs; rows of data that is not open are counted by tens, as everywhere."""
    row, exact = one.row, found.openness == Openness.UNCONDITIONAL
    withdrawn = row.state == VersionState.WITHDRAWN
    return {
        "number": row.number,
        "state": row.state,
        "latest": one.current,
        "published_at": _instant(row.published_at),
        "latest_from": _instant(row.latest_from),
        "rows": row.rows if exact else row.rows - row.rows % SMALLEST,
        "bytes": row.bytes if exact else None,
        "parts": one.parts,
        "sha256": one.checksum,
        "period": {"from": _day(row.period_from), "to": _day(row.period_to)},
        "schema": row.columns,
        "changes": row.changes,
        "withdrawn": {"at": _instant(row.withdrawn_at), "reason": row.withdrawn_reason, "successor": row.successor}
        if withdrawn
        else None,
        "links": {"page": f"{http.settings().base_url}/datasets/{found.id}/versions/{row.number}"},
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None
