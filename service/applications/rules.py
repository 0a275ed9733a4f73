"""What may happen to an application, who may do it, and what a person is told: pure rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from service.base.errors import NotAllowed, NotFound, Refusal, SecondPersonRequired, WrongState
from service.base.i18n import N_
from service.base.roles import FIRM, Role
from service.grants.rules import WrongDelivery
from service.screening.rules import strictness


class State(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    APPROVED = "approved"  # every step has agreed; the agreement waits for the unit's signature
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Verb(StrEnum):
    SUBMIT = "submit"
    APPROVE = "approve"
    NARROW = "narrow"
    RETURN = "return"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    SIGN = "sign"


class StepName(StrEnum):
    """The pages of the form, in its order."""

    COLUMNS = "columns"
    RANGE = "range"
    PURPOSE = "purpose"
    DELIVERY = "delivery"
    SECURITY = "security"
    MEMBERS = "members"


# What a form for several datasets asks of each of them; the other steps it asks once, for all.
OWN_STEPS = (StepName.COLUMNS, StepName.RANGE)
EDITABLE = frozenset({State.DRAFT, State.RETURNED})
OPEN = frozenset({State.IN_REVIEW, State.RETURNED, State.APPROVED})

# Every pair that is not here is refused.
NEXT = {
    (State.DRAFT, Verb.SUBMIT): State.IN_REVIEW,
    (State.DRAFT, Verb.WITHDRAW): State.WITHDRAWN,
    (State.RETURNED, Verb.SUBMIT): State.IN_REVIEW,
    (State.RETURNED, Verb.WITHDRAW): State.WITHDRAWN,
    (State.IN_REVIEW, Verb.APPROVE): State.APPROVED,
    (State.IN_REVIEW, Verb.NARROW): State.APPROVED,
    (State.IN_REVIEW, Verb.RETURN): State.RETURNED,
    (State.IN_REVIEW, Verb.REFUSE): State.REFUSED,
    (State.IN_REVIEW, Verb.WITHDRAW): State.WITHDRAWN,
    (State.APPROVED, Verb.SIGN): State.GRANTED,
    (State.APPROVED, Verb.WITHDRAW): State.WITHDRAWN,
}

STATES = {
    State.DRAFT: N_("草稿"),
    State.IN_REVIEW: N_("审核中"),
    State.RETURNED: N_("退回补正"),
    State.APPROVED: N_("待签协议"),
    State.GRANTED: N_("已授权"),
    State.REFUSED: N_("不予开放"),
    State.WITHDRAWN: N_("已撤回"),
}
VERBS = {
    Verb.SUBMIT: N_("提交"),
    Verb.APPROVE: N_("同意"),
    Verb.NARROW: N_("部分开放"),
    Verb.RETURN: N_("退回补正"),
    Verb.REFUSE: N_("不予开放"),
    Verb.WITHDRAW: N_("撤回申请"),
    Verb.SIGN: N_("签署协议"),
}
HOLDERS = {Role.STEWARD: N_("数源单位"), Role.AUTHORITY: N_("主管部门")}

MOST_DATASETS = 20
MAX_TERM_MONTHS, DEFAULT_TERM_MONTHS = 24, 12


class OwnUnit(NotAllowed):
    """Nobody decides on a request of their own unit."""

    code = "own-unit"
    title = N_("不得审核本单位的申请")


class SecondPerson(SecondPersonRequired):
    """One person took part in another step of this case."""

    title = N_("您已办理过本申请的另一步骤，须由另一人办理")
    detail = N_("同一申请的各步骤须由不同的人办理。")


class NotYourStep(NotAllowed):
    code = "not-your-step"
    title = N_("当前步骤不由您办理")


class Prohibited(Refusal):
    """The ceiling of the verdict is `prohibit`.  Facts: `rules`, `missing`."""

    code = "prohibited"
    title = N_("判定结果为禁止提供，或缺少的事实可能导致禁止提供，不能同意")
    status = 409
    detail = N_("涉及规则：%(rules)s。可部分开放（去掉相关字段）、退回补正或不予开放。")


class ListsChanged(Refusal):
    """The lists in force are not those that the person was shown."""

    code = "lists-changed"
    title = N_("负面清单已更新，请按新的判定结果重新审核")
    status = 409


class NotBuilt(WrongDelivery):
    """The delivery asked for is not one that this build can serve."""

    title = N_("该提供方式尚未建成，不能授权")
    status = 409
    detail = N_("暂无受控环境和安全查询；可退回补正，请申请单位改选文件下载或接口调用。")


class Unenforceable(Refusal):
    """Obligations that this build cannot see to.  Facts: `obligations`, `listed`."""

    code = "obligation-unenforceable"
    title = N_("所附条件目前无法落实，不能授权")
    status = 409
    detail = N_("无法落实的条件：%(listed)s")


class VerdictChanged(Refusal):
    """Judged again at signing, the request came out worse than it was decided.  Facts: `rules`."""

    code = "verdict-changed"
    title = N_("判定结果已变，不能签署")
    status = 409
    detail = N_("审定之后负面清单或事实有变：%(rules)s。请撤回申请，按新的判定结果重新提交。")


class Overtaken(Refusal):
    """Somebody else saved the same step after this page was opened.  Facts: `fields`, those that differ."""

    code = "draft-changed"
    title = N_("您填写时，别人改了这份申请")
    status = 409


class SeveralCases(Refusal):
    """A form holds at most MOST_DATASETS datasets."""

    code = "too-many-datasets"
    title = N_("一份申请最多包含 20 个数据集")
    status = 409


class AlreadyOnForm(Refusal):
    """The form asks for this dataset already."""

    code = "dataset-on-form"
    title = N_("这份申请已包含该数据集")
    status = 409


class Actor(Protocol):
    """Whoever acts: the caller of a request, or a person named by a command."""

    @property
    def person_id(self) -> str: ...
    @property
    def unit_id(self) -> str: ...
    @property
    def roles(self) -> frozenset[Role]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """An actor outside a web request (commands, tests)."""

    person_id: str
    unit_id: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a case stands: its state, and the step of its route (from 0)."""

    state: State
    step: int = 0


def advance(here: Position, verb: Verb, *, steps: int) -> Position:
    """Return the position after `verb` on a route of `steps` approvals.

    Raises WrongState when the verb is not open in this state.
    """
    if (there := NEXT.get((here.state, verb))) is None:
        raise WrongState(state=here.state.value, verb=verb.value)
    if verb is Verb.SUBMIT:
        return Position(there)
    if verb in (Verb.APPROVE, Verb.NARROW) and here.step + 1 < steps:
        return replace(here, step=here.step + 1)
    return Position(there, here.step)


def may_see(who: Actor, *, state: State, unit_id: str, source_unit_id: str) -> bool:
    """Whether a person may know that the case exists; drafts are the unit's own business."""
    if who.unit_id == unit_id and who.roles & FIRM:
        return True
    if state is State.DRAFT:
        return False
    if Role.STEWARD in who.roles and who.unit_id == source_unit_id:
        return True
    return bool(who.roles & {Role.AUTHORITY, Role.AUDITOR})


def holds_step(who: Actor, role: Role, *, source_unit_id: str) -> bool:
    """Whether a step of `role` is this person's kind of work: stewards work for their own source unit only."""
    if role not in who.roles:
        return False
    return role is not Role.STEWARD or who.unit_id == source_unit_id


def may_decide(who: Actor, role: Role, *, unit_id: str, source_unit_id: str, elsewhere: Collection[str]) -> None:
    """Return when `who` may take the step of `role`; `elsewhere` holds those who decided another step of the case.

    Raises OwnUnit, NotYourStep or SecondPerson, in that order.
    """
    if who.unit_id == unit_id:
        raise OwnUnit()
    if not holds_step(who, role, source_unit_id=source_unit_id):
        raise NotYourStep()
    if who.person_id in elsewhere:
        raise SecondPerson()


def own(who: Actor, unit_id: str) -> None:
    """Raise NotFound unless the case belongs to the actor's own unit: others may not learn that it exists."""
    if who.unit_id != unit_id or not who.roles & FIRM:
        raise NotFound()


# ---- what changed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a person sees of a case at one version; two of them give the difference."""

    state: str
    step: int
    columns: tuple[str, ...]
    ends_on: str | None
    purpose: str
    statement: str
    delivery: str
    period_from: str | None
    period_to: str | None
    areas: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the snapshot as JSON."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def snapshot(kept: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot that `document` made."""
    return Snapshot(**{**kept, "columns": tuple(kept["columns"]), "areas": tuple(kept["areas"])})


@dataclass(frozen=True, slots=True)
class Change:
    field: str
    before: Any
    after: Any


FIELDS = {
    "state": N_("状态"),
    "step": N_("步骤"),
    "columns": N_("字段"),
    "ends_on": N_("使用期限"),
    "purpose": N_("用途"),
    "statement": N_("用途说明"),
    "delivery": N_("提供方式"),
    "period_from": N_("数据起始日期"),
    "period_to": N_("数据截止日期"),
    "areas": N_("区域"),
}


def diff(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Return what differs between two versions of a case, in the order of the form."""
    pairs = ((field.name, getattr(before, field.name), getattr(after, field.name)) for field in fields(before))
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)


# ---- narrowing -----------------------------------------------------------------------------------------------------


def narrowed(current: Sequence[str], wanted: Iterable[str]) -> tuple[str, ...] | None:
    """Return `wanted` in the case's own order; None when it is empty or reaches beyond what the case still asks."""
    chosen = set(wanted)
    if not chosen or not chosen <= set(current):
        return None
    return tuple(name for name in current if name in chosen)


def months_later(day: date, months: int) -> date:
    """Return the same day `months` later; the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


def latest_end(today: date) -> date:
    """Return the last day that a term beginning `today` may have."""
    return months_later(today, MAX_TERM_MONTHS)


def default_end(today: date) -> date:
    """Return the last day that a draft begins with: a year from now, never above 365 days (the usual retention)."""
    return min(months_later(today, DEFAULT_TERM_MONTHS), today + timedelta(days=365))


# ---- verdicts ------------------------------------------------------------------------------------------------------


def worse(now: Mapping[str, Any], decided: Mapping[str, Any]) -> bool:
    """Whether a verdict came out stricter than the one a decision rested on.

    Stricter is: a stronger outcome, a ceiling that rose to `prohibit`, or an obligation that was not there.
    """
    if now["ceiling"] == "prohibit" or strictness(now["outcome"]) > strictness(decided["outcome"]):
        return True
    return any(obligation not in decided["obligations"] for obligation in now["obligations"])


# ---- the route -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One approval of a frozen route."""

    role: Role
    days: int


def steps_of(route: Mapping[str, Any]) -> tuple[Step, ...]:
    return tuple(Step(Role(step["role"]), int(step["working_days"])) for step in route["steps"])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


class Dated(Protocol):
    """What a timeline is read from."""

    @property
    def route(self) -> dict[str, Any]: ...
    @property
    def state(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def due_at(self) -> datetime | None: ...


def timeline(case: Dated, *, now: datetime) -> list[dict[str, Any]]:
    """Return the route's steps: who holds each, until when, and whether it is done, open, late or still to come."""
    found = []
    for number, step in enumerate(case.route.get("steps", [])):
        here = case.state == State.IN_REVIEW and number == case.step
        done = number < case.step or case.state in (State.APPROVED, State.GRANTED)
        found.append(
            {
                "role": step["role"],
                "name": step["name"],
                "days": step["working_days"],
                "kind": step["basis"]["kind"],
                "state": "open" if here else "done" if done else "coming",
                "due": case.due_at if here else None,
                "overdue": bool(here and case.due_at and case.due_at < now),
            }
        )
    return found


# ---- what is asked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A complete, well-formed request, read from a draft."""

    columns: tuple[str, ...]
    objections: dict[str, str]
    verdict_objection: str
    period_from: date | None
    period_to: date | None
    areas: tuple[str, ...]
    purpose: str
    statement: str
    delivery: str
    ends_on: date
    cross_border: bool
    onward_sharing: bool
    security: dict[str, Any]
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a draft is checked against: the dataset's columns, the closed words, and the Beijing day."""

    columns: tuple[str, ...]
    has_time: bool
    has_area: bool
    purposes: frozenset[str]
    deliveries: tuple[str, ...]
    today: date
