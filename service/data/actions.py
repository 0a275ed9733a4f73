"""What is said about the use of grants: flags, told to the stewards of the data; only a person stops anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from service.base.db import Session
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.data import store
from service.data.rules import watching
from service.notices import actions as notices
from service.oauth import store as clients

MANY = 5_000  # pairs of client and network that one turn looks at


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood out on a Beijing `day`: of which kind, in whose use of what."""

    kind: str
    dataset_id: str
    grant_id: str
    client_id: str | None
    day: date
    facts: Mapping[str, object]


def flag_sudden(session: Session, day: date, *, now: datetime) -> int:
    """Flag the grants whose day so far is far beyond their usual one, each once a day; return how many are new."""
    flagged = 0
    since = day - timedelta(days=watching.BEFORE)
    for grant_id, dataset_id, rows, size in store.used_on(session, day):
        if rows < watching.FLOOR_ROWS and size < watching.FLOOR_SIZE:
            continue
        before = store.sizes_before(session, grant_id, since=since, before=day)
        if (found := watching.sudden(day, (rows, size), before)) is None:
            continue
        facts = {"what": watching.WORDS[found.what], "today": found.today, "usual": found.usual}
        flagged += _flag(
            session, f"volume:{grant_id}:{day}", Seen("volume", dataset_id, grant_id, None, day, facts), now=now
        )  # fmt: skip
    return flagged


def flag_networks(session: Session, day: date, *, since: datetime, now: datetime) -> int:
    """Learn the networks that clients read from since `since`; flag each that is new to a client with others known.

    Return how many flags are new.
    """
    flagged = 0
    for client_id, network, grant_id, dataset_id, at in store.networks_since(session, since, limit=MANY):
        if not store.know_network(session, client_id, network, now=at):
            continue
        if store.other_networks(session, client_id, network):
            seen = Seen("network", dataset_id, grant_id, client_id, day, {"network": network})
            flagged += _flag(session, f"network:{client_id}:{network}", seen, now=now)
    return flagged


def _flag(session: Session, about: str, seen: Seen, *, now: datetime) -> bool:
    """Write a flag down and tell the stewards of the data's unit, once; False when it is known."""
    if not store.flag(session, about, at=now, **asdict(seen)):
        return False
    dataset = catalogue.dataset(session, seen.dataset_id)
    told = {
        "grant": seen.grant_id,
        "dataset": dataset.title,
        "id": dataset.id,
        "day": seen.day.isoformat(),
        **seen.facts,
    }
    if seen.client_id:
        told["system"] = clients.client(session, seen.client_id).name
    notices.put(
        session, kind=f"usage-{seen.kind}", to_unit=dataset.source_unit_id, to_role=Role.STEWARD, facts=told, now=now,
        key=f"usage-{about}",
    )  # fmt: skip
    return True
