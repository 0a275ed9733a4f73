"""What may become of an upload, what is asked of its sender, and why one is refused.

The protocol is tus 1.0: a file is announced with its length, comes in pieces, and each piece says where it begins.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import field as of
from datetime import timedelta
from enum import StrEnum
from typing import Any

from service.base.errors import Refusal
from service.base.i18n import N_

MOST_BYTES = 10 << 30
MOST_BY_FORM = 64 << 20  # bytes of a file that comes as a form, in one piece
MOST_OPEN = 20  # uploads of one dataset whose file is there
LASTS = timedelta(days=7)  # from the last piece or act on
RETAKE_AFTER = timedelta(seconds=90)  # a reading that was not heard of for so long is a dead worker's
MOST_TRIES = 3
ALGORITHMS = ("sha256", "sha1")  # the protocol demands the second


class RunState(StrEnum):
    """`waiting` to be read, `checked` by us and waiting for the steward, `confirmed` and waiting to be loaded."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    READING = "reading"
    CHECKED = "checked"
    CONFIRMED = "confirmed"
    LOADING = "loading"
    DONE = "done"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    PURGED = "purged"
    ENDED = "ended"
    EXPIRED = "expired"


STATE_TITLES = {
    RunState.RECEIVING: N_("未传完"),
    RunState.WAITING: N_("待读取"),
    RunState.READING: N_("正在读取"),
    RunState.CHECKED: N_("待核对"),
    RunState.CONFIRMED: N_("待导入"),
    RunState.LOADING: N_("正在导入"),
    RunState.DONE: N_("已导入"),
    RunState.REFUSED: N_("未能导入"),
    RunState.QUARANTINED: N_("已隔离"),
    RunState.PURGED: N_("已清除"),
    RunState.ENDED: N_("已放弃"),
    RunState.EXPIRED: N_("已过期"),
}
KEPT = frozenset(
    {
        RunState.RECEIVING, RunState.WAITING, RunState.READING, RunState.CHECKED, RunState.CONFIRMED, RunState.LOADING,
        RunState.QUARANTINED,
    }
)  # fmt: skip
LAPSING = frozenset({RunState.RECEIVING, RunState.WAITING, RunState.CHECKED})  # those that time ends
MOVING = frozenset({RunState.WAITING, RunState.READING, RunState.CONFIRMED, RunState.LOADING})
# What a worker takes up, and what the run is while it is at it.
WORK = {RunState.WAITING: RunState.READING, RunState.CONFIRMED: RunState.LOADING}


class UploadGone(Refusal):
    """The upload has ended, or its file is not there any more.  Facts: `state`."""

    code = "upload-gone"
    title = N_("这次上传已经结束")
    status = 410
    detail = N_("这次上传的文件已不在（已导入、已放弃或已过期）。要再传的，从头开始一次新的上传。")


class WrongOffset(Refusal):
    """A piece does not begin where the last one ended.  Facts: `offset`."""

    code = "upload-offset"
    title = N_("续传的位置不对")
    status = 409
    detail = N_("服务器上已有 %(offset)s 字节，请从这里接着传。")


class UploadLocked(Refusal):
    """Another piece is being written.  Facts: `retry_after`."""

    code = "upload-locked"
    title = N_("这次上传正在接收另一段")
    status = 423


class ChecksumMismatch(Refusal):
    """What arrived is not what was sent; nothing of the piece is kept.  Facts: `offset`."""

    code = "upload-checksum"
    title = N_("这一段的校验值不符")
    status = 460
    detail = N_("收到的内容与校验值不符，这一段未保存。服务器上仍是 %(offset)s 字节，请从这里重传。")


class TooLong(Refusal):
    """More bytes than were announced, or than one upload may have.  Facts: `most`, in bytes."""

    code = "upload-too-long"
    title = N_("文件超过上限或超过所报的长度")
    status = 413
    detail = N_("最多 %(most)s 字节。多出的内容未保存。")


class DiskFull(Refusal):
    """There is no room on the disk; what arrived before stays.  Facts: `retry_after`."""

    code = "upload-no-room"
    title = N_("存储空间不足")
    status = 507
    detail = N_("服务器的磁盘空间不足，这一段未保存；已收到的部分还在，可稍后续传。请告知系统运维人员。")


class CutOff(Refusal):
    """The sender left in the middle of a piece; what arrived is kept.  Facts: `offset`."""

    code = "upload-cut"
    title = N_("传输中断")
    status = 400
    detail = N_("已收到 %(offset)s 字节，请从这里接着传。")


class WrongProtocol(Refusal):
    """The request speaks another version of the protocol, or not this one."""

    code = "upload-protocol"
    title = N_("不支持的上传协议版本")
    status = 412
    detail = N_("本接口使用 tus 1.0.0：请求须带 Tus-Resumable: 1.0.0。")


class TooManyUploads(Refusal):
    """Facts: `most`."""

    code = "upload-too-many"
    title = N_("未办结的上传过多")
    status = 409
    detail = N_("这个数据集未办结的上传已有 %(most)s 次，先办结或放弃其中一些。")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a steward said about a file: how to read it, then which heading is which column and what may be left out.

    None is to be found out.  `mapping` has for each column of the dataset the place of its heading, from 0; `most` is
    the share of rows, in per cent, that may be left out.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    member: str | None = None
    mapping: Mapping[str, int] = of(default_factory=dict)
    append: bool = False
    most: float = 0.0

    def document(self) -> dict[str, Any]:
        return asdict(self)


def metadata(header: str | None) -> dict[str, str]:
    """Return what an Upload-Metadata header says; ValueError where it is not names with base64 texts."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in (header or "").split(","))):
        name, _blank, value = pair.partition(" ")
        if name in found:
            raise ValueError("a name is given twice")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("a value is not base64 of UTF-8") from None
    return found


def checksum(header: str | None) -> tuple[str, bytes] | None:
    """Return the algorithm and the digest of an Upload-Checksum header; ValueError where it is none of ours."""
    if header is None:
        return None
    name, _blank, value = header.strip().partition(" ")
    if name not in ALGORITHMS:
        raise ValueError("an unknown algorithm")
    try:
        return name, base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("the digest is not base64") from None
