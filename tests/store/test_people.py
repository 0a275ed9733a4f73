"""Units, persons and sessions on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from service.audit.tables import Event
from service.base import clock, db
from service.base.db import select
from service.base.errors import Duplicate, Invalid, NotFound
from service.base.roles import Role
from service.notices.tables import Outbox
from service.people import actions, engine, jobs, store
from service.people.actions import NewPerson, NewUnit, RegisterFacts
from service.people.rules import (
    ABSOLUTE,
    IDLE,
    AlreadyConfirmed,
    LastManager,
    LoginFailed,
    LoginTaken,
    RoleUnfit,
    UsccHeld,
    UsccMissing,
)
from service.people.tables import UnitDispute

USCC = "91330000755918469E"
OTHER = "91110000600037341L"
HASH = engine.hash_password("correct horse battery")


def register(login: str, uscc: str = USCC, name: str = "凌云智能"):
    """Register one unit through its own transaction; return (unit, person)."""
    with db.writing() as session:
        unit, person = NewUnit("enterprise", name, uscc=uscc), NewPerson(login, "李伟", HASH)
        return actions.register_unit(session, unit, person, now=clock.now(session))


def confirm(unit_id: str, by: str = "officer"):
    with db.writing() as session:
        return actions.confirm_unit(session, unit_id, evidence="见营业执照原件", by=by, now=clock.now(session))


def events(subject: str) -> list[str]:
    with db.reading() as session:
        rows = session.exec(select(Event).where(Event.subject == subject).order_by(Event.version)).all()
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    return [row.kind for row in rows]


def test_a_registered_unit_is_unverified_until_an_officer_confirms_it(database):
    unit, person = register("li.wei")
    with db.reading() as session:
        assert not store.verified(session, unit.id)
        assert [row.id for row in store.awaiting(session)] == [unit.id]
        assert store.roles_of(session, person.id) == {Role.APPLICANT, Role.MANAGER}
    confirm(unit.id)
    with db.reading() as session:
        assert store.verified(session, unit.id)
        assert store.awaiting(session) == []
        assert store.confirmation(session, unit.id).by == "officer"
    assert events(f"unit:{unit.id}") == ["unit:register", "unit:confirm"]


def test_a_unit_is_confirmed_once(database):
    unit, _person = register("li.wei")
    confirm(unit.id)
    with pytest.raises(AlreadyConfirmed):
        confirm(unit.id)


def test_a_second_claim_of_a_code_opens_a_dispute_and_looks_like_any_registration(database):
    first, _one = register("li.wei")
    second, person = register("wang.fang", name="冒名公司")
    with db.reading() as session:
        assert store.unit(session, second.id).uscc is None
        assert store.claimed_uscc(session, second) == USCC
        assert [(row.holder_id, row.claimant_id) for row in store.disputes_of(session, [first.id])] == [
            (first.id, second.id)
        ]
        assert {row.id for row in store.awaiting(session)} == {first.id, second.id}
        kinds = {row.kind for row in session.exec(select(Outbox)).all()}
    assert kinds == {"unit-registered", "unit-disputed"}
    assert person.unit_id == second.id


def test_confirming_the_claimant_gives_it_the_code_and_settles_the_dispute(database):
    first, _one = register("li.wei")
    second, _two = register("wang.fang")
    confirm(second.id)
    with db.reading() as session:
        assert store.unit(session, second.id).uscc == USCC
        assert store.unit(session, first.id).uscc is None
        assert store.disputes_of(session, [first.id, second.id]) == []
        assert session.exec(select(UnitDispute)).one().settled_for == second.id
    with pytest.raises(UsccMissing):
        confirm(first.id)


def test_confirming_the_holder_settles_the_dispute_and_shuts_the_claimant_out(database):
    first, _one = register("li.wei")
    second, _two = register("wang.fang")
    confirm(first.id)
    with pytest.raises(UsccMissing):
        confirm(second.id)


def test_a_code_of_a_confirmed_unit_cannot_be_taken_by_a_later_claim(database):
    first, _one = register("li.wei")
    confirm(first.id)
    second, _two = register("wang.fang")
    with pytest.raises(UsccHeld):
        confirm(second.id)
    with db.reading() as session:
        assert store.unit(session, first.id).uscc == USCC


def test_source_units_and_the_authority_need_no_confirmation(database):
    with db.writing() as session:
        now = clock.now(session)
        for kind in ("source", "authority"):
            unit = actions.add_unit(session, NewUnit(kind, "局", "Bureau", id=kind), by="x", now=now)
            assert store.verified(session, unit.id)
    with pytest.raises(NotFound):
        confirm("source")


def test_a_broken_code_and_a_taken_one_are_refused_when_the_desk_adds_a_unit(database):
    def add(uscc: str):
        with db.writing() as session:
            now = clock.now(session)
            return actions.add_unit(session, NewUnit("source", "局", uscc=uscc), by="x", now=now)

    with pytest.raises(Invalid):
        add("91330000755918469F")
    add(OTHER)
    with pytest.raises(Duplicate):
        add(OTHER)


def test_a_login_is_taken_once_and_the_failed_registration_leaves_nothing(database):
    register("li.wei")
    with pytest.raises(LoginTaken):
        register("li.wei", uscc=OTHER)
    with db.reading() as session:
        assert store.holder_of(session, OTHER) is None


def test_what_a_register_says_is_kept_and_what_it_does_not_say_stays_as_it_was(database):
    unit, _person = register("li.wei")
    for facts in ({"foreign_share": 12.5, "credit": "good", "certs": ["mlps2", "mlps3"]}, {"certs": []}):
        with db.writing() as session:
            actions.record_facts(session, unit.id, RegisterFacts(**facts), by="officer", now=clock.now(session))
    with db.reading() as session:
        found = store.unit(session, unit.id)
    assert (found.applicant_kind, found.foreign_share, found.credit, found.certs) == ("enterprise", 12.5, "good", [])


def test_a_role_that_does_not_belong_in_the_unit_is_refused(database):
    unit, person = register("li.wei")
    with pytest.raises(RoleUnfit), db.writing() as session:
        actions.set_roles(session, person.id, [Role.AUTHORITY], by="x", now=clock.now(session))
    with pytest.raises(RoleUnfit), db.writing() as session:
        spy = NewPerson("spy", "间", HASH)
        actions.add_person(session, spy, unit_id=unit.id, roles=[Role.STEWARD], by="x", now=clock.now(session))


def test_a_unit_keeps_its_last_manager(database):
    unit, person = register("li.wei")
    with pytest.raises(LastManager), db.writing() as session:
        actions.set_roles(session, person.id, [Role.APPLICANT], by=person.id, now=clock.now(session))
    with pytest.raises(LastManager), db.writing() as session:
        actions.disable(session, person.id, by=person.id, now=clock.now(session), unit_id=unit.id)


def test_a_manager_finds_nobody_of_another_unit(database):
    mine, me = register("li.wei")
    _theirs, other = register("wang.fang", uscc=OTHER)
    with pytest.raises(NotFound), db.writing() as session:
        actions.disable(session, other.id, by=me.id, now=clock.now(session), unit_id=mine.id)


def test_a_session_ends_and_its_end_is_told_once(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        cookie = actions.start_session(session, person.id, origin="o", agent="firefox", now=now)
    id_hash = actions.digest(cookie)
    with db.reading() as session:
        login, found, roles = store.session_with_person(session, id_hash)
    assert (login.id_hash, found.id, roles) == (id_hash, person.id, {Role.APPLICANT, Role.MANAGER})
    assert cookie not in id_hash
    with db.writing() as session:
        actions.end_session(session, id_hash, person_id=person.id, by=person.id, now=now)
    with pytest.raises(NotFound), db.writing() as session:
        actions.end_session(session, id_hash, person_id=person.id, by=person.id, now=now)
    with db.reading() as session:
        assert store.session_with_person(session, id_hash) is None
    assert events(f"session:{id_hash}") == ["session:begin", "session:end"]


def test_a_new_login_replaces_the_browsers_session(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        old = actions.digest(actions.start_session(session, person.id, origin="o", agent="", now=now))
        new = actions.digest(actions.start_session(session, person.id, origin="o", agent="", now=now, replaces=old))
        assert [row.id_hash for row in store.live_sessions(session, person.id, now=now)] == [new]


def test_live_sessions_are_those_that_are_neither_idle_nor_old(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        id_hash = actions.digest(actions.start_session(session, person.id, origin="o", agent="", now=now))
        assert store.live_sessions(session, person.id, now=now + IDLE) == []
        for minutes in range(20, 12 * 60, 20):
            store.touch(session, id_hash, now=now + timedelta(minutes=minutes))
        last = now + ABSOLUTE - timedelta(minutes=1)
        assert len(store.live_sessions(session, person.id, now=last)) == 1
        assert store.live_sessions(session, person.id, now=now + ABSOLUTE) == []


def test_last_seen_is_written_at_most_every_five_minutes(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        id_hash = actions.digest(actions.start_session(session, person.id, origin="o", agent="", now=now))
    for minutes, seen in ((4, 0), (6, 6), (10, 6)):
        with db.writing() as session:
            store.touch(session, id_hash, now=now + timedelta(minutes=minutes))
        with db.reading() as session:
            found = store.session_with_person(session, id_hash)[0].seen_at
        assert found == now + timedelta(minutes=seen)


def test_a_closed_account_has_no_session_and_gets_none(database):
    unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        colleague = actions.add_member(
            session,
            NewPerson("wang.fang", "王芳", HASH),
            unit_id=unit.id,
            roles=[Role.APPLICANT],
            by=person.id,
            now=now,
        )
        id_hash = actions.digest(actions.start_session(session, colleague.id, origin="o", agent="", now=now))
        actions.disable(session, colleague.id, by=person.id, now=now, unit_id=unit.id)
        assert store.session_with_person(session, id_hash) is None
        with pytest.raises(LoginFailed):
            actions.start_session(session, colleague.id, origin="o", agent="", now=now)
    assert events(f"person:{colleague.id}") == ["person:add", "person:disable"]


def test_a_new_password_ends_the_other_sessions(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        kept, lost = (
            actions.digest(actions.start_session(session, person.id, origin="o", agent="", now=now)) for _ in range(2)
        )
        actions.change_password(session, person.id, password_hash=HASH, by=person.id, now=now, keep=kept)
        assert [row.id_hash for row in store.live_sessions(session, person.id, now=now)] == [kept]
        assert lost != kept


def test_a_place_is_known_after_a_login_from_it(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        actions.start_session(session, person.id, origin="office", agent="", now=now)
        assert store.came_from(session, person.id, "office", since=now - timedelta(days=1))
        assert not store.came_from(session, person.id, "elsewhere", since=now - timedelta(days=1))


def test_old_sessions_are_forgotten_after_half_a_year_and_not_before(database):
    _unit, person = register("li.wei")
    with db.writing() as session:
        now = clock.now(session)
        actions.start_session(session, person.id, origin="o", agent="", now=now)
    assert jobs.forget_sessions(now + timedelta(days=180)) == 0
    assert jobs.forget_sessions(now + timedelta(days=200)) == 1


def test_the_log_holds_no_name_login_or_code(database):
    unit, person = register("li.wei")
    register("wang.fang")
    confirm(unit.id)
    with db.writing() as session:
        actions.rename(session, person.id, name="李卫", by=person.id, now=clock.now(session))
    with db.reading() as session:
        told = " ".join(str(row.model_dump()) for row in session.exec(select(Event)).all())
    for secret in ("李伟", "李卫", "凌云", "li.wei", "wang.fang", USCC, "营业执照"):
        assert secret not in told


def test_two_that_claim_one_code_at_once_are_both_registered_and_in_dispute(database):
    with ThreadPoolExecutor(8) as pool:
        units = [unit for unit, _person in pool.map(lambda number: register(f"login{number}"), range(8))]
    with db.reading() as session:
        holders = [unit for unit in units if store.unit(session, unit.id).uscc == USCC]
        disputes = store.disputes_over(session, USCC)
    assert len(holders) == 1
    assert {row.claimant_id for row in disputes} == {unit.id for unit in units} - {holders[0].id}


def test_two_officers_at_once_confirm_a_disputed_code_for_one_unit_only(database):
    first, _one = register("li.wei")
    second, _two = register("wang.fang")

    def attempt(unit_id: str) -> bool:
        try:
            confirm(unit_id)
        except (UsccHeld, UsccMissing):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, [first.id, second.id])) == [False, True]
    with db.reading() as session:
        verified = [unit_id for unit_id in (first.id, second.id) if store.verified(session, unit_id)]
        assert [store.holder_of(session, USCC).id] == verified
