"""Who am I: for scripts and pages that hold a session."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from service.base import db, http
from service.base.access import PERSONS, caller, requires
from service.people import store

api = Blueprint("people_api", __name__, url_prefix="/api/v1")


@api.get("/me")
@requires(*PERSONS)
def me() -> ResponseReturnValue:
    """Return the person behind the session, their unit and roles."""
    who = caller()
    with db.reading() as session:
        unit = store.unit(session, who.unit_id)
        verified = store.verified(session, unit.id)
    return http.json_answer(
        {
            "person": {"id": who.person_id, "name": who.name},
            "unit": {
                "id": unit.id, "kind": unit.kind, "name": {"zh": unit.name, "en": unit.name_en}, "verified": verified,
            },
            "roles": sorted(who.roles),
            "authenticated_at": who.authenticated_at.isoformat(),
            "fresh": who.fresh,
        }
    )  # fmt: skip
