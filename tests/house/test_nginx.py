"""The shipped nginx.conf, run as it is but for ports, folders and a certificate of the test."""

import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from service.base.errors import TooLarge, TooMany, Unavailable
from service.base.http import Broken
from tests import fronting
from tests.house.scan import ROOT

APP_HEADERS = {
    "ETag": '"sha256-abc"', "Repr-Digest": "sha-256=:YWJj:", "RateLimit": '"rows";r=9', "Vary": "Authorization",
    "Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Request-Id": "r1",
    "Strict-Transport-Security": "max-age=31536000", "Cache-Control": "private, no-store",
}  # fmt: skip


@dataclass
class Proxy:
    """A running nginx: ask it over TLS."""

    port: int
    plain_port: int
    certificate: Path
    calls: list[Request]
    upstream: BaseWSGIServer

    def get(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        trust = ssl.create_default_context(cafile=str(self.certificate))
        request = urllib.request.Request(f"https://localhost:{self.port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, dict(refusal.headers), refusal.read()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    calls: list[Request] = []
    upstream = make_server("127.0.0.1", 0, _application(calls), threaded=True)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    public = tmp_path / "public"
    public.mkdir()
    (public / "air.csv").write_text("city,value\n杭州,1\n", encoding="utf-8")
    (tmp_path / "secret.csv").write_text("plate\n")
    with fronting.fronted(tmp_path, upstream.server_port) as front:
        yield Proxy(front.port, front.plain_port, front.certificate, calls, upstream)
    upstream.shutdown()
    upstream.server_close()


def test_a_public_file_keeps_every_header_of_the_application(proxy):
    status, headers, body = proxy.get("/api/v1/datasets/air/files/data.csv")
    assert (status, body.decode()) == (200, "city,value\n杭州,1\n")
    assert {name: headers.get(name) for name in APP_HEADERS} == APP_HEADERS
    assert "X-Accel-Redirect" not in headers


def test_a_range_of_a_public_file_is_a_part_of_it(proxy):
    status, headers, body = proxy.get("/api/v1/datasets/air/files/data.csv", Range="bytes=0-3")
    assert (status, body) == (206, b"city")
    assert headers["ETag"] == APP_HEADERS["ETag"]


@pytest.mark.parametrize("path", ["/_public/air.csv", "/_public../secret.csv", "/_public/../secret.csv", "/_public/"])
def test_nobody_outside_reaches_the_folder_of_files(proxy, path):
    status, _headers, body = proxy.get(path)
    assert status in (400, 404) or body == b"rows of nobody"  # refused, or asked of the application like any path
    assert b"plate" not in body
    assert b"city" not in body


def test_a_gated_answer_is_asked_anew_each_time(proxy):
    answers = {proxy.get("/api/v1/datasets/parking-records/rows", Authorization=f"Bearer {who}")[2] for who in "ab"}
    answers.add(proxy.get("/api/v1/datasets/parking-records/rows")[2])
    assert answers == {b"rows of Bearer a", b"rows of Bearer b", b"rows of nobody"}


def test_the_application_hears_the_caller_s_address_and_not_what_the_caller_claims(proxy):
    proxy.get("/", **{"X-Forwarded-For": "203.0.113.9"})
    assert proxy.calls[-1].headers["X-Forwarded-For"] == "127.0.0.1"
    assert proxy.calls[-1].headers["X-Forwarded-Proto"] == "https"


@pytest.mark.parametrize("path", ["/datasets", "/api/v1/datasets"])
def test_an_application_that_is_away_is_told_by_a_page_and_to_a_program_by_a_problem(proxy, path):
    proxy.upstream.shutdown()
    proxy.upstream.server_close()
    status, headers, body = proxy.get(path)
    assert (status, headers["Retry-After"]) == (503, "30")
    if path.startswith("/api"):
        assert headers["Content-Type"].startswith("application/problem+json")
        assert json.loads(body)["code"] == "unavailable"
    else:
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert "服务暂时不可用" in body.decode() and "The service is away" in body.decode()
        assert (headers["HX-Retarget"], headers["HX-Reselect"]) == ("#qt-said", "#qt-said-words")
        assert proxy.get("/_style/errors.css")[:1] == (200,)


def test_a_body_that_is_too_large_is_told_the_limit(proxy):
    status, headers, body = proxy.get("/applications", data=b"x" * (3 << 20))
    assert status == 413 and "2 MB" in body.decode()
    assert "Retry-After" not in headers


def test_the_applications_own_refusals_pass_as_they_are(proxy):
    status, headers, body = proxy.get("/refused")
    assert (status, body.decode()) == (503, "its own words")
    assert headers["Retry-After"] == "7" and "HX-Retarget" not in headers


@pytest.mark.parametrize("status", [413, 429, 500, 503])
def test_every_page_of_nginx_speaks_both_languages_and_every_problem_names_its_refusal(status):
    folder = ROOT / "deploy" / "errors"
    page = (folder / f"{status}.html").read_text(encoding="utf-8")
    told = json.loads((folder / f"{status}.json").read_text(encoding="utf-8"))
    assert '<html lang="zh-CN">' in page and 'lang="en"' in page and "style=" not in page and "<script" not in page
    kind = next(kind for kind in (TooLarge, TooMany, Broken, Unavailable) if kind.status == status)
    assert (told["code"], told["title"], told["status"]) == (kind.code, kind.title, status)


def test_plain_http_is_sent_to_https(proxy):
    with socket.create_connection(("127.0.0.1", proxy.plain_port), timeout=5) as plain:
        plain.sendall(b"GET /datasets?q=1 HTTP/1.0\r\n\r\n")
        answer = plain.recv(4096).decode()
    assert "301" in answer.splitlines()[0]
    assert "Location: https://localhost/datasets?q=1" in answer


def test_no_token_and_no_query_string_reaches_the_log(proxy, tmp_path):
    proxy.get("/api/v1/datasets/air/rows?signature=qts_secret", Authorization="Bearer qta_secret")
    log = _line_about("/api/v1/datasets/air/rows", tmp_path / "access.log")
    assert "secret" not in log


def test_the_configuration_caches_nothing_and_closes_every_alias_with_a_slash():
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("#")]
    assert not [line for line in lines if line.startswith(("proxy_cache_path", "proxy_store"))]
    assert "proxy_cache off;" in lines
    assert all(line.endswith("/;") for line in lines if line.startswith("alias "))


def _application(calls: list[Request]):
    @Request.application
    def answer(request: Request) -> Response:
        calls.append(request)
        if request.path == "/refused":
            return Response("its own words", 503, {"Retry-After": "7"})
        who = request.headers.get("Authorization", "nobody")
        found = Response(f"rows of {who}", content_type="text/csv; charset=utf-8")
        found.headers.update(APP_HEADERS)
        if request.path == "/api/v1/datasets/air/files/data.csv":
            found.headers["X-Accel-Redirect"] = "/_public/air.csv"
        return found

    return answer


def _line_about(path: str, log: Path) -> str:
    """Return the whole log once it tells of a request: nginx writes its line after the answer."""
    deadline = time.monotonic() + 10
    while path not in (written := log.read_text()):
        assert time.monotonic() < deadline, written
        time.sleep(0.02)
    return written
