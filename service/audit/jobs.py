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
    signer, sealed = engine.signer(home, make=not begun), 0
    while True:
        with db.writing() as session:
            count = actions.seal(session, signer=signer, now=clock.now(session))
        sealed += count
        if count < actions.SEAL_LIMIT:
            return sealed
