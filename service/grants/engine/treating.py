"""SQL of the steps of a recipe: one expression for each column, values bound, keys too."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from service.catalogue.engine.closed import identifier
from service.grants.rules import transforms
from service.grants.rules.transforms import OfColumn

DEGREE = 111_320  # metres of a degree of latitude, and of one of longitude at the equator
NORTH = 54  # degrees of latitude: north of it lies nothing of ours, and south of it a cell is wider
BLOCK = 64  # bytes of a block of SHA-256


@dataclass(frozen=True, slots=True)
class Keys:
    """What enters hashes: the key of the grant's namespace, and that of the dataset's cells."""

    namespace: bytes = b""
    cells: bytes = b""


@dataclass(slots=True)
class Bound:
    """The values of a statement under construction; `put` returns the name by which the statement calls one."""

    values: dict[str, Any] = field(default_factory=dict)

    def put(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def expression(value: str, step: OfColumn, kind: str, bound: Bound, keys: Keys) -> str:
    """Return what a step makes of the expression `value` of a declared type `kind`."""
    return WRITERS[type(step)](value, step, kind, bound, keys)


def hashed(text: str, key: bytes, bound: Bound) -> str:
    """Return HMAC-SHA256 of an expression of text in hex, under a bound key: RFC 2104 in the engine's own words."""
    padded = key.ljust(BLOCK, b"\0")
    inner = bound.put(bytes(byte ^ 0x36 for byte in padded))
    outer = bound.put(bytes(byte ^ 0x5C for byte in padded))
    return f"sha256({outer} || unhex(sha256({inner} || encode({text}))))"


def _text(value: str) -> str:
    return f"CAST({value} AS VARCHAR)"


def _mask(value: str, step: transforms.Mask, _kind: str, bound: Bound, _keys: Keys) -> str:
    text, first, last = _text(value), bound.put(step.first), bound.put(step.last)
    hidden = f"length({text}) - {first} - {last}"
    shown = f"left({text}, {first}) || repeat('*', {hidden}) || right({text}, {last})"
    return f"CASE WHEN {hidden} > 0 THEN {shown} ELSE repeat('*', length({text})) END"


def _token(value: str, _step: transforms.Token, _kind: str, bound: Bound, keys: Keys) -> str:
    if not keys.namespace:
        raise ValueError("a token needs its key")
    return f"left({hashed(_text(value), keys.namespace, bound)}, 32)"


def _truncate(value: str, step: transforms.Truncate, _kind: str, bound: Bound, _keys: Keys) -> str:
    return f"left({_text(value)}, {bound.put(step.characters)})"


def _area(value: str, step: transforms.CoarsenArea, _kind: str, bound: Bound, _keys: Keys) -> str:
    return f"left({_text(value)}, {bound.put(step.digits)})"


def _bucket(value: str, step: transforms.Bucket, kind: str, bound: Bound, _keys: Keys) -> str:
    target = "BIGINT" if kind == "integer" else "DOUBLE"
    if step.width is not None:
        width = bound.put(step.width)
        return f"CAST(floor({value} / {width}) * {width} AS {target})"
    edges = [bound.put(edge) for edge in step.edges or ()]
    cases = "".join(f" WHEN {value} >= {edge} THEN {edge}" for edge in reversed(edges[1:]))
    return f"CAST(CASE WHEN {value} IS NULL THEN NULL{cases} ELSE {edges[0]} END AS {target})"


def _time(value: str, step: transforms.CoarsenTime, kind: str, bound: Bound, _keys: Keys) -> str:
    """Return the beginning of the step on the Beijing clock, which is the connection's."""
    if kind == "date":
        return value if step.unit in ("minute", "hour", "day") else f"CAST(date_trunc('{step.unit}', {value}) AS DATE)"
    if step.unit not in ("minute", "hour"):
        return f"date_trunc('{step.unit}', {value})"
    minutes = bound.put(step.every * (60 if step.unit == "hour" else 1))
    day = f"date_trunc('day', {value})"
    return f"{day} + to_minutes(CAST(floor(date_diff('minute', {day}, {value}) / {minutes}) * {minutes} AS BIGINT))"


def _space(value: str, step: transforms.CoarsenSpace, _kind: str, bound: Bound, _keys: Keys) -> str:
    shrink = math.cos(math.radians(NORTH)) if step.axis == "longitude" else 1.0
    size = bound.put(step.metres / (DEGREE * shrink))
    return f"round((floor(CAST({value} AS DOUBLE) / {size}) + 0.5) * {size}, 9)"


WRITERS: dict[type, Callable[[str, Any, str, Bound, Keys], str]] = {
    transforms.Mask: _mask,
    transforms.Token: _token,
    transforms.Truncate: _truncate,
    transforms.Bucket: _bucket,
    transforms.CoarsenTime: _time,
    transforms.CoarsenSpace: _space,
    transforms.CoarsenArea: _area,
}


# ---- rows -----------------------------------------------------------------------------------------------------------


def suppressed(select: str, step: transforms.Suppress, bound: Bound) -> str:
    """Return a query over rows without the groups that are too small."""
    fields = ", ".join(identifier(name) for name in step.columns)
    return f"SELECT * FROM ({select}) QUALIFY count(*) OVER (PARTITION BY {fields}) >= {bound.put(step.k)}"


ROW_KEY = "qiantang row key"  # no column of a view is called so: the name of the key that each row carries


def row_key(values: list[str], bound: Bound, keys: Keys) -> str:
    """Return the secret number of a row, below 2^32: the same values have the same in every query."""
    if not keys.cells:
        raise ValueError("noise needs its key")
    text = f"CAST(row({', '.join(values)}) AS VARCHAR)"
    return f"CAST('0x' || left({hashed(text, keys.cells, bound)}, 8) AS BIGINT)"


def aggregated(select: str, step: transforms.Aggregate, order: list[str], bound: Bound) -> str:
    """Return a query for the cells over rows that carry their key; grouping columns in the view's order.

    The noise of a cell is told by the sum of its rows' keys: uniform from -noise to +noise, and never enough to bring
    a count below k.
    """
    groups = [identifier(name) for name in order]
    k, span = bound.put(step.k), bound.put(2 * step.noise + 1)
    noise = f"(sum({identifier(ROW_KEY)}) % {span} - {bound.put(step.noise)})"
    count = f"greatest(count(*) + {noise}, {k})"
    sums = []
    for each in step.sums:
        clipped = f"least(greatest({identifier(each.column)}, {bound.put(each.low)}), {bound.put(each.high)})"
        sums.append(f"CAST(avg({clipped}) * {count} AS DOUBLE) AS {identifier(each.column)}")
    chosen = [*groups, f"CAST({count} AS BIGINT) AS {identifier(step.count)}", *sums]
    by = f" GROUP BY {', '.join(groups)}" if groups else ""
    return f"SELECT {', '.join(chosen)} FROM ({select}){by} HAVING count(*) >= {k}"
