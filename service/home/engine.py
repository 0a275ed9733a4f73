"""The API described in OpenAPI 3.1, from the routes themselves: paths, roles, bodies, refusals."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.applications.forms import DecisionForm, NewDraft, SeenForm, SignBody
from service.base.roles import Role
from service.data.forms import AggregateForm, LinkForm, RowsForm
from service.data.rules import FILES
from service.data.rules.rows import KINDS as ROW_KINDS
from service.grants.forms import HandbackForm, SuspensionForm
from service.screening.forms import ScreeningForm

# What each POST of the API takes; None is "no body".  A test holds this table against the routes.
BODIES: dict[str, type[BaseModel] | None] = {
    "applications_api.create": NewDraft,
    "applications_api.submit": SeenForm,
    "applications_api.withdraw": SeenForm,
    "applications_api.decide": DecisionForm,
    "applications_api.sign": SignBody,
    "grants_api.suspend": SuspensionForm,
    "grants_api.confirm": None,
    "grants_api.hand_back": HandbackForm,
    "screening_api.screen": ScreeningForm,
    "data.link": LinkForm,
    "data.query_rows": RowsForm,
    "data.aggregate": AggregateForm,
    "oauth_api.token": None,
    "catalogue_api.begin_upload": None,
}
GRANT = "the grant to read under; the one that ends last when absent"
OF_VIEW = {
    "grant": GRANT,
    "version": "a version that was judged for the grant; the one that it serves when absent",
    "as_of": "the newest such version up to this number",
}
OF_FILE = {**OF_VIEW, "for": "`excel` for data.csv with a byte order mark and without formulas"}
QUERIES: dict[str, Mapping[str, str]] = {
    "data.rows": {
        "select": "column names, comma separated; all granted columns when absent",
        "filter": 'JSON: {"column", "op", "value"}, {"and": [filter, …]} or {"or": [filter, …]}',
        "where": "column:op:value; may be given several times, and all must hold",
        "order": "column names, comma separated, a minus in front for descending; empty values come last",
        "limit": "rows in the page, 1 to 10000, 100 when absent; of an export, which has all when absent",
        "cursor": "`next` of the page before, with the same filter and order",
        "count": "`true` for the number of rows found, up to 10000, and whether it is exact",
        "format": "json (a page), jsonl, csv, arrow or parquet (all rows); in place of Accept",
        **OF_VIEW,
    },
    "data.query_rows": OF_VIEW,
    "data.aggregate": OF_VIEW,
    "data.file": {**OF_FILE, "link": "the signed part of an address, in place of a token"},
    "data.link": OF_FILE,
    "data.part": OF_VIEW,
    "data.manifest": OF_VIEW,
    "data.schema": OF_VIEW,
    "data.changes": {**OF_VIEW, "since": "the version that the caller has"},
    "catalogue_api.datasets": {
        "q": "words, in Chinese or English, or pinyin; at most 100 letters",
        "domain": "key domain; like every facet it may be given several times, and any of its values will do",
        "data_domain": "data domain",
        "unit": "source unit's id",
        "openness": "openness class",
        "level": "level, 1 to 4",
        "cycle": "update cycle",
        "format": "file format",
        "has": "what the dataset comes with",
        "sort": "relevance, newest, title or used; relevance with words and newest without when absent",
        "cursor": "`next` of the page before",
    },
}
SCHEMAS = "#/components/schemas/"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "ends in the slug of the refusal"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "why this time, and what to do"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["columns", "rows", "next"],
    "properties": {
        "columns": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "type": {"type": "string"}}},
        },
        "rows": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"]},
        "count": {"type": "integer", "description": "where it was asked for: rows found, at most 10000"},
        "exact": {"type": "boolean", "description": "false where there are more than `count`"},
    },
}
SECURITY_SCHEMES: dict[str, Any] = {
    "session": {"type": "apiKey", "in": "cookie", "name": "qiantang", "description": "a person's login"},
    "token": {"type": "http", "scheme": "bearer", "description": "an access token of a unit's system"},
    "client": {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {"data.read": "read granted data"}}},
    },
}


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the router that programs call."""

    path: str
    endpoint: str
    methods: frozenset[str]
    roles: frozenset[Role]
    about: str


def routes_of(rules: Iterable[Any], views: Mapping[str, Any]) -> list[Route]:
    """Return the routes that programs call, from the router's rules and the functions behind their endpoints."""
    found = []
    for rule in rules:
        if rule.rule.startswith(("/api/", "/oauth/")):
            view = views[rule.endpoint]
            methods = frozenset(rule.methods or ()) - {"HEAD", "OPTIONS"}
            found.append(Route(rule.rule, rule.endpoint, methods, vars(view)["access"].roles, view.__doc__ or ""))
    return found


def describe(routes: Iterable[Route], *, base_url: str) -> dict[str, Any]:
    """Return the OpenAPI document of `routes`, in the order of their paths."""
    bodies = [body for body in dict.fromkeys(BODIES.values()) if body is not None]
    _names, defined = models_json_schema([(body, "validation") for body in bodies], ref_template=SCHEMAS + "{model}")
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda one: (one.path, sorted(one.methods))):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)
        for method in sorted(route.methods):
            paths.setdefault(path, {})[method.lower()] = _operation(route, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "钱塘 Qiantang",
            "version": "1",
            "description": "Restricted public data: apply, decide, read.",
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": {**defined.get("$defs", {}), "Problem": PROBLEM, "Rows": ROWS},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(route: Route, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.endpoint.replace('.', '_')}_{method.lower()}",
        "summary": route.about.strip().split("\n")[0],
        "parameters": [*_path_parameters(route), *_queries(route)],
        "responses": {_success(route, method): _answer(route), "default": _problem()},
        "security": _security(route),
    }
    if method == "POST" and (body := _body(route)):
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"<(?:\w+:)?(\w+)>", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _queries(route: Route) -> list[dict[str, Any]]:
    wanted = QUERIES.get(route.endpoint, {})
    return [
        {"name": name, "in": "query", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in wanted.items()
    ]


def _success(route: Route, method: str) -> str:
    makes_nothing = route.endpoint in ("oauth_api.token", "screening_api.screen", "data.query_rows", "data.aggregate")
    return "201" if method == "POST" and not makes_nothing else "200"


def _answer(route: Route) -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    if route.endpoint in ("data.file", "data.part"):
        kinds = sorted(FILES.values()) if route.endpoint == "data.file" else [FILES["data.parquet"]]
        return {"description": "the file", "content": dict.fromkeys(kinds, text)}
    if route.endpoint in ("data.rows", "data.query_rows"):
        page = {"application/json": {"schema": {"$ref": f"{SCHEMAS}Rows"}}}
        streams = {kind: text for name, kind in ROW_KINDS.items() if name != "json"}
        return {"description": "rows", "content": page | streams}
    return {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}


def _problem() -> dict[str, Any]:
    schema = {"$ref": f"{SCHEMAS}Problem"}
    return {"description": "refused", "content": {"application/problem+json": {"schema": schema}}}


def _security(route: Route) -> list[dict[str, list[str]]]:
    if Role.PUBLIC in route.roles:
        return [{}]
    if route.endpoint == "oauth_api.token":
        return [{"client": []}]
    return [{"token": []}, {}] if Role.CLIENT in route.roles else [{"session": []}]


def _body(route: Route) -> dict[str, Any]:
    if route.endpoint == "oauth_api.token":
        fields = {name: {"type": "string"} for name in ("grant_type", "scope", "authorization_details")}
        schema = {"type": "object", "required": ["grant_type"], "properties": fields}
        return {"application/x-www-form-urlencoded": {"schema": schema}}
    body = BODIES.get(route.endpoint)
    return {"application/json": {"schema": {"$ref": f"{SCHEMAS}{body.__name__}"}}} if body else {}
