"""Why a program was refused: what became of a token or data request, by the id that its answer carried."""

import re

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import FIRM, READERS, caller, requires
from service.base.db import Session
from service.base.errors import NotFound
from service.home import gate
from service.home.web.parts import pages
from service.oauth import store as clients

LISTED = 20


@pages.get("/requests")
@requires(*READERS)
def requests() -> ResponseReturnValue:
    """Ask for a request's id; a unit also sees its programs' last refusals."""
    wanted = request.args.get("id", "").strip().lower()
    if re.fullmatch("[0-9a-f]{16}", wanted):
        return http.see_other(f"/requests/{wanted}")
    with db.reading() as session:
        return _asking(session, wanted)


@pages.get("/requests/<request_id>")
@requires(*READERS)
def refused_request(request_id: str) -> ResponseReturnValue:
    """Say why a request was refused and what to do; somebody else's and one that never was answer alike."""
    with db.reading() as session:
        try:
            found = gate.explained(session, request_id, caller(), now=clock.now(session))
        except NotFound:
            return _asking(session, request_id)
        return http.page("home/request.html", one=found, own=found.client.unit_id == caller().unit_id)


def _asking(session: Session, wanted: str) -> Response:
    who = caller()
    last = clients.refusals_of(session, who.unit_id, limit=LISTED) if who.has(*FIRM) else []
    names = {client.id: client.name for client in clients.of_unit(session, who.unit_id)} if last else {}
    titles = {row.code: gate.title_of(row.code) for row in last}
    return http.page(
        "home/requests.html", status=404 if wanted else 200, refusal=NotFound() if wanted else None,
        wanted=wanted, last=last, names=names, titles=titles,
    )  # fmt: skip
