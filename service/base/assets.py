"""What the pages bring along: stylesheets and scripts under addresses that change with their content, kept for a year.

A file's text is compressed once and kept; a page is compressed only for a visitor who is not logged in, so that no
answer holds a person's text and a stranger's side by side under one compression (BREACH).
"""

import gzip
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from posixpath import normpath

from flask import Response, g, request
from markupsafe import Markup

FOLDER = "/static/"
YEAR = 31_536_000  # seconds
LEAST = 860  # bytes; below one packet nothing is won
TEXTS = {"text/html", "text/css", "text/javascript", "image/svg+xml"}
LEVEL = 6


@cache
def digest(name: str) -> str:
    """Return the first 12 hex digits of the file's sha256: its version in the address."""
    return sha256((resources.files("service") / "static" / name).read_bytes()).hexdigest()[:12]


def address(name: str) -> str:
    """Return where a file of service/static is fetched from; FileNotFoundError when there is none."""
    return f"{FOLDER}{name}?v={digest(name)}"


def sheet(name: str) -> Markup:
    """Return the element that brings a stylesheet."""
    return Markup('<link rel="stylesheet" href="{}">').format(address(name))


def script(name: str) -> Markup:
    """Return the element that brings a script, run when the page has been read."""
    return Markup('<script src="{}" defer></script>').format(address(name))


def finish(answer: Response) -> Response:
    """Say how long a file may be kept, and compress what is worth it for a browser that can read it."""
    own = request.path.startswith(FOLDER)
    # One file has one name here, however the address winds: what is kept of it is kept once.
    named = normpath(request.path.removeprefix(FOLDER)) if own else ""
    if own and answer.status_code == 200:
        current = request.args.get("v") == digest(named)
        answer.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if current else "public, no-cache"
    if _worth_compressing(answer):
        answer.direct_passthrough = False
        answer.set_data(_file(named, digest(named)) if own else _packed(answer.get_data()))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers.remove("ETag")  # it names the other form of these bytes
    if answer.mimetype in TEXTS:
        answer.vary.add("Accept-Encoding")
    return answer


def _worth_compressing(answer: Response) -> bool:
    return (
        answer.mimetype in TEXTS
        and answer.status_code == 200
        and (request.path.startswith(FOLDER) or not g.get("caller"))
        and request.accept_encodings.quality("gzip") > 0
        and "Content-Encoding" not in answer.headers
        and (answer.content_length or 0) >= LEAST
    )


@lru_cache(maxsize=256)
def _packed(page: bytes) -> bytes:
    """Compress a visitor's page; the same page is asked for again and again."""
    return gzip.compress(page, LEVEL)


@cache
def _file(name: str, version: str) -> bytes:
    """Return a file's bytes, compressed as well as can be: it is done once."""
    return gzip.compress((resources.files("service") / "static" / name).read_bytes(), 9)
