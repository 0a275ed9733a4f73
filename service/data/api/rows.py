"""Rows of a released view: pages in JSON, and whole answers in jsonl, csv, arrow and parquet as they are computed."""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import http
from service.base.access import Role, requires
from service.data import engine
from service.data.api import parts, query
from service.data.api.parts import api
from service.data.api.query import Wanted
from service.data.gate import Admitted, Asked
from service.data.rules import rows as rules
from service.oauth import gate as oauth


@api.get("/rows")
@requires(Role.CLIENT)
def rows(dataset_id: str) -> ResponseReturnValue:
    """Answer rows by filter, order and selection: a page in JSON, or all of them in jsonl, csv, arrow or parquet."""
    return _answer(dataset_id, from_body=False)


@api.post("/rows")
@requires(Role.CLIENT)
def query_rows(dataset_id: str) -> ResponseReturnValue:
    """Answer rows like GET, the query in a JSON body: for one that is too long for an address."""
    return _answer(dataset_id, from_body=True)


def _answer(dataset_id: str, *, from_body: bool) -> Response:
    asked = parts.asked_of(dataset_id, "api", "rows")
    admitted = parts.admitted(asked)
    wanted = query.wanted_of(query.of_body() if from_body else query.of_address(), admitted)
    answer = _page(admitted, wanted) if wanted.kind == "json" else _export(admitted, asked, wanted)
    parts.say_grant(answer, admitted)
    answer.vary.add("Accept")
    return answer


def _page(admitted: Admitted, wanted: Wanted) -> Response:
    """Answer {"columns", "rows", "next"}, and where a count was asked for {"count", "exact"}."""
    limit, start = rules.limit_of(wanted.limit), wanted.page.start if wanted.page else None
    with ExitStack() as held:
        files = query.parts_of(admitted, held)
        found, more = engine.read_page(files, wanted.query, start, limit)
        total = engine.counted(files, wanted.query.filter) if wanted.count else None
    types = {column["name"]: column["type"] for column in admitted.view.columns}
    body: dict[str, Any] = {
        "columns": [{"name": name, "type": types[name]} for name in wanted.query.columns],
        "rows": found,
        "next": rules.seal_cursor(more, admitted.binding, http.settings().pepper()) if more else None,
    }
    answer = http.json_answer(body | ({"count": total[0], "exact": total[1]} if total else {}))
    parts.note(admitted, "rows", len(found), int(answer.content_length or 0))
    return answer


def _export(admitted: Admitted, asked: Asked, wanted: Wanted) -> Response:
    """Answer all rows, or as many as `limit` says, as they are computed; their length is not known before.

    What is wrong before the first bytes is a refusal; a fault after them breaks the connection, so that no short answer
    looks whole.
    """
    limit, start = rules.whole_limit_of(wanted.limit), wanted.page.start if wanted.page else None
    body: Iterable[bytes] = ()
    if request.method != "HEAD":
        body = _sending(admitted, asked, wanted, start, limit)
    answer = Response(body, content_type=rules.KINDS[wanted.kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="{admitted.dataset.id}.{wanted.kind}"'
    return answer


def _sending(admitted: Admitted, asked: Asked, wanted: Wanted, start: int | None, limit: int | None) -> Iterable[bytes]:
    """Begin to compute and return the body; files and child are let go of with its end, whatever ends it."""
    held = ExitStack()
    with held:
        files = query.parts_of(admitted, held)
        pieces = engine.export(files, wanted.query, wanted.kind, start=start, limit=limit)
        held.callback(pieces.close)
        flow = parts.flowing(admitted, asked, wanted.kind, pieces)
        kept = held.pop_all()
    kept.callback(getattr(flow, "close", lambda: None))  # first of all: it writes down what was sent
    return oauth.Afterwards(flow, kept.close)
