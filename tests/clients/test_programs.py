"""Libraries that others wrote read what was granted of a large table, in both corners: all of it, and nothing else.

What they count must be what DuckDB counts in the source.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import duckdb
import pytest
import requests

from tests import running, servers
from tests.clients import corners, programs
from tests.clients.corners import Corner

LOCK = Path(__file__).with_name("duckdb.lock")
SECONDS = 100


@pytest.fixture(scope="module", params=corners.CORNERS)
def corner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """Each corner in turn, served for all tests of this file."""
    with corners.served(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@cache
def truth() -> programs.Facts:
    """Return what DuckDB counts in the table that the demo was given."""
    (counted,) = duckdb.sql(
        "SELECT count(*), sum(distance)::BIGINT, count(dep_delay), count(DISTINCT carrier), "
        f"count(*) FILTER (origin = 'JFK') FROM read_parquet('{corners.SOURCE}')"
    ).fetchall()
    return dict(zip(programs.FACTS, (list(corners.COLUMNS), *counted), strict=True))


def older_duckdb() -> Path:
    """Return a folder with the DuckDB whose HTTP file system PyPI has, made once beside the tests' own packages."""
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = Path(sysconfig.get_path("purelib"))
    made = (place if os.access(place, os.W_OK) else Path(os.environ[servers.FOLDER])) / f"qiantang-duckdb-{digest}.d"
    with servers.only_once("duckdb"):
        if not made.is_dir():
            draft = made.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
            options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(draft)]
            done = subprocess.run([*install, *options, "-r", str(LOCK)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"pip cannot install {LOCK.name}: {done.stderr[-2000:]}"
            draft.rename(made)
    return made


def read(name: str, url: str, token: str, folder: Path, certificate: Path | None) -> subprocess.CompletedProcess[str]:
    """Run one of the programs as somebody else's process: no environment but its own."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "QIANTANG_TOKEN": token}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "HF_HOME": str(folder / "hf")}
    environment |= dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"), "1")
    if certificate:
        environment |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), str(certificate))
    if name.startswith("duckdb."):
        environment["PYTHONPATH"] = str(older_duckdb())
    command = [sys.executable, "-P", programs.__file__, name, url]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_program_reads_the_granted_columns_of_every_row(corner, name, tmp_path):
    url = corner.url(f"data.{name.partition('.')[2]}")
    done = read(name, url, corner.token(), tmp_path, corner.certificate)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == truth()


@pytest.mark.parametrize("name", ["pandas.csv", "pyarrow.parquet", "duckdb.parquet"])
def test_a_program_without_a_good_token_gets_nothing(corner, name, tmp_path):
    done = read(name, corner.url(f"data.{name.partition('.')[2]}"), "qta_wrong", tmp_path, corner.certificate)
    assert done.returncode != 0 and done.stdout == ""
    assert "401" in done.stderr or "FileNotFoundError" in done.stderr, "fsspec says so of whatever is refused"


def test_curl_resumes_with_a_new_token_where_the_old_one_was_cut_off(corner, tmp_path):
    """The file's checksum names it, whoever holds which token: the second half is of the same file as the first."""
    url, file = corner.url("data.csv"), tmp_path / "flights.csv"
    first = corner.token()
    head = requests.head(url, headers={"Authorization": f"Bearer {first}"}, verify=corner.trust, timeout=30)
    size, etag = int(head.headers["Content-Length"]), head.headers["ETag"]
    cut = subprocess.Popen(curl(corner, first, "--limit-rate", "2M", "-o", str(file), url))
    wait_for(file, size // 10)
    cut.send_signal(signal.SIGKILL)
    cut.wait()
    had = file.stat().st_size
    assert 0 < had < size

    again = corner.token()
    assert again != first
    told = tmp_path / "headers"
    resumed = curl(corner, again, "-C", "-", "-H", f"If-Range: {etag}", "-D", str(told), "-o", str(file), url)
    subprocess.run(resumed, check=True, timeout=SECONDS)
    assert told.read_text().split()[1] == "206"
    assert f"content-range: bytes {had}-{size - 1}/{size}" in told.read_text().lower()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == etag.strip('"')
    assert duckdb.sql(f"SELECT count(*) FROM read_csv('{file}')").fetchall() == [(truth()["rows"],)]


def curl(corner: Corner, token: str, *arguments: str) -> list[str]:
    trust = ["--cacert", str(corner.certificate)] if corner.certificate else []
    return ["curl", "--silent", "--show-error", "--fail", *trust, "-H", f"Authorization: Bearer {token}", *arguments]


def wait_for(file: Path, size: int) -> None:
    deadline = time.monotonic() + running.STOP_SECONDS
    while not file.exists() or file.stat().st_size < size:
        assert time.monotonic() < deadline
        time.sleep(0.02)
