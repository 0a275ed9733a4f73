"""Whatever a caller with a good token asks, in parameters, bodies and headers: the granted bytes or a refusal."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.escape import canaries
from tests.escape.looking import clean, slug, told

NOT_GRANTED, UNKNOWN, BAD = (403, "column-not-granted"), (400, "unknown-column"), (400, "bad-parameter")
FILTER, MISSING, OTHER = (400, "bad-filter"), (404, "not-found"), (403, "grant-missing")


def _term(column: str, op: str = "eq", value: Any = "plate-000000000") -> str:
    return json.dumps({"column": column, "op": op, "value": value})


# What is asked of the rows, and the answer.
ROWS = [
    # select
    ({"select": "hidden_plate"}, NOT_GRANTED),
    ({"select": "lot,hidden_plate,hidden_owner"}, NOT_GRANTED),
    ({"select": " hidden_plate "}, NOT_GRANTED),
    ({"select": "HIDDEN_PLATE"}, UNKNOWN),
    ({"select": "Lot"}, UNKNOWN),
    ({"select": "*"}, UNKNOWN),
    ({"select": "lot,*"}, UNKNOWN),
    ({"select": '"hidden_plate"'}, UNKNOWN),
    ({"select": "hidden_plate as lot"}, UNKNOWN),
    ({"select": "lot; select hidden_plate from view"}, UNKNOWN),
    ({"select": "ｈidden_plate"}, UNKNOWN),
    ({"select": "hidden\u200b_plate"}, UNKNOWN),
    ({"select": "hіdden_plate"}, UNKNOWN),  # a Cyrillic letter in it
    ({"select": "hidden_plate\0"}, MISSING),
    ({"select": "filename"}, UNKNOWN),
    ({"select": "file_row_number"}, UNKNOWN),
    ({"select": "COLUMNS('.*')"}, UNKNOWN),
    ({"select": "lot,lot"}, BAD),
    ({"select": ""}, BAD),
    # filter
    ({"filter": _term("hidden_plate")}, NOT_GRANTED),
    ({"filter": _term("hidden_area", "is_null", True)}, NOT_GRANTED),
    ({"filter": f'{{"or": [{_term("lot")}, {_term("hidden_owner", "gt", 1)}]}}'}, NOT_GRANTED),
    ({"filter": _term("lot", "eq", {"column": "hidden_plate"})}, FILTER),
    ({"filter": _term("lot", "in", [["hidden_plate"]])}, FILTER),
    ({"filter": '{"column":"lot","column":"hidden_plate","op":"is_null"}'}, FILTER),
    ({"filter": '{"column":"lot","op":"eq","value":"x","sql":"or hidden_plate is not null"}'}, FILTER),
    ({"filter": _term("lot", "regexp", "x")}, FILTER),
    ({"filter": _term("lot' or hidden_plate > '")}, UNKNOWN),
    ({"filter": "true"}, FILTER),
    ({"where": "hidden_plate:eq:plate-000000000"}, NOT_GRANTED),
    ({"where": "hidden_area:eq:cell-far-3"}, NOT_GRANTED),
    ({"where": "lot) or (hidden_plate:is_null"}, UNKNOWN),
    ({"where": "lot:eq"}, (200, None)),
    # order
    ({"order": "hidden_plate"}, NOT_GRANTED),
    ({"order": "lot,-hidden_owner"}, NOT_GRANTED),
    ({"order": "lot desc, hidden_plate"}, FILTER),
    ({"order": "1"}, UNKNOWN),
    ({"order": "random()"}, UNKNOWN),
    ({"order": "lot nulls last"}, UNKNOWN),
    ({"order": "--lot"}, UNKNOWN),
    # limit, count, format
    ({"limit": "0"}, BAD),
    ({"limit": "-1"}, BAD),
    ({"limit": "10001"}, BAD),
    ({"limit": "1e3"}, BAD),
    ({"limit": "١٠"}, BAD),  # digits, and none of ours
    ({"limit": "10; --"}, BAD),
    ({"count": "true", "where": "hidden_plate:is_null"}, NOT_GRANTED),
    ({"count": "2"}, BAD),
    ({"format": "sql"}, (406, "not-acceptable")),
    ({"format": "../../store/raw"}, (406, "not-acceptable")),
    ({"format": "JSON"}, (406, "not-acceptable")),
    # cursor
    ({"cursor": "x"}, (410, "cursor-expired")),
    ({"cursor": "W251bGwsIiIsImhpZGRlbl9wbGF0ZSJd"}, (410, "cursor-expired")),
    ({"cursor": "é" * 50}, (410, "cursor-expired")),
    # version, grant
    ({"version": "2"}, MISSING),
    ({"version": "9"}, MISSING),
    ({"version": "0"}, BAD),
    ({"version": "latest"}, BAD),
    ({"version": "1.0"}, BAD),
    ({"version": "1", "as_of": "2"}, BAD),
    ({"as_of": "2"}, (200, None)),
    ({"as_of": "999999999"}, (200, None)),
    ({"grant": ""}, OTHER),
    ({"grant": "%"}, OTHER),
    ({"grant": "1' or '1'='1"}, OTHER),
    # what there is not
    ({"columns": "hidden_plate"}, (200, None)),
    ({"fields": "hidden_plate", "expand": "all", "debug": "1", "sql": "select 1", "raw": "1"}, (200, None)),
    ({"epoch": "0", "unit": "stranger", "client": "c-other", "view": "theirs"}, (200, None)),
    ({"for": "excel"}, (200, None)),
    ({"link": ""}, (200, None)),
]  # fmt: skip


@pytest.mark.parametrize(("query", "answered"), ROWS, ids=[urlencode(query)[:60] or "none" for query, _ in ROWS])
def test_no_parameter_opens_more_rows_or_columns(ground, query, answered):
    answer = ground.ask(f"rows?{urlencode(query)}")
    assert slug(answer) == answered, answer.text
    clean(answer, home=ground.settings.home, named=_words(query))
    if answered[0] == 200 and answer.json["rows"]:
        assert tuple(answer.json["rows"][0]) == canaries.GRANTED
        assert answer.headers["Qiantang-Version"] == "1"


def _words(query: dict[str, Any]) -> tuple[str, ...]:
    """Return what a refusal may repeat: names that the request itself said."""
    return tuple(
        sorted({*canaries.HIDDEN, *(value for value in query.values() if isinstance(value, str))}, key=len)[::-1]
    )


BODIES = [
    ("rows", {"select": ["hidden_plate"]}, NOT_GRANTED),
    ("rows", {"select": [["hidden_plate"]]}, (422, "invalid")),
    ("rows", {"select": {"lot": "hidden_plate"}}, (422, "invalid")),
    ("rows", {"order": ["hidden_plate"]}, NOT_GRANTED),
    ("rows", {"order": [{"column": "hidden_plate"}]}, (422, "invalid")),
    ("rows", {"filter": {"column": "hidden_amount", "op": "gt", "value": 0}}, NOT_GRANTED),
    ("rows", {"select": ["lot"], "columns": ["hidden_plate"]}, (422, "invalid")),
    ("rows", {"grant": "theirs"}, (422, "invalid")),
    ("rows", {"version": 2}, (422, "invalid")),
    ("rows", {"sql": "select * from view"}, (422, "invalid")),
    ("aggregate", {"group": ["hidden_area"]}, NOT_GRANTED),
    ("aggregate", {"measures": [{"function": "min", "column": "hidden_plate"}]}, NOT_GRANTED),
    ("aggregate", {"measures": [{"function": "max", "column": "hidden_owner"}]}, NOT_GRANTED),
    ("aggregate", {"measures": [{"function": "quantile", "column": "hidden_amount", "q": 0.5}]}, NOT_GRANTED),
    ("aggregate", {"filter": {"column": "hidden_plate", "op": "contains", "value": "plate-"}}, NOT_GRANTED),
    ("aggregate", {"measures": [{"function": "list", "column": "lot"}]}, FILTER),
    ("aggregate", {"measures": [{"function": "count(*), any_value(hidden_plate)"}]}, FILTER),
    ("aggregate", {"measures": [{"function": "min", "column": "*"}]}, UNKNOWN),
    ("aggregate", {"having": "hidden_plate is not null"}, (422, "invalid")),
    ("aggregate", {"group": ["kind"], "measures": [{"function": name, "column": "minutes"} for name in ("min", "max")]},
     (200, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("face", "body", "answered"), BODIES, ids=[f"{one[0]}-{json.dumps(one[1])[:50]}" for one in BODIES]
)
def test_no_body_opens_more_either(ground, face, body, answered):
    answer = ground.ask(face, method="POST", json=body)
    assert slug(answer) == answered, answer.text
    clean(answer, named=(*canaries.HIDDEN, "plate-"))


# ---- nothing is told by the way it is refused ------------------------------------------------------------------------


def test_a_refusal_of_a_hidden_column_does_not_depend_on_what_it_holds(both):
    row = canaries.table(1).slice(0, 1).to_pylist()[0]
    asked = [
        _term("hidden_plate", "eq", value) for value in (row["hidden_plate"], "plate-of-nobody", 17, None, ["x"])
    ] + [_term("hidden_plate", op, "x") for op in ("ne", "contains", "is_null", "between")]
    answers = [told(both.ask(f"rows?{urlencode({'filter': one})}")) for one in asked]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("face", ["rows", "files/data.csv", "manifest.json", "schema", "parts/1.parquet"])
def test_a_version_and_a_grant_that_there_are_answer_as_those_that_there_are_not(both, face):
    pairs = [("version=2", "version=7"), (f"grant={both.grants['theirs']}", "grant=01m0000000000000000000000x")]
    for there, made_up in pairs:
        known, unknown = (both.ask(f"{face}?{query}") for query in (there, made_up))
        assert known.status_code in (403, 404)
        assert told(known) == told(unknown)
        clean(known)


@pytest.mark.parametrize("name", ["theirs", "newer", "wider", "tokens-theirs"])
@pytest.mark.parametrize("face", ["rows", "files/data.parquet", "manifest.json", "changes?since=1", "parts/3.parquet"])
def test_a_grant_that_the_token_does_not_cover_opens_nothing(ground, name, face):
    joint = "&" if "?" in face else "?"
    answer = ground.ask(f"{face}{joint}grant={ground.grants[name]}")
    assert slug(answer) == OTHER
    clean(answer, home=ground.settings.home)


@pytest.mark.parametrize("number", ["0", "3", "4", "99", "-1", "1.0", "½", "0x1", "1%00", "99999999999999999999"])
def test_a_part_of_a_later_version_or_of_nobody_is_not_found(ground, number):
    answer = ground.ask(f"parts/{number}.parquet")
    assert answer.status_code == 404
    clean(answer)


@pytest.mark.parametrize("since", ["2", "3", "0", "-1", "x", "1' or 1=1"])
def test_changes_tell_of_no_version_but_those_that_were_judged(ground, since):
    assert slug(clean(ground.ask(f"changes?{urlencode({'since': since})}"))) == BAD


# ---- cursors ---------------------------------------------------------------------------------------------------------


def _cursor(ground: Any, name: str, query: str = "") -> str:
    return str(ground.ask(f"rows?limit=10{query}", name).json["next"])


@pytest.mark.parametrize("name", ["theirs", "newer", "wider"])
def test_a_cursor_of_another_grant_is_no_place_here(ground, name):
    for query in ("", "&select=lot", "&where=lot:eq:x"):
        answer = ground.ask(f"rows?limit=10{query}&cursor={_cursor(ground, name)}")
        assert slug(answer) == (410, "cursor-expired")
        clean(answer)


def test_a_cursor_cannot_be_written_or_changed(ground):
    cursor = _cursor(ground, "mine")
    for place in range(0, len(cursor), 3):
        other = "A" if cursor[place] != "A" else "B"
        answer = ground.ask(f"rows?limit=10&cursor={cursor[:place]}{other}{cursor[place + 1 :]}")
        assert slug(answer) == (410, "cursor-expired"), place


def test_a_cursor_goes_on_with_its_own_question_only(ground):
    cursor = _cursor(ground, "mine", "&select=lot,minutes&order=minutes")
    for query, answered in (
        ("", (400, "cursor-expired")), ("&order=minutes&select=lot,hidden_plate", NOT_GRANTED),
        ("&order=minutes&select=lot,kind", BAD), ("&order=-minutes", (400, "cursor-expired")),
        ("&order=minutes&where=lot:eq:x", (400, "cursor-expired")), ("&order=minutes&version=2", MISSING),
    ):  # fmt: skip
        assert slug(clean(ground.ask(f"rows?cursor={cursor}{query}"), named=canaries.HIDDEN)) == answered, query


# ---- headers ---------------------------------------------------------------------------------------------------------

HEADERS = [
    {"X-Original-URL": "/api/v1/datasets/night-trips/files/data.parquet"}, {"X-Rewrite-URL": "/internal/gate"},
    {"X-Accel-Redirect": "/_sliced/raw/x"}, {"X-Sendfile": "/etc/passwd"}, {"X-Accel-Mapping": "/=/_public/"},
    {"X-HTTP-Method-Override": "DELETE"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-Host": "elsewhere.example"},
    {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Prefix": "/internal"}, {"Forwarded": "for=127.0.0.1;host=elsewhere"},
    {"X-Real-IP": "127.0.0.1"}, {"Qiantang-Ticket": "x"}, {"Qiantang-Object": "/_sliced/views/x"},
    {"Qiantang-Link": "x"}, {"Qiantang-Version": "2"}, {"Cookie": "qiantang=x; grant=theirs"},
    {"Accept-Language": "../../etc, en"}, {"Accept-Encoding": "gzip, br, zstd"}, {"X-Request-Id": "../../x"},
    {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Range": "rows=0-9"}, {"Range": "bytes=9-0"},
    {"Prefer": "return=representation; columns=hidden_plate"}, {"Accept": "*/*"}, {"Want-Repr-Digest": "md5=10"},
]  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS, ids=["-".join(one) for one in HEADERS])
def test_no_header_changes_what_comes(ground, headers):
    for face in ("files/data.csv", "rows?limit=50"):
        plain, answer = ground.ask(face), ground.ask(face, **headers)
        assert (answer.status_code, answer.data) == (200, plain.data)
        clean(answer, home=ground.settings.home)
        assert not {name for name, _ in answer.headers if name.startswith(("X-Accel", "X-Sendfile", "Qiantang-T"))}


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "127.0.0.1@elsewhere.example"])
def test_no_other_host_is_answered(ground, host):
    answer = ground.ask("files/data.csv", Host=host)
    assert answer.status_code == 400
    clean(answer)


def test_tags_of_other_files_are_tags_of_nothing(ground):
    """Else a caller could try whether another unit's view holds what it guesses."""
    theirs = ground.ask("files/data.csv", "theirs").headers["ETag"]
    made_up = '"' + "0" * 64 + '"'
    for name in ("If_None_Match", "If_Match", "If_Range"):
        more = {"Range": "bytes=0-9"} if name == "If_Range" else {}
        known, unknown = (ground.ask("files/data.csv", **{name: tag}, **more) for tag in (theirs, made_up))
        assert told(known) == told(unknown)
        clean(known)


@pytest.mark.parametrize(
    "asked", ["bytes=100000000-", "bytes=-0", "bytes=99999999999999999999-", "bytes=" + "0-0," * 20]
)
def test_a_range_outside_of_the_file_tells_its_own_length_only(ground, asked):
    answer, size = ground.ask("files/data.csv", Range=asked.rstrip(",")), len(ground.ask("files/data.csv").data)
    assert answer.status_code == 416 and answer.headers["Content-Range"] == f"bytes */{size}"
    clean(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "HEAD"])
def test_no_other_method_gives_bytes(ground, method):
    for face in ("files/data.parquet", "rows", "parts/1.parquet"):
        answer = ground.ask(face, method=method)
        assert answer.status_code in ((200,) if method in ("HEAD", "OPTIONS") else (405, 501))
        assert not answer.data or answer.is_json or b"<" in answer.data[:20]
        clean(answer)
