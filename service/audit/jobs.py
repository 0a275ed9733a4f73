"""Sealing, each second, by the leader."""

from pathlib import Path

from service.audit import actions, engine, store
from service.base import clock, db


def seal(home: Path) -> int:
    """Seal what has been committed, with the key in `home`; return how many events.

    The writer's lock is not taken when nothing waits.
    """
    with db.reading() as session:
        if not store.has_unsealed(session):
            return 0
    signer = engine.signer(home)
    with db.writing() as session:
        return actions.seal(session, signer=signer, now=clock.now(session))
