"""Signed addresses of files, for tools that can send no header: an hour at most, and checked at every request."""

from datetime import timedelta
from urllib.parse import urlencode

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.beijing import BEIJING
from service.base.errors import NotFound
from service.data import gate
from service.data.api.parts import admitted as ask_gate
from service.data.api.parts import api, asked_of, note
from service.data.forms import LinkForm
from service.data.gate import Admitted
from service.data.rules import files as file_rules
from service.data.rules.refusals import LinkInvalid


@api.post("/files/<name>/links")
@requires(Role.CLIENT)
def link(dataset_id: str, name: str) -> ResponseReturnValue:
    """Sign an address of a file for the holder of a live token: {"url", "expires_at", "grant", "version"}."""
    wanted = file_rules.format_of(name, request.args.get("for"))
    if wanted is None:
        raise NotFound()
    lasting = timedelta(seconds=_form().expires_in)
    asked = asked_of(dataset_id, "download", "links", name=f"files/{name}", format=wanted.name)
    if asked.link:
        raise LinkInvalid()  # an address makes no others: it would never end
    admitted = ask_gate(asked)
    document = signed(admitted, f"files/{name}", wanted.name, lasting=lasting)
    answer = http.json_answer(document, 201, Location=str(document["url"]))
    note(admitted, "links", 0, 0)
    return answer


def _form() -> LinkForm:
    return http.json_body(LinkForm) if request.data else LinkForm()


def signed(admitted: Admitted, name: str, format: str, *, lasting: timedelta) -> dict[str, str | int | None]:
    """Return a file's address as a document; public data needs no signature and its address never ends."""
    with db.reading() as session:
        now = clock.now(session)
    made = gate.link_of(admitted, name, format, http.settings().pepper(), lasting=lasting, now=now)
    query = {"for": "excel"} if format == "excel" else {}
    query |= {"link": made[0]} if made else {}
    url = f"{http.settings().base_url}/api/v1/datasets/{admitted.dataset.id}/{name}"
    return {
        "url": f"{url}?{urlencode(query)}" if query else url,
        "expires_at": made[1].astimezone(BEIJING).isoformat() if made else None,
        "grant": admitted.grant.id if admitted.grant else None,
        "version": admitted.view.dataset_version,
    }
