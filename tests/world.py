"""The loaded demo inside this process: each test gets a HOME of its own and asks the real application over HTTP.

The demo is loaded once a session, by the first worker that asks; a HOME is a copy of its database and links to its
objects, which never change.
"""

import base64
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from service import app as application
from service.base import blobs, clock, db
from service.base import cache as counters
from service.base.ids import new_id
from service.base.settings import Settings
from service.grants import actions as grants
from service.grants import jobs as grant_jobs
from service.oauth import actions as clients
from tests import running, servers
from tests.http.conftest import ORIGIN, open_browser

_numbers = itertools.count()


@dataclass(frozen=True)
class World:
    """A demo of this test's own.  `known` is what the demo wrote to demo.json."""

    app: Flask
    settings: Settings
    known: dict[str, Any]

    @property
    def dataset(self) -> str:
        """The dataset of the case that is granted from the start."""
        return str(self.known["client"]["dataset"])

    @property
    def grant(self) -> str:
        return str(self.known["client"]["grant"])

    @property
    def client_id(self) -> str:
        return str(self.known["client"]["client_id"])

    @property
    def secret(self) -> str:
        return str(self.known["client"]["client_secret"])

    def account(self, role: str, number: int = 0) -> dict[str, str]:
        """Return the demo's account of a role, or the one with that login."""
        found: list[dict[str, str]] = [one for one in self.known["accounts"] if role in (one["role"], one["login"])]
        return found[number]

    def login(self, role: str, number: int = 0) -> FlaskClient:
        """Return the browser of an account, logged in with its password a moment ago."""
        account, browser = self.account(role, number), self.visitor()
        answer = browser.post("/login", data={"login": account["login"], "password": account["password"], "next": "/"})
        assert answer.status_code == 303
        return browser

    def visitor(self) -> FlaskClient:
        """Return the browser of somebody who has not logged in."""
        return open_browser(self.app)

    def ask_token(self, *, basic: str | None = None, **form: str) -> TestResponse:
        """Ask the token endpoint with the demo's client by Basic, or with `basic` ("id:secret")."""
        credentials = f"{self.client_id}:{self.secret}" if basic is None else basic
        form.setdefault("grant_type", "client_credentials")
        return self.visitor().post("/oauth/token", data=form, headers={"Authorization": basic_header(credentials)})

    def token(self, **form: str) -> str:
        """Return a new token of the demo's client."""
        answer = self.ask_token(**form)
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def get(self, path: str, token: str | None = None, **headers: str) -> TestResponse:
        """Ask the data plane, as a program does."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().get(path, base_url=ORIGIN, headers=named)

    def rows(self, token: str | None, query: str = "", *, dataset: str = "") -> TestResponse:
        return self.get(f"/api/v1/datasets/{dataset or self.dataset}/rows{query}", token)

    def file(self, token: str | None, name: str = "data.csv", **headers: str) -> TestResponse:
        return self.get(f"/api/v1/datasets/{self.dataset}/files/{name}", token, **headers)

    def suspend(self, cause: str = "收到投诉，先行暂停核查") -> None:
        """Suspend the granted case's grant as an officer does."""
        answer = self.login("transport-1").post(f"/api/v1/grants/{self.grant}/suspension", json={"cause": cause})
        assert answer.status_code == 201, answer.text

    def another_grant(
        self, dataset: str, columns: Sequence[str], *, unit: str = "firm-lake", client: str = "", **changes: Any
    ) -> str:
        """Issue one more grant with its view, to the demo's client's unit; return its id."""
        now = self.now()
        given: dict[str, Any] = {
            "unit_id": unit, "dataset_id": dataset, "application_id": new_id(now), "columns": columns, "row_filter": {},
            "delivery": ["download", "api"], "purpose": "analytics.operations", "dataset_version": 1,
            "rests_on": {"screening": "s", "lists": []}, "ends_at": now + timedelta(days=30),
        }  # fmt: skip
        with db.writing() as session:
            grant = grants.issue(session, grants.NewGrant(**given | changes), by="tests", now=now)
        assert grant_jobs.build_grant_view(grant.id, pepper=self.settings.pepper())
        if unit == "firm-lake":
            with db.writing() as session:
                clients.allow(session, client or self.client_id, grant.id, unit_id=unit, by="tests", now=now)
        return grant.id

    def another_client(self, grant: str, *, unit: str = "firm-tide") -> str:
        """Make a client for a grant; return its "id:secret"."""
        with db.writing() as session:
            client, secret = clients.create_client(
                session, unit_id=unit, grant_id=grant, name="又一个系统", pepper=self.settings.pepper(), by="tests",
                now=clock.now(session),
            )  # fmt: skip
        return f"{client.id}:{secret}"

    def change(self, statement: str, **values: object) -> None:
        """Run one SQL statement: for what no act of the product does, such as an end that moves."""
        with db.writing() as session:
            session.execute(text(statement), values)

    def found(self, query: str, **values: object) -> Sequence[Any]:
        """Return the rows of a SQL query."""
        with db.reading() as session:
            return session.execute(text(query), values).all()

    def now(self) -> datetime:
        with db.reading() as session:
            return clock.now(session)


@contextmanager
def entered() -> Iterator[World]:
    """Give a world of its own, and remove it afterwards."""
    loaded = running.loaded()
    home = loaded.with_name(f"world-{os.getpid()}-{next(_numbers)}")
    shutil.copytree(loaded, home, copy_function=_copy)
    try:
        yield opened(home)
    finally:
        db.engine().dispose()
        shutil.rmtree(home)


def basic_header(credentials: str | bytes) -> str:
    """Return the value of a Basic header for "id:secret"."""
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return "Basic " + base64.b64encode(raw).decode()


def opened(home: Path) -> World:
    """Point this process at the demo in `home`."""
    settings = Settings(home=home, base_url=ORIGIN, demo=True, log_level="ERROR")
    app = shared_app()
    db.connect(settings.database_url)
    blobs.connect(settings.store_url)
    counters.connect("memory://")
    app.extensions["settings"] = settings
    return World(app, settings, json.loads((home / "demo.json").read_text(encoding="utf-8")))


@cache
def shared_app() -> Flask:
    """The application, made once a worker and pointed at each test's HOME."""
    home = Path(os.environ[servers.FOLDER]) / f"application-{os.getpid()}"
    return application.create_app(Settings(home=home, base_url=ORIGIN, demo=True, log_level="ERROR"))


def _copy(source: str, target: str) -> None:
    """Link an object of the store; copy everything else."""
    if "/store/" in source:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)
