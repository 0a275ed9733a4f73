"""What a request for rows says, in its address or in its body, and in which format it wants the answer."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel
from werkzeug.exceptions import RequestEntityTooLarge

from service.base import blobs, http
from service.base.errors import TooLarge
from service.base.i18n import N_
from service.data import gate
from service.data.engine import Part
from service.data.forms import RowsForm
from service.data.gate import Admitted
from service.data.rules import rows as rules
from service.data.rules.filters import OPERATORS, Columns, Faults
from service.data.rules.refusals import BadParameter

M = TypeVar("M", bound=BaseModel)

MOST_BODY = 64 << 10  # bytes of a query


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query as it was asked: which rows, from where on, how many, whether counted, in which format."""

    query: rules.Query
    page: rules.Page | None
    limit: str | int | None
    count: bool
    kind: str


def of_address() -> dict[str, Any]:
    """Return what a GET says of its query: `filter` is JSON, `where` may stand several times."""
    found: dict[str, Any] = {
        name: request.args.get(name) for name in ("select", "order", "limit", "cursor", "count", "format")
    }
    text = request.args.get("filter")
    return found | {"filter": _json(text) if text is not None else None, "where": request.args.getlist("where")}


def of_body() -> dict[str, Any]:
    """Return what a POST says: the same names, as JSON."""
    return body(RowsForm).model_dump()


def body(form: type[M]) -> M:
    """Return the JSON body as a `form`; TooLarge beyond MOST_BODY, Invalid when it does not hold."""
    request.max_content_length = MOST_BODY
    try:
        return http.json_body(form)
    except RequestEntityTooLarge:
        raise TooLarge() from None


def wanted_of(asked: dict[str, Any], admitted: Admitted) -> Wanted:
    """Return the query that a caller who was admitted may ask; a refusal that names everything wrong with it."""
    kind = kind_of(asked.get("format"))
    columns, apply = columns_of(admitted), gate.apply_url(admitted.dataset.id)
    page = None
    if asked.get("cursor"):
        page = rules.open_cursor(str(asked["cursor"]), admitted.binding, http.settings().pepper())
    select = asked.get("select") if page is None or asked.get("select") is not None else list(page.columns)
    query = rules.query_of(asked | {"select": select}, columns, apply=apply)
    if page is not None:
        rules.demand_same(page, query)
        if page.columns != query.columns:
            raise BadParameter(rules.SELECT_CHANGED)
    return Wanted(query, page, asked.get("limit"), rules.flag_of(asked.get("count")), kind)


def columns_of(admitted: Admitted) -> Columns:
    """Return the view's columns with their types, and the public dictionary's names."""
    types = {one["name"]: one["type"] if one["type"] in OPERATORS else "string" for one in admitted.view.columns}
    return Columns(types, admitted.known_columns)


def kind_of(format: str | None) -> str:
    """Return the format of the answer: `format`, else the best of Accept; NotAcceptable when there is none."""
    known = ", ".join(rules.KINDS)
    if format is not None:
        if format not in rules.KINDS:
            raise rules.NotAcceptable(known=known)
        return format
    if "Accept" not in request.headers:
        return "json"
    best = request.accept_mimetypes.best_match(list(rules.ACCEPTED))
    if best is None:
        raise rules.NotAcceptable(known=known)
    return rules.ACCEPTED[best]


def parts_of(admitted: Admitted, held: ExitStack) -> Sequence[Part]:
    """Return the view's files in their order; they can be read while `held` is open."""
    return [Part(held.enter_context(blobs.as_file(part.key)), part.rows) for part in admitted.parts]


def _json(text: str) -> Any:
    """Return a JSON value; BadFilter for what is none, or what two readers could read in two ways."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        faults = Faults()
        faults.add("/filter", "bad-json", N_("filter 应为 JSON"))
        faults.demand_none((), apply="")
        raise


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
