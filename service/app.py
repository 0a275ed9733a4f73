"""The application: the only module that knows every slice."""

import gc
import importlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Flask, redirect, request, url_for
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from markupsafe import Markup, escape
from werkzeug.middleware.proxy_fix import ProxyFix

from service.base import access, assets, blobs, cache, clock, db, http, i18n, log, processes, state
from service.base.access import Role, caller_or_none, requires
from service.base.beijing import BEIJING
from service.base.doorstep import Doorstep
from service.base.settings import BadSetting, Settings, resource_dir
from service.catalogue.engine import near as catalogue
from service.catalogue.store import search
from service.data import engine as data
from service.home.jobs import demo_accounts
from service.people.rules import ROLE_NAMES
from service.people.web import ask_to_log_in, find_caller
from service.policy import engine as policy

MAX_BODY = 2 << 20  # bytes; imports do not come through the web yet

# Which modules serve which plane; a replica may serve one of them only.
PARTS: dict[str, tuple[str, ...]] = {
    "web": (
        "home.web", "home.api", "applications.web", "applications.api", "screening.web", "screening.api", "grants.web",
        "grants.api", "catalogue.web", "catalogue.api", "people.web", "people.api", "notices.web", "oauth.web",
        "audit.api",
    ),
    "oauth": ("oauth.api",),
    "data": ("data.api", "data.api.offload"),
}  # fmt: skip
ALL_PARTS = frozenset(PARTS)


def create_app(settings: Settings | None = None, parts: Iterable[str] = ALL_PARTS) -> Flask:
    """Return the WSGI application for `settings` (the environment's when None), serving `parts`.

    Raises PolicyError when a policy file is broken: a service with half its rules must not start.
    """
    settings = settings or Settings()
    connect(settings)
    app = Flask(__name__, template_folder=str(resource_dir("templates")), static_folder="static")
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, MAX_FORM_MEMORY_SIZE=MAX_BODY, JSON_AS_ASCII=False)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _speak_templates(app)
    http.install(app, settings, find_caller, ask_to_log_in)
    app.add_url_rule("/language/<code>", "language", choose_language)
    app.add_url_rule("/theme/<name>", "theme", choose_theme)
    for part in sorted(parts):
        for module in PARTS[part]:
            _register(app, module)
    _demand_access(app)
    door = Doorstep(app.wsgi_app, search.revision_now, session_cookie=http.cookie_name(settings))
    app.wsgi_app = door  # type: ignore[assignment,method-assign]
    if settings.secure:
        # https ends at one proxy of ours, which tells the client's address and scheme; Host stays the client's.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=0)  # type: ignore[method-assign]
    app.extensions["demo"] = demo_accounts(settings)
    return app


def connect(settings: Settings) -> None:
    """Connect this process to its database, store, cache and policies, and set its clock.

    ValueError for a demo on https, whichever server asks for it: its passwords are shown, and its clock may be moved.
    BadSetting when HOME, the store or the cache is not to be had.
    """
    if settings.demo and settings.secure:
        raise ValueError("demo mode is not for https")
    log.configure(settings.log_level)
    settings.make_home()
    db.connect(settings.database_url)
    for name, connect_to, url in (
        ("store_url", partial(blobs.connect, copies=settings.home / "copies"), settings.store_url),
        ("cache_url", cache.connect, settings.cache_url),
    ):
        try:
            connect_to(url)
        except blobs.BadAddress as fault:
            raise BadSetting(name, str(fault)) from None
        except Exception as fault:  # whatever the library behind it raises; its text may hold the URL's password
            raise BadSetting(name, type(fault).__name__) from None
    if settings.demo and settings.now:
        _demand_demo()
        clock.set_shift(clock.parse_shift(settings.now, at=clock.system_now()))
    policy.use(policy.load(settings.policy_folder))


def _demand_demo() -> None:
    """Raise ValueError unless the connected database was made by the demo: no setting moves a service's clock."""
    with db.reading() as session:
        if not state.made_by_demo(session):
            raise ValueError("QIANTANG_NOW moves the clock of a demo only")


def from_environment() -> Flask:
    """Make the app for a WSGI server's worker.

    The garbage collector's oldest generation walks every imported object; freezing them after start takes the page's
    p99 from 46 ms to 4 ms.  The youngest is collected at 10,000 objects: at 50,000 each time held a page up for 25 ms.
    """
    processes.end_with_maker()
    processes.distrust_folder()
    app = create_app()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    data.warm()
    return app


@requires(Role.PUBLIC)
def choose_language(code: str) -> ResponseReturnValue:
    """Remember the reader's language in a cookie and go back to the page."""
    return _remember("lang", i18n.negotiate(code, []))


@requires(Role.PUBLIC)
def choose_theme(name: str) -> ResponseReturnValue:
    """Remember whether the reader wants the pages light or dark; any other word follows the reader's system again."""
    return _remember("theme", name if name in http.THEMES else "")


def _remember(name: str, chosen: str) -> ResponseReturnValue:
    """Keep a choice in a cookie, nothing in it forgets one, and go back to the page."""
    answer = redirect(http.local_path(request.args.get("next")), code=303)
    age = assets.YEAR if chosen else 0
    answer.set_cookie(name, chosen, max_age=age, samesite="Lax", httponly=True, secure=http.settings().secure)
    return answer


def _register(app: Flask, module: str) -> None:
    loaded = importlib.import_module(f"service.{module}")
    for value in vars(loaded).values():
        if isinstance(value, Blueprint):
            app.register_blueprint(value)


def _speak_templates(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=False
    )
    app.jinja_env.globals.update(
        _=said, gettext=said, pick=i18n.pick, format_date=on_day, format_time=at_moment, format_day=i18n.format_day,
        weekday=i18n.weekday, tongue=i18n.tongue, called=called, Role=Role, sheet=assets.sheet, script=assets.script,
        asset=assets.address,
    )  # fmt: skip
    app.jinja_env.globals["near"] = near
    app.jinja_env.filters["role_name"] = lambda role: i18n.gettext(ROLE_NAMES[Role(role)])
    app.context_processor(_context)


def said(message: str, /, **blanks: Any) -> str:
    """Return a message for a template; markup among its blanks (a date's element) stays markup, the rest is escaped."""
    if any(hasattr(value, "__html__") for value in blanks.values()):
        return escape(i18n.gettext(message)) % blanks
    return i18n.gettext(message, **blanks)


def on_day(value: date | datetime) -> Markup:
    """Return a date as an element that programs read too; an instant as its Beijing date."""
    day = value.astimezone(BEIJING).date() if isinstance(value, datetime) else value
    return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), i18n.format_date(value))


def at_moment(value: datetime) -> Markup:
    """Return an instant as an element that programs read too, to the minute and in Beijing time for people."""
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), i18n.format_time(value))


def called(named: Any) -> Markup:
    """Return what a unit is called in the reader's language; its Chinese name is marked as such on an English page."""
    name = i18n.pick({"zh": named.name, "en": named.name_en})
    if i18n.current() == "en" and i18n.tongue(name) != "en":
        return Markup('<span lang="zh-CN">{}</span>').format(name)
    return escape(name)


def near(path: str) -> list[tuple[str, dict[str, str]]]:
    """Return what may have been meant by an address that there is not: paths and titles of datasets."""
    folder, _, name = path.strip("/").partition("/")
    if folder != "datasets" or not name:
        return []
    with db.reading() as session:
        return [(f"/datasets/{id}", title) for id, title in catalogue.near(session, name.partition("/")[0])]


def _context() -> dict[str, object]:
    other = "en" if i18n.current() == "zh" else "zh"
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return {
        "caller": caller_or_none(),
        "lang": i18n.current(),
        "lang_tag": i18n.TAGS[i18n.current()],
        "other_language": url_for("language", code=other, next=here),
        "waiting": dict,  # home.web says what waits, where it is served
        "theme": http.theme(),
        "here": here,
        "demo": http.settings().demo,
    }


def _demand_access(app: Flask) -> None:
    """Refuse to start when a view does not say who may call it."""
    open_views = {"static"}
    missing = [name for name, view in app.view_functions.items() if name not in open_views and not access_of(view)]
    if missing:
        raise RuntimeError(f"these views do not say who may call them: {sorted(missing)}")


def access_of(view: object) -> access.Access | None:
    """Return what a view demands, None when it says nothing."""
    found: access.Access | None = getattr(view, "access", None)
    return found
