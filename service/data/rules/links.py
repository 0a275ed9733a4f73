"""Signed addresses: one object of one grant, for an hour at most, and only while who made it may still read it."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

from service.data.rules.refusals import LinkInvalid

PREFIX = "qtl_"  # the log masks whatever begins like our secrets
LONGEST = timedelta(hours=1)
LONGEST_TEXT = 2000  # characters
MAC = 32  # bytes
TOKEN, SESSION = "token", "session"


@dataclass(frozen=True, slots=True)
class Link:
    """What a signed address opens: one object of a dataset, under one grant and epoch, until an instant (seconds).

    `holder` is the digest of the token, or of the session (`kind`), with which it was made: it opens nothing once that
    is void.
    """

    dataset_id: str
    name: str
    format: str
    grant_id: str
    epoch: int
    version: int
    kind: str
    holder: str
    until: int

    def ended(self, now: datetime) -> bool:
        return now >= datetime.fromtimestamp(self.until, UTC)


def seal_link(link: Link, key: bytes) -> str:
    """Return the link as one word for an address."""
    body = json.dumps(astuple(link), ensure_ascii=False, separators=(",", ":")).encode()
    return PREFIX + base64.urlsafe_b64encode(_mac(body, key) + body).decode().rstrip("=")


def open_link(text: str, key: bytes, *, dataset_id: str, name: str) -> Link:
    """Return what a word of an address opens; LinkInvalid when it is not ours or opens another object."""
    body = _body(text, key)
    if body is None:
        raise LinkInvalid()
    link = Link(*json.loads(body))
    if (link.dataset_id, link.name) != (dataset_id, name):
        raise LinkInvalid()
    return link


def _body(text: str, key: bytes) -> bytes | None:
    if not text.startswith(PREFIX) or len(text) > LONGEST_TEXT or not text.isascii():
        return None
    coded = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != coded:
        return None  # another spelling of the same bytes
    mac, body = raw[:MAC], raw[MAC:]
    return body if hmac.compare_digest(mac, _mac(body, key)) else None


def _mac(body: bytes, key: bytes) -> bytes:
    derived = hmac.new(key, b"signed addresses, first form", hashlib.sha256).digest()
    return hmac.new(derived, body, hashlib.sha256).digest()
