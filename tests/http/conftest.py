"""The real application over HTTP: one app a worker, pointed at each test's own database and blob store."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.base import blobs, cache, db
from service.base.settings import Settings
from tests.conftest import Database

ORIGIN = "http://127.0.0.1:8000"


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

    def open_browser(language: str = "zh-CN") -> FlaskClient:
        client = app.test_client()
        client.environ_base |= {"HTTP_ORIGIN": ORIGIN, "HTTP_SEC_FETCH_SITE": "same-origin"}
        client.environ_base |= {"HTTP_HOST": "127.0.0.1:8000", "HTTP_ACCEPT_LANGUAGE": language}
        return client

    return open_browser


@pytest.fixture
def visitor(browser: Callable[[], FlaskClient]) -> FlaskClient:
    """Somebody who has not logged in."""
    return browser()


def _pointed_at(application: Flask, database: Database, store: Path) -> Flask:
    db.connect(database.url)  # making the application connected the process to its own
    blobs.connect(f"file://{store}")
    cache.connect("memory://")
    return application
