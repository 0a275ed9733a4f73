"""Which obligations of a verdict this build can hold the unit to, and what falls due when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from service.policy.rules.facts import Column
from service.policy.rules.merging import is_dropped
from service.policy.rules.models import (
    CoarsenSpatial,
    CoarsenTime,
    Delivery,
    Destruction,
    DropColumns,
    MaxRetention,
    Obligation,
    Report,
)
from service.policy.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Grantable:
    """What is about to be granted, at its precisions as served, for `days`; `served` are the ways out that exist.

    `met` are obligations that the view is compiled to see to.
    """

    columns: tuple[Column, ...]
    delivery: str
    served: frozenset[str]
    days: int
    spatial_m: float | None = None
    temporal_min: float | None = None
    met: tuple[Obligation, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """An obligation that nothing would enforce, and why.  While there is one, no grant is issued."""

    obligation: Obligation
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Task:
    """A dated duty of the unit or of the officers: due at the end of the Beijing day `due_on`."""

    kind: str
    due_on: date
    obligation: Obligation


def blocking(
    obligations: Iterable[Obligation], grant: Grantable, enforcers: Mapping[str, Sequence[str]]
) -> tuple[Blocked, ...]:
    """Return the obligations that this build would not enforce on `grant`; empty means it may be issued.

    Projection, term, delivery, what the view is compiled to see to and a precision that is already coarse enough are
    enforced here; what the vocabulary
    has enforced by contract or process becomes a clause of the agreement (and a task).  Everything else blocks.
    """
    found = ((each, _why(each, grant, enforcers)) for each in obligations)
    return tuple(Blocked(obligation, *why) for obligation, why in found if why)


def _why(obligation: Obligation, grant: Grantable, enforcers: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    if obligation in grant.met:
        return None
    if isinstance(obligation, DropColumns):
        return _undropped(obligation, grant)
    if isinstance(obligation, MaxRetention):
        return _too_long(obligation, grant)
    if isinstance(obligation, Delivery):
        return _wrong_delivery(obligation, grant)
    if isinstance(obligation, CoarsenSpatial):
        return _too_fine("空间精度", "Spatial precision", "米", "m", grant.spatial_m, obligation.metres)
    if isinstance(obligation, CoarsenTime):
        return _too_fine("时间粒度", "Time precision", "分钟", "min", grant.temporal_min, obligation.minutes)
    if {"contract", "process"} & set(enforcers.get(obligation.kind, ())):
        return None
    return (
        f"本系统尚不能落实义务“{obligation.kind}”",
        f"This system cannot yet enforce the obligation {obligation.kind}",
    )


def _undropped(obligation: DropColumns, grant: Grantable) -> tuple[str, str] | None:
    kept = [each.name for each in grant.columns if each.semantic is None or is_dropped(each.semantic, obligation)]
    if not kept:
        return None
    names = ", ".join(kept)
    return f"须先去掉字段 {names}", f"These columns must be left out first: {names}"


def _too_long(obligation: MaxRetention, grant: Grantable) -> tuple[str, str] | None:
    if grant.days <= obligation.days:
        return None
    return (
        f"授权期限 {grant.days} 天，超过保存期限上限 {obligation.days} 天",
        f"The term of {grant.days} days is longer than the {obligation.days} days of retention allowed",
    )


def _wrong_delivery(obligation: Delivery, grant: Grantable) -> tuple[str, str] | None:
    if grant.delivery in obligation.modes and grant.delivery in grant.served:
        return None
    if not grant.served & set(obligation.modes):
        return (
            "只能在受控环境中提供；暂无受控环境",
            "Only a controlled environment is allowed, and none is in operation",
        )
    modes = ", ".join(sorted(grant.served & set(obligation.modes)))
    return f"提供方式须改为 {modes}", f"The delivery must be changed to {modes}"


def _too_fine(
    zh: str, en: str, unit_zh: str, unit_en: str, served: float | None, wanted: int
) -> tuple[str, str] | None:
    if served is not None and served >= wanted:
        return None
    is_zh = "未知" if served is None else f"{served:g}{unit_zh}"
    is_en = "unknown" if served is None else f"{served:g} {unit_en}"
    return (
        f"{zh}为{is_zh}，须不细于{wanted}{unit_zh}，所申请的字段无法由系统粗化",
        f"{en} is {is_en}, must be {wanted} {unit_en} or coarser, and the columns asked for cannot be coarsened",
    )


def tasks(
    obligations: Iterable[Obligation], *, starts_on: date, ends_on: date, vocabulary: Vocabulary
) -> tuple[Task, ...]:
    """Return what falls due under a grant that runs from `starts_on` to `ends_on`, both included, in order.

    Use reports fall due every so many days and at the end; the proof of destruction so many days after the end; what
    else is enforced by process falls due on the first day.
    """
    found = [task for each in obligations for task in _tasks_of(each, starts_on, ends_on, vocabulary.enforcers)]
    return tuple(sorted(found, key=lambda task: (task.due_on, task.kind, repr(task.obligation))))


def _tasks_of(
    obligation: Obligation, starts_on: date, ends_on: date, enforcers: Mapping[str, Sequence[str]]
) -> list[Task]:
    if "process" not in enforcers.get(obligation.kind, ()):
        return []
    if isinstance(obligation, Report):
        span = (ends_on - starts_on).days
        days = [
            starts_on + timedelta(days=count) for count in range(obligation.every_days, span, obligation.every_days)
        ]
        return [Task(obligation.kind, day, obligation) for day in [*days, ends_on]]
    if isinstance(obligation, Destruction):
        return [Task(obligation.kind, ends_on + timedelta(days=obligation.within_days), obligation)]
    return [Task(obligation.kind, starts_on, obligation)]
