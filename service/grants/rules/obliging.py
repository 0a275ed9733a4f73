"""From the conditions of a verdict to the steps that see to them: precision is compiled, never declared."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.grants.rules.transforms import (
    DAY,
    Aggregate,
    Bucket,
    CoarsenArea,
    CoarsenSpace,
    CoarsenTime,
    Mask,
    Suppress,
    Token,
    Transform,
    Truncate,
)
from service.policy.rules.merging import below

CELL = 10  # rows of a cell at least, where only aggregates may go out and nothing says how many
LATITUDE = ("lat", "latitude", "wd", "纬度")
LONGITUDE = ("lon", "lng", "longitude", "jd", "经度")
METRES = {"geo.city": 50_000, "geo.district": 10_000, "geo.street": 2_000}  # how fine places of these types are
MINUTES = {"time.hour": 60, "time.date": DAY, "time.month": 28 * DAY, "time.validity": DAY}  # and times of these
MEASURES = ("number",)
TEXT = ("string", "integer")
# The types of column that each method of the lists can be carried out on.
METHODS = {
    "keyed_hash": (*TEXT, "date", "datetime", "boolean"), "mask": TEXT, "truncate": TEXT, "generalise": TEXT,
    "bucket": ("integer", "number"),
}  # fmt: skip
PLAIN: dict[str, Callable[..., Transform]] = {"keyed_hash": Token, "mask": Mask}
MEASURED: dict[str, tuple[Callable[..., Transform], str]] = {
    "truncate": (Truncate, "characters"), "bucket": (Bucket, "width"), "generalise": (CoarsenArea, "digits"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A column of a request, as the catalogue describes it."""

    name: str
    type: str
    semantic: str | None


@dataclass(frozen=True, slots=True)
class Setting:
    """The request that conditions are compiled for: precisions of the dataset as stored (None: unknown), and which
    semantic types identify in combination.
    """

    columns: Sequence[Asked]
    spatial_m: float | None = None
    temporal_min: float | None = None
    quasi: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """Steps, a quota, and which conditions they see to in full, as their documents."""

    steps: tuple[Transform, ...] = ()
    quota: Mapping[str, int] = field(default_factory=dict)
    met: tuple[Mapping[str, Any], ...] = ()


def compiled(obligations: Iterable[Mapping[str, Any]], setting: Setting) -> Compiled:
    """Return what sees to the conditions; one that no steps see to in full is not among those met.

    Steps are for the granted columns only: rows are filtered before, by the columns as they are.
    """
    wanted = [dict(each) for each in obligations]
    of_columns: dict[str, Transform] = {}
    met: list[Mapping[str, Any]] = []
    quota: dict[str, int] = {}
    for each in wanted:
        steps = _of_columns(each, setting)
        if steps is not None and not any(step.column in of_columns for step in steps):
            of_columns |= {step.column: step for step in steps}
            met.append(each)
        if each["kind"] == "quota":
            quota["rows_per_day"] = int(each["rows_per_day"])
            met.append(each)
    rows, seen = _of_rows(wanted, setting)
    return Compiled((*of_columns.values(), *rows), quota, (*met, *seen))


def _of_columns(obligation: Mapping[str, Any], setting: Setting) -> list[Any] | None:
    """Return the steps on columns that see to an obligation; None when it is not of that kind or cannot be met."""
    kind = obligation["kind"]
    if kind == "transform":
        return _treated(obligation, setting)
    if kind == "coarsen_time":
        return _timed(int(obligation["minutes"]), setting)
    if kind == "coarsen_spatial":
        return _placed(int(obligation["metres"]), setting)
    return None


def _treated(obligation: Mapping[str, Any], setting: Setting) -> list[Any] | None:
    if any(column.semantic is None for column in setting.columns):
        return None
    meant = [
        column
        for column in setting.columns
        if any(below(str(column.semantic), word) for word in obligation["semantics"])
    ]
    found = [_by_method(str(obligation["method"]), obligation.get("to"), column) for column in meant]
    return None if None in found else found


def _by_method(method: str, to: str | None, column: Asked) -> Any:
    """Return the step of a method on a column; None when the condition does not say enough, or the type is not one."""
    if not _takes(method, column):
        return None
    if method in PLAIN:
        return PLAIN[method](column=column.name)
    step, parameter = MEASURED[method]
    number = int(to) if to is not None and to.isdecimal() else 0
    return step(**{"column": column.name, parameter: number}) if number else None


def _takes(method: str, column: Asked) -> bool:
    """Whether a method is one that we know, and fits the type and the meaning of a column."""
    if column.type not in METHODS.get(method, ()):
        return False
    return method != "generalise" or below(str(column.semantic), "geo")


def _timed(minutes: int, setting: Setting) -> list[Any] | None:
    """Return the steps that make no time finer than so many minutes."""
    if setting.temporal_min is not None and setting.temporal_min >= minutes:
        return []
    steps = []
    for column in setting.columns:
        if column.type == "datetime" or (column.type == "date" and minutes > DAY):
            steps.append(_clock(column.name, minutes))
        elif column.semantic is None or (column.type not in ("date", "boolean") and _finer(column.semantic, minutes)):
            return None
    return steps


def _finer(semantic: str, minutes: int) -> bool:
    return below(semantic, "time") and MINUTES.get(semantic, 0) < minutes


def _clock(column: str, minutes: int) -> CoarsenTime:
    """Return the finest step of the clock or the calendar that is no finer than so many minutes."""
    for every in (each for each in range(1, DAY) if DAY % each == 0):
        if every >= minutes:
            return CoarsenTime(column=column, unit="minute", every=every)
    units: tuple[Any, ...] = ("day", "week", "month", "quarter", "year")
    steps = (CoarsenTime(column=column, unit=unit) for unit in units)
    return next((step for step in steps if step.minutes >= minutes), CoarsenTime(column=column, unit="year"))


def _placed(metres: int, setting: Setting) -> list[Any] | None:
    """Return the steps that make no place finer than so many metres; None when one of the places is no coordinate."""
    if setting.spatial_m is not None and setting.spatial_m >= metres:
        return []
    steps = []
    for column in setting.columns:
        if column.semantic is None:
            return None
        if not below(column.semantic, "geo") or METRES.get(column.semantic, 0) >= metres:
            continue
        axis = _axis(column)
        if axis is None:
            return None
        steps.append(CoarsenSpace(column=column.name, axis=axis, metres=metres))
    return steps


def _axis(column: Asked) -> Any:
    """Return which coordinate a column holds, told by its name; None for none."""
    if column.type != "number" or not below(str(column.semantic), "geo.point"):
        return None
    name = column.name.casefold()
    found = [axis for axis, words in (("latitude", LATITUDE), ("longitude", LONGITUDE)) if _ends(name, words)]
    return found[0] if len(found) == 1 else None


def _ends(name: str, words: Sequence[str]) -> bool:
    return any(name == word or name.endswith((f"_{word}", f"{word}_deg")) or word in name.split("_") for word in words)


def _of_rows(
    obligations: Sequence[Mapping[str, Any]], setting: Setting
) -> tuple[list[Transform], list[Mapping[str, Any]]]:
    """Return the step on rows, if there is one to make, and the obligations that it sees to."""
    groups = [each for each in obligations if each["kind"] == "min_group"]
    only = [each for each in obligations if each["kind"] == "aggregate_only"]
    if not groups and not only:
        return [], []
    if any(column.semantic is None for column in setting.columns):
        return [], []
    k = max([2, *(int(each["k"]) for each in groups)])
    if only:
        by = tuple(column.name for column in setting.columns if column.type not in MEASURES)
        count = next(
            name for name in ("rows", "rows_", "rows__") if name not in {each.name for each in setting.columns}
        )
        return [Aggregate(by=by, k=k if groups else CELL, count=count)], [*groups, *only]
    named = tuple(column.name for column in setting.columns if _quasi(column, setting))
    # Without a column that tells anybody apart, cells may be counts already: nobody here knows which.
    return ([Suppress(columns=named, k=k)], groups) if named else ([], [])


def _quasi(column: Asked, setting: Setting) -> bool:
    return column.semantic in setting.quasi
