"""What a caller may ask of sums over rows, and what of it may go out where a smallest group binds.

Where it binds only rows are counted: grouping and filtering by listed columns only, no count below the smallest group,
each count off by a secret number that is the same for the same rows, and no more different cells than the budget of the
unit.  A sum needs bounds that were published; none are, so there is none; a least or greatest value is some row's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.base.errors import Refusal
from service.base.i18n import N_
from service.data.rules.filters import Columns, Faults, Filter, columns_of
from service.data.rules.rows import filter_asked

MOST_GROUPS = 8  # columns
MOST_MEASURES = 20
MOST_CELLS = 10_000  # in an answer
BUDGET = 5_000  # different cells of one dataset that a unit may ever be told where a smallest group binds
NOISE = 2  # rows that such a count is off by at most
FUNCTIONS = ("count", "sum", "avg", "min", "max", "quantile")
NUMBERS = frozenset({"integer", "number"})
SORTED = frozenset({"integer", "number", "date", "datetime", "string"})
# The types of column that a function takes; `count` takes all.
FITTING = {"sum": NUMBERS, "avg": NUMBERS, "quantile": NUMBERS, "min": SORTED, "max": SORTED}


class AggregateClosed(Refusal):
    """Facts: `k`, `listed`, `errors`."""

    code = "aggregate-not-allowed"
    title = N_("数据使用授权不允许这样汇总")
    status = 403
    detail = N_("此授权要求最小分组人数 %(k)s：只能计数，只能按这些字段分组和筛选：%(listed)s")


class BudgetSpent(Refusal):
    """Facts: `most`."""

    code = "cell-budget-spent"
    title = N_("不同分组的数目已达上限")
    status = 429
    detail = N_("本单位在此数据集上至多查询 %(most)s 个不同的分组，已查过的仍可再查。")


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of each cell; `column` is None where rows are counted, `share` says which quantile."""

    function: str
    column: str | None = None
    share: float = 0.5

    @property
    def name(self) -> str:
        """What the number is called in the answer."""
        if self.column is None:
            return "count"
        share = f"_{self.share:g}" if self.function == "quantile" else ""
        return f"{self.function}{share}_{self.column}"


@dataclass(frozen=True, slots=True)
class Smallest:
    """That no cell of fewer than `k` rows may go out, and by which columns rows may be told apart."""

    k: int
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Which numbers, of which rows, by what."""

    group: tuple[str, ...]
    measures: tuple[Measure, ...]
    filter: Filter | None = None


def aggregation_of(asked: dict[str, Any], columns: Columns, *, apply: str) -> Aggregation:
    """Return what `asked` ("group", "measures", "filter", "where") means; a refusal that names all that is wrong."""
    faults = Faults()
    group = _group(asked.get("group") or [], columns, faults)
    measures = _measures(asked.get("measures"), columns, faults)
    found = filter_asked(asked, columns, faults)
    names = [*group, *(one.name for one in measures)]
    if len(set(names)) < len(names):
        faults.add("/measures", "bad-shape", N_("同一字段只写一次"))
    faults.demand_none(tuple(columns.types), apply=apply)
    return Aggregation(group, measures, found)


def demand_allowed(found: Aggregation, smallest: Smallest) -> None:
    """Raise AggregateClosed for what may not be told where a smallest group binds; it names each place."""
    faults = Faults()
    for place, measure in enumerate(found.measures):
        if measure.function != "count" or measure.column is not None:
            faults.add(f"/measures/{place}", "not-allowed", N_("只能计行数"))
    for place, name in enumerate(found.group):
        if name not in smallest.listed:
            faults.add(f"/group/{place}", "not-allowed", N_("不能按这个字段分组"), column=name)
    for name in sorted(columns_of(found.filter) - set(smallest.listed)):
        faults.add("/filter", "not-allowed", N_("不能按这个字段筛选"), column=name)
    if faults.found:
        raise AggregateClosed(k=smallest.k, listed=", ".join(smallest.listed), errors=faults.found)


def _group(given: Any, columns: Columns, faults: Faults) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) > MOST_GROUPS:
        faults.add("/group", "bad-shape", N_("应为至多 %(most)s 个字段名的列表"), most=MOST_GROUPS)
        return ()
    return tuple(name for place, name in enumerate(given) if columns.holds(name, f"/group/{place}", faults))


def _measures(given: Any, columns: Columns, faults: Faults) -> tuple[Measure, ...]:
    if given is None:
        return (Measure("count"),)
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_MEASURES:
        faults.add("/measures", "bad-shape", N_("应为 1 到 %(most)s 个汇总的列表"), most=MOST_MEASURES)
        return ()
    read = [_measure(one, columns, faults, f"/measures/{place}") for place, one in enumerate(given)]
    return tuple(one for one in read if one is not None)


def _measure(given: Any, columns: Columns, faults: Faults, pointer: str) -> Measure | None:
    if not isinstance(given, dict) or set(given) - {"function", "column", "q"}:
        faults.add(pointer, "bad-shape", N_("应为含 function、column、q 的对象"))
        return None
    function, column = given.get("function"), given.get("column")
    if function not in FUNCTIONS:
        faults.add(
            f"{pointer}/function", "unknown-function", N_("没有这个汇总。可用：%(known)s"), known=", ".join(FUNCTIONS)
        )
        return None
    if function == "count" and column is None:
        return Measure("count")
    if not columns.holds(column, f"{pointer}/column", faults):
        return None
    name, kind = str(column), columns.types[str(column)]
    if kind not in FITTING.get(function, columns.types.values()):
        faults.add(
            f"{pointer}/column", "wrong-type", N_("这个字段的类型为 %(kind)s，不能用 %(op)s"),
            kind=kind, op=function, column=name,
        )  # fmt: skip
        return None
    share = given.get("q", 0.5)
    if function == "quantile" and (
        isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1
    ):
        faults.add(f"{pointer}/q", "wrong-value", N_("应为 0 到 1 的数"), column=name)
        return None
    return Measure(function, name, float(share) if function == "quantile" else 0.5)


def noisy(count: int, cell: int, k: int) -> int:
    """Return the count that is told of a cell: off by up to NOISE as its rows' keys say, and never below `k`."""
    return max(count + cell % (2 * NOISE + 1) - NOISE, k)


def cell_name(cell: int) -> str:
    """Return what a cell is called in the unit's budget: the sum of its rows' keys."""
    return format(cell % 2**128, "032x")


def over_budget(told: int, new: Sequence[str]) -> bool:
    """Whether cells that were not told before go beyond the budget."""
    return told + len(new) > BUDGET
