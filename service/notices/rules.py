"""Pure rules of notices: the kinds with their texts, who may see one, when a failed delivery is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from service.base.beijing import BEIJING
from service.base.i18n import N_, format_date, format_time, gettext, pick

MAX_TRIES = 10
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice: its text with %(name)s blanks, and the page that it leads to (same blanks)."""

    text: str
    path: str


# A blank called `day` is a date (YYYY-MM-DD), one called `at` or `due` an instant (ISO 8601); both are shown in
# Beijing time.  A blank whose fact is {"zh", "en"} is shown in the reader's language.
KINDS: dict[str, Kind] = {
    "application-submitted": Kind(
        N_("申请 %(number)s 已提交，待您审核：%(dataset)s，应于 %(due)s 前办结本步骤。"),
        "/applications/%(application)s",
    ),
    "application-forwarded": Kind(
        N_("申请 %(number)s 已由数源单位审核，待您审定：%(dataset)s，应于 %(due)s 前办结本步骤。"),
        "/applications/%(application)s",
    ),
    "application-received": Kind(
        N_("申请 %(number)s 已收到：%(dataset)s。回执见申请页面。"), "/applications/%(application)s"
    ),
    "application-returned": Kind(
        N_("申请 %(number)s 被退回补正：%(dataset)s。理由见申请页面。"), "/applications/%(application)s"
    ),
    "application-approved": Kind(
        N_("申请 %(number)s 已获同意：%(dataset)s。由本单位管理员签署使用协议；签署前不产生数据使用授权。"),
        "/applications/%(application)s",
    ),
    "application-refused": Kind(
        N_("申请 %(number)s 不予开放：%(dataset)s。理由和条款见申请页面。"), "/applications/%(application)s"
    ),
    "application-withdrawn": Kind(
        N_("申请 %(number)s 已由申请单位撤回：%(dataset)s。"), "/applications/%(application)s"
    ),
    "unit-confirmed": Kind(N_("本单位的证明材料已核验，现在可以取得数据使用授权。"), "/account"),
    "unit-registered": Kind(N_("有新的申请单位待核验：%(unit)s。"), "/units"),
    "unit-disputed": Kind(N_("统一社会信用代码被第二次登记，须核实：%(unit)s。"), "/units"),
    "grant-issued": Kind(N_("数据使用授权已生效：%(dataset)s，有效期至 %(day)s 24:00。"), "/grants/%(grant)s"),
    "grant-ends": Kind(
        N_("数据使用授权将在 %(days)s 天内到期：%(dataset)s，%(day)s 24:00 起不能再取数。还要用的，提前重新申请。"),
        "/grants/%(grant)s",
    ),
    "grant-suspended": Kind(
        N_("数据使用授权 %(at)s 起暂停：%(dataset)s。事由：%(cause)s。一个工作日内须由第二人确认；异议请找数源单位。"),
        "/grants/%(grant)s",
    ),
    "suspension-confirmed": Kind(N_("数据使用授权的暂停已由第二人确认：%(dataset)s。"), "/grants/%(grant)s"),
    "suspension-lifted": Kind(N_("数据使用授权已恢复：%(dataset)s，可以继续取数。"), "/grants/%(grant)s"),
    "grant-returned": Kind(
        N_("数据使用授权已由申请单位于 %(at)s 交还，不能再取数：%(dataset)s。销毁数据等到期事项照常办理。"),
        "/grants/%(grant)s",
    ),
    "suspension-to-confirm": Kind(
        N_("有一项暂停须由您或其他审核人在 %(due)s 前确认或恢复：%(dataset)s。"), "/grants/%(grant)s"
    ),
    "suspension-unconfirmed": Kind(
        N_("一项暂停逾期未确认（期限 %(due)s）：%(dataset)s。须确认或恢复；系统不会自行决定。"), "/grants/%(grant)s"
    ),
    "recall-filed": Kind(N_("有一项数据行召回待第二人确认：%(dataset)s。"), "/recalls/%(id)s"),
    "recall-done": Kind(N_("已召回 %(removed)s 行，所有版本中都已移除：%(dataset)s。"), "/recalls/%(id)s"),
    "rows-recalled": Kind(
        N_("部分数据行已依法召回：%(dataset)s，第 %(version)s 版。%(at)s 以前取走的须全部删除并回复。"),
        "/recalls/%(id)s",
    ),
    "upload-checked": Kind(N_("上传的文件已读完，待您核对：%(dataset)s。"), "/datasets/%(id)s/uploads/%(upload)s"),
    "upload-loaded": Kind(
        N_("上传的文件已导入为第 %(version)s 版，待送保密审查：%(dataset)s。"), "/datasets/%(id)s/versions/%(version)s"
    ),
    "upload-refused": Kind(
        N_("上传的文件未能导入：%(dataset)s。原因见上传页面。"), "/datasets/%(id)s/uploads/%(upload)s"
    ),
    "upload-quarantined": Kind(
        N_("上传的文件带有密级或内部标志，已隔离，须由第二人清除：%(dataset)s。"), "/datasets/%(id)s/uploads/%(upload)s"
    ),
    "version-published": Kind(N_("%(dataset)s 发布了第 %(version)s 版：%(what)s。"), "/datasets/%(id)s#h-versions"),
    "version-held": Kind(
        N_("%(dataset)s 发布了第 %(version)s 版，与现用版本不兼容，%(day)s 起成为现用版本，此前两版并行：%(what)s。"),
        "/datasets/%(id)s#h-versions",
    ),
    "grant-version-held": Kind(
        N_(
            "%(dataset)s 的第 %(version)s 版暂缓提供，数据使用授权 %(grant)s 仍提供第 %(served)s 版。"
            "原因：%(what)s。%(advice)s。"
        ),
        "/grants/%(grant)s",
    ),
    "version-withdrawn": Kind(
        N_("%(dataset)s 的第 %(version)s 版已撤下，不再提供。事由：%(cause)s。%(what)s。"),
        "/datasets/%(id)s#h-versions",
    ),
    "view-quarantined": Kind(
        N_("一份数据文件未能放行，须核查：%(dataset)s，版本 %(version)s，原因代码 %(reasons)s。"), "/datasets/%(id)s"
    ),
    "view-failed": Kind(
        N_("一份数据文件多次生成失败：%(dataset)s，版本 %(version)s，故障 %(fault)s。"), "/datasets/%(id)s"
    ),
    "usage-volume": Kind(
        N_("%(day)s 的取数量明显高于平时：%(dataset)s，%(what)s 为 %(today)s，前 14 天的中位数为 %(usual)s。请核查。"),
        "/datasets/%(id)s/usage",
    ),
    "usage-network": Kind(
        N_("取数系统“%(system)s”从没用过的网络 %(network)s 取数：%(dataset)s。请核查。"), "/datasets/%(id)s/usage"
    ),
}


def text(kind: str, facts: Mapping[str, Any]) -> str:
    """Return a notice's text in the current language; KeyError when the kind or one of its facts is missing."""
    return gettext(KINDS[kind].text, **_shown(facts))


def path(kind: str, facts: Mapping[str, Any]) -> str:
    """Return the page that a notice leads to; KeyError as in `text`."""
    return KINDS[kind].path % dict(facts)


def wait(tries: int) -> timedelta | None:
    """Return how long to wait after the `tries`-th failed delivery; None when it is to be shown as failed instead.

    The waits double from a minute to six hours; they add up to more than half a day.
    """
    if tries >= MAX_TRIES:
        return None
    doubled: timedelta = FIRST_WAIT * 2 ** (tries - 1)
    return min(doubled, LONGEST_WAIT)


def _shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in facts.items()}


def _deadline(due: datetime) -> str:
    """Return an instant until which something is to be done; midnight is 24:00 of the day before, as people say it."""
    at = due.astimezone(BEIJING)
    if at.time() == time.min:
        return f"{format_date(at.date() - timedelta(days=1))} 24:00"
    return format_time(at)


def _value(name: str, value: Any) -> Any:
    if name == "day":
        return format_date(date.fromisoformat(value))
    if name == "due":
        return _deadline(datetime.fromisoformat(value))
    if name == "at":
        return format_time(datetime.fromisoformat(value))
    if name == "cause":
        return str(value).rstrip("。.；; ")  # the sentence around it sets its own stop
    return pick(value) if isinstance(value, dict) else value
