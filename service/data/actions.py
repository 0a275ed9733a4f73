"""What is said about the use of grants: flags, told to the stewards of the data; only a person stops anything."""

from datetime import date, datetime, timedelta

from service.base.db import Session
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.data import store
from service.data.rules import watching
from service.notices import actions as notices
from service.oauth import store as clients

MANY = 5_000  # pairs of client and network that one turn looks at


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
            session, f"volume:{grant_id}:{day}", "volume", dataset_id=dataset_id, grant_id=grant_id, client_id=None,
            day=day, facts=facts, now=now,
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
            flagged += _flag(
                session, f"network:{client_id}:{network}", "network", dataset_id=dataset_id, grant_id=grant_id,
                client_id=client_id, day=day, facts={"network": network}, now=now,
            )  # fmt: skip
    return flagged


def _flag(
    session: Session, about: str, kind: str, *, dataset_id: str, grant_id: str, client_id: str | None, day: date,
    facts: dict[str, object], now: datetime,
) -> bool:  # fmt: skip
    """Write a flag down and tell the stewards of the data's unit, once; False when it is known."""
    values = {"dataset_id": dataset_id, "grant_id": grant_id, "client_id": client_id, "day": day, "facts": facts}
    if not store.flag(session, about, kind=kind, at=now, **values):
        return False
    dataset = catalogue.dataset(session, dataset_id)
    told = {"grant": grant_id, "dataset": dataset.title, "id": dataset_id, "day": day.isoformat(), **facts}
    if client_id:
        told["system"] = clients.client(session, client_id).name
    notices.put(
        session, kind=f"usage-{kind}", to_unit=dataset.source_unit_id, to_role=Role.STEWARD, facts=told, now=now,
        key=f"usage-{about}",
    )  # fmt: skip
    return True
