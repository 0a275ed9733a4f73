"""What somebody typed while their session ended: carried through the login by their own browser, and sent by a press.

Nothing is stored here.  The login form takes the typed fields along, sealed with the server's secret; after the login
they stand on a page with a button.  Only a form that came from a page of ours is kept, only for the address that it was
sent to, and never one with a secret or a file in it.
"""

import hashlib
import hmac
import json
import re
from dataclasses import asdict, dataclass

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from service.base import http
from service.base.states import came_from, local_path

LIMIT = 256 << 10  # bytes of names and values
SECRET = re.compile(r"password|secret|token|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """A form that was sent and not taken.  `owner` is the person who typed it, "" where nobody can say."""

    path: str
    back: str
    owner: str
    fields: list[tuple[str, str]]

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @property
    def seal(self) -> str:
        return _seal(self.text)


def keep(owner: str) -> Kept | None:
    """Return this request's form, None when it is not to be kept: another site's, too long, with a secret or a file."""
    if request.method != "POST" or not http.same_site() or request.files or not request.form or request.is_json:
        return None
    fields = [(name, value) for name, values in request.form.lists() for value in values]
    if any(SECRET.search(name) for name, _value in fields) or _size(fields) > LIMIT:
        return None
    path = local_path(request.full_path.rstrip("?"), "")
    return Kept(path, came_from(), owner, fields) if path else None


def too_long() -> bool:
    """Whether this request's form is longer than what can be kept."""
    return _size([(name, value) for name, values in request.form.lists() for value in values]) > LIMIT


def opened(text: str, seal: str) -> Kept | None:
    """Return what a login form brought along; None unless we sealed it and its address still takes a form."""
    if not text or not hmac.compare_digest(_seal(text).encode(), _bytes(seal)):
        return None
    given = json.loads(text)
    given["fields"] = [(name, value) for name, value in given["fields"]]
    found = Kept(**given)
    return found if _takes_forms(found.path) else None


def _takes_forms(path: str) -> bool:
    try:
        current_app.create_url_adapter(request).match(path.partition("?")[0], method="POST")  # type: ignore[union-attr]
    except HTTPException:
        return False
    return True


def _size(fields: list[tuple[str, str]]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in fields)


def _seal(text: str) -> str:
    return hmac.new(http.settings().pepper(), b"kept form\0" + _bytes(text), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    """Return a text's bytes, also of one that no browser of ours sends: JSON can hold half a letter."""
    return text.encode("utf-8", "surrogatepass")
