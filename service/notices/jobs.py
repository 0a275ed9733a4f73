"""Delivering the outbox."""

from service.base import clock, db, log
from service.notices import actions, store


def deliver(limit: int = 200) -> int:
    """Deliver what is due, each entry in a transaction of its own; return how many.  Safe to run twice or late.

    What fails is tried again at growing intervals, and after the last try it stays visible as failed.
    """
    with db.reading() as session:
        waiting = store.due(session, now=clock.now(session), limit=limit)
    return sum(_deliver(outbox_id) for outbox_id in waiting)


def _deliver(outbox_id: str) -> bool:
    try:
        with db.writing() as session:
            return actions.deliver(session, outbox_id, now=clock.now(session))
    except Exception as fault:
        _note(outbox_id, f"{type(fault).__name__}: {fault}")
        return False


def _note(outbox_id: str, fault: str) -> None:
    with db.writing() as session:
        last = actions.note_failure(session, outbox_id, fault=fault, now=clock.now(session))
    log.info("notices", "gave up" if last else "will try again", outbox=outbox_id, fault=fault)
