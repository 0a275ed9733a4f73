"""Files sent by the shipped nginx for a really served demo: at once where no grant is needed, else slice by slice."""

import base64
import hashlib
import http.client
import json
import os
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from service.data.rules.offload import SLICE
from tests import fronting, running
from tests.fronting import Front
from tests.visiting import Visitor

SIZE = 5 * SLICE + 12345
PUBLIC, GRANTED = "flights", "parking-records"
# What nginx would drop or replace of the application's answer.
KEPT = (
    "ETag", "Repr-Digest", "Last-Modified", "Content-Type", "Content-Disposition", "Cache-Control", "Accept-Ranges",
    "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options",
    "Cross-Origin-Opener-Policy", "Qiantang-Version", "Qiantang-Grant", "RateLimit-Policy",
)  # fmt: skip


@dataclass
class Place:
    """A served demo behind nginx, with a large file in a public and in a granted view."""

    site: running.Running
    front: Front
    content: bytes
    token: str

    def ask(
        self, path: str, method: str = "GET", *, token: str | None = "", **headers: str
    ) -> http.client.HTTPResponse:
        """Ask nginx; read the answer yourself.  `token` is the client's, unless another or None is given."""
        trust = ssl.create_default_context(cafile=str(self.front.certificate))
        connection = http.client.HTTPSConnection("localhost", self.front.port, timeout=30, context=trust)
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return connection.getresponse()

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.site.home / "qiantang.db", timeout=30, isolation_level=None)

    def usage(self) -> list[tuple[int, bool]]:
        """Return (bytes, whole) of every answer written down as csv, and of those on their way."""
        with closing(self.database()) as opened:
            done = opened.execute("select size, whole from usageevent where face = 'csv' order by id").fetchall()
            way = opened.execute("select sent_size, 0 from usage_reservation order by id").fetchall()
        return [(size, bool(whole)) for size, whole in (*done, *way)]


def path_of(dataset: str) -> str:
    return f"/api/v1/datasets/{dataset}/files/data.csv"


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("delivery")
    with running.demo(folder, QIANTANG_OFFLOAD="nginx") as site:
        (folder / "front").mkdir()
        upstream = int(site.base_url.rpartition(":")[2])
        with fronting.fronted(folder / "front", upstream, store=site.home / "store") as front:
            yield Place(site, front, os.urandom(SIZE), "")


@pytest.fixture
def place(fronted: Place) -> Place:
    """The same for each test: the large object, a token of its own, nothing written down yet."""
    enlarge(fronted.site, fronted.content)
    with closing(fronted.database()) as opened:
        for table in ("usageevent", "usage_day", "usage_reservation"):
            opened.execute(f"delete from {table}")
        opened.execute("update \"grant\" set quota = '{}'")
    return Place(fronted.site, fronted.front, fronted.content, token_of(fronted.site))


def enlarge(site: running.Running, content: bytes, level: int = 2) -> None:
    """Put a large object in the place of the csv file of a public and of the client's view."""
    digest = hashlib.sha256(content).hexdigest()
    (site.home / "store" / "views" / "large.csv").write_bytes(content)
    with closing(sqlite3.connect(site.home / "qiantang.db", timeout=30)) as opened, opened:
        opened.execute("update dataset set level = ? where id = ?", (level, GRANTED))
        changed = opened.execute(
            "update view_file set key = 'views/large.csv', sha256 = ?, bytes = ? where format = 'csv' and view_id in "
            "(select id from releasedview where dataset_id = ? and grant_id is null or grant_id = ?)",
            (digest, len(content), PUBLIC, site.demo["client"]["grant"]),
        )
        assert changed.rowcount >= 2


def token_of(site: running.Running) -> str:
    client = site.demo["client"]
    basic = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    told = Visitor(site.base_url).post("/oauth/token", form=form, Authorization=f"Basic {basic}")
    return str(told.json["access_token"])


@pytest.mark.parametrize("dataset", [PUBLIC, GRANTED])
def test_a_file_comes_whole_with_every_header_of_the_application(place, dataset):
    path = path_of(dataset)
    own = place.ask(path, "HEAD")
    own.read()
    with place.ask(path) as answer:
        assert answer.status == 200
        assert answer.read() == place.content
        assert _of(answer) == _of(own)
        assert "X-Accel-Redirect" not in answer.headers
        assert answer.headers["X-Request-Id"]
    assert (SIZE, True) in _until(place, 2)  # with the HEAD


def _until(place: Place, count: int) -> list[tuple[int, bool]]:
    """Return the usage once so many answers are written down: what we send ourselves is, after its last byte."""
    deadline = time.monotonic() + 10
    while len([one for one in place.usage() if one[1]]) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return place.usage()


def _of(answer: http.client.HTTPResponse) -> dict[str, list[str] | None]:
    return {name: answer.headers.get_all(name) for name in KEPT}


@pytest.mark.parametrize("dataset", [PUBLIC, GRANTED])
@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (f"bytes={SLICE - 5}-{2 * SLICE + 4}", slice(SLICE - 5, 2 * SLICE + 5)),
        (f"bytes={2 * SLICE}-", slice(2 * SLICE, SIZE)),
        (f"bytes=0-{SIZE * 2}", slice(0, SIZE)),
        (f"bytes=-{2 * SLICE}", slice(SIZE - 2 * SLICE, SIZE)),
        ("bytes=10-19", slice(10, 20)),
    ],
)
def test_a_range_is_that_part_and_is_charged_as_that_part(place, dataset, asked, part):
    with place.ask(path_of(dataset), Range=asked) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/{SIZE}"
        assert answer.read() == place.content[part]
    assert (part.stop - part.start, True) in _until(place, 1)


def test_what_nginx_would_read_otherwise_is_answered_by_us(place):
    etag = f'"{hashlib.sha256(place.content).hexdigest()}"'
    path = path_of(GRANTED)
    for status, headers in (
        (304, {"If-None-Match": etag}),
        (412, {"If-Match": '"other"'}),
        (416, {"Range": f"bytes={SIZE}-"}),
        (200, {"If-Match": etag}),
        (200, {"Range": "bytes=0-9", "If-Range": '"other"'}),
        (206, {"Range": "bytes=0-9", "If-Range": etag}),
        (206, {"Range": f"bytes=0-{2 * SLICE}", "If-Range": etag}),
        (206, {"Range": "bytes=0-9,100-109"}),
        (200, {"Range": "bytes=9-0"}),
        (200, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT", "Range": "lines=1-2"}),
    ):
        with place.ask(path, **headers) as answer:
            assert answer.status == status, headers
            assert "no-store" in answer.headers["Cache-Control"]
            answer.read()


def test_an_end_under_way_bites_within_a_slice(place):
    answer = place.ask(path_of(GRANTED))
    read = answer.read(SLICE // 2)
    with closing(place.database()) as opened:
        opened.execute("update token set revoked_at = datetime('now')")
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        while piece := answer.read(1 << 16):
            read += piece
        raise http.client.IncompleteRead(b"")
    # The slice that had begun, one that was authorised before the end, and what the connections hold.
    assert SLICE // 2 <= len(read) <= 3 * SLICE
    assert place.content.startswith(read)
    size, whole = place.usage()[-1]
    assert len(read) <= size <= 3 * SLICE and not whole


def test_an_answer_beyond_the_quota_is_refused_before_a_byte(place):
    with closing(place.database()) as opened:
        opened.execute('update "grant" set quota = ?', (json.dumps({"bytes_per_day": SIZE + 10}),))
    with place.ask(path_of(GRANTED)) as first:
        assert len(first.read()) == SIZE
    with place.ask(path_of(GRANTED)) as second:
        assert (second.status, second.headers["Qiantang-Problem"]) == (429, "quota-spent")
        assert "no-store" in second.headers["Cache-Control"]


def test_files_of_level_three_come_from_us(place):
    enlarge(place.site, place.content, level=3)
    assert "x-accel-redirect" not in Visitor(place.site.base_url).get(path_of(GRANTED), **_bearer(place)).headers
    answer = place.ask(path_of(GRANTED))
    answer.read(1000)
    with closing(place.database()) as opened:
        opened.execute("update token set revoked_at = datetime('now')")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        while answer.read(1 << 20):
            pass
        raise http.client.IncompleteRead(b"")


@pytest.mark.parametrize("dataset", [PUBLIC, GRANTED])
def test_callers_share_nothing(place, dataset):
    path = path_of(dataset)
    with place.ask(path) as mine:
        assert mine.read() == place.content
    for token in (None, "qta_" + "x" * 43):
        with place.ask(path, token=token) as other:
            assert other.status == (200 if dataset == PUBLIC else 401)
            assert (other.read() == place.content) is (dataset == PUBLIC)


PLACES = ["/_public/views/large.csv", "/_sliced/views/large.csv", "/_gate", "/internal/gate", "/internal/"]  # fmt: skip
SPELLINGS = ["{}", "/{}", "//{}", "/x/..{}", "/x/..%2f{}", "/api/v1/datasets/x/files/..%2f..%2f..%2f..%2f..%2f..{}",
             "/_style/..{}", "/_errors/../..{}", "http://localhost{}", "https://elsewhere{}"]  # fmt: skip


def test_nobody_outside_reaches_what_is_for_nginx_alone(place):
    for inner in (*PLACES, "/%5fpublic/views/large.csv", "/_public%2fviews%2flarge.csv", "/%69nternal/gate"):
        for spelling in SPELLINGS:
            status, body = _raw(place, spelling.format(inner))
            assert status in (400, 404), (status, inner, spelling)
            assert place.content[:100] not in body


@pytest.mark.parametrize("outside", ["/_public../qiantang.db", "/_sliced../qiantang.db", "/_style../403.html"])
def test_no_place_opens_its_parent_folder(place, outside):
    assert _raw(place, outside)[0] in (400, 404)


def _bearer(place: Place) -> dict[str, str]:
    return {"Authorization": f"Bearer {place.token}"}


def _raw(place: Place, target: str) -> tuple[int, bytes]:
    """Ask for an address as it is written."""
    trust = ssl.create_default_context(cafile=str(place.front.certificate))
    with (
        socket.create_connection(("localhost", place.front.port), timeout=30) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as opened,
    ):
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {place.token}\r\n"
        opened.sendall(f"{head}Connection: close\r\n\r\n".encode())
        came = b""
        while piece := opened.recv(1 << 16):
            came += piece
    return int(came.split(b" ", 2)[1]), came.partition(b"\r\n\r\n")[2]


def test_a_ticket_opens_its_own_object_for_its_own_grant_only(place):
    """Asked of the application itself, as nginx does: nobody else sees a ticket."""
    asked = Visitor(place.site.base_url)
    handed = asked.get(path_of(GRANTED), **_bearer(place)).headers
    well = {
        **_bearer(place), "Range": f"bytes=0-{SLICE - 1}", "Qiantang-Object": handed["x-accel-redirect"],
        "Qiantang-Ticket": handed["qiantang-ticket"],
    }  # fmt: skip
    gate = "/internal/gate"
    refused = {
        "no credential": {**well, "Authorization": ""},
        "another token": {**well, "Authorization": "Bearer qta_" + "x" * 43},
        "another object": {**well, "Qiantang-Object": "/_sliced/views/other.csv"},
        "more than a slice": {**well, "Range": f"bytes=0-{SLICE}"},
        "no slice": {**well, "Range": ""},
        "another ticket": {**well, "Qiantang-Ticket": handed["qiantang-ticket"] + "A"},
        "no ticket": {**well, "Qiantang-Ticket": "x"},
    }
    assert {why: asked.get(gate, **given).status for why, given in refused.items()} == dict.fromkeys(refused, 403)
    answers = []
    for start in range(0, SIZE, SLICE):
        answers.append(asked.get(gate, **{**well, "Range": f"bytes={start}-{start + SLICE - 1}"}).status)
    assert set(answers) == {204}
    assert asked.get(gate, **well).status == 403  # it was all given
    # One more answer, and its grant moves on before its first slice.
    later = asked.get(path_of(GRANTED), **_bearer(place)).headers["qiantang-ticket"]
    with closing(place.database()) as opened:
        opened.execute('update "grant" set epoch = epoch + 1')
    refusal = asked.get(gate, **{**well, "Qiantang-Ticket": later}).status
    with closing(place.database()) as opened:
        opened.execute('update "grant" set epoch = epoch - 1')
    assert refusal == 403


def test_a_signed_address_is_sliced_too_and_ends_with_itstoken_of(place):
    link = f"/api/v1/datasets/{GRANTED}/files/data.csv/links"
    made = Visitor(place.site.base_url).post(link, body={}, Authorization=f"Bearer {place.token}")
    assert made.status == 201, made.body.decode()
    path = made.json["url"].partition("/api/")[2]
    with place.ask(f"/api/{path}", token=None) as answer:
        assert answer.read() == place.content
    with closing(place.database()) as opened:
        opened.execute("update token set revoked_at = datetime('now')")
    with place.ask(f"/api/{path}", token=None) as answer:
        assert answer.status in (401, 403)


def test_two_replicas_continue_each_other(place, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    variables = {"QIANTANG_OFFLOAD": "nginx"}
    with (
        running.serving(place.site.home, variables) as replica,
        fronting.fronted(other, int(replica.base_url.rpartition(":")[2]), store=place.site.home / "store") as front,
    ):
        second = Place(replica, front, place.content, place.token)
        with place.ask(path_of(GRANTED), Range=f"bytes=0-{2 * SLICE + 9}") as begun:
            etag, first = begun.headers["ETag"], begun.read()
        with second.ask(path_of(GRANTED), Range=f"bytes={len(first)}-", **{"If-Range": etag}) as rest:
            assert (rest.status, first + rest.read()) == (206, place.content)
        with second.ask(path_of(GRANTED), Range=f"bytes={len(first)}-", **{"If-Range": '"old"'}) as anew:
            assert (anew.status, anew.read()) == (200, place.content)
