"""The application form: saved as typed, checked field by field; and the bodies of decisions and signatures."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from werkzeug.datastructures import MultiDict

from service.applications.rules import Frame, Request, StepName, latest_end
from service.base.forms import Form
from service.base.i18n import N_, format_date, gettext

PAGE_FIELDS = frozenset({"go", "mend", "was"})  # what a step's page sends besides its answers
OBJECTION = "objection-"  # the page's field for a column's objection is this and the column's name
MLPS = ("none", "mlps2", "mlps3", "mlps4")
# Longest texts, in characters.  A draft may hold more (it is kept as typed); a submission may not.
LONGEST = {
    "verdict_objection": 2000,
    "statement": 2000,
    "security_officer": 60,
    "storage": 200,
    "incidents_note": 1000,
}
FORM_WORDS = {
    "columns": N_("字段"),
    "verdict_objection": N_("对整体判定的异议"),
    "period_from": N_("数据起始日期"),
    "period_to": N_("数据截止日期"),
    "areas": N_("区域"),
    "purpose": N_("用途"),
    "statement": N_("用途说明"),
    "delivery": N_("提供方式"),
    "ends_on": N_("使用截止日期"),
    "cross_border": N_("是否出境或境外访问"),
    "onward_sharing": N_("是否向他人提供"),
    "security_officer": N_("数据安全负责人"),
    "mlps": N_("网络安全等级保护"),
    "storage": N_("存储地点"),
    "incidents": N_("近三年安全事件"),
    "incidents_note": N_("安全事件说明"),
    "members": N_("接触数据的人员"),
}
# What a person is asked for where nothing was given.
LACKS = {
    "purpose": N_("选一个用途类别"),
    "statement": N_("写一句：用这些数据做什么，给谁用"),
    "delivery": N_("选一种提供方式"),
    "ends_on": N_("写明用到哪一天"),
    "cross_border": N_("说明数据是否出境、是否供境外访问"),
    "onward_sharing": N_("说明是否向他人提供"),
    "security_officer": N_("写明由谁负责数据安全"),
    "mlps": N_("选择备案的级别，没有备案选“未备案”"),
    "storage": N_("写明数据放在哪里"),
    "incidents": N_("说明近三年是否发生过安全事件"),
    "incidents_note": N_("写明是什么事件、怎样处理的"),
    "members": N_("写下会接触数据的人，每行一人"),
}
LONGEST_OBJECTION, LONGEST_MEMBER, LONGEST_AREA = 1000, 40, 60
MOST_MEMBERS, MOST_AREAS = 100, 200


def _raw(value: object) -> object:
    """Return an API's typed value as the page would send it: one text a line, yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return "\n".join(value)
    return "" if value is None else value


Raw = Annotated[str, StringConstraints(max_length=50_000), BeforeValidator(_raw)]
Day = Annotated[Raw, Field(description="YYYY-MM-DD")]
Word = Annotated[Raw, Field(description="a word of the vocabulary")]
YesOrNo = Annotated[Raw, Field(description="yes or no; a program may send true or false")]
Lines = Annotated[Raw, Field(description="one entry a line; a program may send a list of texts")]
Name = Annotated[str, StringConstraints(max_length=64)]
Version = Annotated[int, Field(ge=0, lt=2**31)]  # what both databases count to


# The form's steps, one page each.  Nothing here judges a value: an unfinished draft is a draft.


class ColumnsStep(Form):
    columns: Annotated[list[Name], Field(max_length=500)] = Field(default_factory=list)
    objections: dict[Name, Raw] = Field(default_factory=dict, description="column → why its verdict is contested")
    verdict_objection: Raw = ""


class RangeStep(Form):
    period_from: Day = ""
    period_to: Day = ""
    areas: Lines = ""


class PurposeStep(Form):
    purpose: Word = ""
    statement: Raw = ""


class DeliveryStep(Form):
    delivery: Word = ""
    ends_on: Day = ""


class SecurityStep(Form):
    cross_border: YesOrNo = ""
    onward_sharing: YesOrNo = ""
    security_officer: Raw = ""
    mlps: Annotated[Raw, Field(description=f"one of {', '.join(MLPS)}")] = ""
    storage: Raw = ""
    incidents: YesOrNo = ""
    incidents_note: Raw = ""


class MembersStep(Form):
    members: Lines = ""


STEP_FORMS: dict[StepName, type[Form]] = {
    StepName.COLUMNS: ColumnsStep,
    StepName.RANGE: RangeStep,
    StepName.PURPOSE: PurposeStep,
    StepName.DELIVERY: DeliveryStep,
    StepName.SECURITY: SecurityStep,
    StepName.MEMBERS: MembersStep,
}


# Pydantic takes fields from the last base to the first: so they come in the order of the steps.
class DraftForm(MembersStep, SecurityStep, DeliveryStep, PurposeStep, RangeStep, ColumnsStep):
    """The form as typed, all steps of it."""


class NewForm(Form):
    dataset: Annotated[str, StringConstraints(max_length=64)]


class NewDraft(DraftForm):
    """A draft that a program makes in one call."""

    dataset: Annotated[str, StringConstraints(max_length=64)]


class DecisionForm(Form):
    """One officer's act.  `lists` is the seal of the lists that the person was shown; `columns` are those kept."""

    verb: Literal["approve", "narrow", "return", "refuse"]
    version: Version
    reason: str = Field(min_length=2, max_length=4000)
    columns: Annotated[list[Name], Field(max_length=500)] | None = None
    ends_on: date | None = None
    period_from: date | None = None
    period_to: date | None = None
    lists: str | None = Field(default=None, max_length=64)


class BatchForm(Form):
    """One act on several cases of one form; a part is `<id>:<version>:<seal of the lists shown>`."""

    verb: Literal["approve", "return", "refuse"]
    reason: str = Field(min_length=2, max_length=4000)
    parts: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^\w{1,32}:\d{1,9}:\w{0,64}$")]],
        Field(min_length=1, max_length=20),
    ]


class SeenForm(Form):
    """An act on the version that the person saw."""

    version: Version


class SubmissionForm(SeenForm):
    """A form's submission; `seen` is what its check page showed of all its drafts."""

    seen: str | None = Field(default=None, max_length=64)


class SignForm(SeenForm):
    digest: str = Field(max_length=64)
    agree: Literal["yes"]


class SignBody(SeenForm):
    digest: str = Field(max_length=64)


def from_page(form: MultiDict[str, str], step: StepName) -> dict[str, Any]:
    """Return one posted step as its form's data: `objection-<column>` fields gathered, empty ones kept."""
    last = {name: values[-1] for name, values in form.lists() if name != "columns" and name not in PAGE_FIELDS}
    if step is not StepName.COLUMNS:
        return last
    written = {name: text for name, text in last.items() if name.startswith(OBJECTION)}
    return {
        **{name: value for name, value in last.items() if name not in written},
        "columns": form.getlist("columns"),
        "objections": {name.removeprefix(OBJECTION): text for name, text in written.items() if text.strip()},
    }


def fields_of(step: StepName) -> tuple[str, ...]:
    """Return the names of a step's answers, in the order of its page."""
    return tuple(STEP_FORMS[step].model_fields)


def step_of(field: str) -> StepName:
    """Return the step that asks for a field; the columns' for an objection and for what no step knows."""
    return next((step for step in StepName if field in fields_of(step)), StepName.COLUMNS)


def answers(draft: Mapping[str, Any], step: StepName) -> dict[str, Any]:
    """Return what a draft holds of one step, what was never typed as the empty form has it."""
    return STEP_FORMS[step]().model_dump() | {name: draft[name] for name in fields_of(step) if name in draft}


def mark(draft: Mapping[str, Any], step: StepName) -> str:
    """Return a short name for what a draft holds of a step: a page sends back that of the answers it showed."""
    return sha256(json.dumps(answers(draft, step), sort_keys=True).encode()).hexdigest()[:16]


def empty_draft() -> dict[str, Any]:
    return DraftForm().model_dump()


def as_day(typed: object) -> date | None:
    """Return a YYYY-MM-DD text as a day; None for anything else."""
    if not isinstance(typed, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", typed):
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


# ---- checking a draft ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    field: str
    message: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft's faults, and the request when there is none."""

    faults: tuple[Fault, ...]
    request: Request | None

    def errors(self) -> list[dict[str, str]]:
        return [{"field": fault.field, "message": fault.message} for fault in self.faults]

    def malformed(self) -> dict[str, str]:
        """Return what is wrong in what was typed, by field; what is still missing is not wrong yet."""
        return {fault.field: fault.message for fault in reversed(self.faults) if not fault.missing}


def check(draft: Mapping[str, Any], frame: Frame, *, contested: Iterable[str] = ()) -> Checked:
    """Check a draft; `contested` are the prohibited columns, which need a written objection when they are kept."""
    reader = _Reader(draft, frame)
    columns = reader.columns()
    values: dict[str, Any] = {
        "objections": reader.objections(columns, frozenset(contested)),
        "verdict_objection": reader.text("verdict_objection", required=False),
        "areas": reader.lines("areas", required=False, longest=LONGEST_AREA, most=MOST_AREAS) if frame.has_area else (),
        "purpose": reader.word("purpose", frame.purposes),
        "statement": reader.text("statement", shortest=5),
        "delivery": reader.word("delivery", frame.deliveries),
        "ends_on": reader.end(),
        "cross_border": reader.yes_or_no("cross_border"),
        "onward_sharing": reader.yes_or_no("onward_sharing"),
        "security": reader.security(),
        "members": reader.lines("members", longest=LONGEST_MEMBER, most=MOST_MEMBERS),
        **reader.period(),
    }
    whole = None if reader.faults else Request(columns=columns, **values)
    return Checked(tuple(reader.faults), whole)


class _Reader:
    """Reads one draft and collects every fault, so that all can be mended in one go."""

    def __init__(self, draft: Mapping[str, Any], frame: Frame) -> None:
        self.draft, self.frame = draft, frame
        self.faults: list[Fault] = []

    def fault(self, field: str, message: str, *, missing: bool = False) -> None:
        self.faults.append(Fault(field, message, missing))

    def lacks(self, field: str) -> None:
        self.fault(field, gettext(LACKS[field]), missing=True)

    def typed(self, field: str) -> str:
        return str(self.draft.get(field) or "").strip()

    def columns(self) -> tuple[str, ...]:
        ticked = set(self.draft.get("columns") or ())
        if unknown := sorted(ticked - set(self.frame.columns)):
            self.fault("columns", gettext("数据集没有这些字段：%(names)s", names="、".join(unknown)))
        if not ticked:
            self.fault("columns", gettext("请至少勾选一个字段"), missing=True)
        return tuple(name for name in self.frame.columns if name in ticked)

    def objections(self, columns: tuple[str, ...], contested: frozenset[str]) -> dict[str, str]:
        written = {name: str(text).strip() for name, text in (self.draft.get("objections") or {}).items()}
        for name in columns:
            text = written.get(name, "")
            if name in contested and len(text) < 2:
                message = gettext("该字段判定为禁止提供：请取消勾选，或写明异议理由")
                self.fault(OBJECTION + name, message, missing=True)
            if len(text) > LONGEST_OBJECTION:
                self.fault(OBJECTION + name, gettext("不得超过 %(max_length)s 个字", max_length=LONGEST_OBJECTION))
        return {name: written[name] for name in columns if written.get(name)}

    def text(self, field: str, *, required: bool = True, shortest: int = 1) -> str:
        typed = self.typed(field)
        if not typed and required:
            self.lacks(field)
        elif typed and len(typed) < shortest:
            self.fault(field, gettext("至少 %(min_length)s 个字", min_length=shortest))
        if len(typed) > LONGEST[field]:
            self.fault(field, gettext("不得超过 %(max_length)s 个字", max_length=LONGEST[field]))
        return typed

    def word(self, field: str, words: Iterable[str]) -> str:
        typed = self.typed(field)
        if not typed:
            self.lacks(field)
        elif typed not in words:
            self.fault(field, gettext("不在可选范围内"))
        return typed

    def yes_or_no(self, field: str) -> bool:
        return self.word(field, ("yes", "no")) == "yes"

    def lines(self, field: str, *, longest: int, most: int, required: bool = True) -> tuple[str, ...]:
        parts = (part.strip() for part in re.split(r"[\n,，、;；]", self.typed(field)))
        entries = tuple(dict.fromkeys(part for part in parts if part))
        if not entries and required:
            self.lacks(field)
        if any(len(entry) > longest for entry in entries):
            self.fault(field, gettext("每一项不得超过 %(max_length)s 个字", max_length=longest))
        if len(entries) > most:
            self.fault(field, gettext("不得超过 %(max_length)s 项", max_length=most))
        return entries

    def day(self, field: str, *, required: bool) -> date | None:
        typed = self.typed(field)
        if not typed:
            if required:
                self.lacks(field)
            return None
        if (day := as_day(typed)) is None:
            self.fault(field, gettext("日期格式应为 YYYY-MM-DD"))
        return day

    def end(self) -> date:
        day, today = self.day("ends_on", required=True), self.frame.today
        if day is None:
            return today
        if day <= today:
            self.fault("ends_on", gettext("使用期限应在今天之后"))
        elif day > (latest := latest_end(today)):
            self.fault("ends_on", gettext("使用期限不得超过 24 个月，最晚 %(day)s", day=format_date(latest)))
        return day

    def period(self) -> dict[str, date | None]:
        if not self.frame.has_time:
            return {"period_from": None, "period_to": None}
        first, last = self.day("period_from", required=False), self.day("period_to", required=False)
        if first and last and last < first:
            self.fault("period_to", gettext("截止日期不得早于起始日期"))
        return {"period_from": first, "period_to": last}

    def security(self) -> dict[str, Any]:
        incidents = self.yes_or_no("incidents")
        return {
            "officer": self.text("security_officer"),
            "mlps": self.word("mlps", MLPS),
            "storage": self.text("storage"),
            "incidents": incidents,
            "incidents_note": self.text("incidents_note", required=incidents),
        }
