"""What every request and answer has in common: language, caller, cross-site check, headers, refusals, request id."""

import json
import secrets
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from flask import Flask, Response, current_app, g, jsonify, make_response, redirect, render_template, request
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from service.base import assets, blobs, clock, db, doorstep, log, states
from service.base.access import Caller
from service.base.errors import CrossSite, Invalid, NotFound, Refusal, TooLarge, Unavailable, UntrustedHost
from service.base.forms import parse
from service.base.i18n import N_, TAGS, current, gettext, negotiate, speak
from service.base.settings import Settings
from service.base.states import detail_of as detail_of
from service.base.states import local_path as local_path

MACHINE_PATHS = ("/api/", "/oauth/", "/.well-known/", "/metrics", "/healthz", "/readyz", "/audit/")
THEMES = ("light", "dark")
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
BEGINNING = {"/login", "/units"}  # what begins a session: another site must not choose whose
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HTTP_TITLES = {
    400: N_("请求格式不正确"),
    404: NotFound.title,
    405: N_("不支持的请求方式"),
    413: TooLarge.title,
    415: N_("不支持的内容类型"),
}
HTTP_CODES = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
BROKEN = N_("系统出错")
DATABASE_AWAY = N_("数据库暂时连不上。")
STORE_AWAY = N_("数据存储暂时读不到。")
RETRY = 30  # seconds
LOGIN_CODES = ("login-required", "fresh-login-required")
LINKS = frozenset({"page", "apply"})  # facts of a refusal that say where to go on

M = TypeVar("M", bound=BaseModel)
FindCaller = Callable[[str, datetime], Caller | None]
AskToLogIn = Callable[[Refusal], Response]


def install(app: Flask, settings: Settings, find_caller: FindCaller, ask_to_log_in: AskToLogIn) -> None:
    """Hang the common parts on `app`: before each request, after each answer, and for everything refused or broken.

    `ask_to_log_in` answers a form that was sent without a session good enough for it.
    """
    app.extensions["settings"] = settings
    app.extensions["ask_to_log_in"] = ask_to_log_in
    app.before_request(_open)
    app.before_request(lambda: _identify(find_caller))
    app.before_request(_refuse_cross_site)
    app.after_request(_close)
    app.after_request(assets.finish)
    app.register_error_handler(Refusal, refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(Exception, _broken)


def settings() -> Settings:
    """Return the settings of this app."""
    found: Settings = current_app.extensions["settings"]
    return found


def cookie_name(given: Settings) -> str:
    """Return the session cookie's name: host-bound on https, plain on loopback http."""
    return "__Host-qiantang" if given.secure else "qiantang"


def page(template: str, status: int = 200, **context: Any) -> Response:
    """Render a page.  A page made for somebody is never kept by a cache on the way.

    A form that is shown again carries the slug of what stood in its way: that of `refusal`, else `invalid` at 422.
    """
    answer = make_response(render_template(template, **context), status)
    refusal = context.get("refusal")
    if isinstance(refusal, Refusal) or status == Invalid.status:
        answer.headers["Qiantang-Problem"] = refusal.code if isinstance(refusal, Refusal) else Invalid.code
    answer.headers.setdefault("Cache-Control", "private, no-store" if g.get("caller") else "private, no-cache")
    return answer


def shared_page(about: Hashable, make: Callable[[], Response]) -> Response:
    """Return the page that `make` renders; made for a visitor, it is given to the next as it is (base.doorstep).

    `about` changes with everything that the page shows but its address, its language and its theme.
    """
    answer = make()
    if not g.get("caller"):
        request.environ[doorstep.SHARED] = about
    return answer


def theme() -> str | None:
    """Return whether the reader chose light or dark pages; None for the system's own."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in THEMES else None


def see_other(url: str) -> BaseResponse:
    """Send the browser on with GET after a POST."""
    return redirect(url, code=303)


def json_answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Answer JSON; private unless the caller says otherwise."""
    answer = make_response(jsonify(body), status)
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers.extend({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


def json_body(form: type[M]) -> M:
    """Return the request's JSON body as a `form`; Invalid when it is not JSON or does not hold."""
    body = json_object()
    if body is None:
        raise Invalid(errors=[{"field": "", "message": gettext("请求体应为 JSON 对象")}])
    return parse(form, body)


def json_object() -> dict[str, Any] | None:
    """Return the request's JSON object; None for anything else, and for one that two readers could read in two ways.

    A name given twice and NaN are no JSON that everybody understands alike.
    """
    if not request.is_json:
        return None
    try:
        body = json.loads(request.get_data(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):  # nested thousands of levels deep
        return None
    return body if isinstance(body, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def wants_json() -> bool:
    """Whether this answer goes to a program rather than to a reader."""
    return request.path.startswith(MACHINE_PATHS)


def problem(refusal: Refusal) -> Response:
    """Return a refusal as RFC 9457 problem+json, its slug also in the header Qiantang-Problem."""
    facts = {name: _whole(value) if name in LINKS else value for name, value in refusal.facts.items()}
    body = {
        "type": f"{settings().base_url}/problems/{refusal.code}",
        "title": gettext(refusal.title),
        "status": refusal.status,
        "detail": gettext(refusal.detail, **facts) if refusal.detail else None,
        "instance": request.path,
        "request_id": log.request_id.get(),
        **facts,
    }
    answer = make_response(jsonify({name: value for name, value in body.items() if value is not None}), refusal.status)
    answer.content_type = "application/problem+json"
    answer.headers["Qiantang-Problem"] = refusal.code
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _whole(link: str) -> str:
    """Return a link that works outside a browser too: a script prints it."""
    return settings().base_url + link if link.startswith("/") else link


def refuse(refusal: Refusal) -> BaseResponse:
    """Answer a refusal: a problem document to programs, a page to readers."""
    log.info("http", "refused", code=refusal.code, status=refusal.status, path=request.path)
    if wants_json() or g.get("bearer"):
        answer = problem(refusal)
    elif refusal.code not in LOGIN_CODES or "HX-Request" in request.headers:
        answer = states.answer(refusal)
    elif request.method == "GET":
        return see_other(f"/login?next={quote(request.path)}" + ("&fresh=1" if g.get("caller") else ""))
    else:
        answer = current_app.extensions["ask_to_log_in"](refusal)
    if wait := refusal.facts.get("retry_after"):
        answer.headers["Retry-After"] = str(wait)
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = refusal.challenge
    return answer


def _open() -> None:
    log.request_id.set(secrets.token_hex(8))
    wanted = request.args.get("lang") or request.cookies.get("lang")
    speak(negotiate(wanted, [tag for tag, _quality in request.accept_languages]))
    host = urlsplit(f"//{request.host}").hostname or ""
    if host not in settings().hosts:
        raise UntrustedHost()
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise NotFound()  # nothing of ours is called so, and PostgreSQL refuses such a text with an error of its own


def _identify(find_caller: FindCaller) -> None:
    g.caller, g.bearer = None, "Authorization" in request.headers
    cookie = request.cookies.get(cookie_name(settings()))
    if cookie and not g.bearer and not request.path.startswith(assets.FOLDER):
        with db.reading() as session:
            now = clock.now(session)
        g.caller = find_caller(cookie, now)
        g.lapsed = g.caller is None


def _refuse_cross_site() -> None:
    """Refuse changes that carry the session cookie or begin a session, unless they come from our own pages."""
    if request.method not in CHANGING or request.path.startswith("/oauth/"):
        return
    carries_cookie = cookie_name(settings()) in request.cookies and not g.bearer
    if not carries_cookie and request.path not in BEGINNING:
        return
    if not same_site():
        raise CrossSite()


def same_site() -> bool:
    """Whether this request comes from a page of ours.

    Sec-Fetch-Site decides where the browser sends it, else Origin must be BASE_URL; `null` is nobody's origin.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site == "same-origin":
        return origin in (None, settings().base_url, f"{request.scheme}://{request.host}")
    return site is None and origin == settings().base_url


def _close(answer: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "private, no-store")  # refusals and redirections too
    if settings().secure:
        answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    answer.headers["X-Request-Id"] = log.request_id.get()
    if answer.mimetype == "text/html":
        answer.headers["Content-Language"] = TAGS[current()]
        answer.vary.update(["Accept-Language", "Cookie"])
    log.info("http", "answered", method=request.method, path=request.path, status=answer.status_code)
    return answer


class HttpRefusal(Refusal):
    """A refusal that Werkzeug made (no route, wrong method, body too large), told in our words."""

    def __init__(self, fault: HTTPException) -> None:
        super().__init__()
        self.status = fault.code or 400  # type: ignore[misc]
        self.code = HTTP_CODES.get(self.status, "bad-request")  # type: ignore[misc]
        self.title = HTTP_TITLES.get(self.status, HTTP_TITLES[400])  # type: ignore[misc]


def _refuse_http(fault: HTTPException) -> BaseResponse:
    if fault.code is not None and fault.code < 400:
        return make_response(fault.get_response())
    answer = refuse(HttpRefusal(fault))
    for name, value in fault.get_headers(request.environ):
        if name == "Allow":
            answer.headers[name] = value
    return answer


class Broken(Refusal):
    """A fault of ours.  The reader gets the request id; the log gets the trace."""

    code = "internal"
    title = BROKEN
    status = 500


def _broken(fault: Exception) -> BaseResponse:
    if (lost := _away(fault)) is not None:
        log.error("http", "away", fault=type(fault).__name__, path=request.path)
        return refuse(Unavailable(lost, retry_after=RETRY))
    current_app.logger.error("broken", exc_info=fault)
    return refuse(Broken())


def _away(fault: Exception) -> str | None:
    """Return what cannot be reached, when that is all that is wrong."""
    if db.away(fault):
        return DATABASE_AWAY
    return STORE_AWAY if isinstance(fault, blobs.Away) else None
