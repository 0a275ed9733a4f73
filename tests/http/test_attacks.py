"""Attacks that must stay without effect: on what is not one's own, on decisions, on the browser, on the page.

Two firms, officers of another source unit and a visitor go over every id in every address; what an attacker could
plant in a text is looked for wherever it is shown.
"""

import base64
import itertools
import json
import re

import pytest
from sqlmodel import select

from service.app import access_of
from service.applications import store as applications
from service.applications.rules import StepName
from service.applications.tables import Application, Decision
from service.audit import store as audit
from service.audit.rules import salted
from service.base import clock, db
from service.base.roles import Role
from service.grants.tables import Grant
from service.people import store as people
from service.people.tables import LoginSession
from tests.http.conftest import ORIGIN

PLANTED = "\"><script>alert(1)</script>'{{7*7}}${7*7}<img src=x onerror=alert(2)>"
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
# Bodies that would go through if the caller were the one they should be.
FORMS = {
    "grants.suspend": {"cause": "来路不明的暂停"}, "grants.lift": {"reason": "来路不明的恢复"},
    "oauth.create_client": {"name": "来路不明的系统"}, "people.set_roles": {"roles": ["applicant", "manager"]},
    "drafts.submit": {"version": "0"}, "applications.withdraw": {"version": "0"},
    "applications.decide": {"verb": "refuse", "version": "1", "reason": "来路不明的决定"},
    "people.confirm": {"evidence": "来路不明的证明"},
}  # fmt: skip
BODIES = {
    "grants_api.suspend": {"cause": "来路不明的暂停"}, "applications_api.submit": {"version": 0},
    "applications_api.withdraw": {"version": 0},
    "applications_api.decide": {"verb": "refuse", "version": 1, "reason": "来路不明的决定"},
    "applications_api.sign": {"version": 1, "digest": "0" * 64},
}  # fmt: skip


def drafted(world, browser, **changes) -> str:
    """Make a draft that can be submitted; return its id."""
    draft = {
        "dataset": world.dataset, "columns": ["lot_id", "entry_time", "vehicle_type"],
        "purpose": "analytics.operations", "statement": "分析停车场周转，优化车位引导", "delivery": "download",
        "cross_border": "no", "onward_sharing": "no", "security_officer": "负责人", "mlps": "mlps3",
        "storage": "本市机房", "incidents": "no", "members": "甲",
    }  # fmt: skip
    answer = browser.post("/api/v1/applications", json=draft | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def submitted(world, browser, **changes) -> str:
    case = drafted(world, browser, **changes)
    answer = browser.post(f"/api/v1/applications/{case}/submission", json={"version": 0})
    assert answer.status_code == 201, answer.text
    return case


def decide(browser, case, **body):
    here = browser.get(f"/api/v1/applications/{case}").json
    return browser.post(
        f"/api/v1/applications/{case}/decisions",
        json={"verb": "approve", "version": here["version"], "reason": "符合开放条件", "lists": here["lists"]} | body,
    )


def approved(world, browser, **changes) -> str:
    case = submitted(world, browser, **changes)
    for officer in ("transport-1", "authority-1"):
        answer = decide(world.login(officer), case)
        assert answer.status_code == 201, answer.text
    return case


def signing(browser, case) -> dict[str, object]:
    """Return the body that signs a case's agreement."""
    told = browser.get(f"/api/v1/applications/{case}/agreement").json
    return {"version": told["version"], "digest": told["digest"]}


def state_of(case: str) -> str:
    with db.reading() as session:
        return applications.application(session, case).state


# ---- whose is it: every id in every address -------------------------------------------------------------------------


@pytest.fixture
def theirs(world):
    """Ids of the firm by the lake, by the name that the router gives them: drafts, cases, grants, systems, people."""
    manager = world.login("lake-manager")
    cases = [drafted(world, manager, columns=["lot_id"]), submitted(world, manager), approved(world, manager,
             columns=["lot_id", "duration_min"])]  # fmt: skip
    with db.reading() as session:
        granted = session.exec(select(Grant.application_id).where(Grant.id == world.grant)).one()
        members = [person.id for person in people.persons_of(session, "firm-lake")]
        sessions = session.exec(select(LoginSession.id_hash).where(LoginSession.person_id.in_(members))).all()
    page = manager.get("/notices").text
    refused = world.rows(world.token(), "?limit=0")
    assert refused.json["type"].endswith("bad-parameter")
    return {
        "id": [*cases, granted], "grant_id": [world.grant], "client_id": [world.client_id], "unit_id": ["firm-lake"],
        "person_id": members, "id_hash": sessions, "notice_id": re.findall(r"/notices/(\w+)/reading", page)[:2],
        "request_id": [refused.headers["X-Request-Id"]],
        "name": ["curl.sh", "data.csv", "data.parquet"],
    }  # fmt: skip


def _addresses(world, ids):
    """Yield (rule, method, path) for every route that names something of a unit's."""
    for rule in world.app.url_map.iter_rules():
        named = sorted(rule.arguments)
        if rule.endpoint == "theme":  # its name is a colour's, and anybody's
            continue
        if not named or not set(named) <= set(ids) or access_of(world.app.view_functions[rule.endpoint]) is None:
            continue
        for values in itertools.product(*(ids[name] for name in named)):
            path = rule.rule
            for name, value in zip(named, values, strict=True):
                path = re.sub(rf"<(?:\w+:)?{name}>", value, path)
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                yield rule.endpoint, method, path


def _ask(browser, endpoint, method, path):
    given = {"json": BODIES[endpoint]} if endpoint in BODIES else {}
    if not given and method in CHANGING:
        given = {"data": FORMS.get(endpoint, {})}
    return browser.open(path, method=method, **given)


def test_nothing_of_another_unit_answers_to_any_address(world, theirs):
    """Not to the other firm's manager and applicant, nor a steward of another source unit, nor a visitor."""
    walked = list(_addresses(world, theirs))
    assert len({endpoint for endpoint, _method, _path in walked}) >= 30
    strangers = {login: world.login(login) for login in ("tide-manager", "tide-apply", "health-1")}
    strangers[""] = world.visitor()
    owner = world.login("lake-manager")
    own = {endpoint for endpoint, method, path in walked if method == "GET" and owner.get(path).status_code == 200}
    assert len(own) >= 9  # the addresses are real ones
    before, opened = _events(), []
    for (login, stranger), (endpoint, method, path) in itertools.product(strangers.items(), walked):
        answer = _ask(stranger, endpoint, method, path)
        entered = answer.status_code == 303 and answer.location.startswith("/login")
        if not entered and answer.status_code not in (401, 403, 404, 422):
            opened.append((login, method, path, answer.status_code))
        for secret in (world.grant, world.client_id, "示例湖光"):
            assert secret not in answer.text.replace(path, ""), (login, method, path)
    assert opened == []
    assert _events() == before


def _events() -> int:
    with db.reading() as session:
        return len(audit.events(session, limit=1000))


def test_what_is_anothers_and_what_is_not_there_answer_alike(world, theirs):
    stranger = world.login("tide-manager")
    for endpoint, method, path in _addresses(world, theirs):
        wanted = access_of(world.app.view_functions[endpoint]).roles
        if not wanted & {Role.APPLICANT, Role.MANAGER}:
            continue
        nobody = path
        for value in itertools.chain(*(ids for name, ids in theirs.items() if name != "name")):
            nobody = nobody.replace(value, value[:-2] + ("00" if value[-2:] != "00" else "11"))
        real, none = (_ask(stranger, endpoint, method, each) for each in (path, nobody))
        assert real.status_code == none.status_code, (method, path)
        if real.is_json:
            unlike = ("instance", "request_id")
            assert [{k: v for k, v in one.json.items() if k not in unlike} for one in (real,)] == [
                {k: v for k, v in none.json.items() if k not in unlike}
            ]


def test_lists_hold_ones_own_only(world, theirs):
    stranger = world.login("tide-manager")
    for path in ("/applications", "/api/v1/applications", "/grants", "/api/v1/grants", "/notices", "/unit", "/account"):
        shown = stranger.get(path).text
        assert not [one for name in ("id", "grant_id", "client_id", "person_id", "id_hash") for one in theirs[name]
                    if one in shown], path  # fmt: skip


def test_an_auditor_and_an_operator_change_nothing_of_a_case_or_a_grant(world, theirs):
    for login in ("auditor-1", "operator-1"):
        officer = world.login(login)
        for endpoint, method, path in _addresses(world, theirs):
            if method in CHANGING:
                assert _ask(officer, endpoint, method, path).status_code in (401, 403, 404), (login, method, path)
    assert [state_of(case) for case in theirs["id"]] == ["draft", "in_review", "approved", "granted"]


# ---- more than was granted ------------------------------------------------------------------------------------------


def test_boxes_that_were_all_unticked_are_not_all_columns(world):
    """An officer who keeps no column must not grant every one of them."""
    firm, steward = world.login("tide-apply"), world.login("transport-1")
    case = submitted(world, firm)
    here = firm.get(f"/api/v1/applications/{case}").json
    for verb in ("approve", "narrow"):
        form = {"verb": verb, "version": here["version"], "reason": "只缩短期限", "lists": here["lists"]}
        form |= {"ends_on": "2026-12-31"} if verb == "narrow" else {}
        answer = steward.post(f"/applications/{case}/decisions", data=form)
        assert answer.status_code == 422, verb
    assert state_of(case) == "in_review"
    with db.reading() as session:
        assert applications.application(session, case).step == 0


def test_fields_that_are_not_of_the_form_are_refused_and_keep_nothing(world):
    firm = world.login("tide-apply")
    for extra in ({"state": "approved"}, {"unit_id": "firm-lake"}, {"step": 1}, {"route": {}}, {"drafted_by": "x"}):
        assert firm.post("/api/v1/applications", json={"dataset": world.dataset} | extra).status_code == 422
    case = drafted(world, firm)
    path = f"/applications/{case}/draft/purpose"
    assert firm.post(path, data={"statement": "另一用途", "state": "granted", "purpose": "research"}).status_code == 422
    with db.reading() as session:
        kept = applications.application(session, case)
        assert (kept.state, kept.draft["purpose"]) == ("draft", "analytics.operations")


@pytest.mark.parametrize("changed", ["state = 'draft'", "openness = 'prohibited'", "openness = 'unconditional'"])
def test_a_dataset_that_is_not_openly_restricted_now_is_neither_agreed_to_nor_signed_for(world, changed):
    """What was closed, or loaded anew and not yet published, cannot be granted by finishing an old case."""
    firm = world.login("tide-manager")
    waiting = submitted(world, firm, columns=["lot_id"])
    case = approved(world, firm)
    body = signing(firm, case)
    world.change(f"UPDATE dataset SET {changed} WHERE id = :id", id=world.dataset)
    assert decide(world.login("transport-2"), waiting).status_code == 409
    answer = firm.post(f"/api/v1/applications/{case}/agreement", json=body)
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (409, "dataset-not-open")
    assert (state_of(waiting), state_of(case)) == ("in_review", "approved")


def test_a_version_beyond_what_a_database_counts_is_refused(world):
    firm = world.login("tide-apply")
    case = drafted(world, firm)
    for path in ("submission", "withdrawal"):
        for version in (2**31, 2**63, 10**30, -1):
            answer = firm.post(f"/api/v1/applications/{case}/{path}", json={"version": version})
            assert answer.status_code == 422, (path, version)


def test_cursors_are_ours_and_of_this_grant(world):
    token = world.token()
    cursor = world.rows(token, "?limit=5&select=lot_id").json["next"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    body = json.dumps([0, "lot_id", "plate"]).encode()
    forged = [bytes(raw[:16]) + body, b"\0" * 16 + body, body, b"", bytes(raw[:-1]) + b"}"]
    for one in forged[:3] + forged[4:]:
        text = base64.urlsafe_b64encode(one).decode().rstrip("=")
        assert world.rows(token, f"?cursor={text}").status_code == 410
    assert world.rows(token, f"?cursor={cursor}&select=plate").status_code == 403
    assert world.rows(token, f"?cursor={cursor}&select=entry_time").status_code == 400


DEAD = {
    "suspended": None, "ended": "UPDATE \"grant\" SET ends_at = '2026-01-02 00:00:00' WHERE id = :id",
    "not started": "UPDATE \"grant\" SET starts_at = '2090-01-02 00:00:00' WHERE id = :id",
}  # fmt: skip


@pytest.mark.parametrize("how", DEAD)
def test_a_dead_grant_is_dead_on_every_face_and_by_every_method(world, how):
    token = world.token()
    etag = world.file(token).headers["ETag"]
    if DEAD[how] is None:
        world.suspend()
    else:
        world.change(DEAD[how], id=world.grant)
    asked = {"HEAD": {}, "GET": {}}
    headers = [{}, {"Range": "bytes=0-9"}, {"If-None-Match": etag}, {"If-None-Match": "*"},
               {"If-Range": etag, "Range": "bytes=0-9"}]  # fmt: skip
    for method, name, extra in itertools.product(asked, ("rows", "files/data.csv", "files/data.parquet"), headers):
        answer = world.app.test_client().open(
            f"/api/v1/datasets/{world.dataset}/{name}", method=method, base_url=ORIGIN,
            headers={"Authorization": f"Bearer {token}", **extra},
        )  # fmt: skip
        assert answer.status_code == 403, (method, name, extra)
        assert "ETag" not in answer.headers and "Content-Range" not in answer.headers
        assert answer.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize("path", [
    "rows", "files/data.csv", "files/data.parquet", "files/..%2f..%2fraw", "files/data.csv%00.parquet",
    "files/view.csv",
])  # fmt: skip
def test_every_gated_answer_errors_too_is_kept_by_no_cache_and_sniffed_by_no_browser(world, path):
    for token in (None, "qta_" + "x" * 43, world.token()):
        for headers in ({}, {"Range": "bytes=99999999999-"}, {"Range": "bytes=0-0,2-3"}):
            answer = world.get(f"/api/v1/datasets/{world.dataset}/{path}", token, **headers)
            assert answer.headers["Cache-Control"].startswith("private"), answer.status_code
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("header", [
    "bytes=-0", "bytes=5-2", "bytes=0-0,0-0", "bytes=-99999999999999999999999", "bytes=" + "9" * 5000 + "-",
    "bytes=٣-٤",    "bytes=--1", "rows=0-1", "bytes=0x1-2", "bytes=1-" + "9" * 4000,
])  # fmt: skip
def test_odd_ranges_give_the_file_a_part_of_it_or_nothing(world, header):
    token, whole = world.token(), world.file(world.token()).data
    answer = world.app.test_client().get(
        f"/api/v1/datasets/{world.dataset}/files/data.csv", base_url=ORIGIN,
        environ_overrides={"HTTP_RANGE": header, "HTTP_AUTHORIZATION": f"Bearer {token}"},
    )  # fmt: skip
    assert answer.status_code in (200, 206, 416)
    assert answer.status_code == 416 or answer.data in whole


def test_metadata_tells_no_digest_and_no_place_of_the_raw_data(world):
    with db.reading() as session:
        raw = session.connection().exec_driver_sql("SELECT sha256, blob_key FROM datasetpart").all()
    paths = ["/api/v1/datasets", f"/api/v1/datasets/{world.dataset}", f"/datasets/{world.dataset}", "/register"]
    for browser in (world.visitor(), world.login("tide-apply")):
        for path in paths:
            shown = browser.get(path).text
            assert not [word for row in raw for word in row if word in shown], path


# ---- the browser ----------------------------------------------------------------------------------------------------


def test_no_other_site_begins_a_session_in_a_browser_by_registering(world):
    """A registration logs the browser in: from another site it would be a login of the attacker's choosing."""
    form = {"kind": "enterprise", "name": "他站所立单位", "uscc": "91330000755918469E", "person_name": "某",
            "login": "planted.here", "password": "correct horse battery"}  # fmt: skip
    crossing = [{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "null"},
                {"Origin": "https://evil.example"}, {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}, {}]  # fmt: skip
    for headers in crossing:
        answer = world.app.test_client().post("/units", data=form, base_url=ORIGIN, headers=headers)
        assert answer.status_code == 403, headers
        assert "Set-Cookie" not in answer.headers


def test_no_change_with_a_session_comes_from_another_site_whatever_its_body_is_called(world):
    firm = world.login("tide-manager")
    changing = [(rule, method) for rule in world.app.url_map.iter_rules() for method in rule.methods & CHANGING]
    assert len(changing) >= 30
    for rule, method in changing:
        if rule.rule.startswith("/oauth/"):
            continue
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
            answer = firm.open(path, method=method, data=b"{}", headers={
                "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Content-Type": kind})  # fmt: skip
            assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "cross-site"), (method, path)


def test_json_that_calls_itself_text_is_no_json(world):
    firm = world.login("tide-apply")
    body = json.dumps({"dataset": world.dataset})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "text/plain; application/json"):
        assert firm.post("/api/v1/applications", data=body, content_type=kind).status_code == 422


@pytest.mark.parametrize("body", [
    '{"dataset": "flights", "dataset": "parking-records"}', '{"dataset": "parking-records", "columns": NaN}',
    '{"dataset": "parking-records", "objections": {"plate": "x", "plate": "y"}}', "[" * 200_000, '{"a":' * 50_000,
    '"parking-records"', "", "\ufeff{}", '{"dataset": "\\ud800"}', '{"dataset": 1e999}',
    '{"dataset": 1' + "0" * 5000 + "}",
])  # fmt: skip
def test_json_that_two_readers_could_read_in_two_ways_is_no_json(world, body):
    firm = world.login("tide-apply")
    for path in ("/api/v1/applications", "/login"):
        answer = firm.post(path, data=body.encode(), content_type="application/json")
        assert answer.status_code == 422, path


def test_no_address_breaks_the_way_to_the_login(world):
    for path in ("/applications/a%0d%0aSet-Cookie:x=1", "/applications/a%0Ab", "/applications/a%26next=%2f%2fevil.com",
                 "/applications/a%23b", "/applications/%ed%a0%80"):  # fmt: skip
        answer = world.visitor().get(path)
        assert answer.status_code in (303, 404), path
        assert "Set-Cookie" not in answer.headers
        if answer.status_code == 303:
            assert answer.location.startswith("/login?next=/applications/")
            assert answer.location.count("&") == 0


def test_pages_of_somebody_are_kept_by_no_cache_refusals_too(world):
    firm = world.login("tide-apply")
    for path in ("/applications", "/applications/nothing", "/inbox", "/grants", f"/grants/{world.grant}", "/nowhere"):
        assert firm.get(path).headers["Cache-Control"].startswith("private"), path
    assert world.visitor().get("/applications").headers["Cache-Control"].startswith("private")


# ---- what is planted ------------------------------------------------------------------------------------------------


def test_no_text_that_somebody_wrote_becomes_markup_anywhere(world):
    manager = world.login("lake-manager")
    assert manager.post("/account/name", data={"name": PLANTED[:60]}).status_code == 303
    assert manager.post("/unit/persons", data={"login": "planted.too", "name": PLANTED[:60], "roles": ["applicant"],
                        "password": "correct horse battery"}).status_code == 303  # fmt: skip
    assert manager.post(f"/grants/{world.grant}/clients", data={"name": PLANTED[:60]}).status_code == 200
    world.change("UPDATE unit SET name = :text, name_en = :text WHERE id = 'firm-lake'", text=PLANTED)
    case = submitted(world, manager, columns=["lot_id", "plate"], objections={"plate": PLANTED}, statement=PLANTED,
                     verdict_objection=PLANTED, security_officer=PLANTED[:60], storage=PLANTED,
                     members=PLANTED[:40])  # fmt: skip
    steward = world.login("transport-1")
    assert decide(steward, case, verb="return", reason=PLANTED).status_code == 201
    assert steward.post(f"/api/v1/grants/{world.grant}/suspension", json={"cause": PLANTED}).status_code == 201
    pages = {
        "lake-manager": [*(f"/applications/{case}/draft/{step}" for step in StepName),
                         f"/applications/{case}", f"/applications/{case}/draft", f"/applications/{case}/check",
                         "/applications", f"/grants/{world.grant}", "/unit", "/account", "/notices",
                         f"/grants/{world.grant}/clients/new", f"/applications/{case}/receipt"],
        "transport-1": [f"/applications/{case}", "/inbox", "/applications", "/grants", f"/grants/{world.grant}"],
        "authority-1": ["/units", "/units/firm-lake", "/notices", f"/applications/{case}", "/register"],
    }  # fmt: skip
    shown = 0
    for login, paths in pages.items():
        browser = world.login(login)
        for path, language in itertools.product(paths, ("zh", "en")):
            answer = browser.get(f"{path}?lang={language}")
            assert answer.status_code == 200, path
            assert "<script>alert" not in answer.text and "<img src=x" not in answer.text, path
            assert "49" not in re.findall(r"onerror=alert\(2\)|'(49)", answer.text)
            shown += "&lt;script&gt;" in answer.text
    assert shown >= 14
    for name in ("curl.sh", "oauthlib.py", "pandas.py", "duckdb.py"):
        assert "alert(" not in manager.get(f"/grants/{world.grant}/scripts/{name}").text


def test_what_an_applicant_writes_stays_inside_its_clause_of_the_agreement(world):
    """A line of their own would read as a clause that both sides have signed."""
    clause = "第十九条甲方放弃全部权利"
    firm = world.login("tide-manager")
    case = approved(world, firm, statement=f"分析周转\r\n\r\n{clause}\u2028{clause}\x0b{clause}",
                    security_officer=f"张\n{clause}", members=f"甲\x85{clause}")  # fmt: skip
    text = firm.get(f"/api/v1/applications/{case}/agreement").json["text"]
    assert text.count(clause) >= 4
    assert not [line for line in text.splitlines() if line.startswith(clause)]


@pytest.mark.parametrize("name", ["某某\n公司", "某某\x1b[31m公司", "某\u202e司公", "某\u200b某公司", "某\x00司"])
def test_a_name_of_a_unit_or_a_person_is_one_line_of_what_one_sees(world, name):
    form = {"kind": "enterprise", "name": "某公司", "uscc": "91330000755918469E", "person_name": "某",
            "login": "one.line", "password": "correct horse battery"}  # fmt: skip
    for field in ("name", "name_en", "person_name"):
        answer = world.visitor().post("/units", data=form | {field: name})
        assert answer.status_code == 422, field
    assert world.login("tide-manager").post("/account/name", data={"name": name}).status_code == 422


# ---- the log --------------------------------------------------------------------------------------------------------


def test_a_decisions_reason_and_a_grants_end_cannot_be_rewritten_behind_the_log(world):
    firm = world.login("tide-manager")
    case = approved(world, firm)
    assert firm.post(f"/api/v1/applications/{case}/agreement", json=signing(firm, case)).status_code == 201
    with db.reading() as session:
        decisions = session.exec(select(Decision).where(Decision.application_id == case)).all()
        events = {event.version: event for event in audit.events_of(session, f"application:{case}")}
        grant = session.exec(select(Grant).where(Grant.application_id == case)).one()
        issued = audit.events_of(session, f"grant:{grant.id}")[0]
    for decision in decisions:
        told = events[decision.seen_version + 1].facts
        assert told["reason"] == salted(decision.reason, decision.id)
        assert decision.id not in json.dumps(told)  # the salt stays outside
    assert issued.facts["ends_at"] == grant.ends_at.isoformat()
    assert (issued.facts["unit"], issued.facts["delivery"]) == (grant.unit_id, list(grant.delivery))


def test_every_act_on_a_case_and_a_grant_has_its_event(world):
    firm = world.login("tide-manager")
    case = approved(world, firm)
    firm.post(f"/api/v1/applications/{case}/agreement", json=signing(firm, case))
    world.suspend()
    world.login("transport-2").post(f"/grants/{world.grant}/suspension/confirmation")
    world.login("authority-1").post(f"/grants/{world.grant}/suspension/lifting", data={"reason": "已查清"})
    with db.reading() as session:
        acts = [event.kind for event in audit.events_of(session, f"application:{case}")]
        stops = [event.kind for event in audit.events_of(session, f"grant:{world.grant}")]
        whole = session.get(Application, case)
    assert acts == ["application:submit", "application:approve", "application:approve", "application:sign"]
    assert whole is not None and whole.version == len(acts)
    assert stops == ["grant:issue", "grant:suspend", "grant:confirm", "grant:lift"]


def test_no_machine_and_no_stale_login_decides_signs_or_makes_a_credential(world):
    firm, token = world.login("tide-manager"), world.token()
    case = approved(world, firm)
    body = signing(firm, case)
    paths = [f"/api/v1/applications/{case}/decisions", f"/api/v1/applications/{case}/agreement",
             f"/api/v1/grants/{world.grant}/suspension"]  # fmt: skip
    for path in paths:
        answer = world.app.test_client().post(path, json=body, base_url=ORIGIN,
                                              headers={"Authorization": f"Bearer {token}"})  # fmt: skip
        assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "person-required")
    with db.reading() as session:
        now = clock.now(session)
    world.change(
        "UPDATE loginsession SET authenticated_at = :at", at=f"{now.replace(year=now.year - 1):%Y-%m-%d %H:%M:%S}"
    )
    assert firm.post(f"/api/v1/applications/{case}/agreement", json=body).status_code == 401
    assert firm.post(f"/grants/{world.grant}/clients", data={"name": "某系统"}).status_code == 401
    assert state_of(case) == "approved"
