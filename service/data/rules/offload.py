"""Which files the web server before us sends for us, and the tickets with which it asks for each slice of one."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from service.data.rules.files import ByteRange

SLICE = 8 << 20  # bytes; deploy/slices says the same
LEAST = 1 << 20  # bytes of an answer below which the way through a second server costs more than it saves
SLICED_LEVEL = 2  # the highest level whose files leave in slices; above it every byte comes from us
LASTING = timedelta(hours=1)
MAC = 32  # bytes
ONE_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
SLICE_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")


class Way(StrEnum):
    """How a file leaves."""

    OURS = "ours"
    PLAIN = "plain"  # by nginx at once: nobody can cut it, so for data that needs no grant
    SLICED = "sliced"  # by nginx, which asks the gate before each slice


@dataclass(frozen=True, slots=True)
class Ticket:
    """What nginx may send: the bytes `start` to `end` of one object, under one view, grant and epoch (`binding`).

    `reservation` is what the answer was charged as.  Who asks for a slice shows the credential too, which opens the
    same binding or nothing.
    """

    reservation: str
    dataset_id: str
    name: str
    format: str
    grant_id: str | None
    binding: str
    version: int
    key: str
    sha256: str
    start: int
    end: int
    until: int

    def ended(self, now: datetime) -> bool:
        return now >= datetime.fromtimestamp(self.until, UTC)


def way_of(*, restricted: bool, level: int, size: int, headers: Mapping[str, str]) -> Way:
    """Return how `size` bytes of a file leave where nginx stands before us and can read them.

    Conditions and ranges that nginx might read otherwise than we do are answered by ourselves.
    """
    if size < LEAST or not _plain_conditions(headers):
        return Way.OURS
    if not restricted:
        return Way.PLAIN
    return Way.SLICED if level <= SLICED_LEVEL else Way.OURS


def _plain_conditions(headers: Mapping[str, str]) -> bool:
    if headers.get("If-Match") or headers.get("If-Unmodified-Since"):
        return False
    if (known := headers.get("If-Range")) and not known.startswith('"'):
        return False
    if headers.get("Range") is None:
        return True
    match = ONE_RANGE.fullmatch(headers["Range"])
    return match is not None and (not match[2] or int(match[1]) <= int(match[2]))


def slice_of(header: str | None) -> ByteRange | None:
    """Return the slice that nginx is about to send; None for anything that is not one."""
    match = SLICE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    start, end = int(match[1]), int(match[2]) + 1
    return ByteRange(start, end) if 0 < end - start <= SLICE else None


def share(ticket: Ticket, part: ByteRange) -> int:
    """Return how many bytes of a slice belong to the answer; the first and the last one may hold more."""
    return max(0, min(part.end, ticket.end) - max(part.start, ticket.start))


def seal_ticket(ticket: Ticket, key: bytes) -> str:
    """Return the ticket as one word of a header."""
    body = json.dumps(astuple(ticket), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(body, key) + body).decode().rstrip("=")


def open_ticket(text: str, key: bytes, *, now: datetime) -> Ticket | None:
    """Return what a word stands for; None when it is not ours or has ended."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, body = raw[:MAC], raw[MAC:]
    if not hmac.compare_digest(mac, _mac(body, key)):
        return None
    ticket = Ticket(*json.loads(body))
    return None if ticket.ended(now) else ticket


def _mac(body: bytes, key: bytes) -> bytes:
    derived = hmac.new(key, b"tickets for slices, first form", hashlib.sha256).digest()
    return hmac.new(derived, body, hashlib.sha256).digest()
