"""What a served process writes to its log while secrets and personal numbers pass through it."""

import base64
import json
import re
from urllib.parse import quote

import pytest

from tests import running
from tests.clients.drafts import CHOICES, make_draft
from tests.visiting import Visitor

# Made up: digits in the shape of an identity number and of a mobile number.
IDENTITY = "33010219" + "900307" + "1238"
PHONE = "139" + "57100000"
TYPED = "a-password-typed-in-the-wrong-place"
SECRET = re.compile(r"qts_[A-Za-z0-9_-]{20,}")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Return the log's text after a session, and what must not be in it, by name."""
    with running.demo(tmp_path_factory.mktemp("logs"), QIANTANG_LOG_LEVEL="DEBUG") as site:
        secrets = {**_people(site), **_machine(site), "the server's": _key(site)}
    return site.log.read_text(encoding="utf-8"), secrets


def test_no_secret_and_no_personal_number_is_in_the_log(session):
    log, secrets = session
    assert "answered" in log
    assert min(map(len, secrets.values())) >= 9
    unmasked = {name for name, secret in secrets.items() if secret in log or quote(secret, safe="") in log}
    assert unmasked == set()


def test_every_line_is_json_with_its_request(session):
    lines = [json.loads(line) for line in session[0].splitlines()]
    answered = [line for line in lines if line["message"] == "answered"]
    assert len({line["request"] for line in answered}) == len(answered) > 20
    assert not [line for line in lines if line["level"] in ("error", "critical")]


def _people(site):
    """Log in, mistype, search and write what should not be written; return the secrets of it."""
    secrets = {f"the password of {account['login']}": account["password"] for account in site.demo["accounts"]}
    firm, stranger = Visitor(site.base_url), Visitor(site.base_url)
    firm.login(site.account("manager", 1))
    for login, password in ((TYPED, "x" * 12), ("lake-manager", TYPED), (IDENTITY, PHONE)):
        stranger.post("/login", form={"login": login, "password": password})
    for path in (f"/datasets?q={PHONE}", f"/datasets/{IDENTITY}", f"/applications/{PHONE}", f"/login?password={TYPED}"):
        firm.get(path)
    draft = make_draft(firm, CHOICES[0], statement=f"联系人电话 {PHONE}", members=f"演示申请人 {IDENTITY}")
    assert firm.post(f"/api/v1/applications/{draft}/submission", body={"version": 0}).status == 201
    made = firm.post(f"/grants/{site.demo['client']['grant']}/clients", form={"name": f"系统 {PHONE}"})
    secrets |= {"a new client's secret": SECRET.search(made.body.decode()).group()}
    firm.post("/account/password", form={"current": TYPED, "new": TYPED, "again": TYPED, "password": TYPED})
    secrets |= {f"the cookie {name}": value for name, value in firm.cookies.items() if len(value) > 9}
    assert any(name.startswith("the cookie") for name in secrets)
    return {**secrets, "an identity number": IDENTITY, "a phone": PHONE, "a password typed elsewhere": TYPED}


def _machine(site):
    """Take a token and use it, well and in wrong places; return the secrets of it."""
    client = site.demo["client"]
    basic = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    program, rows = Visitor(site.base_url), f"/api/v1/datasets/{client['dataset']}/rows"
    form = {"grant_type": "client_credentials"}
    told = program.post("/oauth/token", form=form, Authorization=f"Basic {basic}")
    token = str(told.json["access_token"])
    program.post(
        "/oauth/token", form={**form, "client_id": client["client_id"], "client_secret": client["client_secret"]}
    )
    program.post("/oauth/token", form={**form, "client_id": client["client_id"], "client_secret": TYPED})
    assert program.get(rows, Authorization=f"Bearer {token}").status == 200
    for path in (f"{rows}?access_token={token}", f"{rows}?select={token}", f"/api/v1/datasets/{token}/rows"):
        program.get(path, Authorization=f"Bearer {token}")
    program.get(rows, Authorization=f"Bearer {token}x")
    program.get(f"{rows}?client_secret={client['client_secret']}", Authorization=f"Basic {basic}")
    return {"a token": token, "the client's secret": client["client_secret"], "a Basic header": basic}


def _key(site):
    return (site.home / "keys" / "secret.key").read_text()
