"""The data plane on the loaded demo: exactly what was granted, page by page and file by file, until it ends."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.base import clock, db, state
from service.base.beijing import BEIJING
from tests.http.answers import problem, text_of
from tests.world import basic_header

GRANTED = ["lot_id", "entry_time", "duration_min"]
bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pages(world, token, query=""):
    """Yield the pages of a dataset from the first to the last."""
    cursor = ""
    while cursor is not None:
        answer = world.rows(token, f"?cursor={cursor}{query}")
        assert answer.status_code == 200, answer.text
        yield answer.json
        cursor = answer.json["next"]


def stored(world):
    """Return the rows of the granted columns in the raw version, as JSON has them, in no order."""
    ((key,),) = world.found("select blob_key from datasetpart where dataset_id = 'parking-records'")
    table = pq.read_table(world.settings.home / "store" / key, columns=GRANTED).to_pylist()
    return [{**row, "entry_time": row["entry_time"].astimezone(BEIJING).isoformat()} for row in table]


def ordered(rows):
    return sorted(tuple(row.values()) for row in rows)


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_a_page_has_exactly_the_granted_columns(world):
    answer = world.rows(world.token())
    assert answer.status_code == 200 and answer.content_type == "application/json"
    page = answer.json
    assert [column["name"] for column in page["columns"]] == GRANTED
    assert [column["type"] for column in page["columns"]] == ["string", "datetime", "integer"]
    assert len(page["rows"]) == 100 and all(list(row) == GRANTED for row in page["rows"])
    assert answer.headers["Qiantang-Grant"] == world.grant
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("limit", [10_000, 7_777])
def test_paging_brings_every_granted_row_once(world, limit):
    found = [row for page in pages(world, world.token(), f"&limit={limit}") for row in page["rows"]]
    assert len(found) == 20_000
    assert ordered(found) == ordered(stored(world))
    assert ordered(found) == [tuple(row.values()) for row in found], "rows are ordered by what they show"


def test_a_selection_pages_on_in_its_own_columns_and_order(world):
    token, names = world.token(), ["duration_min", "lot_id"]
    first, second, *_rest = pages(world, token, "&limit=9000&select=duration_min,lot_id")
    assert [column["name"] for column in first["columns"]] == names
    assert list(second["rows"][0]) == names and len(second["rows"]) == 9000
    unsaid = world.rows(token, f"?limit=1&cursor={first['next']}").json
    assert unsaid["rows"] == second["rows"][:1]
    problem(world.rows(token, f"?cursor={first['next']}&select=lot_id"), 400, "bad-parameter")


def test_a_cursor_is_good_for_one_view_and_one_grant(world):
    token = world.token()
    cursor = world.rows(token).json["next"]
    other = world.another_grant("parking-records", GRANTED)
    both = world.token()
    assert world.rows(both, f"?grant={world.grant}&cursor={cursor}").status_code == 200
    problem(world.rows(both, f"?grant={other}&cursor={cursor}"), 410, "cursor-expired")
    problem(world.rows(None, f"?cursor={cursor}", dataset="flights"), 410, "cursor-expired")
    problem(world.rows(token, f"?cursor={cursor[:-1]}"), 410, "cursor-expired")
    problem(world.rows(token, "?cursor=AAAA"), 410, "cursor-expired")
    world.change("update releasedview set id = 'rebuilt' where grant_id = :grant", grant=world.grant)
    problem(world.rows(token, f"?cursor={cursor}"), 410, "cursor-expired")


def test_a_column_that_was_not_granted_is_named_with_the_way_to_apply(world):
    token = world.token()
    answer = world.rows(token, "?select=lot_id,plate")
    problem(answer, 403, "column-not-granted")
    assert answer.json["columns"] == "plate"
    assert answer.json["apply"] == "http://127.0.0.1:8000/applications/new?dataset=parking-records"
    assert answer.json["apply"] in answer.json["detail"]
    problem(world.rows(token, "?select=lot_id,colour"), 400, "unknown-column")
    problem(world.rows(token, "?select=colour,plate"), 400, "unknown-column")
    problem(world.rows(token, "?select=PLATE"), 400, "unknown-column")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=10001", "limit=ten", "limit=-1", "select=", "select=lot_id,lot_id"]
)
def test_a_parameter_that_does_not_hold_is_named(world, query):
    problem(world.rows(world.token(), f"?{query}"), 400, "bad-parameter")


def test_instants_come_in_beijing_time_in_every_face(world):
    token = world.token()
    row = world.rows(token, "?limit=1").json["rows"][0]
    line = next(csv.DictReader(io.StringIO(world.file(token).text)))
    assert row["entry_time"].endswith("+08:00")
    assert datetime.fromisoformat(row["entry_time"]) == datetime.fromisoformat(line["entry_time"] + ":00")


# ---- who may ---------------------------------------------------------------------------------------------------------


def test_without_a_token_the_answer_says_where_to_apply(world):
    answer = world.rows(None)
    problem(answer, 401, "token-missing")
    assert "/applications/new?dataset=parking-records" in answer.json["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    problem(world.rows(None, f"?access_token={world.token()}"), 401, "token-missing")
    problem(world.file(None), 401, "token-missing")


def test_a_token_serves_as_the_password_of_basic(world):
    path = f"/api/v1/datasets/{world.dataset}/rows"
    assert world.get(path, authorization=basic_header(f"qiantang:{world.token()}")).status_code == 200
    problem(world.get(path, authorization=basic_header(f"{world.client_id}:{world.secret}")), 401, "token-revoked")


def test_a_made_up_token_and_an_ended_one_are_told_apart_from_nothing(world):
    token = world.token()
    answer = world.rows("qta_" + "x" * 43)
    problem(answer, 401, "token-revoked")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    world.change("update token set revoked_at = issued_at")
    problem(world.rows(token), 401, "token-revoked")


def test_a_token_ends_after_its_hour(world):
    token = world.token()
    clock.set_shift(timedelta(minutes=59))
    assert world.rows(token).status_code == 200
    clock.set_shift(timedelta(minutes=61))
    problem(world.rows(token), 401, "token-expired")
    problem(world.file(token), 401, "token-expired")


def test_a_disabled_client_reads_nothing_more(world):
    token = world.token()
    assert world.login("lake-manager").post(f"/clients/{world.client_id}/disabling").status_code == 303
    problem(world.rows(token), 401, "token-revoked")


def test_a_suspension_is_felt_on_the_next_request_and_lifted_as_fast(world):
    token = world.token()
    world.suspend("收到投诉，先行暂停核查")
    for answer in (world.rows(token), world.file(token), world.file(token, "data.parquet")):
        problem(answer, 403, "grant-suspended")
        assert f"http://127.0.0.1:8000/grants/{world.grant}" in answer.json["detail"]
        assert "投诉" not in answer.text, "the cause stands on the grant's page only"
    assert world.login("authority-1").delete(f"/api/v1/grants/{world.grant}/suspension").status_code == 200
    assert world.rows(token).status_code == 200


def test_an_end_bites_a_live_token_although_no_job_has_run(world):
    token = world.token()
    world.change('update "grant" set ends_at = :at', at=text_of(world.now() - timedelta(seconds=1)))
    for answer in (world.rows(token), world.file(token)):
        problem(answer, 403, "grant-ended")
        assert "/applications/new?dataset=parking-records" in answer.json["detail"]


def test_a_token_issued_before_the_end_does_not_outlive_it(world):
    ends = datetime.fromisoformat(world.found('select ends_at from "grant"')[0][0]).replace(tzinfo=UTC)
    away = ends - world.now()
    clock.set_shift(away - timedelta(minutes=5))
    token = world.token()
    assert world.rows(token).status_code == 200
    clock.set_shift(away + timedelta(seconds=1))
    problem(world.rows(token), 401, "token-expired")


def test_a_grant_that_has_not_begun_reads_nothing(world):
    token = world.token()
    world.change('update "grant" set starts_at = :at', at=text_of(world.now() + timedelta(days=1)))
    problem(world.rows(token), 403, "grant-not-started")


def test_naming_another_units_grant_wins_nothing(world):
    theirs = world.another_grant("parking-records", ["lot_id", "vehicle_type"], unit="firm-tide")
    token, named = world.token(), f"?grant={theirs}"
    problem(world.rows(token, named), 403, "grant-missing")
    problem(world.get(f"/api/v1/datasets/{world.dataset}/files/data.csv{named}", token), 403, "grant-missing")
    problem(world.rows(token, "?grant=no-such-grant"), 403, "grant-missing")


def test_a_token_won_beside_a_dead_grant_is_told_that_it_is_dead(world):
    other = world.another_grant("road-traffic-15min", ["road_name"])
    world.suspend()
    token = world.token()
    for query in ("", f"?grant={world.grant}"):
        problem(world.rows(token, query), 403, "grant-suspended")
    assert world.login("authority-1").delete(f"/api/v1/grants/{world.grant}/suspension").status_code == 200
    renew = world.rows(token)
    problem(renew, 403, "grant-missing")
    assert "重新换取令牌" in renew.json["detail"]
    assert world.rows(world.token()).status_code == 200
    problem(world.rows(token, f"?grant={other}"), 403, "grant-missing")


def test_a_grant_that_changed_hands_is_not_served_to_the_old_ones_client(world):
    token = world.token()
    world.change("update \"grant\" set unit_id = 'firm-tide'")
    problem(world.rows(token), 403, "grant-missing")


def test_of_two_grants_the_one_named_is_served_else_the_one_that_ends_last(world):
    short = world.another_grant("parking-records", ["vehicle_type"], ends_at=world.now() + timedelta(days=3))
    token = world.token()
    assert world.rows(token).headers["Qiantang-Grant"] == world.grant
    named = world.rows(token, f"?grant={short}").json
    assert [column["name"] for column in named["columns"]] == ["vehicle_type"]
    problem(world.rows(token, f"?grant={short}&select=lot_id"), 403, "column-not-granted")


def test_a_row_filter_holds_in_every_face(world):
    march = {"from": "2026-03-05", "to": "2026-03-06"}
    grant = world.another_grant("parking-records", GRANTED, row_filter=march)
    token = world.token()
    rows = world.rows(token, f"?grant={grant}&limit=10000").json["rows"]
    assert 0 < len(rows) < 10_000
    assert {row["entry_time"][:10] for row in rows} == {"2026-03-05", "2026-03-06"}
    body = world.get(f"/api/v1/datasets/{world.dataset}/files/data.csv?grant={grant}", token).text
    assert len(list(csv.reader(io.StringIO(body)))) == len(rows) + 1


def test_a_grant_by_api_only_gives_no_file(world):
    grant = world.another_grant("parking-records", GRANTED, delivery=["api"])
    token = world.token()
    assert world.rows(token, f"?grant={grant}").status_code == 200
    path = f"/api/v1/datasets/{world.dataset}/files/data.csv?grant={grant}"
    problem(world.get(path, token), 403, "wrong-delivery")


def test_a_view_that_is_not_there_yet_asks_for_patience(world):
    token = world.token()
    world.change("update releasedview set state = 'building' where grant_id = :grant", grant=world.grant)
    answer = world.rows(token)
    problem(answer, 503, "view-building")
    assert int(answer.headers["Retry-After"]) > 0
    world.change("update releasedview set state = 'quarantined' where grant_id = :grant", grant=world.grant)
    problem(world.file(token), 503, "version-held")


def test_after_a_restore_nothing_goes_out_until_it_is_opened(world):
    token = world.token()
    with db.writing() as session:
        state.shut(session, reason="restore", made_at="2026-11-24T00:00:00Z", at="2026-11-24T00:00:00Z")
    for answer in (world.rows(token), world.file(token), world.rows(None, dataset="flights")):
        assert answer.status_code == 503 and answer.headers["Cache-Control"].startswith("private")


# ---- open and closed datasets ----------------------------------------------------------------------------------------


def test_open_data_needs_no_token_and_takes_no_notice_of_one(world):
    for token in (None, "qta_rubbish"):
        answer = world.rows(token, "?limit=3", dataset="world-universities")
        assert answer.status_code == 200 and len(answer.json["rows"]) == 3
    file = world.get("/api/v1/datasets/exchange-rates/files/data.csv")
    assert file.status_code == 200 and "private" not in file.headers["Cache-Control"]
    refused = world.rows(None, "?select=tailnum", dataset="flights")
    assert refused.status_code in (400, 403) and "rows" not in refused.json


def test_a_dataset_that_is_closed_a_draft_or_none_at_all_is_not_found(world):
    token = world.token()
    world.change("update dataset set state = 'draft' where id = 'exchange-rates'")
    told = []
    for dataset in ("exchange-rates", "no-such-dataset", "passing-records", "hotel-checkins"):
        for answer in (
            world.rows(token, dataset=dataset),
            world.get(f"/api/v1/datasets/{dataset}/files/data.csv", token),
        ):
            problem(answer, 404, "not-found")
            told.append((answer.json["title"], answer.json.get("detail")))
    assert len(set(told[:4])) == 1, "nobody learns that there is a draft"
    problem(world.file(token, "data.xlsx"), 404, "not-found")
    assert world.file(token, "../../keys/secret.key").status_code == 404


# ---- any request ----------------------------------------------------------------------------------------------------


text = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)
ranges = text | st.from_regex(r"bytes=[0-9]{0,22}-[0-9]{0,22}(,[0-9]*-[0-9]*)?", fullmatch=True)
HEADERS = ["Range", "If-Range", "If-None-Match", "If-Modified-Since", "Authorization", "Accept-Language", "Accept"]


@bounded
@given(
    query=st.dictionaries(
        st.sampled_from(["select", "limit", "cursor", "grant", "lang", "version", "as_of", "since", "link", "for"]),
        st.text(max_size=30),
    ),
    headers=st.dictionaries(st.sampled_from(HEADERS), ranges, max_size=3),
    tail=st.sampled_from(["rows", "files/data.csv", "parts/1.parquet", "manifest.json", "changes", "schema"]),
)
def test_no_request_breaks_the_data_plane(world, query, headers, tail):
    given_token = {"Authorization": f"Bearer {_token(world)}"}
    path = f"/api/v1/datasets/{world.dataset}/{tail}"
    answer = world.visitor().get(path, query_string=query, headers=given_token | headers)
    assert answer.status_code < 500
    assert "private" in answer.headers["Cache-Control"]


def test_what_falls_due_under_a_grant_stands_on_its_page_with_its_day(world):
    world.change(
        "insert into grant_task (id, grant_id, kind, obligation, due_on, created_at) values "
        f"""('t1', '{world.grant}', 'usage_report', '{{"kind": "usage_report", "every_days": 30}}', '2027-01-31',"""
        " '2026-11-24 00:00:00.000000')"
    )
    page = world.login("lake-manager").get(f"/grants/{world.grant}").text
    assert "到期事项" in page
    assert "2027年1月31日" in page
    due = world.login("lake-manager").get(f"/api/v1/grants/{world.grant}").json["tasks"]
    assert due == [{"kind": "usage_report", "due_on": "2027-01-31"}]


def _token(world):
    """Return one token for all examples of a test."""
    if "token" not in world.known:
        world.known["token"] = world.token()
    return world.known["token"]
