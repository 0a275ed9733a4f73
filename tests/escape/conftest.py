"""The ground of the escape suite: one table, what was granted of it to two firms, and one of them who wants the rest.

Made once on each engine and then only read; a test that changes something puts it back.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from service import migrations
from service.base import blobs, cache, clock, db
from service.base.settings import Settings
from service.catalogue.tables import Dataset, DatasetColumn
from service.grants import actions as grants
from service.grants import jobs
from service.oauth import actions as clients
from tests import servers, world
from tests.escape import canaries
from tests.http.conftest import ORIGIN, resume
from tests.store import granted

QUOTA = {"requests_per_minute": 10**6}
TOKEN = {"kind": "token", "column": "hidden_plate"}
# name: unit, columns, and what else is granted
GRANTS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "mine": ("firm", canaries.GRANTED, {"row_filter": canaries.FILTER}),
    "wider": ("firm", ("lot", "minutes"), {"row_filter": {"from": "2026-03-01", "to": "2026-03-20"}}),
    "theirs": ("stranger", tuple(canaries.COLUMNS), {}),
    "newer": ("stranger", tuple(canaries.COLUMNS), {"dataset_version": 2}),
    "tokens-mine": ("firm", ("hidden_plate", "kind"), {"transforms": [TOKEN]}),
    "tokens-theirs": ("stranger", ("hidden_plate", "minutes"), {"transforms": [TOKEN]}),
    "daily": ("firm", ("lot", "minutes"), {"row_filter": canaries.FILTER}),
    "left": ("firm", ("hidden_serial", "kind"), {}),
    "right": ("stranger", ("lot", "ratio"), {}),
}


@dataclass
class Ground:
    """Where the attack takes place.  `grants` and `tokens` are by the names of GRANTS."""

    app: Flask
    settings: Settings
    grants: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/api/v1/datasets/{canaries.DATASET}"

    def ask(
        self, path: str, name: str | None = "mine", *, method: str = "GET", json: Any = None, **headers: str
    ) -> TestResponse:
        """Ask as the program that holds the token of a grant does; a path without a slash is one of the dataset's."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if name is not None:
            sent.setdefault("Authorization", f"Bearer {self.tokens[name]}")
        path = path if path.startswith("/") else f"{self.base}/{path}"
        return self.app.test_client().open(path, base_url=ORIGIN, method=method, json=json, headers=sent)

    def browser(self, login: str) -> FlaskClient:
        """Return the browser of a person, logged in."""
        return resume(self.app, login)

    def link(self, name: str = "mine", file: str = "data.csv") -> str:
        """Return the signed part of an address of a file, made with the token of a grant."""
        answer = self.ask(
            f"files/{file}/links?grant={self.grants[name]}", name, method="POST", json={"expires_in": 600}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json["url"]).partition("link=")[2]

    @contextmanager
    def changed(self, there: str, back: str, **values: object) -> Iterator[None]:
        """Run a statement, and at the end another one that undoes it."""
        self.run(there, **values)
        try:
            yield
        finally:
            self.run(back, **values)

    def run(self, statement: str, **values: object) -> None:
        with db.writing() as session:
            session.execute(text(statement), values)


@pytest.fixture(scope="session")
def _on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    home = tmp_path_factory.mktemp("escape") / "home"
    home.mkdir(mode=0o700)
    return _made(home, f"sqlite:///{home}/qiantang.db")


@pytest.fixture(scope="session")
def _on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    name = f"escape_{os.getpid()}"
    with servers.connected("postgres") as connection:
        connection.execute(f"create database {name} strategy=file_copy")
    yield _made(tmp_path_factory.mktemp("escape") / "home", servers.url(name))
    with servers.connected("postgres") as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def ground(_on_sqlite: Ground) -> Iterator[Ground]:
    """The ground on SQLite and files."""
    yield from _entered(_on_sqlite)


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """The ground on each engine in turn."""
    yield from _entered(request.getfixturevalue(f"_on_{request.param}"))


def _entered(ground: Ground) -> Iterator[Ground]:
    _point(ground)
    yield ground
    db.engine().dispose()


def _point(ground: Ground) -> None:
    db.connect(ground.settings.database_url)
    blobs.connect(ground.settings.store_url)
    cache.connect("memory://")
    ground.app.extensions["settings"] = ground.settings


# ---- making it ------------------------------------------------------------------------------------------------------


def _made(home: Path, url: str) -> Ground:
    settings = Settings(home=home, database_url=url, base_url=ORIGIN, log_level="ERROR")
    ground = Ground(world.shared_app(), settings)
    settings.make_home()
    _point(ground)
    migrations.upgrade()
    with db.writing() as session:
        _fill(session, home)
    for name, (unit, columns, more) in GRANTS.items():
        ground.grants[name] = _grant(ground, unit, columns, more)
    _give_clients(ground)
    for format in ("excel", "csv.zst", "jsonl", "arrow"):
        ground.ask(f"files/{_file_of(format)}")
    assert jobs.make_wanted() == 4
    db.engine().dispose()
    return ground


def _file_of(format: str) -> str:
    return "data.csv?for=excel" if format == "excel" else f"data.{format}"


def _fill(session: db.Session, folder: Path) -> None:
    now = clock.now(session) - timedelta(days=1)
    granted.settle(session, now)
    session.add(
        Dataset(
            id=canaries.DATASET, title_zh="夜间行程", title_en="Night trips", summary_zh="", summary_en="",
            source_unit_id="source", data_domain="transport", key_domain="transport", update_cycle="daily",
            openness="restricted", level=2, tags=[], subjects=[], record_unit="trip", licence="none", licence_url="",
            time_column="entered", area_column="hidden_area", state="published", published_at=now, created_at=now,
            updated_at=now,
        )
    )  # fmt: skip
    for position, (name, (kind, semantic, level)) in enumerate(canaries.COLUMNS.items()):
        session.add(
            DatasetColumn(
                dataset_id=canaries.DATASET, name=name, position=position, title_zh=name, title_en=name, type=kind,
                semantic=semantic, level=level,
            )
        )  # fmt: skip
    session.flush()
    parts = [canaries.table(1), canaries.table(2, first=canaries.ROWS)]
    later = canaries.table(3, mark="next", first=2 * canaries.ROWS)
    for number, tables in ((1, parts), (2, [*parts, later])):
        version = granted.version(session, canaries.DATASET, number, tables, folder)
        version.created_at = version.published_at = version.latest_from = now


def _grant(ground: Ground, unit: str, columns: tuple[str, ...], more: dict[str, Any]) -> str:
    with db.writing() as session:
        now = clock.now(session)
        wanted = {
            "unit_id": unit, "dataset_id": canaries.DATASET, "application_id": f"a-{len(ground.grants)}",
            "columns": columns, "row_filter": {}, "delivery": ["download", "api"], "purpose": "analysis",
            "ends_at": now + timedelta(days=30), "dataset_version": 1, "rests_on": {"screening": "s", "lists": []},
            "quota": QUOTA,
        }  # fmt: skip
        grant = grants.issue(session, grants.NewGrant(**wanted | more), by="tests", now=now)
    assert jobs.build_grant_view(grant.id, pepper=ground.settings.pepper())
    return grant.id


def _give_clients(ground: Ground) -> None:
    """Give each grant a client of its own, and each client a token."""
    for name, grant in ground.grants.items():
        with db.writing() as session:
            client, secret = clients.create_client(
                session, unit_id=GRANTS[name][0], grant_id=grant, name=name, pepper=ground.settings.pepper(),
                by="tests", now=clock.now(session),
            )  # fmt: skip
        ground.clients[name] = client.id
        basic = base64.b64encode(f"{client.id}:{secret}".encode()).decode()
        answer = ground.app.test_client().post(
            "/oauth/token", base_url=ORIGIN, data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {basic}"},
        )  # fmt: skip
        ground.tokens[name] = answer.json["access_token"]
