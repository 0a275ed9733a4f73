"""What every answer of the attack is held against."""

import json
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from tests.escape import canaries

PLACES = (b"raw/", b"views/", b"file://", b"Traceback", b"read_parquet", b"sqlalchemy", b"SELECT ")
MOVING = {"X-Request-Id", "RateLimit", "Date", "Content-Length", "Server-Timing"}


def clean(answer: TestResponse, *, home: Path | None = None, named: tuple[str, ...] = ()) -> TestResponse:
    """Return an answer after a look at all of it: no fault of ours, no value, no place of what was not granted.

    `named` are the words that the request itself said, which a refusal may repeat.
    """
    assert answer.status_code < 500, answer.text
    said = "\n".join(f"{name}: {value}" for name, value in answer.headers).encode() + b"\n\n" + answer.data
    for word in named:
        said = said.replace(word.encode(), b"").replace(json.dumps(word).strip('"').encode(), b"")
    found = canaries.leaks(said)
    assert found == [], (answer.status_code, found, answer.data[:500])
    places = (*PLACES, str(home).encode()) if home else PLACES
    assert not [place for place in places if place in said], said[:1000]
    return answer


def slug(answer: TestResponse) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("Qiantang-Problem")


def told(answer: TestResponse) -> tuple[int, list[tuple[str, str]], Any]:
    """Return what an answer says, but what is of the moment or the request's own."""
    headers = sorted((name, value) for name, value in answer.headers if name not in MOVING)
    body = answer.json if answer.is_json else answer.data
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ("request_id", "instance")}
    return answer.status_code, headers, body
