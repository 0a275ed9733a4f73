"""Pure rules of the data plane: what a caller may select, pages and their cursors, byte ranges."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.base.errors import NotFound, Refusal
from service.base.i18n import N_

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 100
FILES = {"data.parquet": "application/vnd.apache.parquet", "data.csv": "text/csv; charset=utf-8"}


class ColumnNotGranted(Refusal):
    code = "column-not-granted"
    title = N_("字段不在数据使用授权范围内")
    status = 403
    detail = N_("数据使用授权不含字段：%(columns)s。可在数据集页面另行申请：%(apply)s")


class UnknownColumn(Refusal):
    code = "unknown-column"
    title = N_("没有这个字段")
    status = 400
    detail = N_("没有这些字段：%(columns)s。可用字段：%(known)s")


class BadParameter(Refusal):
    code = "bad-parameter"
    title = N_("参数不正确")
    status = 400


class CursorExpired(Refusal):
    """The cursor belongs to another view or grant, or was not made by us."""

    code = "cursor-expired"
    title = N_("翻页位置已失效")
    status = 410
    detail = N_("数据或数据使用授权已有变动，请从第一页重新读取。")


class RangeOutside(Refusal):
    code = "range-not-satisfiable"
    title = N_("所要的字节范围超出文件")
    status = 416
    detail = N_("文件共 %(size)s 字节，请从头读取或改用文件之内的范围。")


class ViewMissing(NotFound):
    """The dataset has no data that may be read without a grant, or the dataset has none at all."""

    detail = N_("没有可读取的数据")


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of rows begins in its view, counted in rows from 0, and which columns it shows."""

    start: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of a file, `start` up to but not including `end`."""

    start: int
    end: int


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


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """Return the single range that `header` asks for; None for none, several or a malformed one: the whole file.

    Raises ValueError when the range lies outside the file (416).
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if first and last and int(last) < int(first):
        return None
    if start >= size or start >= end:
        raise ValueError("range outside the file")
    return ByteRange(start, end)


SELECT_CHANGED = N_("翻页时不能更换字段，请从第一页重新读取。")

# ---- what a refused program does next -------------------------------------------------------------------------------

# Titles of refusals that only the token endpoint's own protocol has (RFC 6749 5.2, RFC 9396).
TOKEN_TITLES = {
    "invalid-client": N_("client_id 与密钥不符"),
    "invalid-request": N_("换取令牌的请求格式不对"),
    "invalid-scope": N_("没有这个 scope"),
    "invalid-grant": N_("没有可用的数据使用授权"),
    "invalid-authorization-details": N_("authorization_details 不成立"),
    "unsupported-grant-type": N_("不支持这种换取方式"),
    "temporarily-unavailable": N_("换取令牌失败次数过多"),
}
_AGAIN = N_("用系统凭据重新换取令牌，再重试一次；令牌最长一小时，程序收到 401 时应自动重取。")
_GRANT_OVER = N_("重试没有用。需要继续使用的，由本单位重新申请；程序里请停掉这项定时任务。")
ADVICE = {
    "token-expired": _AGAIN,
    "token-revoked": N_("系统停用或换过密钥，旧令牌即作废。用现在的密钥重新换取；系统已停用的，由管理员另行登记。"),
    "grant-missing": N_("由本单位管理员在授权页把这个系统加进去，再重新换取令牌：旧令牌不含后加的授权。"),
    "grant-not-started": N_("开始之前重试没有用；到开始的时间再取，令牌也要重新换取。"),
    "grant-suspended": N_("暂停期间重试没有用。事由写在授权页，有异议请联系数源单位；恢复后同一令牌即可继续取数。"),
    "grant-ended": _GRANT_OVER,
    "grant-returned": _GRANT_OVER,
    "wrong-delivery": N_("改用已授权的方式：整个文件用 /files/，按页读取用 /rows。"),
    "view-building": N_("按 Retry-After 的秒数等一等再取，通常不到一分钟。"),
    "version-held": N_("这一版暂缓提供，已告知数源单位核查；一小时后再试，不必重新申请。"),
    "column-not-granted": N_("从 select 里去掉这些字段，或不写 select 取全部已授权的字段；确实需要的，另行申请。"),
    "unknown-column": N_("核对 select 里的字段名：区分大小写，用逗号分隔。授权页列有全部字段。"),
    "bad-parameter": N_("核对请求的参数：limit 为 1 到 10000 的整数，select 的字段名不重复。"),
    "cursor-expired": N_("从第一页重新读取：翻页位置只对同一授权的同一版数据有效。"),
    "not-found": N_("核对数据集编号和文件名：文件只有 data.parquet 和 data.csv。"),
    "unavailable": N_("按 Retry-After 的秒数等一等再试。"),
    "invalid-client": N_("核对 client_id 和密钥，前后不要带空格或换行。密钥更换过的，旧的已失效；遗失的，换一个新的。"),
    "invalid-request": N_("每个参数放在请求体里，只写一次；client_id 和密钥只用一种方式传。"),
    "invalid-scope": N_("scope 写 data.read，或者不写。"),
    "invalid-grant": N_("由本单位管理员在授权页为这个系统加上数据使用授权。"),
    "invalid-authorization-details": N_("不写即得全部授权；要收窄，identifier 写数据集编号，columns 写已授权的字段。"),
    "unsupported-grant-type": N_("grant_type 写 client_credentials。"),
    "temporarily-unavailable": N_("等一分钟再试，并先核对密钥：连续失败会被限制。"),
}  # fmt: skip
OTHERWISE = N_("把请求号告诉数源单位或主管部门，他们凭请求号就能查到这一次。")
