"""Files of a released view: whole, in ranges, under conditions, in every format; and what is written down of them."""

import csv
import gc
import io
from email.parser import BytesParser
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest

from service.base.beijing import BEIJING
from service.data import gate
from service.data.api import files, parts
from service.data.rules import files as file_rules
from service.grants import jobs as grant_jobs
from tests.house.scan import HAN
from tests.http.answers import problem, sha256, usage
from tests.http.test_data import GRANTED, ordered, stored

# ---- files -----------------------------------------------------------------------------------------------------------


def test_files_hold_exactly_the_granted_columns_and_rows(world):
    token = world.token()
    table = pq.read_table(io.BytesIO(world.file(token, "data.parquet").data))
    lines = list(csv.reader(io.StringIO(world.file(token).text)))
    assert table.schema.names == lines[0] == GRANTED
    assert table.num_rows == len(lines) - 1 == 20_000
    found = [{**row, "entry_time": row["entry_time"].astimezone(BEIJING).isoformat()} for row in table.to_pylist()]
    assert ordered(found) == ordered(stored(world))


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_file_comes_whole_with_its_length_and_a_strong_etag(world, name):
    token = world.token()
    answer = world.file(token, name)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert answer.headers["ETag"] == f'"{sha256(answer.data)}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Repr-Digest"] == file_rules.digest_field(sha256(answer.data))
    assert answer.headers["Qiantang-Grant"] == world.grant and answer.headers["Qiantang-Version"] == "1"
    suffix = name.split(".")[1]
    plain, named = answer.headers["Content-Disposition"].split("; filename*=UTF-8''")
    assert plain == f'attachment; filename="parking-records.{suffix}"'
    assert unquote(named).endswith(f"-v1.{suffix}") and HAN.search(unquote(named))


def test_a_download_that_broke_off_is_resumed_to_the_same_bytes(world):
    token = world.token()
    whole = world.file(token)
    etag = whole.headers["ETag"]
    first = world.file(token, Range="bytes=0-99999", If_Range=etag)
    rest = world.file(token, Range="bytes=100000-", If_Range=etag)
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["Content-Range"] == f"bytes 0-99999/{len(whole.data)}"
    assert first.data + rest.data == whole.data
    assert rest.headers["ETag"] == etag and int(rest.headers["Content-Length"]) == len(rest.data)


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"Range": "bytes=-10"}, 206, slice(-10, None)),
        ({"Range": "bytes=5-5"}, 206, slice(5, 6)),
        ({"Range": "bytes=10-99999999999"}, 206, slice(10, None)),
        ({"Range": "bytes=0-4,5-9"}, 206, slice(0, 10)),
        ({"Range": "bytes=9-1"}, 200, slice(None)),
        ({"Range": "lines=0-1"}, 200, slice(None)),
        ({"Range": "bytes=0-9", "If_Range": '"another"'}, 200, slice(None)),
        ({"Range": "bytes=0-9", "If_Range": "Tue, 24 Nov 2026 00:00:00 GMT"}, 200, slice(None)),
    ],
)
def test_a_range_is_served_and_what_is_none_gets_the_whole_file(world, headers, status, part):
    token = world.token()
    answer = world.file(token, **headers)
    assert answer.status_code == status
    assert answer.data == world.file(token).data[part]


def test_a_range_outside_the_file_is_a_problem_that_tells_the_size(world):
    token = world.token()
    size = len(world.file(token).data)
    for wanted in (f"bytes={size}-", "bytes=-0", f"bytes={'9' * 5000}-", "bytes=" + ",".join(["0-0"] * 17)):
        answer = world.file(token, Range=wanted)
        problem(answer, 416, "range-not-satisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_a_file_that_has_not_changed_is_not_sent_again(world):
    token = world.token()
    etag = world.file(token).headers["ETag"]
    for seen in (etag, f"W/{etag}", "*", f'"a", {etag}'):
        answer = world.file(token, If_None_Match=seen)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag and answer.headers["Cache-Control"].startswith("private")
    assert world.file(token, If_None_Match='"another"').status_code == 200
    world.suspend()
    problem(world.file(token, If_None_Match=etag), 403, "grant-suspended")


def test_head_tells_the_length_and_sends_nothing(world):
    token = world.token()
    size = len(world.file(token).data)
    path = f"/api/v1/datasets/{world.dataset}/files/data.csv"
    answer = world.visitor().head(path, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.data, int(answer.headers["Content-Length"])) == (200, b"", size)
    ranged = world.visitor().head(path, headers={"Authorization": f"Bearer {token}", "Range": "bytes=0-9"})
    assert (ranged.status_code, int(ranged.headers["Content-Length"])) == (200, size), "ranges are for GET"
    assert [row[3:] for row in usage(world)[1:]] == [(0, 0, 1), (0, 0, 1)], "it counts as a request"


# ---- what is written down, and what cuts a file ----------------------------------------------------------------------


def test_every_answer_with_data_leaves_one_row_of_usage_and_no_refusal_does(world):
    token = world.token()
    world.rows(token, "?limit=7")
    body = world.file(token, "data.parquet").data
    part = world.file(token, Range="bytes=0-65247").data
    world.rows(token, "?select=plate")
    world.rows("qta_wrong")
    world.rows(None, "?limit=2", dataset="exchange-rates")
    rows, file, some, public = usage(world)
    assert rows[:3] == (world.grant, world.client_id, "rows") and rows[3] == 7 and rows[5]
    assert file[2:] == ("parquet", 20_000, len(body), 1)
    assert some[2] == "csv" and some[4] == len(part) == 65_248 and 1_900 < some[3] < 2_100
    assert public[:4] == (None, None, "rows", 2)


def test_a_file_that_nobody_reads_on_or_closes_writes_nothing_when_it_is_thrown_away(world, monkeypatch):
    """It may be thrown away inside a transaction of the same thread, and would wait there for itself."""
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    noted = []
    monkeypatch.setattr(gate.Meter, "end", lambda _meter: noted.append(1))
    answer = world.file(world.token())
    pieces = answer.iter_encoded()
    assert next(pieces)
    del answer, pieces
    gc.collect()
    assert noted == []


def test_a_suspension_cuts_a_file_that_is_on_its_way(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    monkeypatch.setattr(parts, "RECHECK", 1 << 16)
    token = world.token()
    answer = world.file(token)
    pieces = answer.iter_encoded()
    received = len(next(pieces))
    world.suspend()
    with pytest.raises(ConnectionAbortedError):
        for part in pieces:
            received += len(part)
    assert received == 1 << 16 < int(answer.headers["Content-Length"])
    ((*_rest, size, whole),) = usage(world)
    assert (size, whole) == (received, 0)


def test_a_view_that_was_replaced_cuts_a_granted_file_and_no_open_one(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    monkeypatch.setattr(parts, "RECHECK", 1 << 16)
    granted, public = world.file(world.token()), world.get("/api/v1/datasets/exchange-rates/files/data.csv")
    pieces, others = granted.iter_encoded(), public.iter_encoded()
    next(pieces), next(others)
    world.change("update releasedview set id = 'new-' || substr(id, 1, 20)")
    with pytest.raises(ConnectionAbortedError):
        list(pieces)
    assert sum(map(len, others)) + (1 << 14) == int(public.headers["Content-Length"])


def test_a_reader_who_leaves_is_charged_for_what_was_sent(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    answer = world.file(world.token())
    pieces = answer.iter_encoded()
    next(pieces), next(pieces)
    answer.close()
    ((*_rest, size, whole),) = usage(world)
    assert size in (1 << 14, 1 << 15) and whole == 0


def test_a_long_answer_is_looked_at_each_second_too(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    monkeypatch.setattr(parts, "RECHECK_SECONDS", 0.0)
    answer = world.file(world.token())
    pieces = answer.iter_encoded()
    next(pieces)
    world.suspend()
    with pytest.raises(ConnectionAbortedError):
        next(pieces)


def test_a_store_that_breaks_off_breaks_the_answer_off_and_is_written_down_as_cut(world, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1 << 14)
    answer = world.file(world.token())
    pieces = answer.iter_encoded()
    sent = len(next(pieces))
    (key,) = [
        row[0]
        for row in world.found(
            "select f.key from view_file f join releasedview v on v.id = f.view_id "
            "where v.grant_id = :grant and f.format = 'csv'",
            grant=world.grant,
        )
    ]
    (world.settings.home / "store" / key).unlink()
    monkeypatch.setattr(files.blobs, "stream", None)
    try:
        sent += sum(map(len, pieces))
        assert sent == int(answer.headers["Content-Length"]), "an open file may be read on after it was unlinked"
    except OSError:
        assert sent < int(answer.headers["Content-Length"])
    assert len(usage(world)) == 1


def test_an_object_that_is_not_as_long_as_it_was_is_not_served(world):
    token = world.token()
    world.change(
        "update view_file set bytes = bytes + 1 where format = 'csv' and view_id in "
        "(select id from releasedview where grant_id = :grant)", grant=world.grant,
    )  # fmt: skip
    problem(world.file(token), 503, "unavailable")
    assert world.file(token, "data.parquet").status_code == 200


# ---- conditions, several ranges, formats, parts ----------------------------------------------------------------------


def test_if_match_lets_only_the_named_file_through(world):
    token = world.token()
    etag = world.file(token).headers["ETag"]
    assert world.file(token, If_Match=f'"x", {etag}').status_code == 200
    assert world.file(token, If_Match="*").status_code == 200
    for other in ('"another"', f"W/{etag}"):
        problem(world.file(token, If_Match=other), 412, "precondition-failed")


def test_several_ranges_come_in_one_body_with_their_places(world):
    token = world.token()
    whole = world.file(token).data
    size = len(whole)
    answer = world.file(token, Range="bytes=0-9,100-119,-5")
    assert answer.status_code == 206 and int(answer.headers["Content-Length"]) == len(answer.data)
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    sections = BytesParser().parsebytes(head + answer.data).get_payload()
    assert [section["Content-Range"] for section in sections] == [
        f"bytes {first}-{last}/{size}" for first, last in ((0, 9), (100, 119), (size - 5, size - 1))
    ]
    found = [section.get_payload(decode=True) for section in sections]
    assert found[:2] == [whole[:10], whole[100:120]]
    assert usage(world)[-1][4:] == (len(answer.data), 1)


def test_a_download_is_resumed_with_another_token_to_the_same_file(world):
    first = world.file(world.token(), Range="bytes=0-999")
    rest = world.file(world.token(), Range="bytes=1000-", If_Range=first.headers["ETag"])
    assert rest.status_code == 206
    assert sha256(first.data + rest.data) == first.headers["ETag"].strip('"')


def test_a_digest_that_was_asked_for_in_another_algorithm_is_let_be(world):
    answer = world.file(world.token(), Want_Repr_Digest="sha-512=10, sha-256=0")
    assert answer.status_code == 200 and answer.headers["Repr-Digest"].startswith("sha-256=:")


@pytest.mark.parametrize("name", ["data.csv?for=excel", "data.csv.zst", "data.jsonl", "data.arrow"])
def test_a_format_that_is_not_made_yet_is_made_when_it_is_first_wanted(world, name):
    token = world.token()
    waiting = world.file(token, name)
    problem(waiting, 503, "view-building")
    assert waiting.headers["Retry-After"] == "2"
    while grant_jobs.make_wanted():
        continue
    answer = world.file(token, name)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"].strip('"') == sha256(answer.data) and len(answer.data)
    assert usage(world)[-1][2] == {"data.csv?for=excel": "excel"}.get(name, name.removeprefix("data."))


def test_excel_s_csv_is_another_file_than_the_plain_one(world):
    token = world.token()
    problem(world.file(token, "data.csv?for=excel"), 503, "view-building")
    grant_jobs.make_wanted()
    excel, plain = world.file(token, "data.csv?for=excel"), world.file(token)
    assert excel.data.startswith(b"\xef\xbb\xbf") and not plain.data.startswith(b"\xef")
    assert excel.headers["ETag"] != plain.headers["ETag"]
    problem(world.file(token, "data.csv?for=word"), 404, "not-found")


def test_a_part_is_served_as_a_file_is(world):
    token = world.token()
    path = f"/api/v1/datasets/{world.dataset}/parts/1.parquet"
    answer = world.get(path, token)
    assert pq.read_table(io.BytesIO(answer.data)).num_rows == 20_000
    assert answer.headers["ETag"].strip('"') == sha256(answer.data)
    assert world.get(path, token, Range="bytes=0-3").data == b"PAR1"
    assert world.get(path, token, If_None_Match=answer.headers["ETag"]).status_code == 304
    for number in ("0", "2", "99999999999999999999"):
        problem(world.get(f"/api/v1/datasets/{world.dataset}/parts/{number}.parquet", token), 404, "not-found")
    assert {row[2] for row in usage(world)} == {"part"}


def test_who_is_told_in_the_row_of_usage(world):
    assert world.file(world.token()).data
    ((person, credential, network),) = world.found(
        "select person_id, credential, network from usageevent where client_id = :id", id=world.client_id
    )
    assert (person, credential, network) == (None, "token", "127.0.0.0/24")
