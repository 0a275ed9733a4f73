"""Health, readiness, metrics, why a request was refused, and the API's own description."""

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from service.audit import store as audit
from service.base import blobs, clock, db, http, log
from service.base.access import READERS, Role, caller, caller_or_none, requires
from service.base.beijing import BEIJING
from service.base.errors import NotAllowed, Unavailable
from service.base.settings import LOOPBACK
from service.home import engine, gate

api = Blueprint("health", __name__)

UNSEALED_WARNING = 60  # seconds
RETRY = 5  # seconds


@api.get("/healthz")
@requires(Role.PUBLIC)
def health() -> ResponseReturnValue:
    """Say that the process answers; touches nothing else."""
    return http.json_answer({"status": "ok"})


@api.get("/readyz")
@requires(Role.PUBLIC)
def ready() -> ResponseReturnValue:
    """Say whether this replica can serve: database, store, and how long audit events have waited for their seal."""
    try:
        with db.reading() as session:
            now = clock.now(session)
            count, since = audit.unsealed(session)
        blobs.reach()
    except Exception as fault:
        log.error("health", "not ready", fault=type(fault).__name__)
        raise Unavailable(retry_after=RETRY) from None
    waiting = (now - since).total_seconds() if since else 0.0
    warnings = ["audit-unsealed"] if waiting > UNSEALED_WARNING else []
    return http.json_answer({"status": "ok", "warnings": warnings, "unsealed": count})


@api.get("/metrics")
@requires(Role.PUBLIC)
def metrics() -> ResponseReturnValue:
    """Answer a few gauges in Prometheus' text format: to loopback and to operators only."""
    who = caller_or_none()
    if request.remote_addr not in LOOPBACK and not (who and who.has(Role.OPERATOR)):
        raise NotAllowed()
    with db.reading() as session:
        count, _since = audit.unsealed(session)
        head = audit.head(session)
    lines = [
        "# TYPE qiantang_audit_unsealed gauge",
        f"qiantang_audit_unsealed {count}",
        "# TYPE qiantang_audit_sealed counter",
        f"qiantang_audit_sealed {head.size if head else 0}",
    ]
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


@api.get("/api/v1/requests/<request_id>")
@requires(*READERS)
def refused_request(request_id: str) -> ResponseReturnValue:
    """Say why a token or data request was refused, by the id that its answer carried; kept for 30 days."""
    with db.reading() as session:
        found = gate.explained(session, request_id, caller(), now=clock.now(session))
    told, client = found.request, found.client
    return http.json_answer(
        {
            "id": told.id,
            "at": told.at.astimezone(BEIJING).isoformat(timespec="seconds"),
            "endpoint": told.endpoint,
            "dataset": told.dataset_id,
            "grant": told.grant_id,
            "standing": found.standing,
            "client": {"id": client.id, "name": client.name, "disabled": client.disabled_at is not None},
            "code": told.code,
            "status": told.status,
            "title": found.title,
            "detail": found.detail,
            "advice": found.advice,
        }
    )


@api.get("/api/v1/openapi.json")
@requires(Role.PUBLIC)
def openapi() -> ResponseReturnValue:
    """Describe this API (OpenAPI 3.1)."""
    routes = engine.routes_of(current_app.url_map.iter_rules(), current_app.view_functions)
    return http.json_answer(engine.describe(routes, base_url=http.settings().base_url))
