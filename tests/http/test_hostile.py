"""Requests that no browser sends: NULs, nesting thousands of levels deep, lone surrogates, broken hosts."""

import pytest

from service.base.roles import Role
from tests.http.conftest import ORIGIN, log_in

PATHS = (
    "/api/v1/datasets/%00/rows", "/datasets/%00", "/datasets?q=%00", "/grants/%00", "/applications/%00",
    "/applications/new?dataset=%00", "/api/v1/datasets?q=%00a", "/problems/%00", "/?lang=%00", "/api/v1/grants/%00",
)  # fmt: skip
BODIES = (
    "[" * 50_000, '{"a":' * 50_000, '{"dataset":' + "[" * 900 + "]" * 900 + "}", '{"dataset":"\\ud800"}',
    '{"dataset":"\\u0000","columns":["\\u0000"]}', b"\xff\xfe", "null", "[]", "",
)  # fmt: skip


def test_a_nul_in_an_address_is_not_found(app):
    browser = log_in(app, Role.MANAGER)
    assert {path: browser.get(path).status_code for path in PATHS} == dict.fromkeys(PATHS, 404)


def test_a_nul_in_a_form_is_told_beside_its_field(app, visitor):
    answer = visitor.post("/login", data={"login": "a\0b", "password": "\0"})
    assert answer.status_code == 422


def test_a_nul_in_a_clients_id_is_a_client_that_is_not_known(app, visitor):
    form = {"grant_type": "client_credentials", "client_id": "c-\0", "client_secret": "\0"}
    assert visitor.post("/oauth/token", data=form).json["error"] == "invalid_client"


@pytest.mark.parametrize("path", ["/api/v1/applications", "/api/v1/screenings"])
def test_no_body_breaks_what_reads_json(sqlite_app, path):
    browser = log_in(sqlite_app, Role.APPLICANT)
    answers = [browser.post(path, data=body, content_type="application/json").status_code for body in BODIES]
    assert answers == [422] * len(BODIES)


@pytest.mark.parametrize("host", ["[", "[::1", "evil.example", "127.0.0.1.evil.example", "127.0.0.1:x", "ÿ"])
def test_a_host_that_is_not_ours_is_refused_and_breaks_nothing(sqlite_app, host):
    answer = sqlite_app.test_client().get("/healthz", headers={"Host": host}, base_url=ORIGIN)
    assert answer.status_code < 500
    if "evil" in host:
        assert answer.status_code == 400
