"""The log's rules: words of action, salted commitments, an RFC 6962 Merkle tree, signed heads.  Pure."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from service.base.errors import Refusal
from service.base.i18n import N_

# ---- words ----------------------------------------------------------------------------------------------------------

# Every act that the log may tell, and what people call it.  A word that is not here is refused, so that each act is
# documented once.
KINDS: dict[str, str] = {
    "application:submit": N_("申请·提交"),
    "application:withdraw": N_("申请·撤回"),
    "application:approve": N_("申请·同意"),
    "application:narrow": N_("申请·部分开放"),
    "application:return": N_("申请·退回补正"),
    "application:refuse": N_("申请·不予开放"),
    "application:sign": N_("申请·签署"),
    "agreement:offer": N_("协议·送交"),
    "agreement:sign": N_("协议·签署"),
    "client:create": N_("应用系统·新建"),
    "client:allow": N_("应用系统·关联数据使用授权"),
    "client:secret": N_("应用系统·生成密钥"),
    "client:disable": N_("应用系统·停用"),
    "token:issue": N_("令牌·签发"),
    "dataset:import": N_("数据集·导入"),
    "dataset:publish": N_("数据集·发布"),
    "version:load": N_("版本·导入"),
    "version:publish": N_("版本·发布"),
    "version:withdraw": N_("版本·撤下"),
    "upload:begin": N_("上传·开始"),
    "upload:complete": N_("上传·传完"),
    "upload:check": N_("上传·读取"),
    "upload:correct": N_("上传·更正读法"),
    "upload:confirm": N_("上传·确认导入"),
    "upload:load": N_("上传·导入为版本"),
    "upload:refuse": N_("上传·未能导入"),
    "upload:quarantine": N_("上传·隔离"),
    "upload:purge": N_("上传·清除"),
    "upload:end": N_("上传·放弃"),
    "upload:expire": N_("上传·过期"),
    "secrecy:file": N_("保密审查·送审"),
    "secrecy:review": N_("保密审查·审核"),
    "secrecy:approve": N_("保密审查·批准"),
    "secrecy:refuse": N_("保密审查·不予公开"),
    "recall:file": N_("召回·提出"),
    "recall:confirm": N_("召回·确认"),
    "recall:refuse": N_("召回·不予召回"),
    "recall:carry-out": N_("召回·移除数据行"),
    "recall:restore": N_("召回·在恢复的备份中再次移除"),
    "recall:answer": N_("召回·申请单位回复"),
    "edition:publish": N_("负面清单·发布版本"),
    "grant:issue": N_("数据使用授权·授予"),
    "grant:suspend": N_("数据使用授权·暂停"),
    "grant:confirm": N_("数据使用授权·确认暂停"),
    "grant:lift": N_("数据使用授权·恢复"),
    "grant:judge": N_("数据使用授权·新版本判定可用"),
    "grant:hold": N_("数据使用授权·新版本暂缓"),
    "grant:look-again": N_("数据使用授权·要求重新判定新版本"),
    "grant:move": N_("数据使用授权·改用新版本"),
    "grant:handback": N_("数据使用授权·交还"),
    "view:collect": N_("数据视图·清理"),
    "view:file": N_("数据视图·格式转换"),
    "view:ready": N_("数据视图·可用"),
    "view:quarantine": N_("数据视图·隔离"),
    "view:recall": N_("数据视图·因召回清空"),
    "unit:register": N_("单位·登记"),
    "unit:add": N_("单位·添加"),
    "unit:confirm": N_("单位·核实"),
    "unit:dispute": N_("单位·身份争议"),
    "unit:settle": N_("单位·了结身份争议"),
    "unit:change": N_("单位·变更信息"),
    "person:register": N_("人员·登记"),
    "person:add": N_("人员·添加"),
    "person:role": N_("人员·变更角色"),
    "person:change": N_("人员·更正信息"),
    "person:password": N_("人员·更改密码"),
    "person:disable": N_("人员·停用"),
    "session:begin": N_("会话·登录"),
    "session:end": N_("会话·退出"),
    "service:restore": N_("系统·从备份恢复"),
    "service:check": N_("系统·核对恢复结果"),
    "service:open": N_("系统·重新开放数据"),
}

_SUBJECT = re.compile(r"[a-z][a-z_-]*:[\x21-\x7e]{1,96}")
_CODE = re.compile(r"[\x21-\x7e]{0,200}")


@dataclass(frozen=True, slots=True)
class Act:
    """What one event says.  `at` is in UTC; `facts` hold ids, codes, digests and numbers, never a name or a text."""

    id: str
    subject: str
    version: int
    kind: str
    by: str
    at: datetime
    facts: dict[str, Any]


def check(act: Act) -> None:
    """Raise ValueError unless the act uses known words and carries nothing but ids, codes and numbers.

    A text in the log could never be erased or corrected; it stays outside, with its salt, and the log holds `salted`.
    """
    if act.kind not in KINDS:
        raise ValueError(f"the log does not know the act {act.kind!r}")
    if not _SUBJECT.fullmatch(act.subject):
        raise ValueError(f"a subject reads noun:id, not {act.subject!r}")
    if act.version < 1:
        raise ValueError("versions of a case begin at 1")
    _check_fact("facts", act.facts)


def canonical(act: Act) -> bytes:
    """Return the act as RFC 8785 JSON: the same bytes on every machine and in every database."""
    return rfc8785.dumps(
        {
            "id": act.id, "subject": act.subject, "version": act.version, "kind": act.kind, "by": act.by,
            "at": instant(act.at), "facts": act.facts,
        }
    )  # fmt: skip


def commitment(act: Act, salt: bytes) -> bytes:
    """Return what the log publishes of an act.  Without the salt the few things that can happen could be tried out."""
    return hashlib.sha256(salt + canonical(act)).digest()


def salted(text: str, salt: str) -> str:
    """Return a commitment to a text that lives elsewhere; erasing the text and its salt leaves a meaningless number."""
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def instant(at: datetime) -> str:
    """Return an instant as UTC with microseconds, always of one length."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _check_fact(name: str, value: object) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_fact(f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_fact(name, item)
    elif isinstance(value, str) and not _CODE.fullmatch(value):
        raise ValueError(f"{name}: the log holds ids and codes, not text")
    elif not isinstance(value, str | int | float | bool | None):
        raise ValueError(f"{name}: {type(value).__name__} has no place in the log")


# ---- the tree (RFC 6962) --------------------------------------------------------------------------------------------

EMPTY = hashlib.sha256(b"").digest()
TILE = 8  # levels: the log keeps the hashes of complete subtrees of 256, 65536, … leaves, so that proofs stay short

# Gives the hash of the complete subtree `index` of 2**level leaves.
Nodes = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Edge:
    """The right edge of a tree of `size` leaves: the roots of its complete subtrees, largest first.

    It is all that is needed to add a leaf or to tell the root.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(hashes)}")
        self.size = size
        self.hashes = list(hashes)

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; return the subtrees that it completes as (level, index, hash), level 1 first."""
        completed = []
        position, level = self.size, 0
        while position >> level & 1:
            level += 1
            leaf = node_hash(self.hashes.pop(), leaf)
            completed.append((level, position >> level, leaf))
        self.hashes.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY
        right = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            right = node_hash(left, right)
        return right


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree from its 2**n children in order."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def subtree(start: int, end: int, nodes: Nodes) -> bytes:
    """Return the hash of leaves `start` up to but not including `end`, a range met by RFC 6962's own splitting."""
    size = end - start
    if size & (size - 1) == 0:
        return nodes(size.bit_length() - 1, start // size)
    middle = start + _split(size)
    return node_hash(subtree(start, middle, nodes), subtree(middle, end, nodes))


def root(size: int, nodes: Nodes) -> bytes:
    return subtree(0, size, nodes) if size else EMPTY


def inclusion_proof(position: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path from leaf `position` to the root of the first `size` leaves, lowest first."""
    if not 0 <= position < size:
        raise ValueError(f"no leaf {position} among {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `new` leaves begins with the tree of `old` leaves."""
    if not 0 <= old <= new:
        raise ValueError(f"{old} leaves do not come before {new}")
    if old == 0:
        return []
    path, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end, nodes))
    return path[::-1]


def _split(size: int) -> int:
    """Return the largest power of two below `size` (2 or more)."""
    return 1 << (size - 1).bit_length() - 1


# ---- heads and findings ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed head of the log: whoever keeps one can tell later whether the log before it was touched.

    `root`, `key` (the Ed25519 public key) and `signature` are lower-case hexadecimal.
    """

    size: int
    root: str
    signed_at: datetime
    key: str
    signature: str

    def document(self) -> dict[str, object]:
        return {
            "format": FORMAT, "size": self.size, "root": self.root, "signed_at": instant(self.signed_at),
            "key": self.key, "signature": self.signature,
        }  # fmt: skip


FORMAT = "qiantang-checkpoint/1"


def signed_bytes(size: int, root: str, signed_at: datetime) -> bytes:
    """Return what a head's signature covers."""
    return rfc8785.dumps({"format": FORMAT, "size": size, "root": root, "signed_at": instant(signed_at)})


def checkpoint_from(document: object) -> Checkpoint:
    """Read a checkpoint back from its JSON document; ValueError when it is none."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a {FORMAT}")
    try:
        at = datetime.fromisoformat(str(document["signed_at"]))
        size, texts = int(document["size"]), [str(document[name]) for name in ("root", "key", "signature")]
        for text in texts:
            bytes.fromhex(text)
    except (KeyError, TypeError, ValueError) as fault:
        raise ValueError(f"not a {FORMAT}: {fault}") from None
    if at.tzinfo is None or size < 0:
        raise ValueError(f"not a {FORMAT}")
    return Checkpoint(size, texts[0], at, texts[1], texts[2])


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the log: a code of FAULTS and what it is about."""

    code: str
    subject: str = ""
    version: int | None = None
    event: str = ""
    position: int | None = None
    size: int | None = None


FAULTS = {
    "version-missing": N_("%(subject)s 缺少第 %(version)s 版的事件"),
    "event-stray": N_("事件 %(event)s（%(subject)s 第 %(version)s 版）不是由系统写入的"),
    "event-missing": N_("第 %(position)s 个叶子的事件 %(event)s 不见了"),
    "event-changed": N_("事件 %(event)s（%(subject)s 第 %(version)s 版）被改动"),
    "event-lost": N_("等待封存的事件 %(event)s 不见了"),
    "leaf-missing": N_("缺少第 %(position)s 个叶子"),
    "leaf-changed": N_("第 %(position)s 个叶子与事件 %(event)s 不符"),
    "tile-changed": N_("第 %(position)s 个叶子所在的子树散列不符"),
    "head-changed": N_("大小为 %(size)s 的签名树根与叶子不符"),
    "head-signature": N_("大小为 %(size)s 的树根签名无效"),
    "head-key": N_("大小为 %(size)s 的树根不是用本系统的密钥签名的"),
    "head-missing": N_("最后的签名树根只到 %(size)s，之后还有叶子"),
    "checkpoint-signature": N_("所给检查点（大小 %(size)s）的签名无效"),
    "checkpoint-ahead": N_("日志短于所给检查点（大小 %(size)s）：被截断或回退"),
    "checkpoint-differs": N_("日志的前 %(size)s 个叶子与所给检查点不符：被改写"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found: the first fault if any, and how far the log has been sealed."""

    fault: Fault | None
    size: int
    root: str
    unsealed: int
    unsealed_since: datetime | None


class NotShut(Refusal):
    code = "not-shut"
    title = N_("数据服务并未关闭")
    status = 409
