"""Login, sessions and what they are guarded by, through the real application."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from service.base import cache, clock, db
from service.base.db import select
from service.base.roles import Role
from service.people import engine, gate
from service.people.tables import LoginSession, Person
from tests.http.conftest import PASSWORD


def login_of(client) -> str:
    with db.reading() as session:
        return session.get(Person, client.person_id).login


def enter_password(client, login: str, password: str = PASSWORD, **fields: str):
    return client.post("/login", data={"login": login, "password": password, **fields})


def cookie_of(client) -> str:
    return client.get_cookie("qiantang", domain="127.0.0.1").value


def sessions() -> list[LoginSession]:
    with db.reading() as session:
        return list(session.exec(select(LoginSession)).all())


@pytest.fixture
def firm(enter):
    return enter(Role.MANAGER)


def test_a_right_password_opens_a_session_and_goes_on(browser, firm):
    somebody = browser()
    answer = enter_password(somebody, login_of(firm).upper(), next="/datasets?q=停车")
    assert (answer.status_code, answer.location) == (303, "/datasets?q=%E5%81%9C%E8%BD%A6")
    assert somebody.get("/api/v1/me").json["person"]["id"] == firm.person_id


def test_the_cookie_is_closed_to_scripts_and_other_sites(browser, firm):
    header = enter_password(browser(), login_of(firm)).headers["Set-Cookie"]
    assert header.startswith("qiantang=")
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header


def test_on_https_the_cookie_is_bound_to_the_host(app, browser, firm):
    plain = app.extensions["settings"]
    app.extensions["settings"] = plain.model_copy(update={"base_url": "https://127.0.0.1:8000"})
    try:
        stranger = browser()
        stranger.environ_base["HTTP_ORIGIN"] = "https://127.0.0.1:8000"
        header = enter_password(stranger, login_of(firm)).headers["Set-Cookie"]
    finally:
        app.extensions["settings"] = plain
    assert header.startswith("__Host-qiantang=")
    assert "Secure" in header
    assert "Domain" not in header


def test_only_a_digest_of_the_cookie_is_stored(browser, firm):
    somebody = browser()
    enter_password(somebody, login_of(firm))
    cookie = cookie_of(somebody)
    assert len(cookie) == 43
    assert all(cookie not in str(row.model_dump()) for row in sessions())


@pytest.mark.parametrize("login", ["nobody.here", None])
def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(browser, firm, login):
    given = login or login_of(firm)
    answer = enter_password(browser(), given, "wrong password")
    assert answer.status_code == 422
    assert "登录名或密码不正确" in answer.text
    assert f'value="{given}"' in answer.text
    assert "wrong password" not in answer.text
    assert "Set-Cookie" not in answer.headers


def test_the_answer_speaks_the_readers_language(browser):
    answer = enter_password(browser("en"), "nobody.here", "wrong password")
    assert "The login name or the password is wrong" in answer.text


def test_a_program_gets_the_refusal_as_a_problem_document(browser, firm):
    program = browser()
    answer = program.post("/login", json={"login": login_of(firm), "password": "wrong password"})
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (422, "login-failed")
    assert program.post("/login", json={"login": login_of(firm), "password": PASSWORD}).status_code == 303


def test_what_is_missing_or_too_much_is_named(browser):
    answer = browser().post("/login", data={"login": "li.wei", "next": "/grants", "role": "operator"})
    assert answer.status_code == 422
    assert "请填写此项" in answer.text
    assert "不接受" in answer.text
    assert 'value="/grants"' in answer.text


@pytest.mark.parametrize("target", [
    "//evil.example", "/\\evil.example", "https://evil.example/", "\\\\evil.example", "javascript:alert(1)", "evil",
    "/\t/evil",
])  # fmt: skip
def test_the_way_on_never_leaves_the_site(browser, firm, target):
    assert enter_password(browser(), login_of(firm), next=target).location == "/"
    page = browser().get("/login", query_string={"next": target})
    assert 'name="next" value="/"' in page.text


@pytest.mark.parametrize(("site", "origin"), [
    ("cross-site", "http://evil.example"), ("same-site", "http://127.0.0.1:8000"), (None, "http://evil.example"),
    (None, "null"), (None, None),
])  # fmt: skip
@pytest.mark.parametrize("path", ["/login", "/logout", "/account/name"])
def test_another_site_can_neither_log_somebody_in_nor_out_nor_act_for_them(firm, path, site, origin):
    for name, value in (("HTTP_SEC_FETCH_SITE", site), ("HTTP_ORIGIN", origin)):
        firm.environ_base.pop(name)
        if value:
            firm.environ_base[name] = value
    answer = firm.post(path, data={"login": "li.wei", "password": PASSWORD, "name": "冒名"})
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (403, "cross-site")


def test_a_login_changes_the_session_id_and_ends_the_old_session(firm):
    old = cookie_of(firm)
    enter_password(firm, login_of(firm))
    assert cookie_of(firm) != old
    firm.set_cookie("qiantang", old, domain="127.0.0.1")
    assert firm.get("/account").location.startswith("/login")


def test_an_id_planted_before_the_login_is_not_taken_over(browser, firm):
    somebody = browser()
    planted = "A" * 43
    somebody.set_cookie("qiantang", planted, domain="127.0.0.1")
    enter_password(somebody, login_of(firm))
    assert cookie_of(somebody) != planted


def test_logout_ends_the_session_on_the_server(firm):
    cookie = cookie_of(firm)
    assert firm.post("/logout").status_code == 303
    firm.set_cookie("qiantang", cookie, domain="127.0.0.1")
    assert firm.get("/api/v1/me").status_code == 401


def test_logout_without_a_session_is_harmless(visitor):
    assert visitor.post("/logout").status_code == 303


def test_a_session_ends_after_thirty_minutes_without_a_request(firm):
    clock.set_shift(timedelta(minutes=29))
    assert firm.get("/account").status_code == 200
    clock.set_shift(timedelta(minutes=58))
    assert firm.get("/account").status_code == 200
    clock.set_shift(timedelta(minutes=89))
    assert firm.get("/account").location == "/login?next=/account"


def test_a_form_that_is_shown_again_names_what_stood_in_its_way(visitor):
    empty = visitor.post("/login", data={})
    assert (empty.status_code, empty.headers["Qiantang-Problem"]) == (422, "invalid")
    wrong = visitor.post("/login", data={"login": "nobody-1", "password": "not the password"})
    assert (wrong.status_code, wrong.headers["Qiantang-Problem"]) == (422, "login-failed")
    assert "Qiantang-Problem" not in visitor.get("/login").headers


def test_an_act_under_a_session_that_lapsed_asks_for_the_password_again(firm):
    clock.set_shift(timedelta(hours=2))
    lapsed = firm.post("/account/password", data={"password": "a much better one"})
    assert (lapsed.status_code, lapsed.headers["Qiantang-Problem"]) == (401, "fresh-login-required")
    assert firm.get("/api/v1/me").headers["Qiantang-Problem"] == "login-required"


def test_reading_pages_writes_nothing_within_five_minutes(firm):
    before = sessions()
    clock.set_shift(timedelta(minutes=4))
    firm.get("/account")
    assert [row.seen_at for row in sessions()] == [row.seen_at for row in before]
    clock.set_shift(timedelta(minutes=6))
    firm.get("/account")
    assert [row.seen_at for row in sessions()] != [row.seen_at for row in before]


def test_an_old_password_entry_is_asked_for_again_and_once_given_the_act_goes_through(enter):
    manager = enter(Role.MANAGER, ago=timedelta(minutes=16))
    refused = manager.post("/account/password", data={"password": "a much better one"})
    assert (refused.status_code, refused.headers["Qiantang-Problem"]) == (401, "fresh-login-required")
    assert "请重新输入密码" in manager.get("/login?fresh=1").text
    again = enter_password(manager, login_of(manager), next="/account")
    assert (again.status_code, again.location) == (303, "/account")
    assert manager.post("/account/password", data={"password": "a much better one"}).status_code == 303
    assert manager.get("/api/v1/me").json["fresh"] is True


# ---- throttling -----------------------------------------------------------------------------------------------------


def from_address(client, address: str):
    client.environ_base["REMOTE_ADDR"] = address
    return client


def fail(client, login: str, times: int) -> None:
    for _ in range(times):
        assert enter_password(client, login, "wrong password").status_code == 422


def test_after_ten_failures_the_pair_of_login_and_address_must_wait(browser, firm):
    attacker = from_address(browser(), "203.0.113.1")
    fail(attacker, login_of(firm), 10)
    answer = enter_password(attacker, login_of(firm))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    owner = from_address(browser(), "198.51.100.7")
    assert enter_password(owner, login_of(firm)).status_code == 303


def test_right_passwords_are_not_counted(browser, firm):
    for _ in range(12):
        assert enter_password(browser(), login_of(firm)).status_code == 303


def test_one_address_that_tries_many_logins_must_wait(browser):
    attacker = from_address(browser(), "203.0.113.1")
    for number in range(60):
        cache.count(gate.ADDRESS, "login-address", "203.0.113.1")
        assert number < 60
    assert enter_password(attacker, "somebody.else", "wrong password").status_code == 429


def test_many_addresses_against_one_login_leave_its_owner_in(browser, firm):
    owner = from_address(browser(), "198.51.100.7")
    assert enter_password(owner, login_of(firm)).status_code == 303
    for _ in range(30):
        cache.count(gate.EVERYWHERE, "login", login_of(firm))
    fail(owner, login_of(firm), 5)
    assert enter_password(owner, login_of(firm)).status_code == 303
    stranger = from_address(browser(), "203.0.113.9")
    fail(stranger, login_of(firm), 3)
    assert enter_password(stranger, login_of(firm)).status_code == 429
    travelling = from_address(browser(), "192.0.2.44")
    assert enter_password(travelling, login_of(firm)).status_code == 303


def test_when_too_many_passwords_are_checked_at_once_one_is_asked_to_come_again(browser, firm, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", 0.01)
    with engine._slot(), engine._slot():
        answer = enter_password(browser(), login_of(firm))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert enter_password(browser(), login_of(firm)).status_code == 303


def test_a_hash_of_weaker_parameters_is_renewed_at_login(browser, firm):
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    with db.writing() as session:
        session.get(Person, firm.person_id).password_hash = weak
    assert enter_password(browser(), login_of(firm)).status_code == 303
    with db.reading() as session:
        stored = session.get(Person, firm.person_id).password_hash
    assert stored != weak
    assert engine.verify(stored, PASSWORD)
    assert firm.get("/api/v1/me").status_code == 200


# ---- sessions of one's own ------------------------------------------------------------------------------------------


def test_one_sees_ones_sessions_and_ends_the_others(browser, firm):
    other = browser()
    enter_password(other, login_of(firm))
    page = firm.get("/account")
    assert "当前会话" in page.text
    assert "结束其他全部会话" in page.text
    assert firm.post("/account/sessions/revocation").status_code == 303
    assert other.get("/api/v1/me").status_code == 401
    assert firm.get("/api/v1/me").status_code == 200


def test_one_session_is_ended_by_its_own_button_and_nobody_elses_by_any(browser, firm, enter):
    other = browser()
    enter_password(other, login_of(firm))
    target = next(row.id_hash for row in sessions() if row.person_id == firm.person_id and row.agent != "tests")
    stranger = enter(Role.MANAGER)
    assert stranger.post(f"/account/sessions/{target}/revocation").status_code == 404
    assert other.get("/api/v1/me").status_code == 200
    assert firm.post(f"/account/sessions/{target}/revocation").status_code == 303
    assert other.get("/api/v1/me").status_code == 401


def test_a_new_password_works_at_once_and_ends_the_other_sessions(browser, firm):
    other = browser()
    enter_password(other, login_of(firm))
    assert firm.post("/account/password", data={"password": "another long sentence"}).status_code == 303
    assert other.get("/api/v1/me").status_code == 401
    assert enter_password(browser(), login_of(firm)).status_code == 422
    assert enter_password(browser(), login_of(firm), "another long sentence").status_code == 303


def test_a_weak_new_password_is_refused_with_the_reason(firm):
    answer = firm.post("/account/password", data={"password": "1234567890"})
    assert answer.status_code == 422
    assert "太常见" in answer.text


def test_one_corrects_ones_name(firm):
    assert firm.post("/account/name", data={"name": "李卫"}).status_code == 303
    assert "李卫" in firm.get("/account").text


def test_who_am_i(firm, visitor):
    me = firm.get("/api/v1/me").json
    assert (me["roles"], me["unit"]["id"], me["unit"]["verified"]) == (["manager"], firm.unit_id, False)
    assert visitor.get("/api/v1/me").status_code == 401


def test_the_notice_stands_on_every_form(firm, visitor):
    notice = '<p class="notice">本系统为非涉密系统，严禁处理、传输国家秘密和工作秘密。</p>'
    pages = [visitor.get("/login"), visitor.get("/units/new"), firm.get("/account"), firm.get("/unit")]
    assert all(notice in page.text for page in pages)


def test_demo_accounts_show_in_a_demo_only(app, visitor):
    plain, accounts = app.extensions["settings"], app.extensions.get("demo")
    app.extensions["demo"] = [{"role": "steward", "login": "demo.one", "password": "demo-password", "unit": "交通局"}]
    try:
        assert "demo-password" not in visitor.get("/login").text
        app.extensions["settings"] = plain.model_copy(update={"demo": True})
        page = visitor.get("/login").text
    finally:
        app.extensions["settings"], app.extensions["demo"] = plain, accounts
    assert "demo-password" in page
    assert "数据专员" in page
