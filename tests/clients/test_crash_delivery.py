"""The service is killed while a file is on its way and while one comes in: both go on where they were."""

import base64
import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests import running
from tests.clients import corners
from tests.clients.corners import Corner
from tests.visiting import Visitor

LOST = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)
OWN = b"parking-records"  # of the first steward's unit
LATER = "+PT11M"  # longer than a worker is waited for


@dataclass(frozen=True)
class Site:
    """A HOME with a grant of a large table, served from time to time."""

    home: Path
    known: dict[str, str]

    def corner(self, base_url: str) -> Corner:
        return Corner(base_url, self.known["grant"], self.known["client_id"], self.known["secret"])

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.home / "qiantang.db")) as opened:
            return opened.execute(query, (self.known["grant"],)).fetchall()

    def used(self) -> list[tuple[object, ...]]:
        return self.rows("select size, whole from usageevent where grant_id = ? and face = 'csv' order by id")

    def reserved(self) -> list[tuple[object, ...]]:
        return self.rows("select size, sent_size from usage_reservation where grant_id = ?")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    home = tmp_path / "home"
    shutil.copytree(corners.prepared(), home)
    return Site(home, json.loads((home / "corner.json").read_text(encoding="utf-8")))


def test_a_file_that_a_crash_cut_is_charged_as_far_as_is_known_and_resumed_to_the_same_bytes(site):
    before, left = site.used(), site.reserved()  # who made the files read nothing of them, and closed nothing either
    with running.serving(site.home, {}) as served:
        got, size, etag = _cut(site.corner(served.base_url), served)
    assert 0 < len(got) < size
    assert site.reserved() == [*left, (size, 0)]  # charged in full until somebody knows better
    assert site.used() == before
    with running.serving(site.home, {"QIANTANG_NOW": LATER}) as served:
        corner = site.corner(served.base_url)
        headers = {"Authorization": f"Bearer {corner.token()}", "Range": f"bytes={len(got)}-", "If-Range": etag}
        rest = requests.get(corner.url("data.csv"), headers=headers, timeout=60)
    assert rest.status_code == 206
    assert hashlib.sha256(got + rest.content).hexdigest() == etag.strip('"')
    assert site.reserved() == []
    assert site.used()[len(before) :] == [(0, 0)] * (len(left) + 1) + [(len(rest.content), 1)]


def _cut(corner: Corner, served: running.Running) -> tuple[bytes, int, str]:
    """Read a file from a service that is killed in its midst; return what came, its length and its tag."""
    got = b""
    headers = {"Authorization": f"Bearer {corner.token()}"}
    with requests.get(corner.url("data.csv"), headers=headers, stream=True, timeout=60) as answer:
        size, etag = int(answer.headers["Content-Length"]), answer.headers["ETag"]
        with pytest.raises(LOST):
            for piece in answer.iter_content(64 << 10):
                got += piece
                if len(got) == 1 << 20:
                    running.kill(served.process)
    return got, size, etag


# ---- uploads ---------------------------------------------------------------------------------------------------------

HEAD = "lot_id,carrier,minutes\n"
DATA = (HEAD + "".join(f"L{number % 20:03},AA,{number}\n" for number in range(400_000))).encode()
TUS = {"Tus-Resumable": "1.0.0"}


def test_an_upload_that_a_crash_cut_goes_on_where_it_was(site):
    with running.serving(site.home, {}) as served:
        steward = _steward(served)
        url = _begin(steward, served)
        with pytest.raises(LOST):
            _send(steward, served, url, 0, _pieces(served))
    with running.serving(site.home, {}) as served:
        steward = _steward(served)
        offset = int(steward.head(served.base_url + url, headers=TUS).headers["Upload-Offset"])
        assert 0 <= offset < len(DATA)
        answer = _send(steward, served, url, offset, DATA[offset:])
        assert (answer.status_code, int(answer.headers["Upload-Offset"])) == (204, len(DATA))
    (file,) = (site.home / "uploads").glob(f"{url.rpartition('/')[2]}*")
    assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(DATA).digest()


def _steward(served: running.Running) -> requests.Session:
    visitor, session = Visitor(served.base_url), requests.Session()
    visitor.login(served.account("steward"))
    session.cookies.update(visitor.cookies)
    session.headers["Origin"] = served.base_url
    return session


def _begin(steward: requests.Session, served: running.Running) -> str:
    told = ",".join(
        f"{name} {base64.b64encode(value).decode()}" for name, value in (("dataset", OWN), ("filename", b"rows.csv"))
    )
    headers = {**TUS, "Upload-Length": str(len(DATA)), "Upload-Metadata": told}
    answer = steward.post(f"{served.base_url}/api/v1/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return urlsplit(answer.headers["Location"]).path


def _send(steward, served: running.Running, url: str, offset: int, data) -> requests.Response:
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return steward.patch(served.base_url + url, data=data, headers=headers, timeout=60)


def _pieces(served: running.Running) -> Iterator[bytes]:
    """Send half of the file, and the rest to nobody."""
    half = len(DATA) // 2
    for start in range(0, half, 1 << 18):
        yield DATA[start : min(half, start + (1 << 18))]
    time.sleep(0.2)
    running.kill(served.process)
    for start in range(half, len(DATA), 1 << 18):
        yield DATA[start : start + (1 << 18)]
