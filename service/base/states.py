"""What a reader sees when the service says no: a page, or a banner for a form that a script had sent.

Each page says what happened, what is safe and one way on.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from service.base import clock, log
from service.base.access import Access
from service.base.errors import Refusal
from service.base.i18n import TAGS, current, gettext
from service.base.roles import Role

# The statuses that have a page of their own; all others share one.
OWN_PAGES = frozenset({403, 404, 405, 409, 413, 422, 429, 500, 503})
MEGABYTE = 1 << 20
# Where htmx puts the banner, whatever the form had asked to be changed: the form with its typed text stays as it is.
SAID = {"HX-Retarget": "#qt-said", "HX-Reswap": "innerHTML", "HX-Reselect": "#qt-said-words"}


def local_path(wanted: str | None, default: str = "/") -> str:
    """Return `wanted` when it is a path on this site, else `default`: `next` never leaves the site."""
    if not wanted or not re.fullmatch(r"/(?![/\\])[^\\\x00-\x20]*", wanted):
        return default
    parts = urlsplit(wanted)
    return default if parts.scheme or parts.netloc else wanted


def came_from(default: str = "") -> str:
    """Return the path of our own page that sent this request, `default` when it does not say or is another site's."""
    sender = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    parts = urlsplit(sender)
    if parts.netloc != request.host:
        return default
    return local_path(parts.path + (f"?{parts.query}" if parts.query else ""), default)


def detail_of(refusal: Refusal) -> str | None:
    """Return the refusal's detail in the reader's language, blanks filled."""
    return gettext(refusal.detail, **refusal.facts) if refusal.detail else None


def answer(refusal: Refusal) -> Response:
    """Return the page of a refusal, or its banner for htmx."""
    enhanced = "HX-Request" in request.headers
    name = f"errors/{refusal.status}.html" if refusal.status in OWN_PAGES else "errors/refusal.html"
    found = make_response(_rendered("errors/said.html" if enhanced else name, refusal), refusal.status)
    found.headers["Qiantang-Problem"] = refusal.code
    if enhanced:
        found.headers.update(SAID)
    return found


def _rendered(name: str, refusal: Refusal) -> str:
    """Return the page; the words alone where even the page cannot be made, so that a fault never hides another."""
    title, detail = gettext(refusal.title), detail_of(refusal)
    try:
        return render_template(name, refusal=refusal, title=title, detail=detail, **_context(refusal))
    except Exception as fault:
        current_app.logger.error("the page of a refusal cannot be made", exc_info=fault)
        plain = current_app.jinja_env.get_template("errors/plain.html")  # without what every page asks the database
        return plain.render(title=title, request_id=log.request_id.get(), lang_tag=TAGS[current()])


def _context(refusal: Refusal) -> dict[str, Any]:
    demand = _demand()
    return {
        "may": sorted(demand.roles - {Role.PUBLIC, Role.CLIENT}) if demand else [],
        "limit": int(current_app.config["MAX_CONTENT_LENGTH"]) // MEGABYTE,
        "wait": refusal.facts.get("retry_after"),
        "request_id": log.request_id.get(),
        "at": clock.system_now(),
        "back": came_from(),
        "readable": _readable(),
        "sent": request.method not in ("GET", "HEAD"),
    }


def _demand() -> Access | None:
    view = current_app.view_functions.get(request.endpoint or "")
    found: Access | None = getattr(view, "access", None)
    return found


def _readable() -> bool:
    """Whether this very address can be opened as a page."""
    try:
        current_app.create_url_adapter(request).match(method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return False
    return True
