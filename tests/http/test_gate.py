"""The one gate: four credentials, one at a time; versions judged for a grant; the same answer for what is not there."""

import io
import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from service.base import clock
from service.base.log import mask
from tests.http.answers import problem, sha256, usage
from tests.http.test_data import GRANTED
from tests.world import basic_header

FILES = "/api/v1/datasets/parking-records/files"


def link(world, token=None, name="data.csv", **body):
    """Return a signed address's path with its query."""
    answer = world.app.test_client().post(
        f"{FILES}/{name}/links", base_url="http://127.0.0.1:8000", json=body or {"expires_in": 600},
        headers={"Authorization": f"Bearer {token or world.token()}"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    parts = urlsplit(answer.json["url"])
    return f"{parts.path}?{parts.query}"


def browse(world, path, who="lake-manager", **headers):
    """Ask as the browser of a person does, from a page of ours."""
    return world.login(who).get(path, headers={"Sec-Fetch-Site": "same-origin", **headers})


# ---- a session -------------------------------------------------------------------------------------------------------


def test_a_person_of_the_unit_downloads_in_the_browser(world):
    answer = browse(world, f"{FILES}/data.csv?grant={world.grant}")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "private, no-store"
    assert answer.data == world.file(world.token()).data
    ((person, client, credential),) = world.found(
        "select person_id, client_id, credential from usageevent where person_id is not null"
    )
    assert person and client is None and credential == "session"


def test_another_unit_s_person_and_an_officer_get_nothing_by_the_browser(world):
    for who in ("tide-manager", "transport-1", "authority-1"):
        problem(browse(world, f"{FILES}/data.csv", who), 403, "grant-missing")
    problem(world.visitor().get(f"{FILES}/data.csv"), 401, "token-missing")


def test_another_site_s_page_cannot_start_a_download(world):
    browser = world.login("lake-manager")
    for site in ("cross-site", "same-site"):
        answer = browser.get(
            f"{FILES}/data.csv", headers={"Sec-Fetch-Site": site, "Origin": "https://elsewhere.example"}
        )
        problem(answer, 403, "cross-site")
    problem(browser.get(f"{FILES}/data.csv", headers={"Sec-Fetch-Site": ""}), 403, "cross-site")
    assert usage(world) == []


def test_a_suspended_grant_is_shut_to_the_browser_too(world):
    world.suspend()
    problem(browse(world, f"{FILES}/data.csv"), 403, "grant-suspended")


# ---- signed addresses ------------------------------------------------------------------------------------------------


def test_a_signed_address_needs_no_header_and_opens_one_file(world):
    token = world.token()
    path = link(world, token)
    answer = world.get(path)
    assert answer.status_code == 200 and answer.data == world.file(token).data
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert world.get(path, Range="bytes=0-9", If_Range=answer.headers["ETag"]).data == answer.data[:10]
    signed = path.partition("link=")[2]
    for other in ("files/data.parquet", "parts/1.parquet", "rows", "manifest.json"):
        problem(world.get(f"/api/v1/datasets/parking-records/{other}?link={signed}"), 401, "link-invalid")
    problem(world.get(path[:-1] + ("A" if path[-1] != "A" else "B")), 401, "link-invalid")


def test_a_signed_address_ends_after_its_time_and_never_after_an_hour(world):
    short, hour = link(world, expires_in=60), link(world, expires_in=3600)
    clock.set_shift(timedelta(seconds=70))
    problem(world.get(short), 401, "link-expired")
    assert world.get(hour).status_code == 200
    clock.set_shift(timedelta(minutes=61))
    problem(world.get(hour), 401, "link-expired")


@pytest.mark.parametrize("seconds", [0, 59, 3601, -5, "ten", None])
def test_no_other_time_can_be_asked_for(world, seconds):
    answer = world.app.test_client().post(
        f"{FILES}/data.csv/links", base_url="http://127.0.0.1:8000", json={"expires_in": seconds},
        headers={"Authorization": f"Bearer {world.token()}"},
    )  # fmt: skip
    problem(answer, 422, "invalid")


def test_a_signed_address_ends_with_the_client_the_grant_and_the_epoch(world):
    path = link(world)
    world.suspend()
    problem(world.get(path), 403, "grant-suspended")
    assert world.login("authority-1").delete(f"/api/v1/grants/{world.grant}/suspension").status_code == 200
    assert world.get(path).status_code == 200
    world.change('update "grant" set epoch = epoch + 1')
    problem(world.get(path), 401, "link-expired")
    world.change('update "grant" set epoch = epoch - 1')
    assert world.login("lake-manager").post(f"/clients/{world.client_id}/disabling").status_code == 303
    problem(world.get(path), 401, "link-expired")


def test_a_person_makes_one_on_the_grant_s_page_and_it_ends_with_the_login(world):
    browser = world.login("lake-manager")
    page = browser.post(f"/grants/{world.grant}/links", data={"format": "csv"})
    assert page.status_code == 200 and page.headers["Cache-Control"] == "private, no-store"
    path = "/api/v1/datasets/" + page.text.partition("/api/v1/datasets/")[2].partition("</code>")[0].replace(
        "&amp;", "&"
    )
    assert world.get(path).status_code == 200
    assert browser.post("/logout").status_code == 303
    problem(world.get(path), 401, "link-expired")
    other = world.login("tide-manager").post(f"/grants/{world.grant}/links", data={"format": "csv"})
    assert other.status_code == 404


def test_a_signed_address_begets_no_other(world):
    path = link(world)
    signed = path.partition("link=")[2]
    answer = world.app.test_client().post(f"{FILES}/data.csv/links?link={signed}", base_url="http://127.0.0.1:8000")
    problem(answer, 401, "link-invalid")


def test_no_log_line_holds_a_signed_address(world, caplog):
    path = link(world)
    with caplog.at_level("INFO"):
        world.get(path)
        world.get(path + "x")
    signed = path.partition("link=")[2]
    lines = [json.dumps([record.getMessage(), getattr(record, "fields", {})], default=str) for record in caplog.records]
    assert lines and not [line for line in lines if signed in line]
    assert signed not in mask(path)


# ---- exactly one credential ------------------------------------------------------------------------------------------


def test_two_credentials_in_one_request_are_one_too_many(world):
    token = world.token()
    problem(world.get(link(world, token), token), 400, "too-many-credentials")
    both = f"Bearer {token}, Bearer {token}"
    problem(world.get(f"{FILES}/data.csv", authorization=both), 400, "too-many-credentials")


def test_a_token_outweighs_the_cookie_that_the_browser_sends_by_itself(world):
    answer = world.login("tide-manager").get(
        f"{FILES}/data.csv", headers={"Authorization": f"Bearer {world.token()}", "Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200


def test_any_user_name_goes_with_a_token_as_the_password(world):
    token = world.token()
    for name in ("qiantang", "", "用户", "a b"):
        assert world.get(f"{FILES}/data.csv", authorization=basic_header(f"{name}:{token}")).status_code == 200


# ---- versions --------------------------------------------------------------------------------------------------------


def judge(world, number, state):
    world.change(
        "insert into grant_version (grant_id, number, state, at, reasons) values "
        "(:grant, :number, :state, '2026-11-24 00:00:00.000000', '[]')", grant=world.grant, number=number, state=state,
    )  # fmt: skip


def add_version(world, number, **changes):
    """Copy the first version of the dataset as another of its versions."""
    names = [row[1] for row in world.found("pragma table_info(datasetversion)")]
    values = {name: name for name in names} | {"number": str(number)} | changes
    columns, chosen = ", ".join(names), ", ".join(values[name] for name in names)
    world.change(
        f"insert into datasetversion ({columns}) select {chosen} from datasetversion "
        "where dataset_id = 'parking-records' and number = 1"
    )


def test_the_version_that_is_served_may_be_named(world):
    token = world.token()
    for query in ("?version=1", "?as_of=1", "?as_of=99"):
        answer = world.get(f"{FILES}/data.csv{query}", token)
        assert answer.status_code == 200 and answer.headers["Qiantang-Version"] == "1"
    for query in ("?version=0", "?version=x", "?version=1&as_of=1", "?as_of=-1"):
        problem(world.get(f"{FILES}/data.csv{query}", token), 400, "bad-parameter")


def test_a_version_that_was_not_judged_for_the_grant_is_as_one_that_there_is_not(world):
    add_version(world, 2)
    token = world.token()
    unjudged, none = (world.get(f"{FILES}/data.csv?version={number}", token) for number in (2, 3))
    problem(unjudged, 404, "not-found")
    assert told(unjudged) == told(none)


def test_a_version_that_is_held_for_the_grant_says_so(world):
    add_version(world, 2)
    judge(world, 2, "held")
    token = world.token()
    answer = world.get(f"{FILES}/data.csv?version=2", token)
    problem(answer, 503, "version-held")
    assert int(answer.headers["Retry-After"]) > 0
    assert world.get(f"{FILES}/data.csv?as_of=2", token).headers["Qiantang-Version"] == "1"


def test_a_withdrawn_version_is_gone_and_names_the_one_to_take_instead(world):
    token = world.token()
    world.change("update datasetversion set state = 'withdrawn', successor = 4 where dataset_id = 'parking-records'")
    for path in (f"{FILES}/data.csv", f"{FILES}/data.csv?version=1", "/api/v1/datasets/parking-records/rows"):
        answer = world.get(path, token)
        problem(answer, 410, "version-withdrawn")
        assert answer.json["successor"] == 4


def test_a_version_that_was_not_published_withdrawn_or_not_says_nothing_to_a_stranger(world):
    add_version(world, 2, state="'withdrawn'")
    problem(world.get(f"{FILES}/data.csv?version=2", world.token()), 404, "not-found")


# ---- the same answer for what is not there ---------------------------------------------------------------------------


def told(answer):
    """Return what an answer says: status, headers but those of the moment, body but the request's own."""
    moving = {"X-Request-Id", "RateLimit", "Date"}
    headers = sorted((name, value) for name, value in answer.headers if name not in moving | {"Content-Length"})
    body = {name: value for name, value in answer.json.items() if name not in ("request_id", "instance")}
    return answer.status_code, headers, body


@pytest.mark.parametrize("tail", ["files/data.csv", "rows", "manifest.json", "changes?since=1", "schema",
                                  "parts/1.parquet"])  # fmt: skip
def test_a_draft_and_a_dataset_that_there_is_not_answer_alike_to_everybody(world, tail):
    token = world.token()
    world.change("update dataset set state = 'draft' where id = 'exchange-rates'")
    answers = [
        told(world.get(f"/api/v1/datasets/{dataset}/{tail}", given))
        for dataset in ("exchange-rates", "no-such-dataset")
        for given in (token, None, "qta_rubbish")
    ]
    assert answers[0][0] == 404 and all(answer == answers[0] for answer in answers)


def test_another_unit_s_grant_and_one_that_there_is_not_answer_alike(world):
    theirs = world.another_grant("parking-records", ["lot_id"], unit="firm-tide")
    token = world.token()
    known, made_up = (world.get(f"{FILES}/data.csv?grant={grant}", token) for grant in (theirs, "0" * 26))
    problem(known, 403, "grant-missing")
    assert told(known) == told(made_up)


# ---- what a program asks first ---------------------------------------------------------------------------------------


def test_the_manifest_lists_parts_and_files_as_they_are_served(world):
    token = world.token()
    answer = world.get("/api/v1/datasets/parking-records/manifest.json", token)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "private, no-store"
    body = answer.json
    assert (body["grant"], body["version"], body["rows"]) == (world.grant, 1, 20_000)
    assert [column["name"] for column in body["schema"]] == GRANTED
    for part in body["parts"]:
        served = world.get(urlsplit(part["url"]).path + "?" + urlsplit(part["url"]).query, token)
        assert (sha256(served.data), len(served.data)) == (part["sha256"], part["bytes"])
        assert pq.read_table(io.BytesIO(served.data)).num_rows == part["rows"]
    ready = {one["format"]: one for one in body["files"] if one["ready"]}
    assert {"parquet", "csv"} <= set(ready)
    csv = world.get(urlsplit(ready["csv"]["url"]).path + "?" + urlsplit(ready["csv"]["url"]).query, token)
    assert (sha256(csv.data), len(csv.data)) == (ready["csv"]["sha256"], ready["csv"]["bytes"])
    assert "plate" not in answer.text


def test_under_a_row_filter_no_period_of_the_source_is_told(world):
    march = {"from": "2026-03-05", "to": "2026-03-06"}
    grant = world.another_grant("parking-records", GRANTED, row_filter=march)
    body = world.get(f"/api/v1/datasets/parking-records/manifest.json?grant={grant}", world.token()).json
    assert {(part["period"]["from"], part["period"]["to"]) for part in body["parts"]} == {(None, None)}


def test_a_grant_by_api_only_lists_no_file(world):
    grant = world.another_grant("parking-records", GRANTED, delivery=["api"])
    body = world.get(f"/api/v1/datasets/parking-records/manifest.json?grant={grant}", world.token()).json
    assert body["files"] == [] and {part["url"] for part in body["parts"]} == {None}


def test_nothing_changed_since_the_version_that_is_served(world):
    token = world.token()
    body = world.get("/api/v1/datasets/parking-records/changes?since=1", token).json
    assert (body["since"], body["version"], body["added"], body["removed"], body["columns"]) == (1, 1, [], [], [])
    for query in ("", "?since=2", "?since=x", "?since=0"):
        problem(world.get(f"/api/v1/datasets/parking-records/changes{query}", token), 400, "bad-parameter")


def test_what_came_on_top_is_told_part_by_part(world):
    add_version(world, 2)
    judge(world, 2, "judged")
    for table, key in (("releasedview", "id"), ("view_part", "view_id"), ("view_file", "view_id")):
        names = [row[1] for row in world.found(f"pragma table_info({table})")]
        chosen = [{"dataset_version": "2", key: f"'v2-' || substr({key}, 1, 20)"}.get(name, name) for name in names]
        where = (
            "grant_id = :grant" if key == "id" else "view_id = (select id from releasedview where grant_id = :grant)"
        )
        if key == "id":
            old = world.found("select id from releasedview where grant_id = :grant", grant=world.grant)[0][0]
        else:
            where = f"view_id = '{old}'"
        world.change(f"insert into {table} ({', '.join(names)}) select {', '.join(chosen)} from {table} where {where}",
                     **({"grant": world.grant} if key == "id" else {}))  # fmt: skip
    new = f"v2-{old[:20]}"
    world.change(
        "insert into view_part (view_id, position, cut, key, sha256, rows, bytes) "
        "select view_id, 7, 'c', key, 'ee', 12, bytes from view_part where view_id = :new", new=new,
    )  # fmt: skip
    world.change('update "grant" set dataset_version = 2 where id = :grant', grant=world.grant)
    body = world.get("/api/v1/datasets/parking-records/changes?since=1", world.token()).json
    assert (body["version"], [part["number"] for part in body["added"]], body["removed"]) == (2, [2], [])
    assert body["added"][0]["rows"] == 12
    problem(world.get("/api/v1/datasets/parking-records/changes?since=5", world.token()), 400, "bad-parameter")


def test_the_schema_has_the_granted_columns_and_no_other(world):
    body = world.get("/api/v1/datasets/parking-records/schema", world.token()).json
    assert [column["name"] for column in body["columns"]] == GRANTED
    assert all(column["type"] and column["title"]["zh"] and column["title"]["en"] for column in body["columns"])


def test_a_client_lists_its_own_grants_with_what_is_left(world):
    world.another_grant("parking-records", ["lot_id"], unit="firm-tide")
    token = world.token()
    size = len(world.file(token).data)
    answer = world.get("/api/v1/me/grants", token)
    (own,) = answer.json["grants"]
    assert (own["grant"], own["columns"], own["version"], own["standing"]) == (world.grant, GRANTED, 1, "live")
    assert own["quota"]["bytes"]["used"] == size and own["quota"]["bytes"]["left"] < own["quota"]["bytes"]["limit"]
    assert datetime.fromisoformat(own["ends_at"]) > world.now()
    problem(world.get("/api/v1/me/grants"), 401, "token-missing")
    problem(world.get("/api/v1/me/grants", "qta_" + "x" * 43), 401, "token-revoked")
    world.suspend()
    assert world.get("/api/v1/me/grants", token).json["grants"][0]["standing"] == "suspended"
