"""Rows of a released view as JSON pages."""

from flask import request
from flask.typing import ResponseReturnValue

from service.base import blobs, clock, db, http
from service.base.access import Role, requires
from service.data import engine, gate, rules
from service.data.api.parts import api, asked_of, note, say_grant
from service.data.gate import Admitted


@api.get("/rows")
@requires(Role.CLIENT)
def rows(dataset_id: str) -> ResponseReturnValue:
    """Answer a page of rows: {"columns", "rows", "next"}."""
    asked = asked_of(dataset_id, "api", "rows")
    with db.reading() as session:
        admitted = gate.admit(session, asked, now=clock.now(session))
    page = _page(admitted)
    limit = rules.limit_of(request.args.get("limit"))
    with blobs.as_file(admitted.files["parquet"].key) as file:
        found = engine.rows(file, page.columns, start=page.start, limit=limit)
    types = {column["name"]: column["type"] for column in admitted.view.columns}
    after = page.start + len(found)
    more = rules.Page(after, page.columns) if found and after < admitted.view.rows else None
    answer = http.json_answer(
        {
            "columns": [{"name": name, "type": types[name]} for name in page.columns],
            "rows": found,
            "next": rules.seal_cursor(more, admitted.binding, http.settings().pepper()) if more else None,
        }
    )
    say_grant(answer, admitted)
    note(admitted, "rows", len(found), int(answer.content_length or 0), whole=True)
    return answer


def _page(admitted: Admitted) -> rules.Page:
    cursor, select = request.args.get("cursor"), request.args.get("select")
    apply = gate.apply_url(admitted.dataset.id)
    if not cursor:
        return rules.Page(0, rules.selected(select, admitted.columns, admitted.known_columns, apply=apply))
    page = rules.open_cursor(cursor, admitted.binding, http.settings().pepper())
    if (
        select is not None
        and rules.selected(select, admitted.columns, admitted.known_columns, apply=apply) != page.columns
    ):
        raise rules.BadParameter(rules.SELECT_CHANGED)
    return page
