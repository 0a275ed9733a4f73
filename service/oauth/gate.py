"""What a refusal leaves behind, so that the unit can ask later why: one short row, written after the answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.base import cache, clock, db, log
from service.base.errors import TooMany
from service.oauth import rules, store
from service.oauth.tables import Client

# How many refusals of one client are kept a minute.  Who only names a client, without its secret, has a budget of his
# own: he must not be able to crowd out what the client's unit wants to find.
KEPT = "10/minute"
KEPT_UNPROVED = "3/minute"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused request as far as it was understood.  `proved`: the client showed its secret or a token of its own."""

    request_id: str
    client_id: str
    endpoint: str
    code: str
    status: int
    proved: bool = True
    dataset_id: str | None = None
    grant_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Afterwards:
    """A body, and an act once it has been read to its end or closed, as when the reader leaves.

    No generator: one that nobody closes would act when it is thrown away, which may be inside a transaction of the
    same thread, and wait there for itself.
    """

    def __init__(self, body: Iterable[bytes], act: Callable[[], None]) -> None:
        self._body, self._act = iter(body), act
        self._done = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._body)
        except BaseException:  # at its end, and where it breaks
            self.close()
            raise

    def close(self) -> None:
        if not self._done:
            self._done = True
            self._act()


def remember(refused: Refused) -> None:
    """Write a refusal down for its client's unit.  Raises nothing: the answer was given, and it stands.

    Left out: a client that does not exist, and what is beyond the client's minute.
    """
    limit = KEPT if refused.proved else KEPT_UNPROVED
    key = ("refused", str(refused.proved), refused.client_id)
    if not rules.could_be_client(refused.client_id):
        return
    try:
        cache.check(limit, *key)
        cache.count(limit, *key)
        _write(refused)
    except TooMany:
        return
    except Exception as fault:
        log.error("oauth", "a refusal was not written down", fault=type(fault).__name__)


def _write(refused: Refused) -> None:
    with db.writing() as session:
        if (client := session.get(Client, refused.client_id)) is None:
            return
        store.note_refusal(
            session,
            id=refused.request_id,
            at=clock.now(session),
            unit_id=client.unit_id,
            client_id=client.id,
            grant_id=refused.grant_id,
            dataset_id=refused.dataset_id,
            endpoint=refused.endpoint,
            code=refused.code,
            status=refused.status,
            facts=rules.told(refused.code, refused.facts),
        )
