"""Sealing, each second, by the leader."""

from pathlib import Path

from service.audit import actions, engine, store
from service.base import clock, db


def seal(home: Path) -> int:
    """Seal what has been committed, with the key in `home`; return how many events.

    The writer's lock is not taken when nothing waits.  Raises KeyMissing when the log has been signed with a key that
    is not here.
    """
    with db.reading() as session:
        if not store.has_unsealed(session):
            return 0
        begun = store.head(session) is not None
    signer = engine.signer(home, make=not begun)
    with db.writing() as session:
        return actions.seal(session, signer=signer, now=clock.now(session))
