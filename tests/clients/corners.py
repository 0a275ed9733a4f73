"""Two corners of the service, served with one grant of a large table: the embedded default, and everything apart.

The grant and its files are made once a session; each corner serves a copy.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import text

from service import migrations
from service.base import blobs, db
from service.base.settings import resource_dir
from service.grants import jobs as grant_jobs
from tests import buckets, fronting, running, servers, world
from tests.store import rows

DATASET = "flights"
SOURCE = resource_dir("templates").parent / "service" / "catalogue" / "samples" / "nycflights13_flights.parquet"
COLUMNS = ("month", "carrier", "flight", "origin", "dest", "dep_delay", "distance", "time_hour")
FORMATS = ("csv", "csv.zst", "jsonl", "arrow")
CORNERS = ("embedded", "apart")


@dataclass(frozen=True)
class Corner:
    """A served grant.  `certificate` is what its callers must trust, None on plain http."""

    base_url: str
    grant: str
    client_id: str
    secret: str
    certificate: Path | None = None

    def url(self, name: str) -> str:
        return f"{self.base_url}/api/v1/datasets/{DATASET}/files/{name}?grant={self.grant}"

    def token(self) -> str:
        """Win a new token, as the client does when the last one ends."""
        answer = requests.post(
            f"{self.base_url}/oauth/token", data={"grant_type": "client_credentials"},
            auth=(self.client_id, self.secret), verify=self.trust, timeout=30,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @property
    def trust(self) -> str | bool:
        return str(self.certificate or True) if self.certificate else True


@contextmanager
def served(name: str, folder: Path) -> Iterator[Corner]:
    """Serve a corner from `folder` until the block ends."""
    home = folder / "home"
    shutil.copytree(prepared(), home)
    known = json.loads((home / "corner.json").read_text(encoding="utf-8"))
    serve = _embedded if name == "embedded" else _apart
    with serve(home, folder) as (base_url, certificate):
        yield Corner(base_url, known["grant"], known["client_id"], known["secret"], certificate)


def prepared() -> Path:
    """Return a HOME with the demo, a grant of most of a large table's columns to its client, and the grant's files."""
    loaded = running.loaded()
    home = loaded.with_name("corner")
    with servers.only_once("corner") as first:
        if first:
            shutil.copytree(loaded, home)
            made = world.opened(home)
            made.change("update dataset set openness = 'restricted' where id = :id", id=DATASET)  # the largest is open
            grant = made.another_grant(DATASET, COLUMNS)
            for suffix in FORMATS:  # each is made when somebody has asked for it
                path = f"/api/v1/datasets/{DATASET}/files/data.{suffix}?grant={grant}"
                made.get(path, authorization=f"Bearer {made.token()}")
            grant_jobs.make_wanted()
            known = {"grant": grant, "client_id": made.client_id, "secret": made.secret}
            (home / "corner.json").write_text(json.dumps(known), encoding="utf-8")
            db.engine().dispose()
    return home


@contextmanager
def _embedded(home: Path, _folder: Path) -> Iterator[tuple[str, None]]:
    """SQLite and files, one process, no proxy."""
    with running.serving(home, {}) as site:
        yield site.base_url, None


@contextmanager
def _apart(home: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """PostgreSQL, a bucket, `qiantang run` on https, and nginx with the shipped configuration before it."""
    name = f"corner_{os.getpid()}"
    with servers.connected("postgres") as connection:
        connection.execute(f"create database {name} strategy=file_copy")
    store = buckets.url()
    _move(home, servers.url(name), store)
    port, tls = running.free_port(), running.free_port()
    variables = {
        "QIANTANG_DATABASE_URL": servers.url(name), "QIANTANG_STORE_URL": store, **buckets.variables(),
        "QIANTANG_SECRET_KEY": (home / "keys" / "secret.key").read_text(),
        "QIANTANG_BASE_URL": f"https://localhost:{tls}",
    }  # fmt: skip
    try:
        with (
            running.serving(home, variables, command="run", port=port),
            fronting.fronted(folder, port, port=tls) as front,
        ):
            yield f"https://localhost:{tls}", front.certificate
    finally:
        with servers.connected("postgres") as connection:
            connection.execute(f"drop database {name} with (force)")


def _move(home: Path, database: str, store: str) -> None:
    """Put a demo's rows into another database, its objects into another store; it is no demo's any longer."""
    db.connect(f"sqlite:///{home}/qiantang.db")
    found = rows.read()
    db.connect(database)
    migrations.upgrade()
    rows.write(found)
    with db.writing() as session:
        session.execute(text("delete from servicestate"))
    db.engine().dispose()
    (home / "qiantang.db").unlink()
    (home / "demo.json").unlink()
    move_objects(home, store)


def move_objects(home: Path, store: str) -> None:
    """Put the objects of a demo's folder into another store."""
    os.environ.update(buckets.variables())
    blobs.connect(store, home / "copies")
    objects = home / "store"
    for file in objects.rglob("*"):
        if file.is_file() and not file.relative_to(objects).parts[0].startswith("."):
            blobs.put(str(file.relative_to(objects)), file)
    shutil.rmtree(objects)
