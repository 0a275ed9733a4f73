"""Obligations: the stricter wins, in any order; a set that leaves nothing goes to a person."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from service.policy.rules.merging import merge, plain
from service.policy.rules.models import MODES, Obligation
from tests.policies.lists import a_rule, verdict_of

ADAPTER: TypeAdapter[Obligation] = TypeAdapter(Obligation)


def duty(kind: str, **keys: Any) -> Obligation:
    return ADAPTER.validate_python({"kind": kind, **keys}, strict=False)


days = st.integers(1, 400)
duties = st.one_of(
    st.builds(lambda n: duty("max_retention", days=n), days),
    st.builds(lambda n: duty("min_group", k=n), days),
    st.builds(lambda n: duty("coarsen_spatial", metres=n), days),
    st.builds(lambda n: duty("quota", rows_per_day=n), days),
    st.builds(lambda m: duty("delivery_only", modes=tuple(sorted(m))), st.sets(st.sampled_from(MODES), min_size=1)),
    st.builds(
        lambda w: duty("drop_columns", semantics=tuple(sorted(w))),
        st.sets(st.sampled_from(["person.age", "geo.point"]), min_size=1),
    ),
    st.builds(lambda n: duty("document", name=n), st.sampled_from(["dpia", "model_card"])),
    st.builds(lambda t: duty("attribution", text=t), st.sampled_from([None, "甲", "乙"])),
    st.builds(duty, st.sampled_from(["watermark", "no_reidentification"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(duties, max_size=6), st.lists(duties, max_size=6))
def test_merging_is_associative_commutative_and_idempotent(one, other):
    whole = merge([*one, *other])
    assert whole == merge([*other, *one]) == merge([*merge(one), *merge(other)]) == merge(whole)


@pytest.mark.parametrize(
    ("kind", "key", "values", "stricter"),
    [
        ("max_retention", "days", (180, 90), 90),
        ("usage_report", "every_days", (180, 90), 90),
        ("quota", "rows_per_day", (10, 20), 10),
        ("destruction_proof", "within_days", (30, 10), 10),
        ("min_group", "k", (10, 20), 20),
        ("coarsen_spatial", "metres", (100, 500), 500),
        ("coarsen_time", "minutes", (15, 60), 60),
        ("delay", "minutes", (15, 60), 60),
    ],
)
def test_the_stricter_number_wins(kind, key, values, stricter):
    [merged] = merge(duty(kind, **{key: value}) for value in values)
    assert plain(merged) == {"kind": kind, key: stricter}


def test_modes_meet_and_dropped_columns_add_up():
    merged = merge(
        [
            duty("delivery_only", modes=("download", "secure_env", "api")),
            duty("delivery_only", modes=("secure_env", "api")),
            duty("drop_columns", semantics=("person.age",)),
            duty("drop_columns", semantics=("geo.point", "person.age")),
        ]
    )
    assert [plain(each) for each in merged] == [
        {"kind": "delivery_only", "modes": ["secure_env", "api"]},
        {"kind": "drop_columns", "semantics": ["geo.point", "person.age"]},
    ]


def condition(id: str, *obligations: dict[str, Any], **when: Any) -> dict[str, Any]:
    return a_rule(id, "condition", when=when or {"cross_border": False}) | {"obligations": list(obligations)}


def test_no_delivery_in_common_goes_to_a_person_with_a_note():
    rules = [
        condition("TR-101", {"kind": "delivery_only", "modes": ["secure_env"]}),
        condition("TR-102", {"kind": "delivery_only", "modes": ["api"]}, min_group={"at_least": 10}),
    ]
    verdict = verdict_of(*rules)
    assert (verdict.outcome, verdict.floor, verdict.ceiling) == ("review", "review", "review")
    assert "义务冲突" in verdict.notes[0]["zh"]
    hidden = verdict_of(*rules, min_group=None)
    assert (hidden.outcome, hidden.floor, hidden.ceiling, hidden.notes) == ("review", "condition", "review", ())


def test_dropping_every_requested_column_goes_to_a_person():
    rule = condition("TR-101", {"kind": "drop_columns", "semantics": ["measure.speed"]})
    speed, count, unknown = (
        {"name": "speed", "semantic": "measure.speed"},
        {"name": "cnt", "semantic": "measure.count"},
        {"name": "f", "semantic": None},
    )
    assert verdict_of(rule, columns=[speed]).outcome == "review"
    assert verdict_of(rule, columns=[speed, count]).outcome == "condition"
    assert verdict_of(rule, columns=[speed, count, unknown]).outcome == "condition"
    hanging = verdict_of(rule, columns=[speed, unknown])
    assert (hanging.outcome, hanging.missing) == ("review", ("columns.f",))
    assert verdict_of(rule, columns=None).missing == ("columns",)
