"""Uploads by a client of others (tuspy) to a really served demo: cut off, killed, behind nginx, loaded as a version."""

import hashlib
import io
import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests import fronting, running
from tests.visiting import Visitor

DATASET = "car-park-directory"
MIB = 1 << 20
HEADING = "lot_id,lot_name,district,spaces,chargers,yuan_per_hour,open_hours\n"


@dataclass
class Steward:
    """A steward's session with a served demo, as programs use it."""

    site: running.Running
    cookies: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookie, "Origin": self.site.base_url, "Tus-Resumable": "1.0.0"}

    def client(self) -> TusClient:
        return TusClient(f"{self.site.base_url}/api/v1/uploads", headers=self.headers)

    def uploader(self, data: bytes, **given):
        about = {"dataset": DATASET, "filename": "lots.csv"}
        return self.client().uploader(file_stream=io.BytesIO(data), metadata=about, **given)

    def state(self, url: str) -> dict:
        return requests.get(url, headers=self.headers, timeout=30).json()

    def kept(self, url: str) -> Path:
        return next((self.site.home / "uploads").glob(url.rpartition("/")[2] + "*"))

    def until(self, url: str, *states: str) -> dict:
        deadline = time.monotonic() + 90
        while (told := self.state(url))["state"] not in states:
            assert time.monotonic() < deadline, told
            time.sleep(0.5)
        return told


@pytest.fixture(scope="module")
def steward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steward]:
    with running.demo(tmp_path_factory.mktemp("uploads")) as site:
        yield entered(site)


def entered(site: running.Running) -> Steward:
    visitor = Visitor(site.base_url)
    visitor.login(site.account("steward"))
    return Steward(site, visitor.cookies)


def table(rows: int, seed: int = 5) -> bytes:
    chance = random.Random(seed)
    lines = (f"P{n:06d},第{n}停车场,西湖区,{chance.randrange(20, 900)},3,{n % 9}.5,全天\n" for n in range(rows))
    return (HEADING + "".join(lines)).encode()


def cut(steward: Steward, url: str, data: bytes, offset: int, sent: int) -> None:
    """Announce the rest of a file as one piece and go away after `sent` bytes of it."""
    with partly(steward, url, data, offset, sent):
        return


@contextmanager
def partly(steward: Steward, url: str, data: bytes, offset: int, sent: int) -> Iterator[None]:
    """Announce the rest of a file as one piece, send `sent` bytes of it, and go away when the block ends."""
    parts = urlsplit(url)
    lines = [f"PATCH {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(data) - offset}"]
    lines += ["Content-Type: application/offset+octet-stream", f"Upload-Offset: {offset}"]
    lines += [f"{name}: {value}" for name, value in steward.headers.items()]
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + data[offset : offset + sent])
        yield


def settled(steward: Steward, url: str, least: int) -> int:
    """Return the offset once `least` bytes are said to be there."""
    deadline = time.monotonic() + 30
    while (offset := steward.state(url)["offset"]) < least:
        assert time.monotonic() < deadline, offset
        time.sleep(0.1)
    return offset


def test_what_a_steward_s_program_sends_becomes_a_version(steward):
    data = table(30_000)
    uploader = steward.uploader(data, chunk_size=MIB, upload_checksum=True)
    uploader.upload()
    assert steward.kept(uploader.url).read_bytes() == data
    told = steward.until(uploader.url, "checked")
    visitor = Visitor(steward.site.base_url, steward.cookies)
    page = urlsplit(told["page"]).path
    form = {f"column_{name}": str(n) for n, name in enumerate(HEADING.strip().split(","))}
    assert visitor.post(f"{page}/loading", form=form | {"mode": "replace", "most": "0"}).status == 303
    number = steward.until(uploader.url, "done")["version"]
    with closing(sqlite3.connect(steward.site.home / "qiantang.db")) as opened:
        asked = "select rows, state from datasetversion where dataset_id = ? and number = ?"
        assert opened.execute(asked, (DATASET, number)).fetchone() == (30_000, "loaded")
    assert not list((steward.site.home / "uploads").glob(uploader.url.rpartition("/")[2] + "*"))


def test_a_connection_that_is_cut_at_99_per_cent_costs_the_last_per_cent(steward):
    data = table(60_000)
    url = steward.uploader(data).create_url()
    cut(steward, url, data, 0, len(data) * 99 // 100)
    offset = settled(steward, url, len(data) * 95 // 100)
    assert offset <= len(data) * 99 // 100
    resumed = steward.client().uploader(file_stream=io.BytesIO(data), url=url, chunk_size=MIB)
    assert resumed.offset == offset
    resumed.upload()
    assert steward.kept(url).read_bytes() == data
    steward.until(url, "checked")


def test_a_piece_with_a_wrong_checksum_is_refused_to_the_client(steward):
    data = table(100)
    uploader = steward.uploader(data, chunk_size=1000, upload_checksum=True)
    uploader.upload_chunk()
    uploader._BaseUploader__checksum_algorithm = lambda chunk: hashlib.sha1(chunk + b"x")
    with pytest.raises(TusUploadFailed) as fault:
        uploader.upload_chunk()
    assert fault.value.status_code == 460
    assert steward.state(uploader.url)["offset"] == 1000


def test_an_upload_that_has_ended_is_gone_for_the_client(steward):
    uploader = steward.uploader(table(100), chunk_size=1000)
    uploader.upload_chunk()
    assert requests.delete(uploader.url, headers=steward.headers, timeout=30).status_code == 204
    with pytest.raises(TusCommunicationError):
        steward.client().uploader(file_stream=io.BytesIO(b"x"), url=uploader.url)


def test_a_service_that_is_killed_while_it_writes_goes_on_where_it_said(tmp_path):
    data = table(60_000, seed=9)
    with running.demo(tmp_path) as site:
        steward = entered(site)
        url = steward.uploader(data).create_url()
        first = steward.client().uploader(file_stream=io.BytesIO(data), url=url, chunk_size=MIB)
        first.upload_chunk()
        with partly(steward, url, data, MIB, 2 * MIB):
            deadline = time.monotonic() + 20
            while steward.kept(url).stat().st_size <= MIB and time.monotonic() < deadline:
                time.sleep(0.02)
            running.kill(site.process)
        assert steward.kept(url).stat().st_size > MIB
    with running.demo(tmp_path) as site:
        again = Steward(site, steward.cookies)
        url = url.replace(steward.site.base_url, site.base_url)
        resumed = again.client().uploader(file_stream=io.BytesIO(data), url=url)
        assert resumed.offset == MIB
        resumed.upload()
        assert again.kept(url).read_bytes() == data


def test_nginx_lets_a_large_piece_through_as_it_comes(steward, tmp_path):
    data = table(100_000)
    assert len(data) > 4 * MIB
    upstream = int(steward.site.base_url.rpartition(":")[2])
    with fronting.fronted(tmp_path, upstream, secure=False) as front:
        url = steward.uploader(data).create_url()
        through = url.replace(str(upstream), str(front.port)).replace("127.0.0.1", "localhost")
        cut(steward, through, data, 0, 3 * MIB)
        offset = settled(steward, url, 2 * MIB)
        resumed = steward.client().uploader(file_stream=io.BytesIO(data), url=through)
        assert resumed.offset == offset
        resumed.upload()
    assert steward.kept(url).read_bytes() == data
