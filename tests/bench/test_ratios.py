"""Ratios against peers that run in the same minute on the same machine; `make bench` prints them.

A number of one machine says little, a ratio travels.  Rounds alternate between ours and the peer; medians are compared.
Nothing here fails on a slow machine: the ratios are printed to be read.
"""

import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

from service.base import db
from tests import running
from tests.fronting import nginx

ROUNDS = 7


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("bench")) as site:
        yield site


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def compare(name: str, ours: Callable[[], object], peer: Callable[[], object], peer_name: str) -> None:
    """Print how many times the peer's median time ours takes."""
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for action in (ours, peer):
        action()
    for _ in range(ROUNDS):
        for side, action in (("ours", ours), ("peer", peer)):
            started = time.perf_counter()
            action()
            times[side].append(time.perf_counter() - started)
    mine, other = statistics.median(times["ours"]), statistics.median(times["peer"])
    print(f"\n{name}: {mine * 1000:.1f} ms, {mine / other:.2f} x {peer_name} ({other * 1000:.1f} ms)", file=sys.stderr)


@pytest.fixture
def static_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """nginx that serves a folder as plain files."""
    folder = tmp_path / "files"
    folder.mkdir()
    port = running.free_port()
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"pid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\n"
        + f"http {{ access_log off; sendfile on; {temporary}"
        + f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    server = subprocess.Popen([nginx(), "-p", tmp_path, "-c", config, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    running.await_port(port, server)
    yield f"http://127.0.0.1:{port}", folder
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=10)


def test_a_public_file_against_nginx(site, static_server):
    base, folder = static_server
    path = f"/api/v1/datasets/{public_dataset(site)}/files/data.csv"
    (folder / "data.csv").write_bytes(fetch(site.base_url + path))
    compare(
        f"public file of {(folder / 'data.csv').stat().st_size / 1e6:.1f} MB",
        lambda: fetch(site.base_url + path),
        lambda: fetch(f"{base}/data.csv"),
        "nginx",
    )


def test_a_thousand_rows_against_duckdb(site, tmp_path):
    dataset = public_dataset(site)
    file = tmp_path / "data.parquet"
    file.write_bytes(fetch(f"{site.base_url}/api/v1/datasets/{dataset}/files/data.parquet"))
    compare(
        "1,000 rows as JSON over HTTP",
        lambda: fetch(f"{site.base_url}/api/v1/datasets/{dataset}/rows?limit=1000"),
        lambda: duckdb.sql(f"select * from read_parquet('{file}') limit 1000").fetchall(),
        "DuckDB in process",
    )


def test_a_page_against_an_empty_flask_page(site):
    bare = Flask("bare")
    bare.add_url_rule("/", "index", lambda: "<p>hello</p>")
    server = make_server("127.0.0.1", 0, bare, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    compare(
        "the list of datasets, 20 times",
        lambda: [fetch(f"{site.base_url}/datasets") for _ in range(20)],
        lambda: [fetch(f"http://127.0.0.1:{server.server_port}/") for _ in range(20)],
        "an empty Flask page on Werkzeug's server",
    )
    server.shutdown()
    server.server_close()


def test_writers_of_sqlite_against_its_busy_loop(make_sqlite):
    """Eight threads, fifty small transactions each: our queue against SQLite's own waiting."""
    ours, peer = make_sqlite(), make_sqlite()
    db.connect(ours.url)
    with db.writing() as session:
        session.execute(text("create table note (n integer)"))

    def write_ours() -> None:
        with db.writing() as session:
            session.execute(text("insert into note values (1)"))

    def write_peer() -> None:
        connection = sqlite3.connect(peer.url.removeprefix("sqlite:///"), timeout=30)
        connection.execute("pragma synchronous=full")
        with connection:
            connection.execute("insert into note values (1)")
        connection.close()

    made = sqlite3.connect(peer.url.removeprefix("sqlite:///"))
    made.execute("pragma journal_mode=wal")
    made.execute("create table note (n integer)")
    made.commit()
    made.close()
    compare("400 transactions of 8 threads", lambda: at_once(write_ours), lambda: at_once(write_peer), "bare sqlite3")


def at_once(action: Callable[[], None], threads: int = 8, times: int = 50) -> None:
    def repeat() -> None:
        for _ in range(times):
            action()

    running_threads = [threading.Thread(target=repeat) for _ in range(threads)]
    for thread in running_threads:
        thread.start()
    for thread in running_threads:
        thread.join()


def public_dataset(site: running.Running) -> str:
    """Return the id of the largest dataset that anyone may fetch."""
    found = json.loads(fetch(f"{site.base_url}/api/v1/datasets"))
    open_to_all = [entry for entry in found["datasets"] if entry["openness"] == "unconditional"]
    return str(max(open_to_all, key=lambda entry: entry.get("records") or 0)["id"])
