"""Filters of rows: what a caller writes, held against the columns of the view, every fault found at once.

A filter is one term {"column", "op", "value"}, or {"and": […]} or {"or": […]} of filters.  Values are typed strictly by
the column; nothing is guessed.  A row whose value is empty matches `is_null` and no other term.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from service.base.beijing import BEIJING
from service.base.errors import Refusal
from service.base.i18n import N_, gettext

MOST_TERMS = 100
MOST_DEPTH = 8
MOST_VALUES = 1000  # of one `in`
LONGEST_TEXT = 1000  # letters of one value
COMPARING = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in", "between", "is_null"})
OPERATORS = {
    "string": COMPARING | {"contains"},
    "integer": COMPARING,
    "number": COMPARING,
    "date": COMPARING,
    "datetime": COMPARING,
    "boolean": frozenset({"eq", "ne", "in", "is_null"}),
}
ALL_OPERATORS = (*("eq", "ne", "lt", "le", "gt", "ge", "in", "between"), "contains", "is_null")
EXPECTED = {
    "string": N_("文字，至多 1000 字"),
    "integer": N_("整数值"),
    "number": N_("数值"),
    "date": N_("日期，如 2026-01-31"),
    "datetime": N_("时间，如 2026-01-31T08:00:00+08:00；不写时区即为北京时间"),
    "boolean": N_("true 或 false"),
}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
LOWEST, HIGHEST = -(2**63), 2**63 - 1

Value = str | int | float | bool | date | datetime


class BadFilter(Refusal):
    """Facts: `errors`, a list of {"pointer", "code", "message", "column"?}, in the reader's language."""

    code = "bad-filter"
    title = N_("查询条件有误")
    status = 400
    detail = N_("查询条件有 %(count)s 处不成立，逐处列在 errors 中，pointer 指明位置。")


class FilterNotGranted(Refusal):
    """Nothing else is wrong: the columns exist, and were not granted.  Facts: as BadFilter's, `columns`, `apply`."""

    code = "column-not-granted"
    title = N_("字段不在数据使用授权范围内")
    status = 403
    detail = N_("数据使用授权不含字段：%(columns)s。可在数据集页面另行申请：%(apply)s")


class FilterUnknown(Refusal):
    """Nothing else is wrong: there are no such columns.  Facts: as BadFilter's, `columns`, `known`."""

    code = "unknown-column"
    title = N_("没有这个字段")
    status = 400
    detail = N_("没有这些字段：%(columns)s。可用字段：%(known)s")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a column with values of its type; `is_null` has one boolean, `between` its two ends."""

    column: str
    op: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Filters of which all (`and`) or any (`or`) must hold."""

    joint: str
    parts: "tuple[Filter, ...]"


Filter = Term | Group


@dataclass(slots=True)
class Faults:
    """What is wrong with a query, each with the place where it stands; raised together."""

    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, pointer: str, code: str, message: str, *, column: str = "", **blanks: object) -> None:
        told = {"pointer": pointer, "code": code, "message": gettext(message, **blanks)}
        self.found.append(told | ({"column": column} if column else {}))

    def demand_none(self, granted: Sequence[str], *, apply: str) -> None:
        """Raise the refusal that says all of it; the plainest one where all faults are of one kind."""
        if not self.found:
            return
        codes = {fault["code"] for fault in self.found}
        names = ", ".join(dict.fromkeys(fault["column"] for fault in self.found if "column" in fault))
        if codes == {"column-not-granted"}:
            raise FilterNotGranted(columns=names, apply=apply, errors=self.found)
        if codes == {"unknown-column"}:
            raise FilterUnknown(columns=names, known=", ".join(granted), errors=self.found)
        raise BadFilter(count=len(self.found), errors=self.found)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a query may name, with their types; `known` are all of the public dictionary."""

    types: Mapping[str, str]
    known: Collection[str]

    def holds(self, name: object, pointer: str, faults: Faults) -> bool:
        """Whether a column may be named; what speaks against it goes into `faults`."""
        if not isinstance(name, str):
            faults.add(pointer, "bad-shape", N_("应为字段名"))
        elif name in self.types:
            return True
        elif name in self.known:
            faults.add(pointer, "column-not-granted", N_("数据使用授权不含这个字段"), column=name)
        else:
            faults.add(pointer, "unknown-column", N_("没有这个字段"), column=name[:200])
        return False


# ---- reading a filter -----------------------------------------------------------------------------------------------


def filter_of(given: Any, columns: Columns, faults: Faults, pointer: str = "/filter") -> Filter | None:
    """Return the filter that a JSON value means; None where it does not hold, and why in `faults`."""
    count, depth = _measure(given)
    if count > MOST_TERMS:
        faults.add(pointer, "too-many-terms", N_("至多 %(most)s 个条件"), most=MOST_TERMS)
        return None
    if depth > MOST_DEPTH:
        faults.add(pointer, "too-deep", N_("至多嵌套 %(most)s 层"), most=MOST_DEPTH)
        return None
    return _read(given, columns, faults, pointer)


def _measure(given: Any) -> tuple[int, int]:
    """Return how many terms a filter has and how deep it goes, without recursion; it stops counting past the limits."""
    count, deepest, waiting = 0, 0, [(given, 0)]
    while waiting and count <= MOST_TERMS and deepest <= MOST_DEPTH:
        node, depth = waiting.pop()
        parts = (
            next((node[joint] for joint in ("and", "or") if joint in node), None) if isinstance(node, dict) else None
        )
        if isinstance(parts, list):
            deepest = max(deepest, depth + 1)
            waiting += [(part, depth + 1) for part in parts[: MOST_TERMS + 1]]
        count += 0 if isinstance(parts, list) and parts else 1
    return count, deepest


def _read(given: Any, columns: Columns, faults: Faults, pointer: str) -> Filter | None:
    if not isinstance(given, dict):
        faults.add(pointer, "bad-shape", N_("应为含 column、op、value 的对象，或含 and、or 之一的对象"))
        return None
    if "and" not in given and "or" not in given:
        return _term(given, columns, faults, pointer)
    joint = "and" if "and" in given else "or"
    parts = given[joint]
    if len(given) != 1 or not isinstance(parts, list) or not parts:
        faults.add(pointer, "bad-shape", N_("and 或 or 单独成一个对象，值为非空列表"))
        return None
    read = [_read(part, columns, faults, f"{pointer}/{joint}/{place}") for place, part in enumerate(parts)]
    return Group(joint, tuple(part for part in read if part is not None))


def _term(given: Mapping[str, Any], columns: Columns, faults: Faults, pointer: str) -> Term | None:
    if strange := sorted(set(given) - {"column", "op", "value"}):
        faults.add(f"{pointer}/{_escaped(strange[0])}", "bad-shape", N_("条件只有 column、op、value 三项"))
        return None
    if not columns.holds(given.get("column"), f"{pointer}/column", faults):
        return None
    name, op = given["column"], given.get("op")
    kind = columns.types[name]
    if not isinstance(op, str) or op not in ALL_OPERATORS:
        faults.add(
            f"{pointer}/op", "unknown-operator", N_("没有这个运算。可用：%(known)s"),
            known=", ".join(ALL_OPERATORS), column=name,
        )  # fmt: skip
        return None
    if op not in OPERATORS[kind]:
        faults.add(
            f"{pointer}/op", "wrong-operator", N_("这个字段的类型为 %(kind)s，不能用 %(op)s"),
            kind=kind, op=op, column=name,
        )  # fmt: skip
        return None
    values = _values(name, op, kind, given, faults, f"{pointer}/value")
    return Term(name, op, values) if values is not None else None


def _values(
    name: str, op: str, kind: str, given: Mapping[str, Any], faults: Faults, pointer: str
) -> tuple[Value, ...] | None:
    """Return a term's values as its column has them; None when one of them does not hold."""
    if op == "is_null":
        kind = "boolean"
    listed: Any = [given.get("value", True if op == "is_null" else None)]
    if op in ("in", "between"):
        listed, most = given.get("value"), MOST_VALUES if op == "in" else 2
        if not isinstance(listed, list) or not listed or len(listed) > most or (op == "between" and len(listed) != 2):
            wanted = N_("应为 1 到 1000 个值的列表") if op == "in" else N_("应为两个值的列表：最小和最大")
            faults.add(pointer, "wrong-value", wanted, column=name)
            return None
    found: list[Value] = []
    for place, one in enumerate(listed):
        typed = typed_value(one, kind)
        if typed is None:
            where = f"{pointer}/{place}" if op in ("in", "between") else pointer
            faults.add(where, "wrong-type", N_("应为%(wanted)s"), wanted=gettext(EXPECTED[kind]), column=name)
        else:
            found.append(typed)
    return tuple(found) if len(found) == len(listed) else None


# ---- values ---------------------------------------------------------------------------------------------------------


def typed_value(given: Any, kind: str) -> Value | None:
    """Return a JSON value as a column of type `kind` has it; None when it is no such value."""
    return _TYPED[kind](given)


def _text(given: Any) -> Value | None:
    return given if isinstance(given, str) and len(given) <= LONGEST_TEXT and _encodes(given) else None


def _encodes(text: str) -> bool:
    """Whether a text can be written in UTF-8 and bound: no half of a surrogate pair, which JSON can spell."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _integer(given: Any) -> Value | None:
    return given if type(given) is int and LOWEST <= given <= HIGHEST else None


def _number(given: Any) -> Value | None:
    if type(given) is int:
        return given if LOWEST <= given <= HIGHEST else None
    return given if isinstance(given, float) and math.isfinite(given) else None


def _boolean(given: Any) -> Value | None:
    return given if isinstance(given, bool) else None


def _day(given: Any) -> Value | None:
    if not isinstance(given, str) or not DAY.fullmatch(given):
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _moment(given: Any) -> Value | None:
    """Return an instant; without an offset Beijing's time is meant, without a time the day's beginning."""
    if not isinstance(given, str) or not MOMENT.fullmatch(given):
        return None
    try:
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=BEIJING)).astimezone(BEIJING)
    except (ValueError, OverflowError):
        return None


_TYPED: dict[str, Callable[[Any], Value | None]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "date": _day,
    "datetime": _moment,
    "boolean": _boolean,
}


# ---- the short form -------------------------------------------------------------------------------------------------


def wheres_of(given: Sequence[str], types: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the terms that `where=column:op:value` parameters mean, as JSON would have them; all must hold.

    `in` and `between` part their values with commas; what does not fit the column's type stays text, and is refused as
    such where it stands.
    """
    return [_where(text, types) for text in given]


def _where(text: str, types: Mapping[str, str]) -> dict[str, Any]:
    name, _colon, rest = text.partition(":")
    op, colon, value = rest.partition(":")
    kind = "boolean" if op == "is_null" else types.get(name, "string")
    told: dict[str, Any] = {"column": name, "op": op}
    if not colon and op == "is_null":
        return told
    if op in ("in", "between"):
        return told | {"value": [_spelled(one, kind) for one in value.split(",")]}
    return told | {"value": _spelled(value, kind)}


def _spelled(text: str, kind: str) -> Any:
    """Return what a text in an address means for a type: numbers and truth values as JSON spells them."""
    if kind not in ("integer", "number", "boolean"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, int | float) else text


def _escaped(name: str) -> str:
    """Return a name as one step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")[:100]


# ---- the same filter again ------------------------------------------------------------------------------------------


def canonical(found: Filter | None) -> Any:
    """Return a filter as plain values, the same for the same filter: what a cursor's digest is made of."""
    if found is None:
        return None
    if isinstance(found, Group):
        return [found.joint, *[canonical(part) for part in found.parts]]
    return [found.column, found.op, *[[type(value).__name__, str(value)] for value in found.values]]


def columns_of(found: Filter | None) -> set[str]:
    """Return the columns that a filter names."""
    if found is None:
        return set()
    if isinstance(found, Term):
        return {found.column}
    return set().union(*(columns_of(part) for part in found.parts))
