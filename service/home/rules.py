"""Pure helpers of the pages: working days, texts in two languages, statistics of the register."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from service.base.beijing import BEIJING
from service.base.errors import Refusal
from service.screening.rules import strictest

Works = Callable[[date], bool]


def working_days_before(now: datetime, days: int, *, works: Works) -> datetime:
    """Return the instant, UTC, such that `days` whole working days (Beijing) lie between it and `now`."""
    day, left = now.astimezone(BEIJING).date(), days
    while left:
        day -= timedelta(days=1)
        left -= works(day)
    return datetime.combine(day, time.min, BEIJING).astimezone(UTC)


def column_shown(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset's page says of one column before anybody has applied.

    Nobody knows yet who will ask and for what, so nearly every rule about that is open.  `outcome` is what holds for
    everybody, `depends` whether it may become stricter; an unclassified column stays as it was judged.
    """
    certain = strictest(rule["outcome"] for rule in verdict["own"] if rule["state"] == "hit")
    unclassified = any(str(key).startswith("columns.") for key in verdict["missing"])
    outcome = verdict["own_outcome"] if unclassified else certain
    depends = outcome != "prohibit" and any(rule["state"] == "unknown" for rule in verdict["own"])
    return {"outcome": outcome, "rules": verdict["own"], "depends": depends}


def refusals_by_clause(verdicts: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return how many refusals each rule had a hand in, most first; "" stands for those that no rule asked for.

    Of the rules that a request met, those of the gravest outcome count; one that only sets conditions refuses nothing.
    """
    counted: Counter[str] = Counter()
    for verdict in verdicts:
        hits = [rule for rule in verdict.get("rules", []) if rule["state"] == "hit"]
        graver = ([rule["id"] for rule in hits if rule["outcome"] == outcome] for outcome in ("prohibit", "review"))
        counted.update(next(filter(None, graver), [""]))
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def kinds_of(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Yield a kind of refusal and everything below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)
