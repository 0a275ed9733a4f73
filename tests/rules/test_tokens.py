"""What a token request may look like, and what it wins."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.oauth import rules
from service.oauth.rules import BadDetails, Presented, Usable

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
HERE = "https://data.example/api/v1"
PARKING = Usable("G1", "parking-records", ("lot_id", "entry_time"), NOW + timedelta(days=30))
ROADS = Usable("G2", "road-traffic", ("road_id",), NOW + timedelta(minutes=10))


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return "Basic " + base64.b64encode(raw).decode()


def details(**fields: object) -> str:
    return json.dumps([{"type": "dataset_access", "identifier": "parking-records", **fields}])


def test_a_secret_in_the_header_or_in_the_body_is_understood():
    assert rules.presented(basic("c-1:qts_a-b"), {}) == Presented("c-1", "qts_a-b")
    assert rules.presented(None, {"client_id": "c-1", "client_secret": "x"}) == Presented("c-1", "x")


@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        (None, {}),
        (None, {"client_id": "c-1"}),
        (basic("c-1:x"), {"client_secret": "x", "client_id": "c-1"}),
        (basic("c-1:x"), {"client_id": "c-2"}),
        (basic(b"\xff\xfe:\xff"), {}),
        (basic("no colon"), {}),
        ("Basic ###", {}),
        ("Bearer qta_x", {}),
    ],
)
def test_no_credentials_two_of_them_or_rubbish_are_none_at_all(authorization, form):
    assert rules.presented(authorization, form) is None


def test_a_token_comes_as_bearer_or_as_the_password_of_basic():
    assert rules.bearer("Bearer qta_x") == "qta_x"
    assert rules.bearer("bearer  qta_x ") == "qta_x"
    assert rules.bearer(basic("anything:qta_x")) == "qta_x"
    assert rules.bearer("Digest qta_x") is None
    assert rules.bearer(None) is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_header_breaks_the_reading_of_it(header):
    rules.bearer(header)
    rules.presented(header, {})


def test_without_details_a_token_covers_every_live_grant():
    assert rules.narrowed(None, [PARKING, ROADS], location=HERE) == (PARKING, ROADS)


def test_details_narrow_to_the_dataset_named():
    assert rules.narrowed(details(actions=["read"], locations=[HERE]), [PARKING, ROADS], location=HERE) == (PARKING,)


def test_what_a_token_response_echoes_can_be_sent_back():
    echoed = rules.details_of([PARKING], location=HERE)
    assert rules.narrowed(json.dumps(echoed), [PARKING, ROADS], location=HERE) == (PARKING,)


@pytest.mark.parametrize(
    "parameter",
    [
        "not json",
        "{}",
        "[]",
        "[1]",
        details(type="other"),
        details(identifier="passing-records"),
        details(identifier=7),
        details(actions=["write"]),
        details(locations=["https://elsewhere.example"]),
        details(columns=["lot_id", "plate"]),
        details(columns="lot_id"),
        details(extra=1),
        details(grant="01m0another"),
        "[" * 5000,
        "[" * 9000,
    ],
)
def test_anything_unknown_in_details_is_refused_and_never_narrowed_in_silence(parameter):
    with pytest.raises(BadDetails):
        rules.narrowed(parameter, [PARKING, ROADS], location=HERE)


def test_a_token_lives_an_hour_and_never_past_the_first_end():
    assert rules.lifetime(NOW, [PARKING]) == timedelta(hours=1)
    assert rules.lifetime(NOW, [PARKING, ROADS]) == timedelta(minutes=10)


def test_a_secret_is_kept_under_the_pepper_only():
    assert rules.secret_digest("qts_x", b"one") != rules.secret_digest("qts_x", b"two")
    assert rules.same(rules.secret_digest("qts_x", b"one"), rules.secret_digest("qts_x", b"one"))


# ---- what is shown and what is kept ----------------------------------------------------------------------------------


@given(st.text(alphabet="abimport #\"'\\\n$f=", max_size=80), st.sampled_from(["a.py", "a.sh"]))
def test_a_highlighted_script_is_still_the_script(script, name):
    assert "".join(text for _kind, text in rules.highlighted(script, name)) == script


def test_a_hash_inside_a_string_begins_no_comment():
    pieces = rules.highlighted('x = "#1"  # one\n', "a.py")
    assert ("text", '"#1"') in pieces and ("comment", "# one") in pieces


def test_only_what_we_know_is_kept_of_a_refusal():
    facts = {"columns": "plate", "end": "2026-11-30", "apply": "/x", "known": "a, b", "retry_after": 5}
    assert rules.told("column-not-granted", facts) == {"columns": "plate", "end": "2026-11-30", "retry_after": "5"}
    assert rules.told("unknown-column", facts) == {"end": "2026-11-30", "retry_after": "5"}
