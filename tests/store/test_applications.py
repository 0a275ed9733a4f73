"""Applications on both databases: drafted, submitted, decided by two persons, signed."""

import threading
from datetime import date, timedelta

import pytest
from sqlmodel import select

from service.applications import actions, store
from service.applications.actions import NoApplicationNeeded, TermOver, Wish
from service.applications.rules import (
    ListsChanged,
    NotBuilt,
    NotYourStep,
    OwnUnit,
    Person,
    Prohibited,
    SecondPerson,
    Unenforceable,
    Verb,
    VerdictChanged,
)
from service.applications.tables import Application, History, OpenCase
from service.audit import store as audit
from service.base import db
from service.base.errors import Changed, Duplicate, Invalid, NotAllowed, NotFound, WrongState
from service.base.roles import Role
from service.catalogue.tables import Dataset, DatasetColumn
from service.grants import store as grants
from service.notices.tables import Outbox
from service.people.rules import UnitUnverified
from service.people.tables import UnitConfirmation
from service.policy import engine as policy
from service.screening import actions as screening
from service.screening import store as screenings
from tests import cases
from tests.cases import ACTORS, COLUMNS, DATASET, ENDS_ON, NOW, PLATE

ROUNDS = 200


@pytest.fixture(autouse=True)
def world(database):
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        screening.publish_editions(session, now=NOW)


def again(session, application):
    return store.application(session, application.id)


# ---- drafting and submitting


def test_a_draft_is_kept_as_typed_whatever_it_holds():
    with db.writing() as session:
        application = cases.drafted(session)
        typed = {"columns": ["nothing"], "ends_on": "明年", "statement": "长" * 5000, "purpose": "?"}
        actions.save_draft(session, application.id, typed, by=ACTORS["manager"], now=NOW)
    with db.reading() as session:
        kept = again(session, application)
        assert {name: kept.draft[name] for name in typed} == typed
        assert (kept.version, kept.state) == (0, "draft")
        assert not audit.events_of(session, f"application:{application.id}")


def test_a_submission_keeps_its_screening_freezes_its_route_and_gives_a_receipt():
    with db.writing() as session:
        application = cases.submitted(session)
    with db.reading() as session:
        kept = again(session, application)
        assert (kept.state, kept.step, kept.step_role, kept.version) == ("in_review", 0, "steward", 1)
        assert kept.number == "SQ-2026-000001"
        assert [step["role"] for step in kept.route["steps"]] == ["steward", "authority"]
        assert kept.due_at.isoformat() == "2026-11-30T16:00:00+00:00"  # five working days later, 24:00 in Beijing
        screened = screenings.screening(session, kept.screening_id)
        assert (screened.subject, screened.moment) == (f"application:{kept.id}", "submit")
        event = audit.events_of(session, f"application:{kept.id}")[0]
        assert (event.version, event.kind, event.by) == (1, "application:submit", "applicant")
        kinds = {(row.kind, row.to_unit, row.to_role) for row in session.exec(select(Outbox))}
        assert kinds == {
            ("application-received", "firm", None),
            ("application-submitted", "transport-bureau", "steward"),
        }


def test_receipt_numbers_follow_each_other():
    with db.writing() as session:
        one = cases.submitted(session)
        other = cases.submitted(session, "stranger")
        assert (one.number, other.number) == ("SQ-2026-000001", "SQ-2026-000002")


def test_a_prohibited_column_with_an_objection_can_be_submitted():
    with db.writing() as session:
        application = cases.submitted(session, columns=[PLATE, "lot_id"], objections={PLATE: "号牌已作假名处理"})
        assert application.columns == [PLATE, "lot_id"]
        assert application.objections == {PLATE: "号牌已作假名处理"}
        assert screenings.screening(session, application.screening_id).verdict["outcome"] == "prohibit"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"columns": ["salary"]}, "columns"),
        ({"columns": []}, "columns"),
        ({"columns": [PLATE]}, f"objection-{PLATE}"),
        ({"ends_on": "2026-11-23"}, "ends_on"),
        ({"statement": "长" * 2001}, "statement"),
        ({"members": ""}, "members"),
    ],
)
def test_a_submission_that_lacks_something_changes_nothing(changes, field):
    with db.writing() as session:
        application = cases.drafted(session, **changes)
    with db.writing() as session, pytest.raises(Invalid) as refusal:
        actions.submit(session, application.id, by=ACTORS["applicant"], now=NOW)
    assert [error["field"] for error in refusal.value.facts["errors"]] == [field]
    with db.reading() as session:
        kept = again(session, application)
        assert (kept.state, kept.version, kept.number) == ("draft", 0, None)
        assert kept.draft == {**application.draft}


def test_the_same_request_twice_is_a_duplicate_until_the_first_has_ended():
    with db.writing() as session:
        first = cases.submitted(session)
        second = cases.drafted(session)
    with db.writing() as session, pytest.raises(Duplicate) as refusal:
        actions.submit(session, second.id, by=ACTORS["manager"], now=NOW)
    assert refusal.value.facts["href"] == f"/applications/{first.id}"
    with db.writing() as session:
        actions.withdraw(session, first.id, by=ACTORS["applicant"], now=NOW)
        assert actions.submit(session, second.id, by=ACTORS["manager"], now=NOW).state == "in_review"


def test_another_firm_or_other_columns_are_no_duplicate():
    with db.writing() as session:
        cases.submitted(session)
        cases.submitted(session, "stranger")
        cases.submitted(session, columns=COLUMNS[:2])
        assert len(session.exec(select(OpenCase)).all()) == 3


def test_data_that_needs_no_application_or_is_not_published_takes_none():
    with db.writing() as session:
        dataset = session.get(Dataset, DATASET)
        dataset.openness = "unconditional"
        with pytest.raises(NoApplicationNeeded):
            cases.drafted(session)
        dataset.state = "draft"
        with pytest.raises(NotFound):
            cases.drafted(session)


@pytest.mark.parametrize("who", ["stranger", "steward", "reviewer", "auditor"])
def test_nobody_else_touches_a_firm_s_case(who):
    with db.writing() as session:
        application = cases.submitted(session)
        for act in (
            lambda: actions.save_draft(session, application.id, {}, by=ACTORS[who], now=NOW),
            lambda: actions.submit(session, application.id, by=ACTORS[who], now=NOW),
            lambda: actions.withdraw(session, application.id, by=ACTORS[who], now=NOW),
            lambda: actions.sign(session, application.id, seen=1, digest="", by=ACTORS[who], now=NOW),
        ):
            with pytest.raises(NotFound):
                act()


def test_a_case_under_review_is_not_edited():
    with db.writing() as session:
        application = cases.submitted(session)
        with pytest.raises(WrongState):
            actions.save_draft(session, application.id, {}, by=ACTORS["applicant"], now=NOW)
        with pytest.raises(WrongState):
            actions.submit(session, application.id, by=ACTORS["applicant"], now=NOW)


# ---- deciding


def test_two_persons_agree_and_the_agreement_waits_for_a_signature():
    with db.writing() as session:
        application = cases.submitted(session)
        cases.decided(session, application, "steward")
        assert (application.state, application.step_role) == ("in_review", "authority")
        assert application.due_at.isoformat() == "2026-12-07T16:00:00+00:00"
        cases.decided(session, application, "reviewer")
        assert (application.state, application.step_role, application.due_at) == ("approved", None, None)
        agreement = actions.agreement_of(session, application)
        assert "停车场编号（lot_id）" in agreement.text
        assert "2027-03-31" in agreement.text
        assert agreement.signed_at is None
        assert not grants.of_unit(session, "firm")
        assert [event.kind for event in audit.events_of(session, f"application:{application.id}")] == [
            "application:submit", "application:approve", "application:approve",
        ]  # fmt: skip


def test_a_narrowed_case_asks_less_and_later_steps_can_only_take_more_away():
    with db.writing() as session:
        application = cases.submitted(session)
        first = cases.decided(session, application, "steward", "narrow", columns=COLUMNS[:3], ends_on=date(2027, 2, 1))
        assert (application.columns, first.dropped) == (COLUMNS[:3], COLUMNS[3:])
        assert application.ends_on == date(2027, 2, 1)
        for wider in ({"columns": COLUMNS}, {"ends_on": ENDS_ON}, {"columns": []}, {"ends_on": date(2026, 11, 23)}):
            with pytest.raises(Invalid), session.begin_nested():
                cases.decided(session, again(session, application), "reviewer", "narrow", **wider)
        cases.decided(session, again(session, application), "reviewer", "narrow", columns=COLUMNS[:1])
        assert application.columns == COLUMNS[:1]
        assert "进场时间" not in actions.agreement_of(session, application).text


@pytest.mark.parametrize(
    ("verb", "wish"), [("approve", {"columns": COLUMNS[:1]}), ("narrow", {}), ("narrow", {"columns": COLUMNS})]
)
def test_narrowing_is_said_and_done_together(verb, wish):
    with db.writing() as session:
        application = cases.submitted(session)
    with db.writing() as session, pytest.raises(Invalid):
        cases.decided(session, again(session, application), "steward", verb, **wish)


def test_a_returned_case_is_mended_and_submitted_again_under_its_number():
    with db.writing() as session:
        application = cases.submitted(session)
        cases.decided(session, application, "steward", "return", reason="请补充用途")
        assert application.state == "returned"
        actions.save_draft(session, application.id, cases.draft(columns=["lot_id"]), by=ACTORS["applicant"], now=NOW)
        actions.submit(session, application.id, by=ACTORS["applicant"], now=NOW)
        kept = again(session, application)
        assert (kept.state, kept.step, kept.columns, kept.number) == ("in_review", 0, ["lot_id"], "SQ-2026-000001")
        assert [row.verb for row in store.history(session, kept.id)] == ["submit", "return", "submit"]


def test_a_refusal_keeps_the_clauses_that_it_rests_on():
    with db.writing() as session:
        application = cases.submitted(session, columns=[PLATE], objections={PLATE: "有异议"})
        decision = cases.decided(session, application, "steward", "refuse", reason="号牌不得提供（TR-001）")
        assert application.state == "refused"
        assert "TR-001" in [clause["id"] for clause in decision.clauses]
        assert not session.exec(select(OpenCase)).all()


@pytest.mark.parametrize("verb", ["approve", "narrow"])
def test_a_prohibited_column_cannot_be_agreed_to_by_any_step(verb):
    with db.writing() as session:
        application = cases.submitted(session, columns=[PLATE, "lot_id"], objections={PLATE: "有异议"})
    with db.writing() as session, pytest.raises(Prohibited) as refusal:
        wish = {"ends_on": date(2027, 1, 1)} if verb == "narrow" else {}
        cases.decided(session, again(session, application), "steward", verb, **wish)
    assert "TR-001" in refusal.value.facts["rules"]
    with db.writing() as session:
        decision = cases.decided(session, again(session, application), "steward", "narrow", columns=["lot_id"])
        assert again(session, application).columns == ["lot_id"]
        assert "TR-001" in [clause["id"] for clause in decision.clauses]


def test_an_unknown_that_could_prohibit_is_not_agreed_to():
    with db.writing() as session:
        application = cases.submitted(session)
        session.get(DatasetColumn, (DATASET, "lot_id")).semantic = None
        session.flush()
        with pytest.raises(Prohibited) as refusal:
            cases.decided(session, application, "steward")
    assert "columns.lot_id" in refusal.value.facts["missing"]


def test_a_delivery_that_is_not_built_is_not_agreed_to():
    with db.writing() as session:
        application = cases.submitted(session, delivery="secure_env")
    with db.writing() as session, pytest.raises(NotBuilt) as refusal:
        cases.decided(session, again(session, application), "steward")
    assert refusal.value.code == "wrong-delivery"


def test_an_obligation_that_nothing_would_enforce_blocks_the_last_step_and_is_named():
    with db.writing() as session:
        application = cases.submitted(session)
        session.get(Dataset, DATASET).temporal_min = 1
        session.get(DatasetColumn, (DATASET, "entry_time")).type = "string"  # whose text nobody can make coarser
        session.flush()
        cases.decided(session, application, "steward")
    with db.writing() as session, pytest.raises(Unenforceable) as refusal:
        cases.decided(session, again(session, application), "reviewer")
    assert [each["kind"] for each in refusal.value.facts["obligations"]] == ["coarsen_time"]


def test_an_obligation_that_a_view_can_be_compiled_for_is_agreed_on_in_words_and_carried_by_the_grant():
    with db.writing() as session:
        application = cases.submitted(session)
        session.get(Dataset, DATASET).temporal_min = 1
        session.flush()
        cases.decided(session, application, "steward")
        cases.decided(session, again(session, application), "reviewer")
    with db.writing() as session:
        assert "（entry_time；时间精确到15 分钟）" in store.agreement(session, application.id).text
        grant = cases.signed(session, again(session, application))
    step = {"kind": "coarsen_time", "unit": "minute", "every": 15}
    assert grant.transforms == [step | {"column": name} for name in ("entry_time", "exit_time")]


def test_what_would_be_done_to_the_data_must_be_what_the_agreement_says():
    with db.writing() as session:
        application = cases.submitted(session)
        session.get(Dataset, DATASET).temporal_min = 1
        session.flush()
        cases.decided(session, application, "steward")
        cases.decided(session, again(session, application), "reviewer")
        session.get(Dataset, DATASET).temporal_min = 15
    with db.writing() as session, pytest.raises(VerdictChanged):
        cases.signed(session, again(session, application))


def test_a_unit_that_is_not_verified_submits_but_is_not_granted():
    with db.writing() as session:
        application = cases.submitted(session, "beginner")
        cases.decided(session, application, "steward")
    with db.writing() as session, pytest.raises(UnitUnverified):
        cases.decided(session, again(session, application), "reviewer")
    with db.writing() as session:
        session.add(UnitConfirmation(unit_id="newcomer", evidence="执照", by="reviewer", at=NOW))
        cases.decided(session, again(session, application), "reviewer")
        assert again(session, application).state == "approved"


@pytest.mark.parametrize(
    ("who", "refusal"),
    [("reviewer", NotYourStep), ("outsider", NotFound), ("auditor", NotYourStep), ("applicant", OwnUnit)],
)
def test_only_the_source_unit_s_steward_takes_the_first_step(who, refusal):
    with db.writing() as session:
        application = cases.submitted(session)
    with db.writing() as session, pytest.raises(refusal):
        cases.decided(session, again(session, application), who)


def test_a_steward_does_not_decide_on_their_own_unit_s_request():
    with db.writing() as session:
        application = cases.submitted(session, "insider")
        for who in ("steward", "insider"):
            with pytest.raises(OwnUnit):
                actions.decide(
                    session, application.id, Wish(Verb.APPROVE, "同意"), seen=1, now=NOW,
                    by=Person(who, "transport-bureau", frozenset({Role.STEWARD, Role.APPLICANT})),
                )  # fmt: skip


def test_nobody_takes_both_steps():
    with db.writing() as session:
        application = cases.submitted(session)
        cases.decided(session, application, "both")
        with pytest.raises(SecondPerson):
            cases.decided(session, application, "both")
        cases.decided(session, application, "reviewer")


def test_nobody_takes_the_other_step_in_a_later_round_either():
    with db.writing() as session:
        application = cases.submitted(session)
        cases.decided(session, application, "steward")
        cases.decided(session, application, "both", "return")
        actions.submit(session, application.id, by=ACTORS["applicant"], now=NOW)
        with pytest.raises(SecondPerson):
            cases.decided(session, again(session, application), "both")


def test_a_decision_on_an_old_version_is_refused_with_the_difference():
    with db.writing() as session:
        application = cases.submitted(session)
        cases.decided(session, application, "steward", "narrow", columns=COLUMNS[:1])
    with db.writing() as session, pytest.raises(Changed) as refusal:
        actions.decide(session, application.id, Wish(Verb.APPROVE, "同意"), seen=1, by=ACTORS["steward2"], now=NOW)
    assert (refusal.value.facts["seen"], refusal.value.facts["version"]) == (1, 2)
    assert any("字段" in change and "lot_id" in change for change in refusal.value.facts["changes"])


def test_a_decision_by_other_lists_than_those_shown_is_refused():
    with db.writing() as session:
        application = cases.submitted(session)
        wish = Wish(Verb.APPROVE, "同意")
        with pytest.raises(ListsChanged):
            actions.decide(session, application.id, wish, seen=1, by=ACTORS["steward"], now=NOW, shown="0" * 32)


def test_two_stewards_at_once_and_exactly_one_wins(database):
    with db.writing() as session:
        made = _copies(session, cases.submitted(session))
    won: list[str] = []
    lost: list[tuple[str, int, bool]] = []
    gate = threading.Barrier(2)

    def decide(who: str) -> None:
        for id in made:
            gate.wait()
            try:
                with db.writing() as session:
                    actions.decide(session, id, Wish(Verb.APPROVE, "同意"), seen=1, by=ACTORS[who], now=NOW)
                won.append(id)
            except Changed as refusal:
                lost.append((id, refusal.facts["version"], bool(refusal.facts["changes"])))

    threads = [threading.Thread(target=decide, args=(who,)) for who in ("steward", "steward2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(made)
    assert sorted(lost) == sorted((id, 2, True) for id in made)
    with db.reading() as session:
        assert len(session.exec(select(History).where(History.verb == "approve")).all()) == ROUNDS


def _copies(session, application) -> list[str]:
    """Return the ids of as many cases as there are rounds, all at the first step like this one."""
    first = store.history(session, application.id)[0]
    ids = [f"case{n:03d}" for n in range(ROUNDS)]
    for id in ids:
        session.add(Application(**application.model_dump() | {"id": id, "number": id}))
        session.add(History(**first.model_dump() | {"application_id": id}))
    return ids


# ---- signing


def test_the_signature_makes_exactly_the_grant_that_was_decided():
    with db.writing() as session:
        application = cases.approved(session, period_from="2026-09-01", areas="西湖区\n上城区")
        grant = cases.signed(session, application)
    with db.reading() as session:
        kept = again(session, application)
        assert (kept.state, kept.version) == ("granted", 4)
        assert (grant.columns, grant.delivery) == (COLUMNS, ["download"])
        assert grant.row_filter == {"from": "2026-09-01", "areas": ["西湖区", "上城区"]}
        assert grant.ends_at.isoformat() == "2027-04-01T00:00:00+08:00"
        assert grant.rests_on["agreement"] == actions.agreement_of(session, kept).digest
        assert grant.rests_on["screening"] == kept.screening_id
        assert [event.kind for event in audit.events_of(session, f"agreement:{kept.id}")] == [
            "agreement:offer", "agreement:sign",
        ]  # fmt: skip


def test_what_people_must_see_to_under_a_grant_gets_its_day():
    with db.writing() as session:
        training = cases.approved(session, purpose="ai.training.traffic")
        trained = cases.signed(session, training)
        analysis = cases.signed(session, cases.approved(session, columns=COLUMNS[:2]))
    with db.reading() as session:
        due = [(task.kind, task.due_on.isoformat()) for task in grants.tasks(session, trained.id)]
        assert ("training_register", "2026-11-23") in due
        assert ("no_memorisation", "2026-11-23") in due
        assert grants.tasks(session, analysis.id) == []


def test_only_a_manager_signs_and_only_the_text_that_is_offered():
    with db.writing() as session:
        application = cases.approved(session)
        with pytest.raises(NotAllowed):
            cases.signed(session, application, "applicant")
        with pytest.raises(Invalid):
            actions.sign(session, application.id, seen=3, digest="0" * 64, by=ACTORS["manager"], now=NOW)


def test_a_verdict_that_came_out_worse_stops_the_signature():
    with db.writing() as session:
        application = cases.approved(session)
        session.get(DatasetColumn, (DATASET, "vehicle_type")).semantic = "vehicle.plate"
    with db.writing() as session, pytest.raises(VerdictChanged):
        cases.signed(session, again(session, application))
    with db.reading() as session:
        assert again(session, application).state == "approved"
        assert not grants.of_unit(session, "firm")


def test_a_unit_whose_confirmation_is_gone_signs_nothing():
    with db.writing() as session:
        application = cases.approved(session)
        session.delete(session.get(UnitConfirmation, "firm"))
    with db.writing() as session, pytest.raises(UnitUnverified):
        cases.signed(session, again(session, application))


def test_a_term_that_has_passed_is_not_signed():
    with db.writing() as session:
        application = cases.approved(session)
        with pytest.raises(TermOver):
            cases.signed(session, application, now=NOW + timedelta(days=200))


def test_a_signed_case_is_over():
    with db.writing() as session:
        application = cases.approved(session)
        cases.signed(session, application)
        with pytest.raises(WrongState):
            actions.withdraw(session, application.id, by=ACTORS["applicant"], now=NOW)
        assert not session.exec(select(OpenCase)).all()


# ---- the inbox


def waiting(session, who, now=NOW):
    return [work.application.id for work in store.open_for(session, ACTORS[who], now=now)]


def test_everybody_s_inbox_holds_what_waits_for_them_first_due_on_top():
    with db.writing() as session:
        later = cases.submitted(session, now=NOW + timedelta(days=1))
        first = cases.submitted(session, "stranger")
        passed_on = cases.submitted(session, columns=["lot_id"])
        cases.decided(session, passed_on, "steward")
        ready = cases.approved(session, columns=["exit_time"])
        back = cases.submitted(session, columns=["entry_time"])
        cases.decided(session, back, "steward", "return")
        cases.drafted(session)
    with db.reading() as session:
        assert waiting(session, "steward") == [first.id, later.id]
        assert waiting(session, "reviewer") == [passed_on.id]
        assert waiting(session, "outsider") == waiting(session, "auditor") == []
        assert set(waiting(session, "manager")) == {ready.id, back.id}
        assert waiting(session, "applicant") == [back.id]
        late = store.open_for(session, ACTORS["steward"], now=NOW + timedelta(days=30))
        assert all(work.overdue for work in late)


def test_nobody_s_inbox_offers_their_own_unit_s_request():
    with db.writing() as session:
        cases.submitted(session, "insider")
    with db.reading() as session:
        assert waiting(session, "steward") == waiting(session, "insider") == []
