"""What a released view holds, as a recipe, and the states of a view, of its files and of a version to a grant."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from service.base.i18n import N_
from service.grants.rules import transforms
from service.grants.rules.transforms import KINDS, BadTransform, Transform

DELIVERIES = frozenset({"download", "api"})  # the ways out that this build has
RETAKE_AFTER = timedelta(minutes=10)  # a claim on a build that was not heard of for so long is a dead worker's
TOLD_AFTER = 3  # failed builds before somebody is told


class ViewState(StrEnum):
    BUILDING = "building"
    READY = "ready"
    QUARANTINED = "quarantined"
    COLLECTED = "collected"
    RECALLED = "recalled"  # stopped: its objects are being deleted


class FileState(StrEnum):
    WANTED = "wanted"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


FAULTS = {
    "disk": N_("磁盘空间不足"),
    "memory": N_("内存不足"),
    "time": N_("计算时间超过上限"),
    "silent": N_("生成数据的进程没有响应"),
    "Away": N_("存储没有响应"),
}


def fault_words(note: str) -> str:
    """Return why a build failed, as a message: what people can do something about by its name."""
    return FAULTS.get(note.partition(":")[0], N_("程序故障，已记入日志"))


class VersionState(StrEnum):
    """What a version of the dataset is to a grant: it may be read, or not (yet)."""

    JUDGED = "judged"
    HELD = "held"


class Format(StrEnum):
    """What a whole view can be had as.  EXCEL is CSV that a spreadsheet opens as text, with no formula in it."""

    PARQUET = "parquet"
    CSV = "csv"
    EXCEL = "excel"
    CSV_ZST = "csv.zst"
    JSONL = "jsonl"
    ARROW = "arrow"


AT_ONCE = (Format.PARQUET, Format.CSV)  # made with the view; the others when they are first wanted


class BadRecipe(BadTransform):
    """A recipe that cannot be compiled: a column that is not there, a filter without its column."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file of a view must show: its columns in order with their declared types; and names that it must not."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a view holds of one dataset version: columns in order, and rows by period (both days included) and areas.

    `hidden` are the dataset's other columns, `semantics` what the chosen ones were judged as, `types` their declared
    types: the measuring needs them.
    """

    dataset_id: str
    dataset_version: int
    columns: tuple[str, ...]
    types: tuple[str, ...]
    semantics: tuple[str | None, ...] = ()
    hidden: tuple[str, ...] = ()
    time_column: str | None = None
    since: date | None = None
    until: date | None = None
    area_column: str | None = None
    areas: tuple[str, ...] = ()
    transforms: tuple[Transform, ...] = ()
    namespace: str = ""

    @property
    def promise(self) -> Promise:
        """What comes out of the transforms; BadTransform when they do not fit."""
        shaped = transforms.shape(tuple(zip(self.columns, self.types, strict=True)), self.transforms)
        names = tuple(name for name, _type in shaped)
        hidden = (*self.hidden, *(name for name in self.columns if name not in names))
        return Promise(names, tuple(kind for _name, kind in shaped), hidden)

    @property
    def keyed(self) -> bool:
        """Whether a key of ours is needed to make it."""
        return transforms.keyed(self.transforms)

    @property
    def over_all(self) -> bool:
        """Whether it is made of all parts of a version at once."""
        return transforms.over_all(self.transforms)

    def document(self) -> dict[str, Any]:
        """Return the part that decides which bytes come out, as it is stored and digested."""
        return {
            "dataset": self.dataset_id,
            "version": self.dataset_version,
            "columns": list(self.columns),
            "types": list(self.types),
            "time_column": self.time_column if self.since or self.until else None,
            "from": self.since.isoformat() if self.since else None,
            "to": self.until.isoformat() if self.until else None,
            "area_column": self.area_column if self.areas else None,
            "areas": sorted(self.areas),
            "order": "all",
            **self._treatment(),
        }

    def _treatment(self) -> dict[str, Any]:
        if not self.transforms:
            return {}
        found: dict[str, Any] = {"transforms": [transforms.document(step) for step in self.transforms]}
        if self.keyed:
            found["key"] = transforms.KEY_ID
        if transforms.own_key(self.transforms):
            found["namespace"] = self.namespace
        return found

    def digest(self) -> str:
        return _digest(self.document())

    def cut(self, part_ids: Sequence[str]) -> str:
        """Return the name of what is made of parts: the same recipe makes the same of them in every version.

        What the columns were judged as belongs to it, because what was made was measured by that.
        """
        document = self.document() | {"version": None, "parts": list(part_ids), "semantics": list(self.semantics)}
        return _digest(document)


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Described:
    """A column of the dataset as the catalogue describes it."""

    name: str
    type: str
    semantic: str | None


def recipe(
    *,
    dataset_id: str,
    dataset_version: int,
    described: Iterable[Described],
    columns: Iterable[str],
    row_filter: Mapping[str, Any],
    time_column: str | None,
    area_column: str | None,
    steps: Iterable[Mapping[str, Any]] = (),
    namespace: str = "",
) -> Recipe:
    """Return the recipe for `columns` of a dataset; BadRecipe when it names what the dataset does not have, or a step
    that does not fit.

    A filter that cannot be applied is an error, never left out: it would open more rows than were granted.
    """
    known = {column.name: column for column in described}
    chosen = _chosen(columns, known)
    since, until, areas = _rows(row_filter)
    if (since or until) and time_column not in known:
        raise BadRecipe("a period needs the dataset's time column")
    if areas and area_column not in known:
        raise BadRecipe("areas need the dataset's area column")
    made = Recipe(
        dataset_id=dataset_id, dataset_version=dataset_version, columns=chosen,
        types=tuple(known[name].type for name in chosen), semantics=tuple(known[name].semantic for name in chosen),
        hidden=tuple(name for name in known if name not in chosen),
        time_column=time_column, since=since, until=until, area_column=area_column, areas=areas,
        transforms=transforms.read(steps), namespace=namespace,
    )  # fmt: skip
    if not made.promise.columns:  # BadTransform, which is a BadRecipe, when the steps do not fit
        raise BadRecipe("no column is left")
    return made


def _chosen(columns: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    chosen = tuple(columns)
    if not chosen or len(set(chosen)) != len(chosen):
        raise BadRecipe("columns must be named, each once")
    if strangers := [name for name in chosen if name not in known]:
        raise BadRecipe(f"the dataset has no column {', '.join(strangers)}")
    return chosen


def _rows(row_filter: Mapping[str, Any]) -> tuple[date | None, date | None, tuple[str, ...]]:
    """Return the first and the last day and the areas that a filter names."""
    if extra := set(row_filter) - {"from", "to", "areas"}:
        raise BadRecipe(f"unknown filter {sorted(extra)}")
    return _day(row_filter.get("from")), _day(row_filter.get("to")), tuple(row_filter.get("areas") or ())


def _day(value: str | date | None) -> date | None:
    if isinstance(value, date):
        return value
    return date.fromisoformat(value) if value else None


def unenforceable(delivery: Iterable[str], steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what of a grant this build cannot enforce: ways out and transforms that are not built."""
    ways = [f"delivery={way}" for way in delivery if way not in DELIVERIES]
    return ways + [f"transform={kind}" for kind in (step.get("kind", "?") for step in steps) if kind not in KINDS]
