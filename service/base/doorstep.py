"""Pages that visitors have had before, given again at the door: before Flask, and just as Flask would give them.

A view flags its answer as the same for every visitor (`http.shared_page`) and says what it follows from.  What left the
house then, bytes and headers, is kept under everything of the request that the page depends on.  Somebody with a
session or a credential, another method, an address that was never answered well: all that goes in by the usual way.
"""

import secrets
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from service.base import log
from service.base.i18n import negotiate
from service.base.shelf import Shelf

ROOM = 16 << 20  # bytes of visitors' pages that a process keeps
LONGEST = 300  # characters of an address whose page is kept
SHARED = "qiantang.shared"  # where a view says in the request's environment what its page follows from
OF_ONE_ANSWER = "x-request-id"
Environ = dict[str, Any]
Start = Callable[..., Any]
Headers = list[tuple[str, str]]


class Doorstep:
    """A WSGI application in front of ours.  `about` tells what every kept page follows from, as it is now."""

    def __init__(
        self, inside: Callable[[Environ, Start], Iterable[bytes]], about: Callable[[], Hashable], *, session_cookie: str
    ) -> None:
        self._inside, self._about, self._session_cookie = inside, about, session_cookie
        self._shelf: Shelf[tuple[Hashable, Headers, bytes]] = Shelf(ROOM)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        key = self._key(environ)
        if key is None:
            return self._inside(environ, start)
        if (kept := self._fresh(key)) is None:
            return self._remembered(key, environ, start)
        log.request_id.set(secrets.token_hex(8))
        _about, headers, body = kept
        start("200 OK", [*headers, ("X-Request-Id", log.request_id.get())])
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        log.info("http", "answered", method="GET", path=path, status=200)
        return [body]

    def _fresh(self, key: Hashable) -> tuple[Hashable, Headers, bytes] | None:
        """Return what is kept under a key and still holds; what cannot be asked about now holds no more."""
        if (kept := self._shelf.get(key)) is None:
            return None
        try:
            return kept if kept[0] == self._about() else None
        except Exception:  # the database is away: the usual way says so in the reader's words
            return None

    def _key(self, environ: Environ) -> Hashable | None:
        """Return all that a shared page depends on; None when the request is not a plain visitor's."""
        cookies = environ.get("HTTP_COOKIE", "")
        if environ["REQUEST_METHOD"] != "GET" or "HTTP_AUTHORIZATION" in environ or self._session_cookie in cookies:
            return None
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if len(path) + len(query) > LONGEST:
            return None
        chosen = choices(query, cookies, environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        return (environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), path, query, *chosen)

    def _remembered(self, key: Hashable, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer by the usual way, and keep an answer that is the same for every visitor."""
        given: list[tuple[str, Headers]] = []

        def note(status: str, headers: Headers, *rest: Any) -> Any:
            given.append((status, headers))
            return start(status, headers, *rest)

        body = self._inside(environ, note)
        if SHARED not in environ or not given or not given[-1][0].startswith("200 "):
            return body
        try:
            whole = b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
        headers = [(name, value) for name, value in given[-1][1] if name.lower() != OF_ONE_ANSWER]
        self._shelf.put(key, (environ[SHARED], headers, whole), len(whole))
        return [whole]


@lru_cache(maxsize=4096)
def choices(query: str, cookies: str, accepted: str) -> tuple[str, str]:
    """Return the language and the theme in which a page is made for such a request."""
    try:
        told = {name: morsel.value for name, morsel in SimpleCookie(cookies).items()}
    except CookieError:
        told = {}
    wanted = parse_qs(query).get("lang", [told.get("lang", "")])[0]
    tags = [tag for tag, _quality in parse_accept_header(accepted, LanguageAccept)]
    return negotiate(wanted, tags), told.get("theme", "")
