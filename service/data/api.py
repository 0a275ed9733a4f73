"""The data plane's faces of today: a page of rows as JSON, and whole files with ranges."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import format_datetime

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from service.base import blobs, clock, db, http, log
from service.base.access import Role, requires
from service.base.errors import NotFound, Refusal
from service.data import engine, gate, rules, store
from service.data.gate import Admitted, Asked
from service.grants.tables import ReleasedView
from service.oauth import gate as oauth
from service.oauth.gate import Refused

api = Blueprint("data", __name__, url_prefix="/api/v1/datasets/<dataset_id>")

RECHECK = 8 << 20  # bytes between two looks at whether a long answer may go on
CHUNK = 1 << 20


@api.errorhandler(Refusal)
def refuse(refusal: Refusal) -> BaseResponse:
    """Answer a refusal as everywhere, and leave a line about it where the client is known, after the answer."""
    answer = http.refuse(refusal)
    asked: Asked | None = g.get("asked")
    if asked is None or asked.known.client_id is None:
        return answer
    refused = Refused(
        log.request_id.get(), asked.known.client_id, str(g.endpoint), refusal.code, refusal.status,
        dataset_id=asked.dataset_id, grant_id=asked.known.grant_id, facts=refusal.facts,
    )  # fmt: skip
    if request.method == "HEAD":
        oauth.remember(refused)
        return answer
    answer.content_length = answer.calculate_content_length() or 0
    answer.response = oauth.Afterwards(answer.iter_encoded(), lambda: oauth.remember(refused))
    return answer


@api.get("/rows")
@requires(Role.CLIENT)
def rows(dataset_id: str) -> ResponseReturnValue:
    """Answer a page of rows: {"columns", "rows", "next"}."""
    asked = _asked(dataset_id, "api", "rows")
    with db.reading() as session:
        admitted = gate.admit(session, asked, now=clock.now(session))
    page = _page(admitted)
    limit = rules.limit_of(request.args.get("limit"))
    with blobs.as_file(admitted.view.parquet_key) as file:
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
    _say_grant(answer, admitted)
    _note(admitted, "rows", len(found), int(answer.content_length or 0), whole=True)
    return answer


@api.get("/files/<name>")
@requires(Role.CLIENT)
def file(dataset_id: str, name: str) -> ResponseReturnValue:
    """Answer a file of the view: known length, strong ETag, single ranges, If-None-Match, If-Range, HEAD."""
    if name not in rules.FILES:
        raise NotFound()
    asked = _asked(dataset_id, "download", name)
    with db.reading() as session:
        admitted = gate.admit(session, asked, now=clock.now(session))
    key, etag, size = _object(admitted.view, name)
    blobs.size(key)  # a store that is away is told now: once bytes are on the way there is no status left to say it by
    answer = _ranged(admitted, asked, key, etag, size, name)
    if answer.status_code == 416:
        return answer
    answer.headers.update(
        {
            "ETag": f'"{etag}"',
            "Accept-Ranges": "bytes",
            "Last-Modified": format_datetime(admitted.view.built_at, usegmt=True) if admitted.view.built_at else "",
            "Cache-Control": "private, no-store" if admitted.grant else "public, no-cache",
            "Content-Disposition": f'attachment; filename="{dataset_id}.{name.rsplit(".", 1)[1]}"',
        }
    )
    _say_grant(answer, admitted)
    return answer


def _asked(dataset_id: str, delivery: str, endpoint: str) -> Asked:
    g.asked = Asked(dataset_id, request.headers.get("Authorization"), request.args.get("grant"), delivery)
    g.endpoint = endpoint
    return g.asked  # type: ignore[no-any-return]


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


def _object(view: ReleasedView, name: str) -> tuple[str, str, int]:
    """Return a file's key, checksum and size in bytes."""
    if name.endswith(".csv"):
        return view.csv_key, view.csv_sha256, view.csv_bytes
    return view.parquet_key, view.parquet_sha256, view.parquet_bytes


def _ranged(admitted: Admitted, asked: Asked, key: str, etag: str, size: int, name: str) -> Response:
    if request.if_none_match.contains_weak(etag):
        return Response(status=304, content_type=rules.FILES[name])
    header = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != f'"{etag}"':
        header = None
    try:
        part = rules.byte_range(header, size)
    except ValueError:
        answer = http.problem(rules.RangeOutside(size=size))
        answer.headers["Content-Range"] = f"bytes */{size}"
        return answer
    start, end = (part.start, part.end) if part else (0, size)
    body = () if request.method == "HEAD" else _watched(admitted, asked, key, start, end, name)
    answer = Response(body, status=206 if part else 200, content_type=rules.FILES[name])
    answer.headers["Content-Length"] = str(end - start)
    if part:
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return answer


@dataclass(slots=True)
class Sent:
    """How many bytes of an answer its reader took; None before the first was asked for."""

    size: int | None = None


def _watched(admitted: Admitted, asked: Asked, key: str, start: int, end: int, name: str) -> Iterable[bytes]:
    """Return a file's bytes; what was sent of them is written down once they were read, broke off or were closed."""
    sent = Sent()

    def note() -> None:
        if sent.size is not None:
            rows = admitted.view.rows * sent.size // _object(admitted.view, name)[2]
            _note(admitted, name.rsplit(".", 1)[1], rows, sent.size, whole=sent.size == end - start)

    return oauth.Afterwards(_sending(admitted, asked, key, start, end, sent), note)


def _sending(admitted: Admitted, asked: Asked, key: str, start: int, end: int, sent: Sent) -> Iterator[bytes]:
    """Yield a file's bytes, looking every 8 MiB whether the grant still lives; cut the answer when it does not."""
    sent.size, unchecked = 0, 0
    open_still = gate.still_open(admitted, asked)
    for chunk in blobs.stream(key, start, end - start, CHUNK):
        if unchecked >= RECHECK:
            unchecked = 0
            if not open_still():
                raise ConnectionAbortedError("the grant ended while its bytes were on the way")
        yield chunk
        sent.size += len(chunk)
        unchecked += len(chunk)


def _say_grant(answer: Response, admitted: Admitted) -> None:
    if admitted.grant:
        answer.headers["Qiantang-Grant"] = admitted.grant.id


def _note(admitted: Admitted, face: str, rows: int, size: int, *, whole: bool) -> None:
    with db.writing() as session:
        store.note_usage(
            session,
            now=clock.now(session),
            dataset_id=admitted.dataset.id,
            grant_id=admitted.grant.id if admitted.grant else None,
            client_id=admitted.client_id,
            view_id=admitted.view.id,
            face=face,
            rows=rows,
            size=size,
            whole=whole,
        )
