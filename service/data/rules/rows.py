"""What a caller may select of rows; pages and their cursors."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.base.i18n import N_
from service.data.rules.refusals import BadParameter, ColumnNotGranted, CursorExpired, UnknownColumn

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 100
SELECT_CHANGED = N_("翻页时不能更换字段，请从第一页重新读取。")


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of rows begins in its view, counted in rows from 0, and which columns it shows."""

    start: int
    columns: tuple[str, ...]


def selected(select: str | None, granted: Sequence[str], known: Sequence[str], *, apply: str) -> tuple[str, ...]:
    """Return the columns to show: all granted ones, or those named in `select`, in the order asked for.

    A column of the public dictionary that was not granted is 403, any other name 400; the answer names all of them.
    """
    if select is None:
        return tuple(granted)
    wanted = [name.strip() for name in select.split(",") if name.strip()]
    if not wanted or len(set(wanted)) != len(wanted):
        raise BadParameter(N_("select 应为互不重复的字段名，用逗号分隔。"))
    if unknown := [name for name in wanted if name not in known and name not in granted]:
        raise UnknownColumn(columns=", ".join(unknown), known=", ".join(granted))
    if closed := [name for name in wanted if name not in granted]:
        raise ColumnNotGranted(columns=", ".join(closed), apply=apply)
    return tuple(wanted)


def limit_of(text: str | None) -> int:
    """Return how many rows a page holds: 1 to 10000, 100 when not said."""
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise BadParameter(N_("limit 应为 1 到 10000 的整数。"))
    return int(text)


def seal_cursor(page: Page, binding: str, key: bytes) -> str:
    """Return an opaque cursor that holds for one binding (view, grant and epoch) only."""
    body = json.dumps([page.start, *page.columns], ensure_ascii=False).encode()
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
    start, *columns = json.loads(body)
    return Page(start, tuple(columns))


def _mac(body: bytes, binding: str, key: bytes) -> bytes:
    return hmac.new(key, b"cursor\0" + binding.encode() + b"\0" + body, hashlib.sha256).digest()[:16]
