"""What a program asks before it fetches: the manifest of its view, what changed since a version, the columns."""

from dataclasses import replace
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.db import Session
from service.base.i18n import N_, current, gettext
from service.catalogue import store as catalogue
from service.data import gate
from service.data.api.parts import admitted as ask_gate
from service.data.api.parts import api, asked_of, note, say_grant
from service.data.gate import Admitted, Asked
from service.data.rules import manifests as rules
from service.data.rules.asking import version_of
from service.data.rules.files import FORMATS
from service.data.rules.refusals import BadParameter
from service.grants.rules import transforms
from service.grants.rules.transforms import Transform

SINCE = N_("since 应为不晚于现用版本的版本号。")


@api.get("/manifest.json")
@requires(Role.CLIENT)
def manifest(dataset_id: str) -> ResponseReturnValue:
    """Answer the manifest of the caller's view: version, schema, parts and files with checksums and addresses."""
    admitted = ask_gate(asked_of(dataset_id, "api", "manifest"))
    with db.reading() as session:
        parts = _parts(session, admitted)
    body = {
        **_head(admitted),
        "built_at": admitted.view.built_at.isoformat() if admitted.view.built_at else None,
        "rows": admitted.view.rows,
        "schema": admitted.view.columns,
        "parts": parts if _may_download(admitted) else [{**part, "url": None} for part in parts],
        "files": _files(admitted) if _may_download(admitted) else [],
    }
    return _answer(admitted, "manifest", body)


@api.get("/changes")
@requires(Role.CLIENT)
def changes(dataset_id: str) -> ResponseReturnValue:
    """Answer what changed in the caller's view since a version: parts added and removed, columns."""
    asked = asked_of(dataset_id, "api", "changes")
    since, _none = version_of(request.args.get("since"), None)
    admitted = ask_gate(asked)
    if since is None or since > admitted.view.dataset_version:
        raise BadParameter(SINCE)
    before = _earlier(asked, admitted, since)
    added, removed = rules.part_changes(before.parts, admitted.parts)
    with db.reading() as session:
        now, then = _parts(session, admitted), _parts(session, before)
    body = {
        **_head(admitted),
        "since": since,
        "added": [now[number - 1] for number in added],
        "removed": [{name: then[number - 1][name] for name in ("number", "sha256", "rows")} for number in removed],
        "columns": rules.column_changes(before.view.columns, admitted.view.columns),
    }
    return _answer(admitted, "changes", body)


@api.get("/schema")
@requires(Role.CLIENT)
def schema(dataset_id: str) -> ResponseReturnValue:
    """Answer the columns of the caller's view: name, type, title, description, and what was done to their values."""
    admitted = ask_gate(asked_of(dataset_id, "api", "schema"))
    with db.reading() as session:
        known = {column.name: column for column in catalogue.columns(session, dataset_id)}
    steps = transforms.read(admitted.grant.transforms) if admitted.grant else ()
    columns = [
        {
            **column,
            "title": known[column["name"]].title if column["name"] in known else None,
            "description": known[column["name"]].description if column["name"] in known else None,
            "transforms": [_said(step) for step in steps if transforms.about(step) == column["name"]],
        }
        for column in admitted.view.columns
    ]
    rows = [_said(step) for step in steps if transforms.about(step) is None]
    return _answer(admitted, "schema", {**_head(admitted), "columns": columns, "transforms": rows})


def _said(step: Transform) -> dict[str, Any]:
    """Return a step as it is granted, with its words in the reader's language."""
    return {**transforms.document(step), "words": transforms.said(step, gettext, "、" if current() == "zh" else ", ")}


def _earlier(asked: Asked, admitted: Admitted, since: int) -> Admitted:
    """Admit the same caller to the version that it knows, under the same grant."""
    grant_id = admitted.grant.id if admitted.grant else None
    with db.reading() as session:
        wanted = replace(asked, version=since, as_of=None, grant_id=grant_id)
        return gate.admit(session, wanted, now=clock.now(session))


def _head(admitted: Admitted) -> dict[str, Any]:
    return {
        "dataset": admitted.dataset.id,
        "grant": admitted.grant.id if admitted.grant else None,
        "version": admitted.view.dataset_version,
    }


def _may_download(admitted: Admitted) -> bool:
    return admitted.grant is None or "download" in admitted.grant.delivery


def _parts(session: Session, admitted: Admitted) -> list[dict[str, Any]]:
    """Return the parts of a view; the period of one is told where the whole period of its source is granted."""
    periods = _periods(session, admitted)
    return [
        rules.part_document(
            number, part, url=_address(admitted, f"parts/{number}.parquet"), period=periods.get(part.part_id, NO_PERIOD)
        )
        for number, part in enumerate(admitted.parts, 1)
    ]


NO_PERIOD: tuple[str | None, str | None] = (None, None)


def _periods(session: Session, admitted: Admitted) -> dict[str | None, tuple[str | None, str | None]]:
    """Return the first and last day of each source part, for views that hold every row of the time column they show.

    Under a row filter, or without the column, those days would tell of rows that were not granted.
    """
    filtered = bool(admitted.grant and (admitted.grant.row_filter or admitted.grant.transforms))
    if filtered or admitted.dataset.time_column not in admitted.columns:
        return {}
    found = catalogue.parts(session, admitted.dataset.id, admitted.view.dataset_version)
    return {part.id: (_day(part.period_from), _day(part.period_to)) for part in found}


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None


def _files(admitted: Admitted) -> list[dict[str, Any]]:
    """Return every format, those that are ready with checksum and size; the others are made when they are asked for."""
    documents = []
    for name, format in FORMATS.items():
        path = f"files/data.{format.suffix}" + ("?for=excel" if name == "excel" else "")
        ready = admitted.files.get(name)
        document = {"format": name, "url": _address(admitted, path), "ready": ready is not None}
        documents.append(document | ({"sha256": ready.sha256, "bytes": ready.bytes} if ready else {}))
    return documents


def _address(admitted: Admitted, path: str) -> str:
    """Return an address that goes on naming this very version, and the grant it was listed under."""
    query = [f"version={admitted.view.dataset_version}"]
    if admitted.grant:
        query.append(f"grant={admitted.grant.id}")
    joint = "&" if "?" in path else "?"
    return f"{http.settings().base_url}/api/v1/datasets/{admitted.dataset.id}/{path}{joint}{'&'.join(query)}"


def _answer(admitted: Admitted, face: str, body: dict[str, Any]) -> ResponseReturnValue:
    answer = http.json_answer(body)
    say_grant(answer, admitted)
    note(admitted, face, 0, int(answer.content_length or 0))
    return answer
