"""What is done to granted columns and rows before they become a view: typed steps, stored with the grant as documents.

A step is compiled to SQL elsewhere; here is what it may say, what it makes of a column's type, and its words.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from service.base.i18n import N_

Name = Annotated[str, Field(min_length=1, max_length=64)]
Count = Annotated[int, Field(ge=0, le=1000)]
KEY_ID = "1"  # of the keys in use; it stands in every recipe that a key enters
DAY = 1440  # minutes


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Mask(_Step):
    """Text with all but its first and last characters replaced by asterisks; too short a text becomes asterisks."""

    kind: Literal["mask"] = "mask"
    column: Name
    first: Count = 1
    last: Count = 1


class Token(_Step):
    """A value replaced by its keyed hash: equal within the grant's namespace, unrelated to any other's."""

    kind: Literal["token"] = "token"
    column: Name


class Truncate(_Step):
    """Text cut to its first characters."""

    kind: Literal["truncate"] = "truncate"
    column: Name
    characters: Annotated[int, Field(ge=1, le=1000)]


class Bucket(_Step):
    """A number replaced by the lower end of its bucket: multiples of `width`, or between `edges`.

    What lies below the first edge counts to the first bucket.
    """

    kind: Literal["bucket"] = "bucket"
    column: Name
    width: Annotated[int, Field(ge=1)] | None = None
    edges: Annotated[tuple[int | float, ...], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Bucket":
        if (self.width is None) == (self.edges is None):
            raise ValueError("a bucket has a width or edges")
        if self.edges is not None and list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges rise")
        return self


class CoarsenTime(_Step):
    """An instant or a day replaced by the beginning of its step of the Beijing clock or calendar."""

    kind: Literal["coarsen_time"] = "coarsen_time"
    column: Name
    unit: Literal["minute", "hour", "day", "week", "month", "quarter", "year"]
    every: Annotated[int, Field(ge=1, le=DAY)] = 1

    @model_validator(mode="after")
    def _divides(self) -> "CoarsenTime":
        whole = {"minute": DAY, "hour": 24}.get(self.unit, 1)
        if whole % self.every:
            raise ValueError("steps divide the day")
        return self

    @property
    def minutes(self) -> int:
        """The step in minutes; the shortest one where its length changes."""
        lengths = {"minute": 1, "hour": 60, "day": DAY, "week": 7 * DAY, "month": 28 * DAY, "quarter": 90 * DAY}
        return lengths.get(self.unit, 365 * DAY) * self.every


class CoarsenSpace(_Step):
    """A coordinate in degrees replaced by the middle of its cell of a grid, nowhere finer than `metres`."""

    kind: Literal["coarsen_space"] = "coarsen_space"
    column: Name
    axis: Literal["longitude", "latitude"]
    metres: Annotated[int, Field(ge=1, le=1_000_000)]


class CoarsenArea(_Step):
    """An area code cut to its first digits: 2 a province, 4 a city, 6 a district, 9 a street."""

    kind: Literal["coarsen_area"] = "coarsen_area"
    column: Name
    digits: Annotated[int, Field(ge=1, le=12)]


class Suppress(_Step):
    """Rows left out whose values in `columns` fewer than `k` rows of the whole version share."""

    kind: Literal["suppress"] = "suppress"
    columns: Annotated[tuple[Name, ...], Field(min_length=1)]
    k: Annotated[int, Field(ge=2, le=100_000)]


class Sum(_Step):
    """A number summed in each cell, each row's value first brought between published bounds."""

    column: Name
    low: float
    high: float

    @model_validator(mode="after")
    def _rises(self) -> "Sum":
        if not self.low < self.high:
            raise ValueError("bounds rise")
        return self


class Aggregate(_Step):
    """One row for each combination of the values of `by`: how many rows, and sums.

    Cells of fewer than `k` rows are left out.  The count of the others is off by up to `noise`, always by the same for
    the same rows, whichever grant asks; sums follow their count.
    """

    kind: Literal["aggregate"] = "aggregate"
    by: tuple[Name, ...]
    sums: tuple[Sum, ...] = ()
    k: Annotated[int, Field(ge=2, le=100_000)] = 10
    noise: Annotated[int, Field(ge=0, le=10)] = 2
    count: Name = "rows"

    @model_validator(mode="after")
    def _distinct(self) -> "Aggregate":
        names = [*self.by, *(each.column for each in self.sums), self.count]
        if len(set(names)) != len(names):
            raise ValueError("columns of an aggregate are named once")
        return self


OfColumn = Mask | Token | Truncate | Bucket | CoarsenTime | CoarsenSpace | CoarsenArea
OfRows = Suppress | Aggregate
Transform = OfColumn | OfRows
KINDS = frozenset(
    {"mask", "token", "truncate", "bucket", "coarsen_time", "coarsen_space", "coarsen_area", "suppress", "aggregate"}
)
KEYED = frozenset({"token", "aggregate"})  # a key of ours enters the bytes
OWN = frozenset({"token"})  # a key of the grant's namespace does: nothing is shared with another namespace

_READER: TypeAdapter[Transform] = TypeAdapter(Annotated[Transform, Field(discriminator="kind")])


class BadTransform(ValueError):
    """A step that says what it may not, or that does not fit its column.  The text names no value."""


def read(steps: Iterable[Mapping[str, Any]]) -> tuple[Transform, ...]:
    """Return stored steps as typed ones; BadTransform for one that is none of ours."""
    try:
        return tuple(_READER.validate_python(_tupled(step)) for step in steps)
    except ValidationError as fault:
        raise BadTransform(str(fault.errors(include_input=False, include_url=False))) from None


def _tupled(value: Any) -> Any:
    """Return a JSON document with tuples for lists: strict models take no list for a tuple."""
    if isinstance(value, Mapping):
        return {name: _tupled(each) for name, each in value.items()}
    return tuple(_tupled(each) for each in value) if isinstance(value, list | tuple) else value


def document(step: Transform) -> dict[str, Any]:
    """Return a step as it is stored and digested."""
    return step.model_dump(mode="json", exclude_none=True)


# ---- what a step makes of a column ----------------------------------------------------------------------------------

TAKES: dict[str, frozenset[str]] = {
    "mask": frozenset({"string", "integer"}),
    "token": frozenset({"string", "integer", "date", "datetime", "boolean"}),
    "truncate": frozenset({"string", "integer"}),
    "bucket": frozenset({"integer", "number"}),
    "coarsen_time": frozenset({"datetime", "date"}),
    "coarsen_space": frozenset({"number"}),
    "coarsen_area": frozenset({"string", "integer"}),
}
BECOMES = {"mask": "string", "token": "string", "truncate": "string", "coarsen_area": "string"}


def shape(columns: Sequence[tuple[str, str]], steps: Sequence[Transform]) -> tuple[tuple[str, str], ...]:
    """Return the names and types of what comes out of columns (name, type) by the steps; BadTransform when they do not
    fit: a column that is not granted, two steps on one column, a type that a step cannot take, two steps on rows.
    """
    types = dict(columns)
    done: set[str] = set()
    rows = [step for step in steps if isinstance(step, OfRows)]
    for step in steps:
        if isinstance(step, OfRows):
            continue
        if step.column not in types or step.column in done:
            raise BadTransform(f"{step.kind} needs a granted column, each once")
        if types[step.column] not in TAKES[step.kind]:
            raise BadTransform(f"{step.kind} does not fit a column of type {types[step.column]}")
        done.add(step.column)
        types[step.column] = BECOMES.get(step.kind, types[step.column])
    if len(rows) > 1:
        raise BadTransform("rows are suppressed or counted, once")
    return _counted(types, rows[0]) if rows else tuple(types.items())


def _counted(types: dict[str, str], step: OfRows) -> tuple[tuple[str, str], ...]:
    if isinstance(step, Suppress):
        if not set(step.columns) <= set(types):
            raise BadTransform("suppress needs granted columns")
        return tuple(types.items())
    if not set(step.by) <= set(types) or step.count in types:
        raise BadTransform("aggregate needs granted columns and a name of its own for the count")
    if any(types.get(each.column) not in ("integer", "number") for each in step.sums):
        raise BadTransform("sums need granted numbers")
    kept = [(name, types[name]) for name in types if name in step.by]
    return (*kept, (step.count, "integer"), *((each.column, "number") for each in step.sums))


def keyed(steps: Iterable[Transform]) -> bool:
    return any(step.kind in KEYED for step in steps)


def own_key(steps: Iterable[Transform]) -> bool:
    """Whether what comes out depends on the grant's namespace."""
    return any(step.kind in OWN for step in steps)


def over_all(steps: Iterable[Transform]) -> bool:
    """Whether the steps look at all rows of a version at once, so that it cannot be cut part by part."""
    return any(isinstance(step, OfRows) for step in steps)


# ---- words ----------------------------------------------------------------------------------------------------------

UNITS = {
    "minute": N_("%(n)s 分钟"),
    "hour": N_("%(n)s 小时"),
    "day": N_("日"),
    "week": N_("周"),
    "month": N_("月"),
    "quarter": N_("季度"),
    "year": N_("年"),
}
SAID = {
    "mask": N_("只保留前 %(first)s 位和后 %(last)s 位，其余以 * 代替"),
    "token": N_("换成本授权专用的令牌：同值同令牌，与其他授权不能关联"),
    "truncate": N_("只保留前 %(characters)s 个字符"),
    "bucket": N_("归并为宽 %(width)s 的区间，取下限"),
    "bucket-edges": N_("归并为给定区间（%(edges)s），取下限"),
    "coarsen_time": N_("时间精确到%(unit)s"),
    "coarsen_space": N_("坐标取不细于 %(metres)s 米的网格中心"),
    "coarsen_area": N_("区划代码只保留前 %(digits)s 位"),
    "suppress": N_("字段 %(columns)s 取值相同的不足 %(k)s 行的，整组不提供"),
    "aggregate": N_("只提供按 %(by)s 汇总的行数与合计，不足 %(k)s 行的分组不提供，行数带有至多 %(noise)s 的固定扰动"),
    "aggregate-all": N_("只提供总行数与合计，不足 %(k)s 行的不提供，行数带有至多 %(noise)s 的固定扰动"),
}


def about(step: Transform) -> str | None:
    """Return the column that a step is about; None where it is about rows."""
    return None if isinstance(step, OfRows) else step.column


def said(step: Transform, say: Callable[[str], str], joint: str = "、") -> str:
    """Return what a step does, each message put into words by `say`, names joined by `joint`."""
    facts = step.model_dump(exclude={"kind", "column"})
    for name in ("columns", "by", "edges"):
        if facts.get(name) is not None:
            facts[name] = joint.join(f"{each:g}" if isinstance(each, int | float) else each for each in facts[name])
    if isinstance(step, CoarsenTime):
        facts["unit"] = say(UNITS[step.unit]) % {"n": step.every}
    kind: str = step.kind
    if isinstance(step, Bucket) and step.edges:
        kind = "bucket-edges"
    if isinstance(step, Aggregate) and not step.by:
        kind = "aggregate-all"
    return say(SAID[kind]) % facts
