"""The rules of applications: every state with every verb, who may do what, what changed, what narrows."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from service.applications import forms, rules
from service.applications.rules import (
    NEXT,
    Frame,
    NotYourStep,
    OwnUnit,
    Person,
    Position,
    SecondPerson,
    Snapshot,
    State,
    Verb,
    advance,
)
from service.base.errors import NotFound, WrongState
from service.base.roles import Role

IN_REVIEW = Position(State.IN_REVIEW)
TODAY = date(2026, 11, 23)
FRAME = Frame(
    columns=("lot", "entered", "plate"), has_time=True, has_area=True, purposes=frozenset({"analytics", "ai.training"}),
    deliveries=("api", "download", "query", "secure_env"), today=TODAY,
)  # fmt: skip
WHOLE = {
    "columns": ["lot", "entered"], "purpose": "analytics", "statement": "分析停车场周转率", "delivery": "download",
    "ends_on": "2027-05-31", "cross_border": "no", "onward_sharing": "no", "security_officer": "某人", "mlps": "none",
    "storage": "本市机房", "incidents": "no", "members": "甲",
}  # fmt: skip


def person(unit, *roles, id="p1"):
    return Person(id, unit, frozenset(roles))


# ---- the machine


def test_approval_needs_every_step_of_the_route():
    after_first = advance(IN_REVIEW, Verb.APPROVE, steps=2)
    assert after_first == Position(State.IN_REVIEW, step=1)
    assert advance(after_first, Verb.APPROVE, steps=2) == Position(State.APPROVED, step=1)


def test_narrowing_is_an_approval_of_less():
    assert advance(IN_REVIEW, Verb.NARROW, steps=2) == Position(State.IN_REVIEW, step=1)
    assert advance(IN_REVIEW, Verb.NARROW, steps=1) == Position(State.APPROVED)


def test_a_returned_application_starts_its_route_again():
    returned = advance(Position(State.IN_REVIEW, step=1), Verb.RETURN, steps=3)
    assert advance(returned, Verb.SUBMIT, steps=3) == IN_REVIEW


@pytest.mark.parametrize("step", [0, 1])
def test_a_refusal_ends_the_case_at_any_step(step):
    assert advance(Position(State.IN_REVIEW, step), Verb.REFUSE, steps=2).state is State.REFUSED


def test_only_a_signature_makes_a_grant():
    assert {pair for pair, there in NEXT.items() if there is State.GRANTED} == {(State.APPROVED, Verb.SIGN)}


@pytest.mark.parametrize(("state", "verb"), sorted(NEXT))
def test_every_open_pair_goes_where_the_table_says(state, verb):
    assert advance(Position(state), verb, steps=1).state is NEXT[state, verb]


@pytest.mark.parametrize(("state", "verb"), sorted(set(product(State, Verb)) - set(NEXT)))
def test_every_other_verb_is_refused(state, verb):
    with pytest.raises(WrongState):
        advance(Position(state), verb, steps=1)


def test_every_state_and_verb_has_a_word():
    assert set(rules.STATES) == set(State)
    assert set(rules.VERBS) == set(Verb)


# ---- who


def may(who, role, elsewhere=()):
    rules.may_decide(who, role, unit_id="firm", source_unit_id="source", elsewhere=elsewhere)


def test_the_source_unit_s_steward_and_the_authority_take_their_own_steps():
    may(person("source", Role.STEWARD), Role.STEWARD)
    may(person("bureau", Role.AUTHORITY), Role.AUTHORITY)


@pytest.mark.parametrize(
    ("who", "role"),
    [
        (person("other", Role.STEWARD), Role.STEWARD),
        (person("source", Role.STEWARD), Role.AUTHORITY),
        (person("bureau", Role.AUTHORITY), Role.STEWARD),
        (person("source", Role.APPLICANT), Role.STEWARD),
        (person("bureau", Role.AUDITOR), Role.AUTHORITY),
    ],
)
def test_nobody_takes_a_step_that_is_not_theirs(who, role):
    with pytest.raises(NotYourStep):
        may(who, role)


def test_nobody_decides_on_a_request_of_their_own_unit():
    for role in (Role.STEWARD, Role.AUTHORITY):
        with pytest.raises(OwnUnit):
            rules.may_decide(person("firm", role), role, unit_id="firm", source_unit_id="firm", elsewhere=())


def test_nobody_takes_both_steps():
    both = person("source", Role.STEWARD, Role.AUTHORITY)
    may(both, Role.AUTHORITY)
    with pytest.raises(SecondPerson):
        may(both, Role.AUTHORITY, elsewhere={"p1"})


@pytest.mark.parametrize(
    ("who", "draft", "submitted"),
    [
        (person("firm", Role.APPLICANT), True, True),
        (person("firm", Role.STEWARD), False, False),
        (person("rival", Role.MANAGER), False, False),
        (person("source", Role.STEWARD), False, True),
        (person("other", Role.STEWARD), False, False),
        (person("bureau", Role.AUTHORITY), False, True),
        (person("bureau", Role.AUDITOR), False, True),
        (person("bureau", Role.OPERATOR), False, False),
    ],
)
def test_a_case_is_seen_by_its_unit_its_officers_and_the_auditor(who, draft, submitted):
    for state in State:
        expected = draft if state is State.DRAFT else submitted
        assert rules.may_see(who, state=state, unit_id="firm", source_unit_id="source") is expected


def test_another_unit_s_case_is_not_there():
    with pytest.raises(NotFound):
        rules.own(person("rival", Role.MANAGER), "firm")


# ---- what changed, what narrows

SEEN = Snapshot("in_review", 0, ("lot", "plate"), "2027-05-31", "analytics", "周转", "download", None, None, ())


def test_the_difference_names_each_field_once_with_both_sides():
    after = replace(SEEN, step=1, columns=("lot",), ends_on="2027-03-31")
    assert [(each.field, each.before, each.after) for each in rules.diff(SEEN, after)] == [
        ("step", 0, 1),
        ("columns", ("lot", "plate"), ("lot",)),
        ("ends_on", "2027-05-31", "2027-03-31"),
    ]
    assert rules.diff(SEEN, SEEN) == ()


def test_a_snapshot_comes_back_as_it_was_kept():
    assert rules.snapshot(SEEN.document()) == SEEN
    assert set(SEEN.document()) == set(rules.FIELDS)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [(["b", "a"], ("a", "b")), (["c"], ("c",)), ([], None), (["a", "z"], None), (["a", "b", "c"], ("a", "b", "c"))],
)
def test_narrowing_keeps_the_order_and_never_reaches_further(wanted, kept):
    assert rules.narrowed(["a", "b", "c"], wanted) == kept


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 11, 23), 24, date(2028, 11, 23)), (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)), (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2026, 10, 31), 2, date(2026, 12, 31)),
    ],
)  # fmt: skip
def test_months_end_on_the_same_day_or_the_month_s_last(day, months, expected):
    assert rules.months_later(day, months) == expected


def verdict(outcome, ceiling=None, obligations=()):
    return {"outcome": outcome, "ceiling": ceiling or outcome, "obligations": list(obligations)}


@pytest.mark.parametrize(
    ("now", "decided", "worse"),
    [
        (verdict("condition"), verdict("condition"), False),
        (verdict("pass"), verdict("review"), False),
        (verdict("review"), verdict("condition"), True),
        (verdict("review", "prohibit"), verdict("review"), True),
        (verdict("condition", obligations=[{"kind": "watermark"}]), verdict("condition"), True),
        (verdict("condition"), verdict("condition", obligations=[{"kind": "watermark"}]), False),
    ],
)
def test_the_stricter_of_two_verdicts_governs(now, decided, worse):
    assert rules.worse(now, decided) is worse


# ---- the form


def faults(**changes):
    found = forms.check({**WHOLE, **changes}, FRAME, contested=("plate",))
    return {fault.field: fault for fault in found.faults}


def test_a_whole_form_becomes_a_request():
    found = forms.check(WHOLE, FRAME)
    assert not found.faults
    assert found.request.columns == ("lot", "entered")
    assert found.request.ends_on == date(2027, 5, 31)
    assert found.request.cross_border is False


def test_an_empty_form_says_everything_that_is_missing_at_once():
    found = forms.check({}, FRAME)
    assert {fault.field for fault in found.faults if fault.missing} == set(WHOLE)
    assert found.malformed() == {}
    assert found.request is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("columns", ["lot", "salary"]), ("ends_on", "2026-11-23"), ("ends_on", "2020-01-01"), ("ends_on", "2029-01-01"),
        ("ends_on", "明年"), ("ends_on", "2027-02-30"), ("ends_on", "20270531"), ("purpose", "spying"),
        ("delivery", "fax"), ("cross_border", "perhaps"), ("statement", "短"), ("statement", "长" * 2001),
        ("security_officer", "长" * 61), ("storage", "长" * 201), ("mlps", "mlps9"), ("members", "长" * 41),
        ("members", "\n".join(str(n) for n in range(101))), ("period_from", "x"), ("areas", "长" * 61),
        ("verdict_objection", "长" * 2001),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named_by_its_field(field, value):
    found = faults(**{field: value})
    assert set(found) == {field}
    assert not found[field].missing


def test_a_period_does_not_end_before_it_begins():
    assert set(faults(period_from="2026-10-02", period_to="2026-10-01")) == {"period_to"}


def test_a_prohibited_column_is_dropped_or_kept_with_an_objection():
    assert set(faults(columns=["lot", "plate"])) == {"objection-plate"}
    assert not faults(columns=["lot", "plate"], objections={"plate": "号牌已作假名处理"})
    assert not faults(columns=["lot"])


def test_an_incident_must_be_explained():
    assert set(faults(incidents="yes")) == {"incidents_note"}
    assert not faults(incidents="yes", incidents_note="已整改")


def test_period_and_area_are_only_read_where_the_dataset_has_them():
    frame = replace(FRAME, has_time=False, has_area=False)
    found = forms.check({**WHOLE, "period_from": "nonsense", "areas": "长" * 61}, frame)
    assert not found.faults
    assert found.request.period_from is None
    assert found.request.areas == ()


def test_an_application_programming_interface_may_send_typed_values():
    form = forms.DraftForm.model_validate(
        {"cross_border": False, "incidents": True, "members": ["甲", "乙"], "ends_on": None}
    )
    assert (form.cross_border, form.incidents, form.members, form.ends_on) == ("no", "yes", "甲\n乙", "")
