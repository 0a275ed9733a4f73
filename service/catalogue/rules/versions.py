"""Versions of a dataset: how two schemas differ, where `latest` points and when, what may be published.

A version is loaded, then published, and may be withdrawn; it never changes otherwise.  `latest` is the published
version of the highest number whose `latest_from` has come.  A version that breaks what readers of `latest` rely on
waits for the overlap before `latest` moves to it, unless what it would replace is withdrawn first.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import rfc8785

from service.base.errors import Refusal
from service.base.i18n import N_

OVERLAP = timedelta(days=90)  # that `latest` stays where it was when a version breaks with it


class VersionState(StrEnum):
    LOADED = "loaded"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    RETYPED = "retyped"
    RENAMED = "renamed"
    RECLASSIFIED = "reclassified"


STATE_TITLES = {
    VersionState.LOADED: N_("待发布"),
    VersionState.PUBLISHED: N_("已发布"),
    VersionState.WITHDRAWN: N_("已撤下"),
}


class VersionWithdrawn(Refusal):
    """Nobody is given this version any more.  Facts: `version`, `successor` (a number or None), `reason` {zh, en}."""

    code = "version-withdrawn"
    title = N_("该版本已撤下")
    status = 410


class VersionOvertaken(Refusal):
    """A newer version has been published: an older one would not be what `latest` means."""

    code = "version-overtaken"
    title = N_("已有更新的版本发布，不再发布较旧的版本")
    status = 409


class SecrecyReviewMissing(Refusal):
    """A version is published after its secrecy review and not before."""

    code = "secrecy-review-missing"
    title = N_("该版本尚未完成保密审查，不得发布")
    status = 409


class NotAppendable(Refusal):
    """A part that is appended must have the columns of the parts before it.  Facts: `errors` by column."""

    code = "append-mismatch"
    title = N_("追加的数据与前一版本的字段不一致")
    status = 422


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a version's schema."""

    name: str
    type: str
    semantic: str | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas; `before` and `after` are types, names, semantic types or levels ("L2")."""

    kind: ChangeKind
    column: str
    before: str | None = None
    after: str | None = None
    breaking: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value, "column": self.column, "from": self.before, "to": self.after,
            "breaking": self.breaking,
        }  # fmt: skip


def fields(columns: Iterable[Mapping[str, Any]]) -> tuple[Field, ...]:
    """Return a schema as the rules read it from the document that a version keeps."""
    return tuple(Field(each["name"], each["type"], each.get("semantic"), each.get("level")) for each in columns)


def manifest_digest(columns: Sequence[Mapping[str, Any]], parts: Iterable[tuple[str, int]]) -> str:
    """Return the digest of a version: of its columns and of its parts' digests and numbers of rows, in their order."""
    listed = [{"sha256": sha256, "rows": rows} for sha256, rows in parts]
    document: dict[str, Any] = {"columns": [*map(dict, columns)], "parts": listed}
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


# ---- differences ----------------------------------------------------------------------------------------------------


def differences(
    before: Sequence[Field], after: Sequence[Field], *, renamed: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    """Return how the schema `after` differs from `before`, in the order of `after`, what is gone at the end.

    `renamed` says new name → old name; nobody guesses it: a column that is gone and another that is new are not one.
    """
    known = {field.name: field for field in before}
    said = {new: old for new, old in (renamed or {}).items() if old in known and new not in known}
    found: list[Change] = []
    for field in after:
        if field.name in said:
            old = said[field.name]
            found.append(Change(ChangeKind.RENAMED, old, old, field.name, breaking=True))
            found += _between(known[old], field)
        elif field.name in known:
            found += _between(known[field.name], field)
        else:
            found.append(Change(ChangeKind.ADDED, field.name, None, field.type))
    there = {field.name for field in after} | set(said.values())
    gone = (field for field in before if field.name not in there)
    return (*found, *(Change(ChangeKind.REMOVED, field.name, field.type, None, breaking=True) for field in gone))


def breaks(before: Sequence[Field], after: Sequence[Field]) -> bool:
    """Whether a program that reads `before` may fail, or read something else, on `after`."""
    return any(change.breaking for change in differences(before, after))


def _between(before: Field, after: Field) -> Iterable[Change]:
    """Yield how one column changed.  That something is known of it at last, or graded higher, breaks nobody's program.

    (A grade may keep it from a grant: that is judged before a grant moves to the version.)
    """
    if before.type != after.type:
        yield Change(ChangeKind.RETYPED, after.name, before.type, after.type, breaking=True)
    if before.semantic != after.semantic:
        breaking = before.semantic is not None
        yield Change(ChangeKind.RECLASSIFIED, after.name, before.semantic, after.semantic, breaking=breaking)
    if before.level != after.level:
        yield Change(ChangeKind.RECLASSIFIED, after.name, _level(before.level), _level(after.level))


def _level(level: int | None) -> str | None:
    return None if level is None else f"L{level}"


# ---- latest ---------------------------------------------------------------------------------------------------------


class Point(Protocol):
    """What decides whether `latest` points, or pointed, at a version."""

    @property
    def number(self) -> int: ...
    @property
    def published_at(self) -> datetime | None: ...
    @property
    def latest_from(self) -> datetime | None: ...
    @property
    def withdrawn_at(self) -> datetime | None: ...


P = TypeVar("P", bound=Point)


def pointed_at(points: Iterable[P], at: datetime) -> P | None:
    """Return the version that `latest` points at at `at`; for a moment gone by the answer never changes."""
    return max((point for point in points if _reached(point, at)), key=lambda point: point.number, default=None)


def is_held(point: Point, now: datetime) -> bool:
    """Whether a version is published and `latest` may not yet point at it."""
    return _served(point, now) and point.latest_from is not None and point.latest_from > now


def latest_from(
    after: Sequence[Field], *, latest: Sequence[Field] | None, held: tuple[Sequence[Field], datetime] | None,
    now: datetime,
) -> datetime:  # fmt: skip
    """Return the instant from which `latest` may point at a version with the columns `after` that is published now.

    `latest` is the schema it points at now (None: at nothing), `held` the schema of the newest version that waits and
    the instant until which: what does not break with that one comes with it, since readers were told that day.
    """
    if latest is None or not breaks(latest, after):
        return now
    if held is not None and not breaks(held[0], after):
        return held[1]
    return now + OVERLAP


def next_in_line(points: Iterable[P], now: datetime) -> P | None:
    """Return the held version that `latest` goes to when nothing else is left: the one that waits shortest."""
    held = [point for point in points if is_held(point, now)]
    return min(held, key=lambda point: (point.latest_from, -point.number), default=None)


def _served(point: Point, at: datetime) -> bool:
    published = point.published_at is not None and point.published_at <= at
    return published and (point.withdrawn_at is None or point.withdrawn_at > at)


def _reached(point: Point, at: datetime) -> bool:
    return _served(point, at) and point.latest_from is not None and point.latest_from <= at
