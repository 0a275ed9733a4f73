"""How much may be read under a grant: per minute in requests, per Beijing day in rows and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.base.beijing import day_of, end_of_day
from service.data.rules.refusals import BYTES_SPENT, ROWS_SPENT, QuotaSpent

MINUTE = 60
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of a grant; None is no limit."""

    requests_per_minute: int | None = None
    rows_per_day: int | None = None
    bytes_per_day: int | None = None

    @property
    def daily(self) -> bool:
        return self.rows_per_day is not None or self.bytes_per_day is not None


# What holds for a grant that says nothing, by the level of its dataset.  Tools that read Parquet over HTTP ask for each
# column of each row group: a thousand requests for one question are nothing unusual.
DEFAULTS = {
    1: Quota(requests_per_minute=12_000, bytes_per_day=200 * 10**9),
    2: Quota(requests_per_minute=6_000, bytes_per_day=100 * 10**9),
    3: Quota(requests_per_minute=6_000, bytes_per_day=50 * 10**9),
    4: Quota(requests_per_minute=600, bytes_per_day=5 * 10**9),
}


def quota_of(said: Mapping[str, Any] | None, level: int) -> Quota:
    """Return the limits of a grant: each one that it says, else its level's."""
    usual = DEFAULTS.get(level, DEFAULTS[4])
    given = said or {}
    return Quota(*(given.get(name, getattr(usual, name)) for name in Quota.__slots__))


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows and bytes."""

    rows: int = 0
    size: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.rows + other.rows, self.size + other.size)


def spent(quota: Quota, used: Amount, wanted: Amount) -> str | None:
    """Return which limit of the day `wanted` would break ("rows" or "bytes"), beyond what is used; None when none.

    Nothing wanted breaks nothing, except where nothing is left at all: then the next answer is refused at the door.
    """
    for name, limit, have, more in (
        ("rows", quota.rows_per_day, used.rows, wanted.rows),
        ("bytes", quota.bytes_per_day, used.size, wanted.size),
    ):
        if limit is not None and have + max(more, 1) > limit:
            return name
    return None


def over_day(which: str, quota: Quota, *, now: datetime, **links: str) -> QuotaSpent:
    """Return the refusal for a day's limit; it holds until midnight in Beijing."""
    rows = which == "rows"
    limit = quota.rows_per_day if rows else quota.bytes_per_day
    return QuotaSpent(
        ROWS_SPENT if rows else BYTES_SPENT, what=which, limit=limit, retry_after=until_midnight(now), **links
    )


def over_minute(quota: Quota, wait: int, **links: str) -> QuotaSpent:
    """Return the refusal for a minute's limit."""
    return QuotaSpent(what="requests", limit=quota.requests_per_minute, retry_after=max(1, wait), **links)


def until_midnight(now: datetime) -> int:
    """Return the seconds until the Beijing day of `now` ends, at least one."""
    return max(1, int((end_of_day(day_of(now)) - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a grant's limits; `wait` is the seconds until the minute's requests are given anew."""

    quota: Quota
    requests: int
    wait: int
    used: Amount
    midnight: int

    def headers(self) -> dict[str, str]:
        """Return the fields RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
        quota = self.quota
        rows = (
            ("requests", quota.requests_per_minute, MINUTE, "requests", self.requests, self.wait),
            ("rows", quota.rows_per_day, DAY, "rows", (quota.rows_per_day or 0) - self.used.rows, self.midnight),
            ("bytes", quota.bytes_per_day, DAY, "content-bytes", (quota.bytes_per_day or 0) - self.used.size,
             self.midnight),
        )  # fmt: skip
        said = [row for row in rows if row[1] is not None]
        if not said:
            return {}
        policy = ", ".join(f'"{name}";q={limit};w={window};qu="{unit}"' for name, limit, window, unit, _, _ in said)
        left = ", ".join(f'"{name}";r={max(0, rest)};t={wait}' for name, _, _, _, rest, wait in said)
        return {"RateLimit-Policy": policy, "RateLimit": left}
