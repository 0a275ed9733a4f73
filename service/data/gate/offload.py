"""Leave for the web server before us: an answer is charged when it begins, and the gate asked again for each slice."""

from dataclasses import replace

from service.base import clock, db
from service.base.db import Session
from service.base.errors import NotFound
from service.data import store
from service.data.gate.admission import admit
from service.data.gate.asking import Admitted, Asked
from service.data.gate.quota import LAPSE, Meter, charge
from service.data.rules.files import ByteRange
from service.data.rules.offload import LASTING, Ticket, share
from service.data.rules.quota import Amount
from service.data.store import slices


def hand_over(admitted: Admitted, asked: Asked, face: str, amount: Amount) -> str:
    """Charge an answer that nginx is to send, before its first byte; return its reservation, empty for public data.

    QuotaSpent when it is more than is left.  Nobody tells how much of a public file went out: it is written down whole.
    """
    if admitted.grant is None:
        charge(admitted, asked, face, amount)
        return ""
    meter = Meter(admitted, asked, face, amount)
    meter.reserve()
    return meter.reservation


def ticket_of(admitted: Admitted, asked: Asked, reservation: str, *, key: str, sha256: str, part: ByteRange) -> Ticket:
    """Return the ticket for the bytes `part` of an object, for an hour."""
    with db.reading() as session:
        until = clock.now(session) + LASTING
    return Ticket(
        reservation=reservation, dataset_id=admitted.dataset.id, name=asked.name, format=asked.format,
        grant_id=admitted.grant.id if admitted.grant and not asked.link else None, binding=admitted.binding,
        version=admitted.view.dataset_version, key=key, sha256=sha256, start=part.start, end=part.end,
        until=int(until.timestamp()),
    )  # fmt: skip


def allow(ticket: Ticket, asked: Asked, part: ByteRange) -> None:
    """Let one slice go out, and count it first; raises a refusal once the same request would not be admitted any more.

    NotFound for a credential that opens something else, and for an answer that was settled: given whole, or left.
    """
    if asked.link is None:
        asked = replace(asked, version=ticket.version)
    with db.reading() as session:
        again = admit(session, asked, now=clock.now(session))
    if again.binding != ticket.binding:
        raise NotFound()
    if more := share(ticket, part):
        with db.writing() as session:
            _count(session, ticket, more)


def _count(session: Session, ticket: Ticket, more: int) -> None:
    held = slices.held(session, ticket.reservation)
    if held is None or held.sent_size + more > held.size:
        raise NotFound()
    now, size = clock.now(session), held.sent_size + more
    if size < held.size:
        store.keep(session, held.id, Amount(held.rows * size // held.size, size), lapses_at=now + LAPSE)
        return
    answer, day, rows = held.answer, held.day, held.rows
    store.release(session, held.id)
    store.note_usage(session, now=now, day=day, rows=rows, size=size, whole=True, **answer)
