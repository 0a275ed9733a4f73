"""Files that nginx sends for us: the answer names the file, and nginx asks here before each slice of a granted one."""

from dataclasses import replace
from typing import Protocol
from urllib.parse import quote

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from service.base import blobs, clock, db, http, log
from service.base.access import Role, requires
from service.base.errors import NotFound, Refusal
from service.data.api.parts import asked_of
from service.data.gate import Admitted, Asked
from service.data.gate import offload as gate
from service.data.rules import offload as rules
from service.data.rules.files import ByteRange
from service.data.rules.offload import Way
from service.data.rules.quota import Amount

NGINX = "nginx"
PLACES = {Way.PLAIN: "/_public/", Way.SLICED: "/_sliced/"}  # of deploy/nginx.conf

internal = Blueprint("data_internal", __name__, url_prefix="/internal")


class Held(Protocol):
    """An object as a face serves it."""

    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def face(self) -> str: ...
    @property
    def media_type(self) -> str: ...


def handed_over(admitted: Admitted, asked: Asked, held: Held, part: ByteRange) -> Response | None:
    """Return an answer without a body that has nginx send `part` of an object; None where we send it ourselves.

    nginx makes the 206 of it by the request's own Range.
    """
    size = part.end - part.start
    way = _way(admitted, size)
    if way is Way.OURS:
        return None
    rows = held.rows * size // max(1, held.size)
    reservation = gate.hand_over(admitted, asked, held.face, Amount(rows, size))
    answer = Response(content_type=held.media_type)
    answer.headers["X-Accel-Redirect"] = PLACES[way] + quote(held.key)
    if way is Way.SLICED:
        # For nginx alone, which keeps them from the caller and shows them to the gate; in no address, so in no log.
        ticket = gate.ticket_of(admitted, asked, reservation, key=held.key, sha256=held.sha256, part=part)
        answer.headers["Qiantang-Ticket"] = rules.seal_ticket(ticket, http.settings().pepper())
        answer.headers["Qiantang-Link"] = asked.link or ""
    return answer


def _way(admitted: Admitted, size: int) -> Way:
    if http.settings().offload != NGINX or request.method != "GET" or blobs.folder() is None:
        return Way.OURS
    return rules.way_of(
        restricted=admitted.grant is not None, level=admitted.dataset.level, size=size, headers=dict(request.headers)
    )


@internal.get("/gate")
@requires(Role.CLIENT)
def gate_of_slice() -> ResponseReturnValue:
    """Answer nginx, which is about to send a slice: 204, or 403 whatever the reason: it knows no other refusal."""
    if http.settings().offload != NGINX:
        raise NotFound()
    try:
        opened = _opened()
        asked = asked_of(opened.dataset_id, "download", "slice", name=opened.name, format=opened.format)
        link = request.headers.get("Qiantang-Link") or None
        gate.allow(opened, replace(asked, link=link, grant_id=opened.grant_id), _slice())
    except Refusal as refusal:
        log.info("data", "a slice was refused", code=refusal.code)
        return Response(status=403)
    return Response(status=204, headers={"ETag": f'"{opened.sha256}"'})


def _opened() -> rules.Ticket:
    """Return the open ticket for the object that nginx names; NotFound for any other."""
    with db.reading() as session:
        now = clock.now(session)
    opened = rules.open_ticket(request.headers.get("Qiantang-Ticket", ""), http.settings().pepper(), now=now)
    if opened is None or request.headers.get("Qiantang-Object") != PLACES[Way.SLICED] + opened.key:
        raise NotFound()
    return opened


def _slice() -> ByteRange:
    if (part := rules.slice_of(request.headers.get("Range"))) is None:
        raise NotFound()
    return part
