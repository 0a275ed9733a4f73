"""The real application over HTTP: one app a worker, pointed at each test's own database and blob store."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.base import blobs, cache, clock, db
from service.base.ids import new_id
from service.base.roles import Role
from service.base.settings import Settings
from service.people import actions as people
from service.people.rules import ROLES_OF_KIND
from tests.conftest import Database

ORIGIN = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application, made once: reading the policies takes longer than most tests."""
    from service.app import create_app

    home = tmp_path_factory.mktemp("home")
    return create_app(Settings(home=home, base_url=ORIGIN, secret_key="a secret of the tests", log_level="ERROR"))


@pytest.fixture
def app(application: Flask, database: Database, store: Path) -> Flask:
    """The application on a fresh database (each engine in turn) and an empty store."""
    return _pointed_at(application, database, store)


@pytest.fixture
def sqlite_app(application: Flask, sqlite: Database, store: Path) -> Flask:
    """The application on a fresh SQLite database, for what does not depend on the engine."""
    return _pointed_at(application, sqlite, store)


@pytest.fixture
def browser(app: Flask) -> Callable[[], FlaskClient]:
    """Return a function that opens one more browser: its own cookies, same-origin posts, Chinese first."""

    return partial(open_browser, app)


@pytest.fixture
def visitor(browser: Callable[[], FlaskClient]) -> FlaskClient:
    """Somebody who has not logged in."""
    return browser()


@pytest.fixture
def enter(app: Flask) -> Callable[..., FlaskClient]:
    """Return `log_in` on the application of this test."""
    return partial(log_in, app)


def log_in(app: Flask, role: Role, *, unit_id: str = "", ago: timedelta = timedelta(0)) -> FlaskClient:
    """Return the browser of a new person with `role`, whose password was typed `ago`.

    Without `unit_id` a new unit of a fitting kind is made; `person_id` and `unit_id` hang on the returned client.
    """
    with db.writing() as session:
        now = clock.now(session)
        unit = unit_id or _unit_for(session, role, now)
        someone = people.new_person(new_id(now), "某人", PASSWORD)
        person = people.add_person(session, someone, unit_id=unit, roles=[role], by="tests", now=now)
    client = resume(app, person.id, ago=ago)
    client.person_id, client.unit_id = person.id, unit  # type: ignore[attr-defined]
    return client


def resume(app: Flask, person_id: str, *, ago: timedelta = timedelta(0)) -> FlaskClient:
    """Return one more browser of a person, with a session of its own."""
    with db.writing() as session:
        at = clock.now(session) - ago
        cookie = people.start_session(session, person_id, origin="tests", agent="tests", now=at)
    client = open_browser(app)
    client.set_cookie("qiantang", cookie, domain="127.0.0.1")
    return client


def open_browser(app: Flask, language: str = "zh-CN") -> FlaskClient:
    """Return one more browser: its own cookies, same-origin posts."""
    client = Browser(app, app.response_class, use_cookies=True)
    client.environ_base |= {"HTTP_ORIGIN": ORIGIN, "HTTP_SEC_FETCH_SITE": "same-origin"}
    client.environ_base |= {"HTTP_ACCEPT_LANGUAGE": language}
    return client


class Browser(FlaskClient):
    """Asks at the site's own address: what environ_base says of the host is overwritten, and cookies hang on it."""

    def open(self, *args, **given):
        if args and isinstance(args[0], str):
            given.setdefault("base_url", ORIGIN)
        return super().open(*args, **given)


def _unit_for(session: db.Session, role: Role, now: datetime) -> str:
    kind = next(kind for kind, roles in ROLES_OF_KIND.items() if role in roles)
    unit = people.add_unit(session, people.NewUnit(kind, "某单位", "A unit"), by="tests", now=now)
    return unit.id


def _pointed_at(application: Flask, database: Database, store: Path) -> Flask:
    db.connect(database.url)  # making the application connected the process to its own
    blobs.connect(f"file://{store}")
    cache.connect("memory://")
    return application
