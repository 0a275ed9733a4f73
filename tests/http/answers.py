"""What the tests of the data plane look at: refusals, and the rows of usage."""

import hashlib
from datetime import UTC


def problem(answer, status, slug):
    """Check a refusal: status, slug in body and header, and that nobody on the way may keep it."""
    assert (answer.status_code, answer.headers.get("Qiantang-Problem")) == (status, slug), answer.text
    assert answer.json["type"].endswith(f"/problems/{slug}") and answer.json["status"] == status
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"].startswith("private")
    assert answer.json["title"]


def usage(world):
    """Return what the world's client and visitors were answered; the demo's other client has read before."""
    ours = (
        "select grant_id, client_id, face, rows, size, whole from usageevent where client_id is null or client_id = :id"
    )
    return [tuple(row) for row in world.found(f"{ours} order by id", id=world.client_id)]


def text_of(at):
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def sha256(data):
    return hashlib.sha256(data).hexdigest()
