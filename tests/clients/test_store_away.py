"""A served process whose S3 server fails: every answer says so in time, and no file that was cut passes for whole."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from tests import buckets, running
from tests.between import DRIPPING, FINE, GONE, STALLING, Between, between
from tests.clients import corners
from tests.clients.corners import Corner

SECONDS = 15  # in which a fault is said
BACK_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """A served grant whose objects lie in a bucket, and what stands between the two."""

    corner: Corner
    way: Between
    headers: dict[str, str]

    def get(self, url: str, **more: str) -> requests.Response:
        return requests.get(url, headers=self.headers | more, timeout=60)

    def begin(self, url: str) -> int:
        """Ask for a file and take no more than its head."""
        with requests.get(url, headers=self.headers, stream=True, timeout=60) as answer:
            return answer.status_code

    @property
    def rows(self) -> str:
        return f"{self.corner.base_url}/api/v1/datasets/{corners.DATASET}/rows?grant={self.corner.grant}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("away") / "home"
    shutil.copytree(corners.prepared(), home)
    known = json.loads((home / "corner.json").read_text(encoding="utf-8"))
    store = buckets.url()
    corners.move_objects(home, store)
    port = store.rpartition(":")[2]
    with between(int(port)) as way:
        variables = {"QIANTANG_STORE_URL": store.replace(port, str(way.port)), **buckets.variables()}
        with running.serving(home, variables) as served:
            corner = Corner(served.base_url, known["grant"], known["client_id"], known["secret"])
            yield Site(corner, way, {"Authorization": f"Bearer {corner.token()}"})


@pytest.fixture(autouse=True)
def _mended(site: Site) -> Iterator[None]:
    """Let the store be back, and known to be, before the next test."""
    yield
    site.way.how = FINE
    deadline = time.monotonic() + BACK_SECONDS
    while site.get(site.corner.url("data.csv")).status_code != 200:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("how", [GONE, STALLING])
def test_a_store_that_fails_is_told_with_when_to_come_again_and_serves_when_it_is_back(site, how):
    urls = [site.corner.url("data.csv"), site.corner.url("data.parquet"), f"{site.corner.base_url}/readyz"]
    assert [site.get(url).status_code for url in urls] == [200] * 3
    site.way.how = how
    for url in urls:
        began = time.monotonic()
        answer = site.get(url)
        assert time.monotonic() - began < SECONDS, url
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json"), url
        assert int(answer.headers["Retry-After"]) > 0
        assert "127.0.0.1:" + str(site.way.port) not in answer.text and "AWS" not in answer.text
    assert site.get(f"{site.corner.base_url}/healthz").status_code == 200
    site.way.how = FINE
    deadline = time.monotonic() + BACK_SECONDS
    while [site.get(url).status_code for url in urls] != [200] * 3:
        assert time.monotonic() < deadline


def test_rows_are_read_of_a_copy_and_said_to_be_away_where_there_is_none(site):
    site.way.how = GONE
    answer = site.get(site.rows)
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    site.way.how = FINE
    before = site.way.connections
    assert site.get(site.rows).status_code == 200
    assert site.way.connections > before
    site.way.how = GONE
    assert site.get(site.rows).status_code == 200


@pytest.mark.parametrize("how", [GONE, STALLING])
def test_a_file_whose_store_fails_on_the_way_is_cut_and_the_rest_comes_later(site, how):
    url = site.corner.url("data.csv")
    got, size = b"", 0
    with (
        pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)),
        requests.get(url, headers=site.headers, stream=True, timeout=60) as answer,
    ):
        size, etag = int(answer.headers["Content-Length"]), answer.headers["ETag"]
        for piece in answer.iter_content(64 << 10):
            got += piece
            if len(got) < 1 << 20:
                continue
            site.way.how = how
    assert 0 < len(got) < size
    site.way.how = FINE
    rest = site.get(url, Range=f"bytes={len(got)}-", **{"If-Range": etag})
    assert rest.status_code == 206
    assert hashlib.sha256(got + rest.content).hexdigest() == etag.strip('"')


@pytest.mark.parametrize("how", [DRIPPING, STALLING])
def test_pages_go_on_while_more_readers_wait_for_the_store_than_there_are_threads(site, how):
    site.get(site.corner.url("data.csv"))
    site.way.how = how
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(site.begin, site.corner.url("data.csv")) for _ in range(40)]
        time.sleep(0.5)
        slowest = 0.0
        for _ in range(10):
            began = time.monotonic()
            assert site.get(f"{site.corner.base_url}/datasets").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < SECONDS
        statuses = {future.result() for future in waiting}
    assert statuses <= {200, 503}
