"""Pure rules of grants: when one is live and what a dead one says, who may stop it, what a released view holds."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from service.base.beijing import BEIJING, day_of, end_of_day, last_day
from service.base.errors import Refusal, Unavailable
from service.base.i18n import N_
from service.base.roles import Role

DELIVERIES = frozenset({"download", "api"})  # the ways out that this build has
REMIND_AT = (1, 7, 30)  # days before the end
RETAKE_AFTER = timedelta(minutes=10)  # a claim on a build that was not heard of for so long is a dead worker's
TOLD_AFTER = 3  # failed builds before somebody is told


class GrantStanding(StrEnum):
    """What a grant is at a moment; computed, never stored."""

    NOT_STARTED = "not_started"
    LIVE = "live"
    SUSPENDED = "suspended"
    RETURNED = "returned"
    ENDED = "ended"


class ViewState(StrEnum):
    BUILDING = "building"
    READY = "ready"
    QUARANTINED = "quarantined"
    COLLECTED = "collected"


class FileState(StrEnum):
    WANTED = "wanted"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class VersionState(StrEnum):
    """What a version of the dataset is to a grant: it may be read, or not (yet)."""

    JUDGED = "judged"
    HELD = "held"


class Format(StrEnum):
    """What a whole view can be had as.  EXCEL is CSV that a spreadsheet opens as text, with no formula in it."""

    PARQUET = "parquet"
    CSV = "csv"
    EXCEL = "excel"
    CSV_ZST = "csv.zst"
    JSONL = "jsonl"
    ARROW = "arrow"


AT_ONCE = (Format.PARQUET, Format.CSV)  # made with the view; the others when they are first wanted

# ---- refusals -------------------------------------------------------------------------------------------------------


class GrantNotStarted(Refusal):
    code = "grant-not-started"
    title = N_("数据使用授权尚未开始")
    status = 403
    detail = N_("数据使用授权自 %(start)s（北京时间）起生效，届时再取数。授权页面：%(page)s")


class GrantEnded(Refusal):
    code = "grant-ended"
    title = N_("数据使用授权已到期")
    status = 403
    detail = N_("数据使用授权已于 %(end)s 24:00（北京时间）到期。如需继续使用，请重新申请：%(apply)s")


class GrantSuspended(Refusal):
    """The cause stands on the grant's page; here it would reach logs of clients that nobody minds."""

    code = "grant-suspended"
    title = N_("数据使用授权已被暂停")
    status = 403
    detail = N_("暂停期间不能取数。事由和经办情况见授权页面：%(page)s，有异议请联系数源单位。另行申请的入口：%(apply)s")


class GrantReturned(Refusal):
    code = "grant-returned"
    title = N_("数据使用授权已交还")
    status = 403
    detail = N_("本单位已于 %(at)s（北京时间）交还此数据使用授权，不能再取数。如需继续使用，请重新申请：%(apply)s")


class WrongDelivery(Refusal):
    """Facts: `delivery` asked for, `granted` ones."""

    code = "wrong-delivery"
    title = N_("数据使用授权的提供方式不同")
    status = 403
    detail = N_("提供方式为 %(granted)s，不含 %(delivery)s。请改用已授权的方式，或在数据集页面另行申请。")


class ViewBuilding(Unavailable):
    """Facts: `retry_after` in seconds."""

    code = "view-building"
    title = N_("数据文件正在生成")
    status = 503
    detail = N_("数据文件正在生成，通常不到一分钟，请在 %(retry_after)s 秒后重试。")


class ViewHeld(Unavailable):
    """The bytes were worse than their verdict.  Facts: `retry_after` in seconds."""

    code = "version-held"
    title = N_("数据文件暂缓提供")
    status = 503
    detail = N_("数据文件在放行前的检测中发现问题，已暂缓提供并告知数源单位核查；字段重新定级后须重新申请。")


class NotEnforceable(Refusal):
    """A grant carries what this build cannot enforce.  Facts: `what`."""

    code = "not-enforceable"
    title = N_("数据使用授权含有系统尚不能执行的要求")
    status = 409
    detail = N_("以下要求尚不能由系统执行，不能授权：%(what)s")


# ---- standing -------------------------------------------------------------------------------------------------------


class Dated(Protocol):
    """What the rules need to know of a grant."""

    id: str
    dataset_id: str
    starts_at: datetime
    ends_at: datetime


def standing(grant: Dated, *, suspended: bool, returned_at: datetime | None, now: datetime) -> GrantStanding:
    """Return what a grant is at `now`.  An end outweighs a suspension: nobody can lift it; what was handed back before
    its last day stays handed back after it.
    """
    if returned_at is not None:
        return GrantStanding.RETURNED
    if now >= grant.ends_at:
        return GrantStanding.ENDED
    if suspended:
        return GrantStanding.SUSPENDED
    return GrantStanding.LIVE if now >= grant.starts_at else GrantStanding.NOT_STARTED


def refusal(grant: Dated, *, suspended: bool, returned_at: datetime | None, now: datetime) -> Refusal | None:
    """Return why nothing may be read under `grant` at `now`, with what to do next; None when it is live."""
    links = {"grant": grant.id, "page": f"/grants/{grant.id}", "apply": f"/applications/new?dataset={grant.dataset_id}"}
    here = standing(grant, suspended=suspended, returned_at=returned_at, now=now)
    if here is GrantStanding.RETURNED and returned_at:
        return GrantReturned(at=f"{returned_at.astimezone(BEIJING):%Y-%m-%d %H:%M}", **links)
    if here is GrantStanding.ENDED:
        return GrantEnded(end=last_day(grant.ends_at).isoformat(), **links)
    if here is GrantStanding.SUSPENDED:
        return GrantSuspended(**links)
    if here is GrantStanding.NOT_STARTED:
        return GrantNotStarted(start=f"{grant.starts_at.astimezone(BEIJING):%Y-%m-%d %H:%M}", **links)
    return None


def unenforceable(delivery: Iterable[str], transforms: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what of a grant this build cannot enforce: ways out and transforms that are not built."""
    ways = [f"delivery={way}" for way in delivery if way not in DELIVERIES]
    return ways + [f"transform={step.get('kind', '?')}" for step in transforms]


# ---- who may see and stop a grant -----------------------------------------------------------------------------------


SEE_ALL = frozenset({Role.AUTHORITY, Role.AUDITOR})


def may_see(roles: Collection[Role], *, unit_id: str, source_unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may know of a grant: its holder, the data's own steward, authority and auditor."""
    if unit_id == holder_unit_id or SEE_ALL & set(roles):
        return True
    return Role.STEWARD in roles and unit_id == source_unit_id


def may_hand_back(roles: Collection[Role], *, unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may give a grant back: a manager of the unit that holds it, nobody else."""
    return Role.MANAGER in roles and unit_id == holder_unit_id


def may_oversee(roles: Collection[Role], *, unit_id: str, source_unit_id: str, holder_unit_id: str) -> bool:
    """Whether a person of `unit_id` may suspend, confirm or lift: the authority, or the data's own steward.

    Nobody does it to their own unit's grant.
    """
    if unit_id == holder_unit_id:
        return False
    return Role.AUTHORITY in roles or (Role.STEWARD in roles and unit_id == source_unit_id)


def confirmation_due(at: datetime, *, works: Callable[[date], bool]) -> datetime:
    """Return the moment by which a suspension made at `at` must be confirmed: 24:00 Beijing of the next working day.

    `works` knows the year's holidays and the weekends worked in exchange (调休).  Counted here and not by the policies'
    calendar, which the data plane may not reach through this module.
    """
    day = day_of(at) + timedelta(days=1)
    while not works(day):
        day += timedelta(days=1)
    return end_of_day(day)


# ---- released views -------------------------------------------------------------------------------------------------


class BadRecipe(ValueError):
    """A recipe that cannot be compiled: a column that is not there, a filter without its column."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file of a view must show: its columns in order with their declared types; and names that it must not."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a view holds of one dataset version: columns in order, and rows by period (both days included) and areas.

    `hidden` are the dataset's other columns, `semantics` what the chosen ones were judged as, `types` their declared
    types: the measuring needs them.
    """

    dataset_id: str
    dataset_version: int
    columns: tuple[str, ...]
    types: tuple[str, ...]
    semantics: tuple[str | None, ...] = ()
    hidden: tuple[str, ...] = ()
    time_column: str | None = None
    since: date | None = None
    until: date | None = None
    area_column: str | None = None
    areas: tuple[str, ...] = ()

    @property
    def promise(self) -> Promise:
        return Promise(self.columns, self.types, self.hidden)

    def document(self) -> dict[str, Any]:
        """Return the part that decides which bytes come out, as it is stored and digested."""
        return {
            "dataset": self.dataset_id,
            "version": self.dataset_version,
            "columns": list(self.columns),
            "types": list(self.types),
            "time_column": self.time_column if self.since or self.until else None,
            "from": self.since.isoformat() if self.since else None,
            "to": self.until.isoformat() if self.until else None,
            "area_column": self.area_column if self.areas else None,
            "areas": sorted(self.areas),
            "order": "all",
        }

    def digest(self) -> str:
        return _digest(self.document())

    def cut(self, part_id: str) -> str:
        """Return the name of what is made of one part: the same recipe makes the same of it in every version.

        What the columns were judged as belongs to it, because the part was measured by that.
        """
        document = self.document() | {"version": None, "part": part_id, "semantics": list(self.semantics)}
        return _digest(document)


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Described:
    """A column of the dataset as the catalogue describes it."""

    name: str
    type: str
    semantic: str | None


def recipe(
    *,
    dataset_id: str,
    dataset_version: int,
    described: Iterable[Described],
    columns: Iterable[str],
    row_filter: Mapping[str, Any],
    time_column: str | None,
    area_column: str | None,
) -> Recipe:
    """Return the recipe for `columns` of a dataset; BadRecipe when it names what the dataset does not have.

    A filter that cannot be applied is an error, never left out: it would open more rows than were granted.
    """
    known = {column.name: column for column in described}
    chosen = _chosen(columns, known)
    since, until, areas = _rows(row_filter)
    if (since or until) and time_column not in known:
        raise BadRecipe("a period needs the dataset's time column")
    if areas and area_column not in known:
        raise BadRecipe("areas need the dataset's area column")
    return Recipe(
        dataset_id=dataset_id, dataset_version=dataset_version, columns=chosen,
        types=tuple(known[name].type for name in chosen), semantics=tuple(known[name].semantic for name in chosen),
        hidden=tuple(name for name in known if name not in chosen),
        time_column=time_column, since=since, until=until, area_column=area_column, areas=areas,
    )  # fmt: skip


def _chosen(columns: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    chosen = tuple(columns)
    if not chosen or len(set(chosen)) != len(chosen):
        raise BadRecipe("columns must be named, each once")
    if strangers := [name for name in chosen if name not in known]:
        raise BadRecipe(f"the dataset has no column {', '.join(strangers)}")
    return chosen


def _rows(row_filter: Mapping[str, Any]) -> tuple[date | None, date | None, tuple[str, ...]]:
    """Return the first and the last day and the areas that a filter names."""
    if extra := set(row_filter) - {"from", "to", "areas"}:
        raise BadRecipe(f"unknown filter {sorted(extra)}")
    return _day(row_filter.get("from")), _day(row_filter.get("to")), tuple(row_filter.get("areas") or ())


def _day(value: str | date | None) -> date | None:
    if isinstance(value, date):
        return value
    return date.fromisoformat(value) if value else None


# ---- reminders ------------------------------------------------------------------------------------------------------


def windows() -> tuple[tuple[int, timedelta, timedelta], ...]:
    """Return (days, more than, at most) for each reminder: how far the end may be for it to be the one that is due.

    The windows do not overlap: after an outage only the nearest reminder goes out, not all three at once.
    """
    bounds = (0, *REMIND_AT)
    return tuple(
        (days, timedelta(days=before), timedelta(days=days)) for before, days in zip(bounds, REMIND_AT, strict=False)
    )


# ---- detectors ------------------------------------------------------------------------------------------------------

PLATE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·•.-]?"
    "(?=[A-HJ-NP-Z]*[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]"
)
IDENTITY = re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)")
PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
# The coarse sieve in the dialect of RE2, which knows no looking around; `detected` decides.
SUSPECT = r"[一-鿿][A-HJ-NP-Z][ ·•.-]?[A-HJ-NP-Z0-9]{4}|[1-9]\d{16}[\dXx]|1[3-9]\d{9}"
WEIGHTS = tuple(2 ** (17 - place) % 11 for place in range(17))
MEANINGS = {"plate": ("plate",), "identity-number": ("id_card",), "phone": ("phone",)}


def detected(text: str) -> set[str]:
    """Return which of plate, identity-number and phone stand in `text`."""
    found = set()
    if PLATE.search(text):
        found.add("plate")
    if any(_is_identity_number(match.group()) for match in IDENTITY.finditer(text)):
        found.add("identity-number")
    if PHONE.search(text):
        found.add("phone")
    return found


def judged_as(kind: str, semantic: str | None) -> bool:
    """Whether a column is recorded, and was therefore judged, as what the detector found in it."""
    return semantic is not None and semantic.rsplit(".", 1)[-1] in MEANINGS[kind]


def _is_identity_number(text: str) -> bool:
    """Whether the date and the check digit (GB 11643) hold; without them every long number would do."""
    total = sum(int(digit) * weight for digit, weight in zip(text, WEIGHTS, strict=False))
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return text[17].upper() == "10X98765432"[total % 11]
