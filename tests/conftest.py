"""What every suite shares: a fresh database on both engines, the clock and the language put back after each test."""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.base import blobs, clock, db, i18n
from service.migrations import load_tables
from tests import buckets, servers

ENGINES = ("sqlite", "postgresql")
_numbers = itertools.count()


@dataclass(frozen=True)
class Database:
    """An empty database with the whole schema; `service.base.db` is connected to it during the test."""

    engine: str
    url: str


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.open_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.together import Together  # only where xdist is

    return Together(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and servers.FOLDER in os.environ:
        servers.close_folder()


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database on each engine in turn."""
    make = request.getfixturevalue(f"make_{request.param}")
    with_schema = make()
    db.connect(with_schema.url)
    yield with_schema
    db.engine().dispose()


@pytest.fixture
def sqlite(make_sqlite) -> Iterator[Database]:
    """A fresh SQLite database, for what does not depend on the engine."""
    made = make_sqlite()
    db.connect(made.url)
    yield made
    db.engine().dispose()


@pytest.fixture
def postgresql(make_postgresql) -> Iterator[Database]:
    """A fresh PostgreSQL database, for what only it does."""
    made = make_postgresql()
    db.connect(made.url)
    yield made
    db.engine().dispose()


@pytest.fixture(params=ENGINES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table on each engine in turn: what a migration finds on a new machine."""
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    if request.param == "sqlite":
        made = Database("sqlite", f"sqlite:///{tmp_path / name}.db")
    else:
        with servers.connected("postgres") as connection:
            connection.execute(f"create database {name} strategy=file_copy")
        made = Database("postgresql", servers.url(name))
    db.connect(made.url)
    yield made
    db.engine().dispose()
    if request.param == "postgresql":
        with servers.connected("postgres") as connection:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def make_sqlite(sqlite_template: Path, tmp_path: Path):
    """Return a function that makes one more SQLite database with the schema."""

    def make() -> Database:
        file = tmp_path / f"test{next(_numbers)}.db"
        shutil.copyfile(sqlite_template, file)
        return Database("sqlite", f"sqlite:///{file}")

    return make


@pytest.fixture
def make_postgresql(postgresql_template: str) -> Iterator:
    """Return a function that makes one more PostgreSQL database with the schema; all are dropped afterwards."""
    made: list[str] = []

    def make() -> Database:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with servers.connected("postgres") as connection:
            connection.execute(f"create database {name} template {postgresql_template} strategy=file_copy")
        made.append(name)
        return Database("postgresql", servers.url(name))

    yield make
    with servers.connected("postgres") as connection:
        for name in made:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.db"
    _make_schema(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template() -> str:
    with servers.only_once("template") as first:
        if first:
            servers.create_template(_make_schema)
    return servers.TEMPLATE


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty blob store in a folder; returns the folder."""
    folder = tmp_path / "store"
    blobs.connect(f"file://{folder}")
    return folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty part of a bucket on a real S3 server; this process is let in."""
    for name, value in buckets.variables().items():
        monkeypatch.setenv(name, value)
    return buckets.url()


@pytest.fixture
def world() -> Iterator:
    """The loaded demo in this process, on a HOME of this test's own (tests.world.World)."""
    from tests.world import entered  # it brings the whole application

    with entered() as made:
        yield made


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    """Put the process's clock and language back, whatever a test did to them."""
    yield
    clock.set_shift(timedelta(0))
    i18n.speak("zh")


def _make_schema(url: str) -> None:
    load_tables()
    engine = db.make_engine(url)
    db.metadata.create_all(engine)
    engine.dispose()
