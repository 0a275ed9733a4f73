"""Whole files of a released view, with ranges."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import format_datetime

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import blobs, clock, db, http
from service.base.access import Role, requires
from service.base.errors import NotFound
from service.data import gate, rules
from service.data.api.parts import api, asked_of, note, say_grant
from service.data.gate import Admitted, Asked
from service.oauth import gate as oauth

RECHECK = 8 << 20  # bytes between two looks at whether a long answer may go on
CHUNK = 1 << 20


@api.get("/files/<name>")
@requires(Role.CLIENT)
def file(dataset_id: str, name: str) -> ResponseReturnValue:
    """Answer a file of the view: known length, strong ETag, single ranges, If-None-Match, If-Range, HEAD."""
    if name not in rules.FILES:
        raise NotFound()
    asked = asked_of(dataset_id, "download", name)
    with db.reading() as session:
        admitted = gate.admit(session, asked, now=clock.now(session))
    key, etag, size = _object(admitted, name)
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
    say_grant(answer, admitted)
    return answer


def _object(admitted: Admitted, name: str) -> tuple[str, str, int]:
    """Return a file's key, checksum and size in bytes."""
    file = admitted.files["csv" if name.endswith(".csv") else "parquet"]
    return file.key, file.sha256, file.bytes


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

    def settle() -> None:
        if sent.size is not None:
            rows = admitted.view.rows * sent.size // _object(admitted, name)[2]
            note(admitted, name.rsplit(".", 1)[1], rows, sent.size, whole=sent.size == end - start)

    return oauth.Afterwards(_sending(admitted, asked, key, start, end, sent), settle)


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
