"""Signed addresses, passwords, sessions and tokens that are edited, lent, mixed or too late; and paths."""

import base64
import hashlib

import pytest

from service.base import db
from service.data.rules.links import PREFIX
from tests.escape import canaries
from tests.escape.looking import clean, slug
from tests.world import basic_header

INVALID = (401, "link-invalid")
BROWSED = {"Sec-Fetch-Site": "same-origin"}


# ---- signed addresses ------------------------------------------------------------------------------------------------


OTHERS = ["files/data.parquet", "files/data.csv?for=excel", "files/data.csv.zst", "files/data.arrow", "parts/1.parquet",
          "rows", "rows?format=csv", "manifest.json", "schema", "changes?since=1"]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS)
def test_a_signed_address_opens_the_one_object_that_it_names(both, path):
    joint = "&" if "?" in path else "?"
    link = both.link()
    assert slug(clean(both.ask(f"{path}{joint}link={link}", None))) == INVALID
    assert both.ask(f"files/data.csv?link={link}", None).data == both.ask("files/data.csv").data


def test_a_signed_address_of_excel_s_file_does_not_open_the_plain_one(ground):
    answer = ground.ask("files/data.csv/links?for=excel", method="POST", json={"expires_in": 600})
    link = answer.json["url"].partition("link=")[2]
    assert ground.ask(f"files/data.csv?for=excel&link={link}", None).status_code == 200
    assert slug(ground.ask(f"files/data.csv?link={link}", None)) == INVALID


@pytest.mark.parametrize("more", ["version=2", "as_of=2", "grant={theirs}", "grant={newer}", "version=1&grant={wider}"])
def test_nothing_beside_a_signed_address_changes_what_it_opens(ground, more):
    answer = ground.ask(f"files/data.csv?link={ground.link()}&{more.format(**ground.grants)}", None)
    assert answer.status_code in (200, 404, 403)
    assert answer.status_code != 200 or answer.data == ground.ask("files/data.csv").data
    clean(answer)


def test_no_letter_of_a_signed_address_can_be_changed(ground):
    link = ground.link()
    for place in range(0, len(link), 7):
        other = "A" if link[place] != "A" else "B"
        answer = ground.ask(f"files/data.csv?link={link[:place]}{other}{link[place + 1 :]}", None)
        assert slug(answer) == INVALID, place
    for edited in (link + "A", link[:-1], link + "=", link.upper(), " " + link, link + "%00", link * 2):
        assert ground.ask(f"files/data.csv?link={edited}", None).status_code in (401, 404)


def test_the_grant_and_the_version_in_a_signed_address_are_signed(ground):
    coded = ground.link().removeprefix(PREFIX)
    raw = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    for old, new in ((ground.grants["mine"], ground.grants["theirs"]), ("data.csv", "data.jso")):
        forged = base64.urlsafe_b64encode(raw.replace(old.encode(), new.encode())).decode().rstrip("=")
        assert slug(ground.ask(f"files/data.csv?link={PREFIX}{forged}", None)) == INVALID


def test_signed_address_token_and_cursor_end_with_a_suspension(both):
    link, cursor = both.link(), both.ask("rows?limit=5").json["next"]
    browser = both.browser("reviewer")
    answer = browser.post(f"/api/v1/grants/{both.grants['mine']}/suspension", json={"cause": "核查"})
    assert answer.status_code == 201, answer.text
    try:
        for path in (
            "files/data.csv",
            "parts/1.parquet",
            f"rows?cursor={cursor}",
            "rows?format=arrow",
            "manifest.json",
        ):
            assert slug(clean(both.ask(path))) == (403, "grant-suspended")
        assert slug(both.ask(f"files/data.csv?link={link}", None)) == (403, "grant-suspended")
        etag = {"If-None-Match": '"' + "0" * 64 + '"'}
        assert slug(both.ask("files/data.csv", **etag)) == (403, "grant-suspended")
    finally:
        assert browser.delete(f"/api/v1/grants/{both.grants['mine']}/suspension").status_code == 200
    assert both.ask(f"files/data.csv?link={link}", None).status_code == 200


def test_a_new_epoch_ends_every_address_and_cursor_of_the_one_before(ground):
    link, cursor = ground.link(), ground.ask("rows?limit=5").json["next"]
    step = 'update "grant" set epoch = epoch {} 1 where id = :id'
    with ground.changed(step.format("+"), step.format("-"), id=ground.grants["mine"]):
        assert slug(ground.ask(f"files/data.csv?link={link}", None))[0] == 401
        assert ground.ask(f"rows?cursor={cursor}").status_code in (410, 503)


# ---- tokens and passwords --------------------------------------------------------------------------------------------


def test_no_part_or_shadow_of_a_token_is_one(ground):
    token = ground.tokens["mine"]
    digest = hashlib.sha256(token.encode()).hexdigest()  # what stands in the database
    client = ground.clients["mine"]
    for value in (
        f"Bearer {digest}", f"Bearer {token[:-1]}", f"Bearer {token}x", f"Bearer {token.upper()}", f"Bearer {client}",
        "Bearer ", f"bearer{token}", token, f"Token {token}", f"Bearer {token} {token}", "Bearer *", "Bearer qta_%",
        basic_header(f"{token}:"), basic_header(f"{token}:x"), basic_header(f"{client}:{digest}"), "Basic !!!",
        basic_header(f"qiantang:{token}\0"), basic_header(b"\xff\xfe:\xff"), f"Digest {token}",
    ):  # fmt: skip
        answer = ground.ask("files/data.csv", None, Authorization=value)
        assert answer.status_code == 401, value
        clean(answer)


def test_two_credentials_do_not_add_up(ground):
    mine, theirs = (f"Bearer {ground.tokens[name]}" for name in ("mine", "theirs"))
    for value in (f"{mine}, {theirs}", f"{theirs},{mine}", f"{mine},{mine}"):
        assert slug(clean(ground.ask("files/data.csv", None, Authorization=value))) == (400, "too-many-credentials")
    answer = ground.ask(f"files/data.csv?link={ground.link('theirs')}")
    assert slug(clean(answer)) == (400, "too-many-credentials")


def test_a_token_in_an_address_or_a_body_is_none(ground):
    token = ground.tokens["mine"]
    for path in (
        f"files/data.csv?access_token={token}",
        f"files/data.csv?token={token}",
        f"files/data.csv?link={token}",
    ):
        assert ground.ask(path, None).status_code == 401


# ---- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["rival", "reviewer", "outsider", "operator", "auditor", "steward"])
@pytest.mark.parametrize("grant", ["mine", "tokens-mine"])
def test_no_session_of_another_unit_or_office_opens_the_grant(ground, login, grant):
    browser = ground.browser(login)
    for face in ("files/data.csv", "rows", "manifest.json", "parts/1.parquet"):
        answer = browser.get(f"{ground.base}/{face}?grant={ground.grants[grant]}", headers=BROWSED)
        assert slug(answer) == (403, "grant-missing")
        clean(answer)


def test_a_session_of_the_unit_opens_its_own_grants_only(ground):
    browser = ground.browser("manager")
    answer = browser.get(f"{ground.base}/files/data.csv?grant={ground.grants['mine']}", headers=BROWSED)
    assert clean(answer).data == ground.ask("files/data.csv").data
    for name in ("theirs", "newer", "tokens-theirs"):
        grant = ground.grants[name]
        for path in (f"{ground.base}/rows?grant={grant}", f"{ground.base}/files/data.csv/links?grant={grant}"):
            ask = browser.post if "links" in path else browser.get
            assert clean(ask(path, headers=BROWSED)).status_code == 403
        for path in (f"/grants/{grant}", f"/api/v1/grants/{grant}", f"/grants/{grant}/scripts/curl.sh"):
            clean(browser.get(path))
            assert browser.get(path).status_code == 404, path
        assert browser.post(f"/grants/{grant}/links", data={"format": "csv"}).status_code == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_elsewhere_starts_no_download_with_the_cookie(ground, site):
    headers = {"Sec-Fetch-Site": site, "Origin": "https://elsewhere.example"}
    for face in ("files/data.csv", "rows?format=csv", "parts/1.parquet"):
        answer = ground.browser("manager").get(f"{ground.base}/{face}", headers=headers)
        assert answer.status_code == 403 and b"in-lot" not in answer.data


def test_a_list_of_one_s_own_grants_names_no_other(ground):
    answer = ground.ask("/api/v1/me/grants")
    assert [one["grant"] for one in answer.json["grants"]] == [ground.grants["mine"]]
    clean(answer)


# ---- paths -----------------------------------------------------------------------------------------------------------

PATHS = [
    "files/data.CSV", "files/Data.csv", "files/ｄata.csv", "files/data.csv/", "files/data.csv%00", "files/data.csv%20",
    "files/data.csv;version=2", "files/data.excel", "files/data.sql", "files/data.", "files/.csv", "files/data.csv.gz",
    "files/whole.parquet", "files/..%2fdata.csv", "files/..%2f..%2fraw", "files/%2e%2e/%2e%2e/store", "files/", "files",
    "files/data.parquet?for=excel", "files/data.csv?for=", "files/data.csv?for=theirs", "files/data.csv?for=EXCEL",
    "parts/1.csv", "parts/1", "parts/", "parts/1.parquet/", "parts/../files/data.csv%2f", "manifest", "schema/",
    "rows/",
    "rows.csv", "raw", "views", "store", "parts/raw.parquet", "/api/v1/datasets/night-trips%2f..%2fnight-trips/raw",
    "/api/v1/datasets/NIGHT-TRIPS/rows", "/api/v1/datasets/night-trips%20/rows", "/api/v1/datasets/*/rows",
    "/api/v1/datasets//rows", "/API/v1/datasets/night-trips/rows", "/api/v2/datasets/night-trips/rows",
    "/internal/gate", "/internal/", "/_public/views/x", "/_sliced/views/x", "/store/views/x", "/views/x", "/raw/x",
    "/static/../store", "/static/%2e%2e/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static//etc/passwd",
    "/demo.json", "/var/store", "/keys/secret.key", "/qiantang.db", "/.env",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_but_the_faces_own_gives_anything(ground, path):
    answer = ground.ask(path)
    assert answer.status_code in (404, 405, 308), (answer.status_code, answer.data[:200])
    clean(answer, home=ground.settings.home, named=("views/x", "raw/x"))


def test_no_object_of_the_store_has_an_address(ground):
    names = [row[0] for row in _rows("select key from view_part union select key from view_file union select blob_key "
                                     "from datasetpart")]  # fmt: skip
    assert len(names) > 10
    for key in names:
        name = key.rpartition("/")[2]
        for path in (f"/{key}", f"/store/{key}", f"files/{name}", f"parts/{name}", f"files/{key.replace('/', '%2f')}"):
            assert ground.ask(path).status_code == 404, path


def _rows(query: str) -> list[tuple[str, ...]]:
    with db.reading() as session:
        return [tuple(row) for row in session.connection().exec_driver_sql(query)]


def test_what_is_told_to_everybody_says_nothing_of_the_rows(ground):
    """The dataset's own page and document name columns, which are public, and hold no value."""
    for path in (f"/datasets/{canaries.DATASET}", f"/api/v1/datasets/{canaries.DATASET}", f"{ground.base}/versions"):
        answer = ground.ask(path, None)
        assert answer.status_code in (200, 401, 404)
        found = [mark for mark in canaries.leaks(answer.data) if mark != b"hidden_"]
        assert found == [], path
