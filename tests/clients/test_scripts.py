"""The scripts that a firm pastes, unchanged, against a really served demo; and two libraries that others wrote.

Each script runs under its own file name beside the others, so that `pandas.py` would be found in place of pandas if it
could be, with nothing in its environment but the secret.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error, InvalidClientError, InvalidGrantError
from requests_oauthlib import OAuth2Session

from service.base import db
from service.grants import store as grants
from service.oauth.web import script_text
from tests import running
from tests.running import Running
from tests.world import World

SCRIPTS = ("curl.sh", "oauthlib.py", "pandas.py", "duckdb.py")
GRANTED = ["lot_id", "entry_time", "duration_min"]
PAGED = ["duration_min", "vehicle_type"]
# What a script prints of its columns.
SHOWN = {
    "curl.sh": lambda out: [column["name"] for column in json.loads(out)["columns"]],
    "oauthlib.py": lambda out: out.splitlines()[0].split("\t"),
    "pandas.py": lambda out: out.splitlines()[-1].partition("columns: ")[2].split(", "),
    "duckdb.py": lambda out: re.findall(r"│ (\w+) +│ (?:VARCHAR|BIGINT|TIMESTAMP[A-Z ]*)", out),
}
# The package that each import of the scripts comes with, where it is called otherwise.
COMES_WITH = {"requests_oauthlib": "requests-oauthlib", "oauthlib": "requests-oauthlib"}


@pytest.fixture
def paged(world: World) -> str:
    """One more grant of the demo's client, by api only."""
    return world.another_grant("parking-records", PAGED, delivery=["api"])


@pytest.fixture
def site(world: World, paged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The world, served by a process of its own from a folder where somebody has saved our scripts."""
    started_in = tmp_path / "started"
    started_in.mkdir()
    for name in ("pandas.py", "duckdb.py", "oauthlib.py", "requests.py"):
        (started_in / name).write_text("raise SystemExit('a script ran inside the service')\n")
    monkeypatch.chdir(started_in)
    with running.serving(world.settings.home, {"PYTHONSAFEPATH": "1"}) as served:
        yield served
    assert "inside the service" not in served.log.read_text(encoding="utf-8")


def enter(site: Running, login: str) -> requests.Session:
    """Log in as a browser does."""
    account = next(one for one in site.demo["accounts"] if one["login"] == login)
    session = requests.Session()
    session.headers["Origin"] = site.base_url
    form = {"login": account["login"], "password": account["password"], "next": "/"}
    assert session.post(f"{site.base_url}/login", data=form, allow_redirects=False).status_code == 303
    return session


def take(site: Running, folder: Path, grant: str, language: str = "zh-CN") -> Path:
    """Save a grant's scripts, as its page gives them, side by side in a folder."""
    firm = enter(site, "lake-apply")
    folder.mkdir()
    for name in SCRIPTS:
        answer = firm.get(f"{site.base_url}/grants/{grant}/scripts/{name}", headers={"Accept-Language": language})
        assert answer.status_code == 200
        (folder / name).write_bytes(answer.content)
    return folder


def run(folder: Path, secret: str) -> dict[str, tuple[int, str, str]]:
    """Run a folder's scripts at once; return exit code, output and complaint of each."""
    curl = shutil.which("curl")
    assert curl, "curl is missing: install the package curl."
    environment = {
        "PATH": str(Path(curl).parent) + ":/usr/bin:/bin",
        "QIANTANG_CLIENT_SECRET": secret,
        "LANG": "C.UTF-8",
    }
    programs = {"sh": "/bin/sh", "py": sys.executable}
    started = {
        name: subprocess.Popen(
            [programs[name.rsplit(".", 1)[1]], name], cwd=folder, env=environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name in SCRIPTS
    }  # fmt: skip
    ended = {name: process.communicate(timeout=100) for name, process in started.items()}
    return {name: (started[name].returncode, *ended[name]) for name in SCRIPTS}


def suspend(site: Running, grant: str) -> None:
    steward = enter(site, "transport-1")
    answer = steward.post(f"{site.base_url}/api/v1/grants/{grant}/suspension", json={"cause": "收到投诉，先行核查"})
    assert answer.status_code == 201, answer.text


def test_the_scripts_print_exactly_what_was_granted_until_it_ends(world, paged, site, tmp_path):
    folders = {world.grant: take(site, tmp_path / "file", world.grant), paged: take(site, tmp_path / "pages", paged)}
    for grant, columns in ((world.grant, GRANTED), (paged, PAGED)):
        for name, (code, out, complaint) in run(folders[grant], world.secret).items():
            assert code == 0, (name, complaint)
            assert SHOWN[name](out) == columns, (name, out)
            assert "浙A" not in out and world.secret not in out
            if name in ("pandas.py", "duckdb.py"):
                assert "20000" in out, "the whole table, whether by file or page by page"

    suspend(site, world.grant)  # the client's other grant still lives, so it wins a token: the data plane refuses
    refuse(run(folders[world.grant], world.secret), "授权已被暂停", f"{site.base_url}/grants/{world.grant}")
    suspend(site, paged)  # now the token endpoint refuses
    refuse(run(folders[paged], world.secret), "grant-suspended: ", "invalid_grant")
    running.stop(site.process)

    port = int(site.base_url.rsplit(":", 1)[1])
    with running.serving(world.settings.home, {"QIANTANG_NOW": "+P400D"}, port=port):
        refuse(run(folders[world.grant], world.secret), "grant-ended: ", "invalid_grant")


def refuse(results, *reasons) -> None:
    """Check that every script said no, with each of the reasons, and without a traceback."""
    for name, (code, out, complaint) in results.items():
        assert code == 1 and out == "", (name, out)
        assert all(reason in complaint for reason in reasons), (name, complaint)
        assert "Traceback" not in complaint


def test_a_grant_that_was_given_back_ends_every_script_and_its_link_says_why(world, paged, site, tmp_path):
    folder = take(site, tmp_path / "mine", world.grant)
    assert run(folder, world.secret)["curl.sh"][0] == 0
    manager = enter(site, "lake-manager")
    page = f"{site.base_url}/grants/{world.grant}"
    given_back = manager.post(f"{page}/handback", data={"reason": "项目提前结束"}, allow_redirects=False)
    assert (given_back.status_code, given_back.headers["Location"]) == (303, f"/grants/{world.grant}")
    results = run(folder, world.secret)
    refuse(results, "数据使用授权已交还", f"{site.base_url}/requests/")
    for name, (_code, _out, complaint) in results.items():
        link = complaint.strip().splitlines()[-1]
        told = enter(site, "lake-apply").get(link)
        assert told.status_code == 200, (name, link)
        assert "grant-returned" in told.text and "重试没有用" in told.text
        assert enter(site, "tide-manager").get(link).status_code == 404


def test_a_script_tells_each_reason_in_the_language_of_its_page(world, site, tmp_path):
    folder = take(site, tmp_path / "english", world.grant, "en-GB")
    for name in SCRIPTS:
        assert not re.search("[一-鿿]", (folder / name).read_text(encoding="utf-8"))
    missing = subprocess.run(
        ["/bin/sh", "curl.sh"], cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert missing.returncode != 0 and "QIANTANG_CLIENT_SECRET" in missing.stderr
    refuse(run(folder, "qts_wrong"), "invalid_client", f"{site.base_url}/requests/")
    suspend(site, world.grant)
    refuse(run(folder, world.secret), "suspended", f"{site.base_url}/applications/new?dataset=parking-records")
    running.stop(site.process)
    assert all(code != 0 and out == "" for code, out, _complaint in run(folder, world.secret).values())


def test_the_first_line_installs_all_that_a_script_imports(world):
    browser = world.login("lake-apply")
    for name in SCRIPTS:
        text = browser.get(f"/grants/{world.grant}/scripts/{name}").text
        assert world.secret not in text and world.client_id in text
        first = text.splitlines()[0]
        if name.endswith(".py"):
            assert first.startswith("# install: pip install ")
            installed = set(first.removeprefix("# install: pip install ").split())
            assert imported(text) <= installed
        else:
            assert first.endswith(" curl")


def imported(text: str) -> set[str]:
    """Return the packages that a script's imports come with; pandas reads Parquet through pyarrow."""
    found: set[str] = {"pyarrow"} if "read_parquet(io" in text else set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return {COMES_WITH.get(name, name) for name in found if name not in sys.stdlib_module_names}


def test_plain_http_is_allowed_to_a_library_on_ones_own_machine_only(world):
    browser, path = world.login("lake-apply"), f"/grants/{world.grant}/scripts/oauthlib.py"
    assert "INSECURE" in browser.get(path).text
    secure = world.settings.model_copy(update={"base_url": "https://data.example"})
    world.app.extensions["settings"] = secure
    with world.app.test_request_context("/", base_url="https://data.example"):
        assert "INSECURE" not in script_text("oauthlib.py", _grant(world), world.client_id)


def _grant(world):
    with db.reading() as session:
        return grants.grant(session, world.grant)


# ---- libraries -------------------------------------------------------------------------------------------------------


def test_libraries_that_others_wrote_win_tokens_read_and_understand_refusals(world, paged, site, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    basic = {"auth": (world.client_id, world.secret)}
    body = {"include_client_id": True, "client_secret": world.secret}
    for given in (basic, body):
        read_with_requests_oauthlib(world, site, given)
    for method in ("client_secret_basic", "client_secret_post"):
        read_with_authlib(world, site, method)

    session, url = OAuth2Session(client=BackendApplicationClient(world.client_id)), f"{site.base_url}/oauth/token"
    with pytest.raises(InvalidClientError, match="client authentication failed"):
        session.fetch_token(url, auth=(world.client_id, "wrong"))
    with pytest.raises(CustomOAuth2Error) as narrowed:
        session.fetch_token(url, authorization_details="[]", **basic)
    assert narrowed.value.error == "invalid_authorization_details"
    suspend(site, world.grant)
    suspend(site, paged)
    with pytest.raises(InvalidGrantError, match="grant-suspended: "):
        session.fetch_token(url, **basic)


def read_with_requests_oauthlib(world, site, given):
    session = OAuth2Session(client=BackendApplicationClient(world.client_id, scope=["data.read"]))
    token = session.fetch_token(f"{site.base_url}/oauth/token", **given)
    assert token["scope"] == ["data.read"] and token["expires_in"] <= 3600
    page = session.get(f"{site.base_url}/api/v1/datasets/parking-records/rows", params={"grant": world.grant}).json()
    assert [column["name"] for column in page["columns"]] == GRANTED


def read_with_authlib(world, site, method):
    session = AuthlibSession(world.client_id, world.secret, scope="data.read", token_endpoint_auth_method=method)
    token = session.fetch_token(f"{site.base_url}/oauth/token", grant_type="client_credentials")
    assert token["token_type"] == "Bearer"
    assert {one["grant"] for one in token["authorization_details"]} >= {world.grant}
    with session.get(f"{site.base_url}/api/v1/datasets/parking-records/files/data.csv?grant={world.grant}") as answer:
        assert answer.text.splitlines()[0] == ",".join(GRANTED)
