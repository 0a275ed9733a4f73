"""The token endpoint on the loaded demo: who gets a token, for what, for how long, and what nobody ever sees."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from service.base import cache, clock, log
from service.base.ids import new_id
from tests.http.conftest import ORIGIN
from tests.world import basic_header

NOBODY = "c-" + "0" * 26
bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tokens(world):
    """Return the tokens of the world's client; the demo's other client has won some before."""
    return world.found("select digest from token where client_id = :id", id=world.client_id)


def issued(world):
    """Return the facts of the events of their issuing."""
    return world.found("select facts from event where kind = 'token:issue' and by = :id", id=world.client_id)


def details(**fields):
    return json.dumps([{"type": "dataset_access", "identifier": "parking-records", **fields}])


def post(app, data, headers=None, path="/oauth/token", **environ):
    data = MultiDict(data) if isinstance(data, list) else data
    return app.test_client().post(path, data=data, headers=headers, base_url=ORIGIN, environ_overrides=environ)


# ---- who gets one ----------------------------------------------------------------------------------------------------


def test_a_secret_in_the_header_wins_a_token_for_the_live_grants(world):
    answer = world.ask_token(scope="data.read")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json
    assert told["token_type"] == "Bearer" and told["scope"] == "data.read"
    assert told["access_token"].startswith("qta_") and len(told["access_token"]) >= 47
    assert told["authorization_details"] == [
        {
            "type": "dataset_access", "identifier": "parking-records", "actions": ["read"],
            "columns": ["lot_id", "entry_time", "duration_min"], "locations": [f"{ORIGIN}/api/v1"],
            "grant": world.grant,
        }
    ]  # fmt: skip
    assert world.rows(told["access_token"]).status_code == 200


def test_the_parts_of_the_header_may_be_form_encoded(world):
    encoded = "".join(f"%{byte:02X}" for byte in world.client_id.encode()) + ":"
    encoded += "".join(f"%{byte:02x}" for byte in world.secret.encode())
    assert world.ask_token(basic=encoded).status_code == 200


def test_a_secret_in_the_body_does_as_well(world):
    form = {"grant_type": "client_credentials", "client_id": world.client_id, "client_secret": world.secret}
    assert post(world.app, form).status_code == 200


def test_every_token_is_another_one(world):
    assert world.token() != world.token()


def test_wrong_secret_unknown_and_disabled_client_get_the_same_answer(world):
    answers = [world.ask_token(basic=f"{world.client_id}:wrong"), world.ask_token(basic=f"{NOBODY}:{world.secret}")]
    manager = world.login("lake-manager")
    assert manager.post(f"/clients/{world.client_id}/disabling").status_code == 303
    answers.append(world.ask_token())
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert answers[0].json["error"] == "invalid_client"
    for answer in answers:
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Qiantang-Problem"] == "invalid-client"


def test_a_new_secret_ends_the_old_one_and_what_it_won(world):
    token, manager = world.token(), world.login("lake-manager")
    shown = manager.post(f"/clients/{world.client_id}/secrets")
    secret = shown.text.split('id="client-secret">')[1].split("<")[0]
    assert shown.headers["Cache-Control"] == "no-store"
    assert world.ask_token().status_code == 401
    assert world.rows(token).headers["Qiantang-Problem"] == "token-revoked"
    assert world.ask_token(basic=f"{world.client_id}:{secret}").status_code == 200


@pytest.mark.parametrize("login", ["lake-apply", "tide-manager", "transport-1", "authority-1", "operator-1"])
def test_only_the_units_manager_touches_its_systems(world, login):
    browser = world.login(login)
    for path in (f"/clients/{world.client_id}/secrets", f"/clients/{world.client_id}/disabling"):
        assert browser.post(path).status_code in (403, 404)
    assert browser.post(f"/grants/{world.grant}/clients", data={"name": "别人的系统"}).status_code in (403, 404)
    allowing = browser.post(f"/grants/{world.grant}/clients/allowed", data={"client_id": world.client_id})
    assert allowing.status_code in (403, 404)
    assert world.ask_token().status_code == 200


def test_a_client_uses_its_own_units_grants_only(world):
    other = world.another_client(world.another_grant("parking-records", ["lot_id"], unit="firm-tide"))
    assert world.login("tide-manager").post(
        f"/grants/{world.grant}/clients/allowed", data={"client_id": other.split(":")[0]}
    ).status_code == 404  # fmt: skip
    told = world.ask_token(basic=other).json["authorization_details"]
    assert [one["columns"] for one in told] == [["lot_id"]]


# ---- malformed requests ----------------------------------------------------------------------------------------------


def malformed(world):
    """Return malformed requests as (form, headers, query), by the status and the code that they must be told."""
    basic = {"Authorization": basic_header(f"{world.client_id}:{world.secret}")}
    ask, both = {"grant_type": "client_credentials"}, {"client_id": world.client_id, "client_secret": world.secret}
    jwt = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    deep = "[" * 20_000
    return {
        (400, "invalid_request"): [
            ([*ask.items(), ("scope", "data.read"), ("scope", "data.read")], basic, ""),
            ([*ask.items(), *ask.items()], basic, ""),
            ({}, basic, "grant_type=client_credentials"),
            (ask, {}, f"client_id={world.client_id}&client_secret={world.secret}"),
        ],
        (400, "unsupported_grant_type"): [
            ({"grant_type": "password", "username": "u", "password": "p"}, basic, ""),
            ({}, basic, ""),
        ],
        (400, "invalid_scope"): [
            (ask | {"scope": scope}, basic, "") for scope in ("data.write", "data.read openid", " ", "DATA.READ")
        ],
        (400, "invalid_authorization_details"): [
            (ask | {"authorization_details": text}, basic, "")
            for text in (deep, deep[:5_000], "[Infinity]", "[]", "", '[{"type": ["dataset_access"]}]')
        ],
        (401, "invalid_client"): [
            (ask | both, basic, ""),  # two mechanisms
            (ask | {"client_id": NOBODY}, basic, ""),
            (ask, {}, ""),
            (ask | {"client_id": world.client_id}, {}, ""),
            (ask | jwt | {"client_assertion": deep}, {}, ""),
            (ask, {"Authorization": basic_header(b"\xff\xfe:\xff")}, ""),
            (ask, {"Authorization": basic_header(f"{world.client_id}:密码")}, ""),
            (ask, {"Authorization": "Basic ###"}, ""),
            (ask, {"Authorization": world.secret}, ""),
        ],
    }


def test_a_malformed_request_is_refused_with_the_code_of_the_standard(world):
    for expected, asked in malformed(world).items():
        for form, headers, query in asked:
            cache.connect("memory://")  # nobody is slowed down here
            answer = post(world.app, form, headers, f"/oauth/token?{query}")
            assert (answer.status_code, answer.json["error"]) == expected, (form, headers, query)
            assert answer.headers["Cache-Control"] == "no-store"
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
            assert world.secret not in answer.text


def test_json_is_no_form_and_get_is_no_way_to_ask(world):
    asked = {"grant_type": "client_credentials", "client_id": world.client_id, "client_secret": world.secret}
    answer = world.app.test_client().post("/oauth/token", json=asked, base_url=ORIGIN)
    assert answer.status_code == 400 and "access_token" not in answer.text
    assert world.get("/oauth/token").status_code == 405


def test_an_empty_scope_counts_as_none(world):
    assert world.ask_token(scope="").json["scope"] == "data.read"


NAMES = ["grant_type", "scope", "client_id", "client_secret", "authorization_details", "resource"]
VALUES = ["client_credentials", "data.read", "", "[]", "{}", '[{"type":1}]', "\0"]
texts = st.text(max_size=40) | st.sampled_from(VALUES)
documents = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5).map(json.dumps)
forms = st.dictionaries(st.sampled_from(NAMES) | texts, texts | documents, max_size=5)
headers_seen = st.binary(max_size=60) | st.binary(max_size=40).map(lambda raw: basic_header(raw).encode())


@bounded
@given(form=forms, genuine=st.booleans())
def test_no_form_breaks_the_endpoint(world, form, genuine):
    cache.connect("memory://")
    headers = {"Authorization": basic_header(f"{world.client_id}:{world.secret}")} if genuine else {}
    answer = post(world.app, {"grant_type": "client_credentials"} | form if genuine else form, headers)
    assert answer.status_code in (200, 400, 401)
    assert ("access_token" in answer.json) == (answer.status_code == 200)


@bounded
@given(header=headers_seen, body=st.binary(max_size=60))
def test_no_bytes_break_the_endpoint_on_either_database(app, header, body):
    cache.connect("memory://")
    line = header.decode("latin-1").translate({13: 32, 10: 32})
    kinds = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "HTTP_AUTHORIZATION": line}
    answer = post(app, b"grant_type=client_credentials&" + body, **kinds)
    assert answer.status_code in (400, 401)


# ---- for what, for how long ------------------------------------------------------------------------------------------


def test_details_narrow_a_token_and_never_widen_it(world):
    second = _second(world)
    both = world.ask_token().json["authorization_details"]
    assert {one["grant"] for one in both} == {world.grant, second}
    narrow = world.ask_token(authorization_details=details()).json
    assert [one["grant"] for one in narrow["authorization_details"]] == [world.grant]
    assert world.rows(narrow["access_token"]).status_code == 200
    refused = world.rows(narrow["access_token"], dataset="road-traffic-15min")
    assert (refused.status_code, refused.headers["Qiantang-Problem"]) == (403, "grant-missing")
    assert world.rows(world.token(), dataset="road-traffic-15min").status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        details(identifier="passing-records"),
        details(identifier="no-such-thing"),
        details(columns=["lot_id", "plate"]),
        details(actions=["write"]),
        details(locations=["https://elsewhere.example/"]),
        details(grant="x"),
        details(type="account_information"),
        "{}",
        "not json",
        json.dumps([json.loads(details())[0], {"type": "dataset_access", "identifier": "passing-records"}]),
    ],
)
def test_details_that_cannot_be_had_are_refused_whole(world, asked):
    answer = world.ask_token(authorization_details=asked)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_authorization_details")
    assert not tokens(world)


def test_a_token_lives_an_hour_at_most(world):
    assert 3590 <= world.ask_token().json["expires_in"] <= 3600


def test_a_token_ends_with_the_first_of_its_grants(world):
    _second(world, ends_at=world.now() + timedelta(minutes=10))
    assert 590 <= world.ask_token().json["expires_in"] <= 600
    alone = world.ask_token(authorization_details=details()).json
    assert 3590 <= alone["expires_in"] <= 3600
    late = 'select 1 from token t join tokengrant b on b.token_digest = t.digest join "grant" g on g.id = b.grant_id'
    assert len(world.found(f"{late} where t.client_id = :id", id=world.client_id)) == 3
    assert not world.found(f"{late} where t.expires_at > g.ends_at")


# ---- dead grants -----------------------------------------------------------------------------------------------------


def refused(answer, slug):
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert answer.json["error_description"].startswith(f"{slug}: ")
    assert answer.json["error_description"].isascii()
    assert answer.headers["Qiantang-Problem"] == slug


def test_a_suspended_grant_wins_nothing_until_it_is_lifted(world):
    world.suspend()
    refused(world.ask_token(), "grant-suspended")
    lifted = world.login("authority-1").delete(f"/api/v1/grants/{world.grant}/suspension")
    assert lifted.status_code == 200
    assert world.ask_token().status_code == 200


def test_an_ended_grant_wins_nothing_although_no_job_has_run(world):
    clock.set_shift(timedelta(days=400))
    refused(world.ask_token(), "grant-ended")


def test_a_grant_that_has_not_begun_wins_nothing(world):
    clock.set_shift(timedelta(days=-80))  # the demo's service began 90 days ago
    refused(world.ask_token(), "grant-not-started")


def test_a_grant_in_its_last_second_counts_as_ended(world):
    (ends,) = world.found('select ends_at from "grant" where id = :id', id=world.grant)[0]
    clock.set_shift(_instant(ends) - world.now() - timedelta(milliseconds=400))
    refused(world.ask_token(), "grant-ended")


def test_a_client_without_grants_wins_nothing(world):
    world.change("delete from clientgrant")
    refused(world.ask_token(), "grant-missing")


def test_a_live_grant_is_served_beside_a_dead_one(world):
    second = _second(world)
    world.suspend()
    assert [one["grant"] for one in world.ask_token().json["authorization_details"]] == [second]
    answer = world.ask_token(authorization_details=details())
    assert answer.json["error"] == "invalid_authorization_details"


# ---- what nobody sees ------------------------------------------------------------------------------------------------


def test_neither_token_nor_secret_is_kept_in_clear(world):
    token = world.token()
    world.rows(token)
    made = world.login("lake-manager").post(f"/grants/{world.grant}/clients", data={"name": "停车预测模型"})
    secret = made.text.split('id="client-secret">')[1].split("<")[0]
    kept = [file for file in world.settings.home.rglob("*") if file.is_file() and file.name != "demo.json"]
    assert any(file.name.startswith("qiantang.db") for file in kept)
    for file in kept:
        held = file.read_bytes()
        for word in (token, secret, world.secret):
            assert word.encode() not in held and word[4:].encode() not in held, file


def test_issuing_leaves_an_event_that_names_client_and_grants(world):
    world.token()
    ((facts,),) = issued(world)
    assert json.loads(facts) == {"client": world.client_id, "grants": [world.grant]}


def test_refused_requests_leave_no_token_and_no_event(world):
    world.ask_token(basic=f"{world.client_id}:wrong")
    world.suspend()
    world.ask_token()
    assert not issued(world)
    assert not tokens(world)


def test_no_log_line_holds_a_token_or_a_secret_even_at_debug(world, capsys):
    class Raw(logging.Handler):
        def emit(self, record):
            raw.append(f"{record.getMessage()} {record.__dict__.get('fields')} {record.exc_text}")

    raw: list[str] = []
    log.configure("DEBUG")
    logging.getLogger().addHandler(unmasked := Raw())
    try:
        token = world.token()
        world.rows(token)
        world.rows("qta_" + "x" * 43)
        world.ask_token(basic=f"{world.client_id}:{world.secret}x")
        world.get(f"/api/v1/datasets/{world.dataset}/rows?access_token={token}")
        post(world.app, {"client_id": world.client_id, "client_secret": world.secret})
    finally:
        logging.getLogger().removeHandler(unmasked)
        log.configure("ERROR")
    lines = capsys.readouterr().err
    assert lines.count("answered") == 6 and len(raw) >= 6
    for held in (lines, "\n".join(raw)):
        assert token[4:] not in held and world.secret[4:] not in held and "x" * 20 not in held


# ---- throttling ------------------------------------------------------------------------------------------------------


def test_guessing_is_slowed_down_for_the_one_who_guesses(world):
    guesses = [world.ask_token(basic=f"{world.client_id}:{number}").status_code for number in range(20)]
    assert set(guesses) == {401}
    slowed = world.ask_token()
    assert slowed.status_code == 429
    assert 1 <= int(slowed.headers["Retry-After"]) <= 60
    assert slowed.json["error"] == "temporarily_unavailable"
    form = {"grant_type": "client_credentials", "client_id": world.client_id, "client_secret": world.secret}
    assert post(world.app, form, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_guessing_many_clients_from_one_address_is_slowed_down_too(world):
    for _ in range(60):
        assert world.ask_token(basic=f"c-{new_id(world.now())}:x").status_code == 401
    assert world.ask_token().status_code == 429


def test_right_requests_are_never_counted(world):
    assert {world.ask_token().status_code for _ in range(30)} == {200}


# ---- metadata --------------------------------------------------------------------------------------------------------


def test_clients_find_the_endpoint_by_its_metadata(world):
    server = world.get("/.well-known/oauth-authorization-server").json
    assert server["issuer"] == ORIGIN and server["token_endpoint"] == f"{ORIGIN}/oauth/token"
    resource = world.get("/.well-known/oauth-protected-resource").json
    assert resource["authorization_servers"] == [ORIGIN]


def _second(world, **changes):
    return world.another_grant("road-traffic-15min", _columns(world, "road-traffic-15min")[:2], **changes)


def _columns(world, dataset):
    rows = world.found("select name from datasetcolumn where dataset_id = :id order by position", id=dataset)
    return [name for (name,) in rows]


def _instant(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
