"""The log from outside: its newest checkpoint and its proofs for everybody, its events for the auditor."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from service.audit import actions, rules, store
from service.audit.forms import ConsistencyQuery, EventsQuery
from service.audit.tables import Event
from service.base import clock, db, http
from service.base.access import Role, caller, requires
from service.base.db import Session
from service.base.errors import NotFound
from service.base.forms import form_data, parse
from service.base.i18n import gettext

api = Blueprint("audit", __name__, url_prefix="/audit")


@api.get("/checkpoint")
@requires(Role.PUBLIC)
def checkpoint() -> ResponseReturnValue:
    """Give the newest signed head: whoever keeps it can tell later whether the log was cut or rewritten."""
    with db.reading() as session:
        return http.json_answer(_newest(session).document())


@api.get("/proof/<event_id>")
@requires(Role.PUBLIC)
def proof(event_id: str) -> ResponseReturnValue:
    """Prove that an event is in the log, without saying what it says: the leaf is salted."""
    with db.reading() as session:
        leaf, head = store.leaf_of(session, event_id), _newest(session)
        path = rules.inclusion_proof(leaf.position, head.size, store.nodes(session))
    return http.json_answer(
        {
            "event": event_id,
            "position": leaf.position,
            "leaf": leaf.hash.hex(),
            "path": [step.hex() for step in path],
            "checkpoint": head.document(),
        }
    )


@api.get("/consistency")
@requires(Role.PUBLIC)
def consistency() -> ResponseReturnValue:
    """Prove that the log of `new` events begins with the log of `old` events."""
    query = parse(ConsistencyQuery, form_data(request.args))
    with db.reading() as session:
        head = _newest(session)
        new = head.size if query.new is None else query.new
        if not query.old <= new <= head.size:
            raise NotFound()
        path = rules.consistency_proof(query.old, new, store.nodes(session))
    return http.json_answer({"old": query.old, "new": new, "path": [step.hex() for step in path]})


@api.get("/events")
@requires(Role.AUDITOR)
def events() -> ResponseReturnValue:
    """List events, of one subject by version or of all by time."""
    query = parse(EventsQuery, form_data(request.args))
    with db.reading() as session:
        if query.subject:
            found = store.events_of(session, query.subject, limit=query.limit)
        else:
            found = store.events(session, after=query.after, limit=query.limit)
    return http.json_answer({"events": [_document(event) for event in found]})


@api.post("/openings")
@requires(Role.OPERATOR, Role.AUTHORITY, Role.AUDITOR, fresh=True)
def open_again() -> ResponseReturnValue:
    """Note that the caller has checked a restored service; the second person's check lets data leave again."""
    with db.writing() as session:
        now = clock.now(session)
        opened = actions.check_restored(session, by=caller().person_id, now=now)
    return http.json_answer({"open": opened}, status=201)


def _newest(session: Session) -> rules.Checkpoint:
    if (found := store.checkpoint(session)) is None:
        raise NotFound()
    return found


def _document(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "subject": event.subject,
        "version": event.version,
        "kind": event.kind,
        "title": gettext(rules.KINDS.get(event.kind, event.kind)),
        "by": event.by,
        "at": rules.instant(event.at),
        "facts": event.facts,
        "salt": event.salt.hex(),
        "commitment": event.commitment.hex(),
    }
