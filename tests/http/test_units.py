"""Registering a unit, running it, and confirming it, through the real application."""

import logging
from datetime import timedelta
from io import StringIO

import pytest

from service.audit.tables import Event
from service.base import db, log
from service.base.db import select
from service.base.roles import Role
from service.people import store
from service.people.tables import Person, Unit

USCC = "91330000755918469E"
FORM = {
    "kind": "enterprise", "name": "凌云智能科技有限公司", "name_en": "Lingyun", "uscc": USCC, "person_name": "李伟",
    "login": "li.wei", "password": "correct horse battery",
}  # fmt: skip


def register(client, **changes: str):
    return client.post("/units", data={**FORM, **changes})


def units(name: str = "") -> list[Unit]:
    with db.reading() as session:
        return [row for row in session.exec(select(Unit).order_by(Unit.id)).all() if not name or row.name == name]


def test_anyone_registers_a_unit_and_is_its_manager_at_once(visitor):
    answer = register(visitor)
    assert (answer.status_code, answer.location) == (303, "/unit")
    page = visitor.get("/unit").text
    assert "待核验" in page
    assert USCC in page
    assert visitor.get("/api/v1/me").json["roles"] == ["applicant", "manager"]


@pytest.mark.parametrize(("uscc", "words"), [
    ("91330000755918469F", "校验位不符"), ("9133000075591846", "应为 18 位，现为 16 位"),
    ("9133000075591846OE", "第 17 位"),
    ("", "请填写此项"),
])  # fmt: skip
def test_a_wrong_code_is_told_with_what_is_wrong_and_nothing_typed_is_lost(visitor, uscc, words):
    answer = register(visitor, uscc=uscc)
    assert answer.status_code == 422
    assert words in answer.text
    assert all(FORM[name] in answer.text for name in ("name", "name_en", "person_name", "login"))
    assert FORM["password"] not in answer.text
    assert units() == []


def test_a_wrong_code_is_told_in_english_too(browser):
    answer = register(browser("en"), uscc="9133000075591846OE")
    assert "Character 17" in answer.text


@pytest.mark.parametrize("extra", [
    {"role": "operator"}, {"roles": "authority"}, {"unit_id": "authority"}, {"verified": "true"}, {"id": "x"},
])  # fmt: skip
def test_fields_that_the_form_does_not_have_are_refused(visitor, extra):
    answer = register(visitor, **extra)
    assert answer.status_code == 422
    assert "表单中没有这一项" in answer.text
    assert units() == []


@pytest.mark.parametrize("kind", ["source", "authority", "bank"])
def test_nobody_registers_an_office(visitor, kind):
    assert register(visitor, kind=kind).status_code == 422


def test_a_taken_login_is_told_and_the_rest_is_kept(browser):
    register(browser())
    answer = register(browser(), uscc="91110000600037341L", name="另一单位")
    assert answer.status_code == 422
    assert "已有人使用" in answer.text
    assert "另一单位" in answer.text
    assert units("另一单位") == []


def test_a_second_claim_looks_like_the_first_and_officers_see_both(browser, enter):
    first, second = browser(), browser()
    answers = [register(first), register(second, name="冒名公司", login="wang.fang")]
    assert [(answer.status_code, answer.location) for answer in answers] == [(303, "/unit"), (303, "/unit")]
    assert "争议" not in second.get("/unit").text
    assert USCC in second.get("/unit").text

    officer = enter(Role.AUTHORITY)
    listed = officer.get("/units").text
    assert listed.count("代码有争议") == 2
    claimant = units("冒名公司")[0]
    assert FORM["name"] in officer.get(f"/units/{claimant.id}").text


def test_an_officer_confirms_with_evidence_and_the_unit_is_verified(visitor, enter):
    register(visitor)
    unit, officer = units(FORM["name"])[0], enter(Role.AUTHORITY)
    empty = officer.post(f"/units/{unit.id}/confirmation", data={"evidence": ""})
    assert (empty.status_code, "请填写此项" in empty.text) == (422, True)
    answer = officer.post(
        f"/units/{unit.id}/confirmation",
        data={"evidence": "见营业执照原件", "credit": "good", "foreign_share": "0", "certs": ["mlps3"]},
    )
    assert answer.status_code == 303
    assert "已核验" in visitor.get("/unit").text
    assert "见营业执照原件" in officer.get(f"/units/{unit.id}").text
    with db.reading() as session:
        found = store.unit(session, unit.id)
    assert (found.credit, found.foreign_share, found.certs) == ("good", 0, ["mlps2", "mlps3"])
    again = officer.post(f"/units/{unit.id}/confirmation", data={"evidence": "见营业执照原件"})
    assert (again.status_code, again.headers["Qiantang-Problem"]) == (409, "unit-confirmed")


def test_an_unknown_word_in_the_facts_is_refused_and_what_was_typed_stays(visitor, enter):
    register(visitor)
    unit, officer = units(FORM["name"])[0], enter(Role.AUTHORITY)
    answer = officer.post(
        f"/units/{unit.id}/confirmation", data={"evidence": "见营业执照原件", "certs": ["moon_licence"]}
    )
    assert answer.status_code == 422
    assert "见营业执照原件" in answer.text
    assert "待核验" in visitor.get("/unit").text


@pytest.mark.parametrize("role", [Role.MANAGER, Role.STEWARD, Role.AUDITOR, Role.OPERATOR])
def test_nobody_but_the_authority_confirms(visitor, enter, role):
    register(visitor)
    unit, other = units(FORM["name"])[0], enter(role)
    assert other.get("/units").status_code == 403
    assert other.get(f"/units/{unit.id}").status_code == 403
    assert other.post(f"/units/{unit.id}/confirmation", data={"evidence": "见营业执照"}).status_code == 403
    assert visitor.post(f"/units/{unit.id}/confirmation", data={"evidence": "见营业执照"}).status_code == 403


def test_confirming_needs_a_fresh_password(visitor, enter):
    register(visitor)
    unit, officer = units(FORM["name"])[0], enter(Role.AUTHORITY, ago=timedelta(minutes=16))
    assert officer.post(f"/units/{unit.id}/confirmation", data={"evidence": "见营业执照"}).status_code == 401


def test_an_unknown_unit_is_not_found(enter):
    officer = enter(Role.AUTHORITY)
    assert officer.get("/units/nothing").status_code == 404
    assert officer.post("/units/nothing/confirmation", data={"evidence": "见营业执照"}).status_code == 404


# ---- members --------------------------------------------------------------------------------------------------------

MEMBER = {"name": "王芳", "login": "wang.fang", "password": "correct horse battery", "roles": ["applicant"]}


def test_a_manager_adds_a_colleague_who_can_log_in(visitor, browser):
    register(visitor)
    assert visitor.post("/unit/persons", data=MEMBER).status_code == 303
    assert "王芳" in visitor.get("/unit").text
    colleague = browser()
    assert colleague.post("/login", data={"login": "wang.fang", "password": MEMBER["password"]}).status_code == 303
    assert colleague.get("/api/v1/me").json["roles"] == ["applicant"]
    assert colleague.post("/unit/persons", data={**MEMBER, "login": "zhao.liu"}).status_code == 403


@pytest.mark.parametrize("changes", [
    {"roles": ["operator"]}, {"roles": []}, {"unit_id": "authority"}, {"password": "short"}, {"login": "a b"},
])  # fmt: skip
def test_a_member_form_that_does_not_hold_is_shown_again(visitor, changes):
    register(visitor)
    answer = visitor.post("/unit/persons", data={**MEMBER, **changes})
    assert answer.status_code == 422
    assert "王芳" in answer.text
    with db.reading() as session:
        assert store.person_by_login(session, "wang.fang") is None


def test_a_manager_gives_and_takes_roles_and_closes_accounts_of_the_own_unit_only(visitor, browser):
    register(visitor)
    visitor.post("/unit/persons", data=MEMBER)
    other = browser()
    register(other, login="zhao.liu", uscc="91110000600037341L", name="另一单位")
    with db.reading() as session:
        colleague = store.person_by_login(session, "wang.fang").id
    for path in (f"/unit/persons/{colleague}/roles", f"/unit/persons/{colleague}/disabling"):
        data = {"roles": ["applicant", "manager"]} if path.endswith("roles") else {}
        assert other.post(path, data=data).status_code == 404
        assert visitor.post(path, data=data).status_code == 303
    with db.reading() as session:
        assert store.roles_of(session, colleague) == {Role.APPLICANT, Role.MANAGER}
        assert session.get(Person, colleague).disabled_at is not None
    assert browser().post("/login", data={"login": "wang.fang", "password": MEMBER["password"]}).status_code == 422


def test_the_last_manager_stays(visitor):
    register(visitor)
    me = visitor.get("/api/v1/me").json["person"]["id"]
    answer = visitor.post(f"/unit/persons/{me}/disabling")
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (409, "last-manager")


# ---- what stays out -------------------------------------------------------------------------------------------------


def test_neither_log_nor_audit_holds_code_name_phone_or_password(visitor, enter):
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(log.JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        register(visitor, login="13857112345")
        register(visitor, uscc="91330000755918469F")
        visitor.post("/login", data={"login": "13857112345", "password": "wrong password"})
        unit = units(FORM["name"])[0]
        enter(Role.AUTHORITY).post(f"/units/{unit.id}/confirmation", data={"evidence": "联系人 13857112345"})
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    with db.reading() as session:
        told = written.getvalue() + str([row.model_dump() for row in session.exec(select(Event)).all()])
    assert "answered" in told
    for secret in ("13857112345", USCC, "91330000755918469F", "李伟", "凌云", FORM["password"], "wrong password"):
        assert secret not in told
