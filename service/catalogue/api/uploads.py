"""Uploads that resume: tus 1.0 with creation, termination, checksum and expiration, for stewards.

A piece is written to the disk before its answer says so, so that a connection or a process that dies costs nothing that
was said to be there.  A piece of up to 2 MiB is here before a thread takes it; a longer one holds a thread while it
comes, and only a few may.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, TypeVar, cast

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue
from werkzeug.http import http_date

from service.base import clock, db, http
from service.base.access import Role, caller, requires
from service.base.errors import Invalid, Unavailable
from service.base.forms import parse
from service.base.i18n import N_, gettext
from service.catalogue.actions import uploads as actions
from service.catalogue.api.parts import api
from service.catalogue.engine import parked
from service.catalogue.forms import UploadForm
from service.catalogue.rules.uploads import (
    ALGORITHMS,
    KEPT,
    MOST_BYTES,
    CutOff,
    TooLong,
    UploadGone,
    WrongProtocol,
    checksum,
    metadata,
)
from service.catalogue.store import uploads as rows
from service.catalogue.tables import ImportRun

VERSION = "1.0.0"
SHORT = 2 << 20  # bytes of a piece that is here, whole, before it is asked for
PIECES_AT_ONCE = 4  # long ones, in one process
EXTENSIONS = "creation,termination,checksum,expiration"
PIECE_TYPE = "application/offset+octet-stream"
NO_NUMBER = N_("应为不小于 0 的整数")
NO_METADATA = N_("应为“名称 值”的列表，值为 UTF-8 文字的 base64")
NO_CHECKSUM = N_("应为“sha256 值”，值为 base64")
NOT_A_PIECE = N_("内容类型应为 application/offset+octet-stream")

T = TypeVar("T")

_pieces = BoundedSemaphore(PIECES_AT_ONCE)


@api.route("/uploads", methods=["OPTIONS"], provide_automatic_options=False)
@requires(Role.PUBLIC)
def upload_protocol() -> ResponseReturnValue:
    """Say which protocol uploads speak."""
    answer = _answer(204)
    answer.headers["Tus-Version"] = VERSION
    answer.headers["Tus-Extension"] = EXTENSIONS
    answer.headers["Tus-Max-Size"] = str(MOST_BYTES)
    answer.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    return answer


@api.post("/uploads")
@requires(Role.STEWARD)
def begin_upload() -> ResponseReturnValue:
    """Announce an upload (tus creation): Upload-Length, and in Upload-Metadata `dataset` and `filename`.

    The answer's Location takes the pieces.
    """
    _demand_protocol()
    said = _read("Upload-Metadata", metadata, NO_METADATA)
    given = {"dataset": said.get("dataset", ""), "filename": said.get("filename", "")}
    form = parse(UploadForm, given | {"fingerprint": said.get("fingerprint", ""), "size": _number("Upload-Length")})
    who = caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.demand_steward(session, form.dataset, unit_id=who.unit_id)
        found = actions.announce(
            session, form.dataset, name=form.filename, size=form.size, fingerprint=form.fingerprint,
            by=who.person_id, now=now,
        )  # fmt: skip
        parked.make(_path(found), form.size)
    answer = _answer(201, found)
    answer.headers["Location"] = f"{http.settings().base_url}/api/v1/uploads/{found.id}"
    return answer


@api.route("/uploads/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
@requires(Role.STEWARD)
def upload_offset(upload_id: str) -> ResponseReturnValue:
    """Say how much of an upload is here."""
    _demand_protocol()
    found, now = _own(upload_id)
    if found.state not in KEPT or found.expires_at <= now:
        raise UploadGone(state=found.state)
    answer = _answer(200, found)
    answer.headers["Upload-Length"] = str(found.size)
    return answer


@api.get("/uploads/<upload_id>")
@requires(Role.STEWARD)
def upload(upload_id: str) -> ResponseReturnValue:
    """Answer what has become of an upload.

    {"id", "dataset", "state", "offset", "length", "progress", "version", "page"}:
    `state` is receiving, waiting, reading, checked (waits for the steward), confirmed, loading, done, refused,
    quarantined, purged, ended or expired; `version` is the number of the version that it became.
    """
    found, _now = _own(upload_id)
    return http.json_answer(
        {
            "id": found.id,
            "dataset": found.dataset_id,
            "state": found.state,
            "offset": found.received,
            "length": found.size,
            "progress": found.progress,
            "version": found.number,
            "page": f"{http.settings().base_url}/datasets/{found.dataset_id}/uploads/{found.id}",
        }
    )


@api.patch("/uploads/<upload_id>")
@requires(Role.STEWARD)
def take_piece(upload_id: str) -> ResponseReturnValue:
    """Take the next piece of an upload (tus): Upload-Offset is where it begins, Upload-Checksum may give its digest."""
    _demand_protocol()
    if request.mimetype != PIECE_TYPE:
        raise Invalid(errors=[{"field": "Content-Type", "message": gettext(NOT_A_PIECE)}])
    offset, digest = _number("Upload-Offset"), _read("Upload-Checksum", checksum, NO_CHECKSUM)
    found, now = _own(upload_id)
    actions.demand_receiving(found, offset, now=now)
    most = found.size - offset
    if (request.content_length or 0) > most:
        raise TooLong(most=found.size)
    with _turn():
        return _take(found, offset, most, digest)


@api.delete("/uploads/<upload_id>")
@requires(Role.STEWARD)
def end_upload(upload_id: str) -> ResponseReturnValue:
    """Give an upload up and delete what came of it (tus termination)."""
    _demand_protocol()
    found, _now = _own(upload_id)
    if found.state not in KEPT:
        raise UploadGone(state=found.state)
    with parked.held(_path(found)):
        with db.writing() as session:
            actions.end(session, upload_id, by=caller().person_id, now=clock.now(session))
        parked.remove(_path(found))
    return _answer(204)


@contextmanager
def _turn() -> Iterator[None]:
    """Let one of a few long pieces in; Unavailable while there are enough of them."""
    if request.content_length is not None and request.content_length <= SHORT:
        yield
        return
    if not _pieces.acquire(blocking=False):
        raise Unavailable(retry_after=2)
    try:
        yield
    finally:
        _pieces.release()


def _take(found: ImportRun, offset: int, most: int, digest: tuple[str, bytes] | None) -> Response:
    with parked.held(_path(found)) as file:
        with db.reading() as session:  # another may have written until the lock was ours
            actions.demand_receiving(rows.run(session, found.id), offset, now=clock.now(session))
        taken = parked.append(file, _body(most), at=offset, most=most, checksum=digest)
        with db.writing() as session:
            now = clock.now(session)
            changed = actions.take_in(session, found, taken.size, by=caller().person_id, now=now)
    if taken.cut:
        raise CutOff(offset=changed.received)
    return _answer(204, changed)


def _body(most: int) -> IO[bytes]:
    """Return the request's body as it comes; how long it may be is the upload's affair.

    The framework's own limits would lose what arrived of a piece that is cut off.
    """
    if request.environ.get("wsgi.input_terminated"):
        return cast("IO[bytes]", request.environ["wsgi.input"])
    request.max_content_length = most + 1
    return request.stream


def _own(upload_id: str) -> tuple[ImportRun, datetime]:
    """Return an upload for a dataset of the caller's unit, and when it is; NotFound for another's."""
    with db.reading() as session:
        found = rows.run(session, upload_id)
        actions.demand_steward(session, found.dataset_id, unit_id=caller().unit_id)
        return found, clock.now(session)


def _path(found: ImportRun) -> Path:
    return parked.path(http.settings().home, found.id, found.name)


def _answer(status: int, found: ImportRun | None = None) -> Response:
    answer = make_response(b"", status)
    answer.headers["Tus-Resumable"] = VERSION
    answer.headers["Cache-Control"] = "no-store"
    if found is not None:
        answer.headers["Upload-Offset"] = str(found.received)
        answer.headers["Upload-Expires"] = http_date(found.expires_at)
    return answer


def _demand_protocol() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise WrongProtocol()


def _number(header: str) -> int:
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Invalid(errors=[{"field": header, "message": gettext(NO_NUMBER)}])
    return int(given)


def _read(header: str, reader: Callable[[str | None], T], fault: str) -> T:
    try:
        return reader(request.headers.get(header))
    except ValueError:
        raise Invalid(errors=[{"field": header, "message": gettext(fault)}]) from None
