"""When a new version may reach a grant: its columns, their level, the verdict and the smallest groups.  Pure.

A version is judged (it may be read) or held for reasons; each is a document {"code", …} with what its words need.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.base.errors import Refusal
from service.base.i18n import N_
from service.screening.rules.requests import standing_out, strictness

Reason = dict[str, Any]


class Code(StrEnum):
    SCHEMA = "schema-changed"
    LEVEL = "level-raised"
    VERDICT = "verdict-stricter"
    BASIS = "basis-missing"
    EMPTY = "version-empty"
    GROUP = "group-too-small"
    DIFFERENCE = "difference-too-small"
    GRANTS = "grants-too-close"
    UNMEASURED = "not-measured"


WAITING = frozenset({Code.GROUP, Code.DIFFERENCE, Code.GRANTS})  # for more rows: the next version is measured again

SAID = {
    Code.SCHEMA: N_("字段与判定时不同：%(columns)s"),
    Code.LEVEL: N_("所授权字段的级别由 L%(before)s 升为 L%(after)s"),
    Code.VERDICT: N_("按今天的负面清单，判定比授权所依据的更严：%(rules)s"),
    Code.BASIS: N_("找不到授权所依据的判定"),
    Code.EMPTY: N_("这一版没有数据"),
    Code.GROUP: N_("有的分组不足 %(k)s 行"),
    Code.DIFFERENCE: N_("与第 %(base)s 版相比，有的分组新增或减少的行不足 %(k)s 行"),
    Code.GRANTS: N_("与本单位数据使用授权 %(grant)s 的数据相比，有的分组相差不足 %(k)s 行"),
    Code.UNMEASURED: N_("分组人数没有测算成功"),
}
WAIT = N_("累计的变化达到最小分组人数后，随下一版自动提供，不必办理手续")
LOOK = N_("由数源单位核查后重新判定；确需新内容的，可以另行申请")


class RowsTooClose(Refusal):
    """A grant's rows and those of another grant of the unit would differ by too few.  Facts: `grant`, `k`."""

    code = "rows-too-close"
    title = N_("与本单位另一项数据使用授权的数据相差太少")
    status = 409
    detail = N_(
        "与数据使用授权 %(grant)s 的数据相比，有的分组相差不足 %(k)s 行，两份合起来能认出少数人。"
        "请改用与那一项相同的时间和区域范围，或等它到期后再签署。"
    )


class RowsNotMeasured(Refusal):
    """Whether two grants of a unit come too close could not be found out.  Facts: `fault`."""

    code = "rows-not-measured"
    title = N_("暂时不能测算与本单位其他授权的差别，请稍后再签署")
    status = 503


@dataclass(frozen=True, slots=True)
class Known:
    """A column as it was judged, or as a version has it."""

    name: str
    type: str
    semantic: str | None


def schema_reasons(judged: Iterable[Known], there: Iterable[Known]) -> list[Reason]:
    """Return why a version's columns are not as they were judged: one is gone, of another type or of another meaning.

    Columns that came are none of the grant's; they stay closed.
    """
    found = {column.name: column for column in there}
    changed = [column.name for column in judged if found.get(column.name) != column]
    return [{"code": Code.SCHEMA.value, "columns": changed}] if changed else []


def level_reasons(before: int, after: int) -> list[Reason]:
    return [{"code": Code.LEVEL.value, "before": before, "after": after}] if after > before else []


def verdict_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Reason]:
    """Return why today's verdict does not carry a grant that rests on the verdict `before`.

    It is stricter, forbids or might forbid, a rule stands out that did not, or a condition is there that was not.
    """
    known = {(rule["list"], rule["id"], rule["state"]) for rule in standing_out(before)}
    hit = {(rule["list"], rule["id"]) for rule in standing_out(before) if rule["state"] == "hit"}
    rules = [
        str(rule["id"])
        for rule in standing_out(after)
        if (rule["list"], rule["id"], rule["state"]) not in known and (rule["list"], rule["id"]) not in hit
    ]
    stricter = any(strictness(after[part]) > strictness(before[part]) for part in ("outcome", "ceiling"))
    forbidden = "prohibit" in (after["outcome"], after["ceiling"])
    duties = [str(each["kind"]) for each in after["obligations"] if each not in before["obligations"]]
    if not (rules or stricter or forbidden or duties):
        return []
    standing = rules or [str(rule["id"]) for rule in standing_out(after)]
    return [{"code": Code.VERDICT.value, "outcome": after["outcome"], "rules": standing, "conditions": duties}]


def smallest_group(verdicts: Iterable[Mapping[str, Any]], released: tuple[Sequence[str], int] | None) -> int | None:
    """Return the smallest group that binds: the largest of what verdicts ask and a view lets out; None for none."""
    asked = [int(duty["k"]) for verdict in verdicts for duty in verdict["obligations"] if duty["kind"] == "min_group"]
    sizes = [*asked, *([released[1]] if released else [])]
    return max(sizes, default=None)


def group_reasons(k: int, *, whole: int | None) -> list[Reason]:
    return [] if whole is None else [{"code": Code.GROUP.value, "k": k}]


def difference_reasons(k: int, *, came: int | None, gone: int | None, base: int, grant: str | None) -> list[Reason]:
    """Return why the rows that came or went since version `base` (of another `grant`) are too few somewhere.

    How few, is not said: it would tell of them.
    """
    if came is None and gone is None:
        return []
    if grant is None:
        return [{"code": Code.DIFFERENCE.value, "k": k, "base": base}]
    return [{"code": Code.GRANTS.value, "k": k, "base": base, "grant": grant}]


def needed(older: Sequence[tuple[int, frozenset[str]]], parts: frozenset[str]) -> list[int]:
    """Return which of the versions that a grant has, (number, parts) oldest first, a new one is held against.

    The newest, always.  Of the others those from which rows went on the way: where versions only grew, what came since
    an older one is made of what came since each newer one, and every step of it was large enough.
    """
    wanted: list[int] = []
    grown, following = True, parts
    for place, (number, held) in enumerate(reversed(older)):
        grown = grown and held <= following
        if place == 0 or not grown:
            wanted.append(number)
        following = held
    return wanted


def waits(reasons: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nothing but more rows is waited for, so that nobody has to do anything."""
    codes = [reason["code"] for reason in reasons]
    return bool(codes) and all(code in WAITING for code in codes)


def said(reason: Mapping[str, Any], say: Callable[[str], str], joint: str = "、") -> str:
    """Return a reason in words; each message is put into the reader's language by `say`, lists are joined."""
    facts = {name: joint.join(map(str, value)) if isinstance(value, list) else value for name, value in reason.items()}
    message = SAID[Code(reason["code"])]
    if reason["code"] == Code.VERDICT and not reason["rules"]:
        facts["rules"] = joint.join(map(str, reason["conditions"])) or str(reason["outcome"])
    return say(message) % facts


def advice(reasons: Iterable[Mapping[str, Any]]) -> str:
    """Return what is to be done about reasons, as a message."""
    return WAIT if waits(reasons) else LOOK
