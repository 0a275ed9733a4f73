"""The profile of a dataset as a page draws it: bars in an SVG of a few lines, every number in words beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.base.i18n import MONTHS, current, format_date, gettext

# The drawing's own units: its bars stand between LEFT and WIDTH, from TOP down to FLOOR.
WIDTH, LEFT, TOP, FLOOR = 340, 44, 6, 112
TICKS = 5  # labels under the bars, at most
GAP = 2.0
POWERS = ("0", "10", "100", "1,000", "10,000", "100,000", "1,000,000", "10,000,000")


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One column's card: bars over a scale (`bars`), or values with their shares (`values`), and what is said of it."""

    name: str
    title: Mapping[str, str]
    unit: str
    facts: tuple[str, ...]
    about: str
    top: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, str], ...]
    table: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str, str], ...]


def plot(name: str, title: Mapping[str, str], kind: str, told: Mapping[str, Any]) -> Plot | None:
    """Return a column's card; None for one of which there is nothing to draw."""
    bins, values = told.get("bins") or (), told.get("values") or ()
    if bins:
        return _histogram(name, title, kind, told, bins)
    if values:
        return _values(name, title, told, values)
    return None


def facts(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said of any column: its empty values, how many different ones it has, when they lie."""
    said = [empty_share(told)]
    if "distinct" in told:
        said.append(_distinct(int(told["distinct"])))
    if "range" in told:
        first, last = (format_date(date.fromisoformat(day)) for day in told["range"])
        said.append(gettext("大多在 %(first)s 至 %(last)s", first=first, last=last))
    return tuple(said)


def empty_share(told: Mapping[str, Any]) -> str:
    return gettext("空值约 %(n)s%%", n=told["nulls"]) if told["nulls"] else gettext("空值不到 1%")


def _distinct(power: int) -> str:
    """Return how many different values there are, to a power of ten."""
    if power == 0:
        return gettext("不同取值不到 10 个")
    return gettext("不同取值 %(n)s 个以上", n=POWERS[min(power, len(POWERS) - 1)])


# ---- values ----------------------------------------------------------------------------------------------------------


def _values(name: str, title: Mapping[str, str], told: Mapping[str, Any], values: Sequence[Mapping[str, Any]]) -> Plot:
    most = max(one["rows"] for one in values)
    shown = [
        (one["value"] or gettext("（空白）"), f"{100 * one['rows'] / most:.1f}%", count_said(one["rows"]))
        for one in values
    ]
    if told.get("others"):
        shown.append((gettext("其他取值"), "", count_said(told["others"])))  # many values: no bar beside those of one
    return Plot(name, title, gettext("行数"), facts(told), "", "", (), (), (), tuple(shown))


# ---- bins ------------------------------------------------------------------------------------------------------------


def _histogram(
    name: str, title: Mapping[str, str], kind: str, told: Mapping[str, Any], bins: Sequence[Mapping[str, Any]]
) -> Plot:
    """Draw bins as wide as what they span and as high as their rows per step: an area is a number of rows."""
    labels = [bin_label(one, told["unit"], kind) for one in bins]
    heights = [one["rows"] / one["span"] for one in bins]
    most, step = max(heights), (WIDTH - LEFT) / sum(one["span"] for one in bins)
    bars, lefts, at = [], [], float(LEFT)
    for one, height in zip(bins, heights, strict=True):
        width, tall = step * one["span"], (FLOOR - TOP) * height / most
        bars.append(Bar(f"{at + GAP / 2:.1f}", f"{FLOOR - tall:.1f}", f"{max(width - GAP, 1):.1f}", f"{tall:.1f}"))
        lefts.append(at)
        at += width
    highest = heights.index(most)
    about = gettext("最高的一档：%(bin)s，%(rows)s 行", bin=labels[highest], rows=count_said(bins[highest]["rows"]))
    table = tuple((label, count_said(one["rows"])) for label, one in zip(labels, bins, strict=True))
    ticks = _ticks(bins, lefts, step, told["unit"], kind)
    return Plot(name, title, _unit(told["unit"], kind), facts(told), about, short(most), tuple(bars), ticks, table, ())


def _ticks(
    bins: Sequence[Mapping[str, Any]], lefts: Sequence[float], step: float, unit: object, kind: str
) -> tuple[tuple[str, str], ...]:
    """Return (x, label) of the edges that are named: the beginnings of every few bars, never that of an open one."""
    if unit == "hour":
        return tuple((f"{LEFT + (hour + 0.5) * step:.1f}", str(hour)) for hour in (0, 6, 12, 18))
    middle = step / 2 if _each_one(unit, kind) else 0.0
    edges = [(left + middle, one["from"]) for left, one in zip(lefts, bins, strict=True) if one["from"] is not None]
    every = -(-len(edges) // TICKS)
    return tuple((f"{x:.1f}", _edge(edge, unit)) for x, edge in edges[::every])


def _unit(unit: object, kind: str) -> str:
    names = {
        "hour": gettext("一天各小时的行数"), "day": gettext("各日的行数"), "week": gettext("各周的行数"),
        "month": gettext("各月的行数"), "quarter": gettext("各季度的行数"), "year": gettext("各年的行数"),
        "decade": gettext("每十年的行数"),
    }  # fmt: skip
    if _each_one(unit, kind):
        return gettext("各取值的行数")
    return names[unit] if isinstance(unit, str) else gettext("每 %(step)s 一档的行数", step=number_said(unit))


def bin_label(one: Mapping[str, Any], unit: object, kind: str) -> str:
    """Return what a bin holds, in words; its end is not in it."""
    start, end = one["from"], one["to"]
    if unit == "hour":
        return f"{start}:00–{end}:00"
    if isinstance(unit, str):
        return _period(start, end, unit)
    if kind == "integer":
        return _whole(start, end)
    if start is None:
        return gettext("不到 %(n)s", n=number_said(end))
    if end is None:
        return gettext("%(n)s 及以上", n=number_said(start))
    return f"{number_said(start)}–{number_said(end)}"


def _whole(start: int | None, end: int | None) -> str:
    """Return a bin of whole numbers by its first and last."""
    if start is None:
        return gettext("%(n)s 及以下", n=number_said((end or 0) - 1))
    if end is None:
        return gettext("%(n)s 及以上", n=number_said(start))
    return number_said(start) if end - start == 1 else f"{number_said(start)}–{number_said(end - 1)}"


def _period(start: str | None, end: str | None, unit: str) -> str:
    if start is None:
        return gettext("%(day)s 以前", day=_edge(end, unit))
    if end is None:
        return gettext("%(day)s 起", day=_edge(start, unit))
    return gettext("%(first)s 起，%(last)s 以前", first=_edge(start, unit), last=_edge(end, unit))


def _edge(edge: object, unit: object) -> str:
    """Return an edge as short as its unit allows."""
    if not isinstance(unit, str):
        return number_said(edge)
    day = date.fromisoformat(str(edge))
    if unit in ("year", "decade"):
        return str(day.year)
    if unit in ("month", "quarter"):
        return f"{day.year}-{day.month:02}" if current() == "zh" else f"{MONTHS[day.month - 1]} {day.year}"
    return f"{day.month}-{day.day:02}" if current() == "zh" else f"{day.day} {MONTHS[day.month - 1]}"


def _each_one(unit: object, kind: str) -> bool:
    return kind == "integer" and unit == 1


# ---- numbers ---------------------------------------------------------------------------------------------------------


def number_said(value: object) -> str:
    """Return an edge as people write it: no comma in what may be a year, none after the point."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}" if abs(value) < 10_000 else f"{value:,.1f}"
    whole = int(float(str(value)))
    return f"{whole:,}" if abs(whole) >= 10_000 else str(whole)


def count_said(rows: int) -> str:
    return f"{rows:,}"


def short(value: float) -> str:
    """Return the top of a scale in little room: 9,840 as it is, 1.2 million as 120万 or 1.2m."""
    if value < 10_000:
        return f"{value:,.0f}"
    if current() == "zh":
        return f"{value / 10_000:.3g}万"
    return f"{value / 1_000:.3g}k" if value < 1_000_000 else f"{value / 1_000_000:.3g}m"
