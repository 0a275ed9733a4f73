"""Making signed addresses."""

from datetime import datetime, timedelta

from service.data.gate.asking import Admitted
from service.data.rules.links import LONGEST, SESSION, TOKEN, Link, seal_link


def link_of(
    admitted: Admitted, name: str, format: str, key: bytes, *, lasting: timedelta = LONGEST, now: datetime
) -> tuple[str, datetime] | None:
    """Return the signed word for one file of an admitted view and when it ends: an hour on, or with the grant.

    None for public data, which needs none, and for who came by such an address: it begets no others.
    """
    grant = admitted.grant
    if grant is None or admitted.credential not in (TOKEN, SESSION):
        return None
    until = min(now + min(lasting, LONGEST), grant.ends_at).replace(microsecond=0)
    link = Link(
        dataset_id=admitted.dataset.id, name=name, format=format, grant_id=grant.id, epoch=grant.epoch,
        version=admitted.view.dataset_version, kind=admitted.credential, holder=admitted.holder,
        until=int(until.timestamp()),
    )  # fmt: skip
    return seal_link(link, key), until
