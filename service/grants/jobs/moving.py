"""Moving grants to what was judged for them, once its view is ready: a reader never waits because of a move."""

from service.base import clock, db, log
from service.base.errors import Refusal
from service.grants import actions
from service.grants import store as grants
from service.grants.store import following as rows


def move_ready(limit: int = 100) -> int:
    """Let following grants serve the newest version that was judged for them and is there; return how many moved."""
    with db.reading() as session:
        ready = rows.movable(session, now=clock.now(session), limit=limit)
    return sum(_move(grant_id, number) for grant_id, number in ready)


def _move(grant_id: str, number: int) -> bool:
    try:
        with db.writing() as session:
            grant = grants.grant(session, grant_id)
            if number <= grant.dataset_version or grants.view_of(session, grant_id, number) is None:
                return False
            actions.move_to(session, grant, number, now=clock.now(session))
    except Refusal as refusal:
        log.info("grants", "not moved", grant=grant_id, version=number, fault=refusal.code)
        return False
    return True
