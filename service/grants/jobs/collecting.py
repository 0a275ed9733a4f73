"""Deleting the bytes of views that nobody needs, and what killed workers left behind.

A row is emptied a day after its view has served for the last time: whoever began to read before has ended.  An object
is deleted in a transaction that lets no other name it meanwhile, and only when no row names it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from service.audit import actions as audit
from service.base import blobs, clock, db, log
from service.grants.rules import ViewState
from service.grants.store import collecting as store

GRACE = timedelta(days=1)  # for readers under way
FILES_STAY = timedelta(days=7)  # of whole files of versions that a grant has left
SYSTEM = "system"

_strays: dict[str, datetime] = {}  # since when this process has seen objects that no row names


def collect(limit: int = 100) -> int:
    """Empty the views that nobody needs and delete what no view names; return how many objects were deleted."""
    with db.reading() as session:
        now = clock.now(session)
        views = store.needless(session, before=now - GRACE, limit=limit)
        held_back = store.forsaken(session, before=now - GRACE, limit=limit)
        files = store.old_files(session, before=now - FILES_STAY, limit=limit)
    keys: set[str] = set()
    for view_id in views:
        keys |= _emptied(view_id, ViewState.COLLECTED)
    for view_id in held_back:
        keys |= _emptied(view_id, None)
    for view_id, format in files:
        with db.writing() as session:
            keys |= store.drop_file(session, view_id, format)
    return _delete(keys) + _delete(_left_behind(now))


def _emptied(view_id: str, state: ViewState | None) -> set[str]:
    with db.writing() as session:
        keys = store.drop_view(session, view_id, state=state and state.value)
        if state is not None:
            facts = {"objects": len(keys)}
            now = clock.now(session)
            audit.record(session, subject=f"view:{view_id}", kind="view:collect", by=SYSTEM, now=now, facts=facts)
    return keys


def _left_behind(now: datetime) -> set[str]:
    """Return the objects that no row has named for as long as readers are given: a worker died before it could."""
    with db.reading() as session:
        strays = store.unnamed(session, set(blobs.keys("views")))
    for key in list(_strays):
        if key not in strays:
            del _strays[key]
    for key in strays:
        _strays.setdefault(key, now)
    return {key for key, since in _strays.items() if since <= now - GRACE}


def _delete(keys: Collection[str]) -> int:
    """Delete those of the objects that no row names."""
    deleted = 0
    for key in sorted(keys):
        with db.writing() as session:
            store.lock_objects(session)
            if store.unnamed(session, [key]):
                blobs.delete(key)
                deleted += 1
        _strays.pop(key, None)
    if deleted:
        log.info("grants", "objects of views deleted", objects=deleted)
    return deleted
