"""Taking recalled rows out of released views: stopped first, then their bytes deleted, then made anew.

Each step may be done twice.  A view that is stopped is neither read nor made again until its objects are gone, so that
what is made anew is never deleted with what was.
"""

from service.base import blobs, clock, db, log
from service.base.errors import Refusal
from service.grants.actions import recalls as actions
from service.grants.jobs.building import build_public_view
from service.grants.store import recalls as store


def recall_views(limit: int = 100) -> int:
    """Stop, empty and make anew the views that hold recalled rows; return how many were emptied."""
    with db.writing() as session:
        store.mark_recalled(session)
    with db.reading() as session:
        stopped = store.recalled_views(session, limit=limit)
    for view in stopped:
        _empty(view.id)
    _remake_public()
    with db.writing() as session:
        actions.ask_holders(session, now=clock.now(session), limit=limit)
    return len(stopped)


def _empty(view_id: str) -> None:
    with db.reading() as session:
        keys = store.keys_of_view(session, view_id)
        gone = keys - store.in_use(session, keys)
    for key in sorted(gone):
        blobs.delete(key)
    with db.writing() as session:
        actions.empty_recalled(session, view_id, objects=len(gone), now=clock.now(session))


def _remake_public() -> None:
    """Build again what everybody may read: nobody waits for a public view, so no other job would."""
    with db.reading() as session:
        views = store.public_to_remake(session)
    for view in views:
        columns = [column["name"] for column in view.columns]
        try:
            build_public_view(view.dataset_id, columns, version=view.dataset_version)
        except Refusal as refusal:
            log.info("grants", "public view not made again", dataset=view.dataset_id, fault=refusal.code)
