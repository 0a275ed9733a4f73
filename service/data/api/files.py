"""Whole files of a released view, and its parts: with validators, digests and ranges (RFC 9110, RFC 9530)."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import blobs, clock, db, http, log
from service.base.access import Role, requires
from service.base.errors import NotFound, Unavailable
from service.base.i18n import N_, pick
from service.data import rules
from service.data.api.offload import handed_over
from service.data.api.parts import admitted as ask_gate
from service.data.api.parts import api, asked_of, flowing, note, say_grant
from service.data.gate import Admitted, Asked
from service.data.rules import files as file_rules
from service.data.rules.files import MOST_RANGES, ByteRange, Format, Piece
from service.grants import actions as grants
from service.grants import rules as grant_rules
from service.grants.rules import FileState

CHUNK = 1 << 20
SOON, LATER = 2, 600  # seconds to wait for a file that is being made, for one that could not be
DAMAGED = N_("数据文件与登记的大小不符，已停止提供并留有记录。")


@dataclass(frozen=True, slots=True)
class Object:
    """One immutable object of a view as it is served: where it lies, what it is called, what it holds."""

    key: str
    sha256: str
    size: int
    rows: int
    face: str
    media_type: str
    suffix: str
    built_at: datetime | None


@api.get("/files/<name>")
@requires(Role.CLIENT)
def file(dataset_id: str, name: str) -> ResponseReturnValue:
    """Answer a file of the view: known length, strong ETag, conditions, ranges, digest, HEAD."""
    wanted = _format(name)
    asked = asked_of(dataset_id, "download", name, name=f"files/{name}", format=wanted.name)
    admitted = ask_gate(asked)
    return serve(admitted, asked, object_of(admitted, wanted))


@api.get("/parts/<int:number>.parquet")
@requires(Role.CLIENT)
def part(dataset_id: str, number: int) -> ResponseReturnValue:
    """Answer one part of the view, counted from 1 as in manifest.json, by the same rules as a file."""
    name = f"parts/{number}.parquet"
    asked = asked_of(dataset_id, "download", name, name=name, format="parquet")
    admitted = ask_gate(asked)
    if not 1 <= number <= len(admitted.parts):
        raise NotFound()
    found = admitted.parts[number - 1]
    media = file_rules.FORMATS["parquet"].media_type
    held = Object(
        found.key, found.sha256, found.bytes, found.rows, "part", media, f"{number:04}.parquet", admitted.view.built_at
    )
    return serve(admitted, asked, held)


def _format(name: str) -> Format:
    found = file_rules.format_of(name, request.args.get("for"))
    if found is None:
        raise NotFound()
    return found


def object_of(admitted: Admitted, wanted: Format) -> Object:
    """Return the view's file in a format.  One that is not made yet is wanted from now on: ViewBuilding until then."""
    ready = admitted.files.get(wanted.name)
    if ready is None:
        raise _wanted(admitted, wanted)
    return Object(
        ready.key,
        ready.sha256,
        ready.bytes,
        admitted.view.rows,
        wanted.name,
        wanted.media_type,
        wanted.suffix,
        ready.built_at or admitted.view.built_at,
    )


def _wanted(admitted: Admitted, wanted: Format) -> grant_rules.ViewBuilding:
    with db.writing() as session:
        found = grants.want_file(session, admitted.view.id, wanted.name, now=clock.now(session))
    return grant_rules.ViewBuilding(retry_after=LATER if found.state == FileState.FAILED else SOON)


# ---- answers --------------------------------------------------------------------------------------------------------


def serve(admitted: Admitted, asked: Asked, held: Object) -> Response:
    """Answer an object as the request's method and conditions ask, in the order of RFC 9110 13.2.2."""
    answer = _answer(admitted, asked, held)
    answer.headers.update(
        {
            "ETag": f'"{held.sha256}"',
            "Accept-Ranges": "bytes",
            "Repr-Digest": file_rules.digest_field(held.sha256),
            "Content-Disposition": _disposition(admitted, held),
        }
    )
    if "X-Accel-Redirect" in answer.headers:
        del answer.headers["Accept-Ranges"]  # nginx says it by itself
    if held.built_at:
        answer.headers["Last-Modified"] = format_datetime(held.built_at, usegmt=True)
    say_grant(answer, admitted)
    return answer


def _answer(admitted: Admitted, asked: Asked, held: Object) -> Response:
    if request.headers.get("If-Match") and not file_rules.names(request.headers["If-Match"], held.sha256, strong=True):
        raise rules.PreconditionFailed()
    if file_rules.names(request.headers.get("If-None-Match"), held.sha256, strong=False):
        note(admitted, held.face, 0, 0)
        return Response(status=304, content_type=held.media_type)
    _demand_sound(held)
    if request.method == "HEAD":
        note(admitted, held.face, 0, 0)
        return _headed(Response(content_type=held.media_type), held.size)
    try:
        ranges = _ranges(held)
    except ValueError:
        return _outside(held)
    if (sent := _by_nginx(admitted, asked, held, ranges)) is not None:
        return sent
    if ranges is None:
        return _headed(_body(admitted, asked, held, whole(held)), held.size)
    return _partial(admitted, asked, held, ranges)


def _by_nginx(
    admitted: Admitted, asked: Asked, held: Object, ranges: Sequence[ByteRange] | None
) -> Response | None:  # fmt: skip
    if ranges is not None and len(ranges) > 1:
        return None
    return handed_over(admitted, asked, held, ranges[0] if ranges else ByteRange(0, held.size))


def _demand_sound(held: Object) -> None:
    """Ask the store for the object: once bytes are on the way there is no status left to tell by that it is away."""
    size = blobs.size(held.key)
    if size != held.size:
        log.error("data", "an object is not as long as it was", key=held.key, size=size, expected=held.size)
        raise Unavailable(DAMAGED, retry_after=LATER)


def _ranges(held: Object) -> tuple[ByteRange, ...] | None:
    if not file_rules.holds(request.headers.get("If-Range"), held.sha256):
        return None
    return file_rules.byte_ranges(request.headers.get("Range"), held.size)


def _outside(held: Object) -> Response:
    many = request.headers.get("Range", "").count(",") >= MOST_RANGES
    kind = rules.TooManyRanges if many else rules.RangeOutside
    answer = http.problem(kind(size=held.size, most=MOST_RANGES) if many else kind(size=held.size))
    answer.headers["Content-Range"] = f"bytes */{held.size}"
    return answer


def whole(held: Object) -> tuple[Piece, ...]:
    return (Piece(b"", ByteRange(0, held.size)),)


def _partial(admitted: Admitted, asked: Asked, held: Object, ranges: Sequence[ByteRange]) -> Response:
    if len(ranges) == 1:
        answer = _body(admitted, asked, held, (Piece(b"", ranges[0]),), status=206)
        answer.headers["Content-Range"] = ranges[0].field(held.size)
        return _headed(answer, ranges[0].end - ranges[0].start)
    boundary = secrets.token_hex(16)
    pieces = file_rules.multipart(ranges, held.size, held.media_type, boundary)
    answer = _body(admitted, asked, held, pieces, status=206)
    answer.headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return _headed(answer, file_rules.length_of(pieces))


def _headed(answer: Response, size: int) -> Response:
    answer.headers["Content-Length"] = str(size)
    return answer


def _disposition(admitted: Admitted, held: Object) -> str:
    dataset = admitted.dataset
    title = pick(dataset.title).replace("/", "_")
    return file_rules.disposition(
        f"{dataset.id}.{held.suffix}", f"{title}-v{admitted.view.dataset_version}.{held.suffix}"
    )


# ---- bodies ---------------------------------------------------------------------------------------------------------


def _body(admitted: Admitted, asked: Asked, held: Object, pieces: Sequence[Piece], status: int = 200) -> Response:
    """Return an answer that streams `pieces`; reserves them first, and writes down what was sent of them."""
    size = file_rules.length_of(pieces)
    rows = held.rows * sum(one.part.end - one.part.start for one in pieces if one.part) // max(1, held.size)
    body = flowing(admitted, asked, held.face, _counted(_read(held, pieces), rows, size), rows=rows, size=size)
    return Response(body, status=status, content_type=held.media_type)


def _read(held: Object, pieces: Iterable[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if piece.text:
            yield piece.text
        if piece.part:
            yield from blobs.stream(held.key, piece.part.start, piece.part.end - piece.part.start, CHUNK)


def _counted(chunks: Iterable[bytes], rows: int, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield chunks with the rows that they stand for: their share of all, so that together they are exactly all."""
    done = 0
    for chunk in chunks:
        before = rows * done // max(1, size)
        done += len(chunk)
        yield chunk, rows * done // max(1, size) - before
