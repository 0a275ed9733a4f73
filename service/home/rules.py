"""Pure helpers of the pages: working days, texts in two languages, statistics of the register."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from service.base.beijing import BEIJING
from service.base.errors import Refusal

Works = Callable[[date], bool]


def working_days_before(now: datetime, days: int, *, works: Works) -> datetime:
    """Return the instant, UTC, such that `days` whole working days (Beijing) lie between it and `now`."""
    day, left = now.astimezone(BEIJING).date(), days
    while left:
        day -= timedelta(days=1)
        left -= works(day)
    return datetime.combine(day, time.min, BEIJING).astimezone(UTC)


def refusals_by_clause(verdicts: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return how many refusals each rule had a hand in, most first; "" stands for those that no rule asked for."""
    counted: Counter[str] = Counter()
    for verdict in verdicts:
        hits = [rule["id"] for rule in verdict.get("rules", []) if rule["state"] == "hit"]
        counted.update(hits or [""])
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def kinds_of(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Yield a kind of refusal and everything below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)


# ---- the demo's cast -------------------------------------------------------------------------------------------------

# Names are made up and say so; no real body or firm is meant.
DEMO_UNITS: tuple[dict[str, str], ...] = (
    {"id": "authority", "kind": "authority", "name": "市数据主管部门（演示）", "name_en": "City Data Authority (demo)"},
    {"id": "transport-bureau", "kind": "source", "name": "市交通运输局（演示）", "name_en": "Transport Bureau (demo)"},
    {"id": "education-bureau", "kind": "source", "name": "市教育局（演示）", "name_en": "Education Bureau (demo)"},
    {"id": "health-commission", "kind": "source", "name": "市卫生健康委员会（演示）", "name_en": "Health Commission (demo)"},
    {"id": "finance-office", "kind": "source", "name": "市地方金融管理局（演示）", "name_en": "Local Finance Office (demo)"},
    {"id": "tourism-bureau", "kind": "source", "name": "市文化广电旅游局（演示）", "name_en": "Culture and Tourism Bureau (demo)"},
    {"id": "firm-tide", "kind": "enterprise", "name": "示例潮汐智能科技有限公司", "name_en": "Example Tide AI Ltd", "uscc": "91330100MA0TDE001"},
    {"id": "firm-lake", "kind": "enterprise", "name": "示例湖光智行科技有限公司", "name_en": "Example Lakeside Mobility Ltd", "uscc": "91330100MA0LKE002"},
)  # fmt: skip

DEMO_PEOPLE: tuple[dict[str, Any], ...] = (
    {"role": "applicant", "login": "tide-apply", "name": "演示申请人甲", "unit": "firm-tide", "roles": ["applicant"]},
    {"role": "manager", "login": "tide-manager", "name": "演示管理员甲", "unit": "firm-tide", "roles": ["applicant", "manager"]},
    {"role": "applicant", "login": "lake-apply", "name": "演示申请人乙", "unit": "firm-lake", "roles": ["applicant"]},
    {"role": "manager", "login": "lake-manager", "name": "演示管理员乙", "unit": "firm-lake", "roles": ["applicant", "manager"]},
    {"role": "steward", "login": "transport-1", "name": "演示数据专员一", "unit": "transport-bureau", "roles": ["steward"]},
    {"role": "steward", "login": "transport-2", "name": "演示数据专员二", "unit": "transport-bureau", "roles": ["steward"]},
    {"role": "steward", "login": "health-1", "name": "演示数据专员三", "unit": "health-commission", "roles": ["steward"]},
    {"role": "authority", "login": "authority-1", "name": "演示审定人一", "unit": "authority", "roles": ["authority"]},
    {"role": "authority", "login": "authority-2", "name": "演示审定人二", "unit": "authority", "roles": ["authority"]},
    {"role": "auditor", "login": "auditor-1", "name": "演示审计人", "unit": "authority", "roles": ["auditor"]},
    {"role": "operator", "login": "operator-1", "name": "演示运维人", "unit": "authority", "roles": ["operator"]},
)  # fmt: skip

DEMO_TOUR: dict[str, Any] = {
    "dataset": "parking-records",
    "forbidden_column": "plate",
    "columns": ["lot_id", "entry_time", "exit_time", "duration_min", "vehicle_type"],
}

# The finished case that the demo's client belongs to; it is another firm's than the tour's first applicant.
DEMO_CASE: dict[str, Any] = {
    "unit": "firm-lake",
    "dataset": "parking-records",
    "client": "停车周转分析平台",
    "draft": {
        "columns": ["lot_id", "entry_time", "duration_min"],
        "purpose": "analytics.operations",
        "statement": "分析停车场分时段周转率，改进停车诱导。",
        "delivery": "download",
        "cross_border": "no",
        "onward_sharing": "no",
        "security_officer": "演示管理员乙",
        "mlps": "mlps3",
        "storage": "杭州市（境内）",
        "incidents": "no",
        "members": "演示申请人乙",
    },
}

_USCC_SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def demo_uscc(unit: Mapping[str, str]) -> str | None:
    """Return a demo firm's code: its made-up 17 symbols and the check symbol of GB 32100."""
    if (body := unit.get("uscc")) is None:
        return None
    total = sum(_USCC_SYMBOLS.index(symbol) * pow(3, place, 31) for place, symbol in enumerate(body))
    return body + _USCC_SYMBOLS[-total % 31]
