"""What a caller may ask of rows: columns, filter, order, how many; pages and their cursors."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.base.errors import Refusal
from service.base.i18n import N_
from service.data.rules.filters import MOST_TERMS, Columns, Faults, Filter, Group, canonical, filter_of, wheres_of
from service.data.rules.refusals import BadParameter, ColumnNotGranted, CursorExpired, UnknownColumn

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 100
MOST_ROWS = 10**12  # of an export
MOST_ORDERS = 8
COUNTED = 10_000  # rows that a count looks for; beyond it only says that there are more
SELECT_CHANGED = N_("翻页时不能更换字段，请从第一页重新读取。")
# What an answer may be, the first where nothing is said.  `json` is a page; the others are whole exports.
KINDS = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
ACCEPTED = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}
FIELDS = frozenset({"select", "filter", "order", "limit", "cursor", "count", "format", "grant", "version", "as_of"})


class NotAcceptable(Refusal):
    code = "not-acceptable"
    title = N_("没有所要的格式")
    status = 406
    detail = N_("可用的格式：%(known)s。写在 Accept 或 format 中。")


class CursorElsewhere(CursorExpired):
    """The cursor is ours, for this view and grant, and stands in the answer to another query."""

    status = 400
    detail = N_("这个翻页位置属于另一个查询：filter 和 order 须与第一页相同。")


class QueryTooHeavy(Refusal):
    """It was stopped at the limit of time or memory."""

    code = "query-too-heavy"
    title = N_("查询超出时间或内存上限")
    status = 422
    detail = N_("查询已停止。请收窄条件、去掉排序，或下载整个文件。")


class NotQueryable(Refusal):
    """A column is called as the database calls the place of a row.  Facts: `columns`."""

    code = "not-queryable"
    title = N_("这个数据集不能按条件查询")
    status = 422
    detail = N_("字段名 %(columns)s 与查询引擎的保留名相同，请逐页读取或下载整个文件。")


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of rows begins in its view, counted in rows from 0, and which columns it shows.

    `query` is the digest of filter and order.  In an order of its own `start` is the row that the page before ended
    with.
    """

    start: int
    columns: tuple[str, ...]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A column to sort by; empty values come last either way."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows, which columns, in which order; without an order the view's own."""

    columns: tuple[str, ...]
    filter: Filter | None = None
    order: tuple[Order, ...] = ()

    def digest(self) -> str:
        """Return what a cursor holds for besides its view and grant: the filter and the order, not the columns."""
        if self.filter is None and not self.order:
            return ""
        told = [canonical(self.filter), [[one.column, one.descending] for one in self.order]]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:32]


def query_of(asked: dict[str, Any], columns: Columns, *, apply: str) -> Query:
    """Return the query that `asked` ("select", "filter", "order") means; a refusal that names all that is wrong."""
    faults = Faults()
    granted = tuple(columns.types)
    found = filter_asked(asked, columns, faults)
    order = _order(asked.get("order"), columns, faults)
    faults.demand_none(granted, apply=apply)
    return Query(selected(asked.get("select"), granted, tuple(columns.known), apply=apply), found, order)


def filter_asked(asked: dict[str, Any], columns: Columns, faults: Faults) -> Filter | None:
    """Return what `filter` and every `where` say together."""
    parts = []
    if asked.get("filter") is not None:
        parts.append(filter_of(asked["filter"], columns, faults))
    wheres = wheres_of(asked.get("where") or (), columns.types)
    if len(wheres) > MOST_TERMS:
        faults.add("/where", "too-many-terms", N_("至多 %(most)s 个条件"), most=MOST_TERMS)
        return None
    parts += [filter_of(term, columns, faults, f"/where/{place}") for place, term in enumerate(wheres)]
    held = tuple(part for part in parts if part is not None)
    return held[0] if len(held) == 1 else Group("and", held) if held else None


def _order(given: str | Sequence[Any] | None, columns: Columns, faults: Faults) -> tuple[Order, ...]:
    """Return what to sort by: names, each with a minus in front for descending, parted by commas or in a list."""
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not 1 <= len(names) <= MOST_ORDERS:
        faults.add("/order", "bad-shape", N_("应为 1 到 %(most)s 个字段名"), most=MOST_ORDERS)
        return ()
    found = []
    for place, text in enumerate(names):
        name = text.strip() if isinstance(given, str) else text
        down = isinstance(name, str) and name.startswith("-") and name not in columns.types
        name = name[1:] if down else name
        if columns.holds(name, f"/order/{place}", faults):
            found.append(Order(name, down))
    if len({one.column for one in found}) < len(found):
        faults.add("/order", "bad-shape", N_("同一字段只写一次"))
    return tuple(found)


def selected(
    select: str | Sequence[Any] | None, granted: Sequence[str], known: Sequence[str], *, apply: str
) -> tuple[str, ...]:
    """Return the columns to show: all granted ones, or those named in `select`, in the order asked for.

    A column of the public dictionary that was not granted is 403, any other name 400; the answer names all of them.
    """
    if select is None:
        return tuple(granted)
    names = select.split(",") if isinstance(select, str) else select
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise BadParameter(N_("select 应为互不重复的字段名，用逗号分隔。"))
    wanted = [name.strip() if isinstance(select, str) else name for name in names]
    wanted = [name for name in wanted if name]
    if not wanted or len(set(wanted)) != len(wanted):
        raise BadParameter(N_("select 应为互不重复的字段名，用逗号分隔。"))
    if unknown := [name for name in wanted if name not in known and name not in granted]:
        raise UnknownColumn(columns=", ".join(unknown)[:2000], known=", ".join(granted))
    if closed := [name for name in wanted if name not in granted]:
        raise ColumnNotGranted(columns=", ".join(closed), apply=apply)
    return tuple(wanted)


def limit_of(text: str | int | None) -> int:
    """Return how many rows a page holds: 1 to 10000, 100 when not said."""
    if text is None:
        return DEFAULT_LIMIT
    if isinstance(text, bool) or not re.fullmatch(r"[0-9]{1,6}", str(text)) or not 1 <= int(text) <= MAX_LIMIT:
        raise BadParameter(N_("limit 应为 1 到 10000 的整数。"))
    return int(text)


def whole_limit_of(text: str | int | None) -> int | None:
    """Return how many rows an export holds at most; None for all of them."""
    if text is None:
        return None
    if isinstance(text, bool) or not re.fullmatch(r"[0-9]{1,12}", str(text)) or not 1 <= int(text) <= MOST_ROWS:
        raise BadParameter(N_("导出时 limit 应为正整数，不写即为全部。"))
    return int(text)


def flag_of(text: str | bool | None) -> bool:
    """Return whether a count is asked for."""
    if text not in (None, "", True, False, "true", "false", "1", "0"):
        raise BadParameter(N_("count 应为 true 或 false。"))
    return text in (True, "true", "1")


# ---- cursors --------------------------------------------------------------------------------------------------------


def seal_cursor(page: Page, binding: str, key: bytes) -> str:
    """Return an opaque cursor that holds for one binding (view, grant and epoch) and one query only."""
    body = json.dumps([page.start, page.query, *page.columns], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_mac(body, binding, key) + body).decode().rstrip("=")


def open_cursor(cursor: str, binding: str, key: bytes) -> Page:
    """Return the page a cursor stands for; CursorExpired when it is not ours or belongs to another binding."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        raise CursorExpired() from None
    mac, body = raw[:16], raw[16:]
    if not hmac.compare_digest(mac, _mac(body, binding, key)):
        raise CursorExpired()
    start, query, *columns = json.loads(body)
    return Page(start, tuple(columns), query)


def demand_same(page: Page, query: Query) -> None:
    """Raise CursorElsewhere when a cursor was made for another filter or order."""
    if page.query != query.digest():
        raise CursorElsewhere()


def _mac(body: bytes, binding: str, key: bytes) -> bytes:
    return hmac.new(key, b"cursor\0" + binding.encode() + b"\0" + body, hashlib.sha256).digest()[:16]
