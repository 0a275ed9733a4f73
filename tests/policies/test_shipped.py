"""The shipped policies: their own cases, and what must hold of any request under them."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.policy.engine.checking import check_paths
from service.policy.rules.facts import read_facts
from service.policy.rules.judging import judge
from service.policy.rules.models import strictness
from tests.policies.lists import DAY, FOLDER, KNOWN, shipped, words

ALL = shipped()
PREFIXES = {
    "common": {"CO", "PU"},
    "transport": {"TR"},
    "education": {"ED"},
    "healthcare": {"HC"},
    "finance": {"FI"},
    "tourism": {"TO"},
}
NAMES = {
    axis: [word.word for word in getattr(ALL.vocabulary, axis)]
    for axis in ("semantics", "tags", "subjects", "purposes")
}


def any_of(axis: str, size: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(NAMES[axis]), max_size=size, unique=True)


columns = st.lists(st.sampled_from([*NAMES["semantics"], None]), max_size=4).map(
    lambda found: [{"name": f"c{index}", "semantic": each} for index, each in enumerate(found)]
)
requests = st.fixed_dictionaries(
    {
        "dataset_tags": any_of("tags"),
        "dataset_level": st.integers(1, 4),
        "dataset_subjects": any_of("subjects"),
        "dataset_records": st.sampled_from([10, 99_999, 100_001]),
        "columns": columns,
        "quasi_identifiers": st.integers(0, 5),
        "record_unit": st.sampled_from([word.word for word in ALL.vocabulary.record_units]),
        "spatial_m": st.sampled_from([5, 99, 100, 500, 1000]),
        "temporal_min": st.sampled_from([1, 14, 15, 60, 1440]),
        "min_group": st.integers(0, 60),
        "purpose": st.sampled_from(NAMES["purposes"]),
        "purpose_statement": st.sampled_from(["训练拥堵预测模型", "用于核保", "催收", "信用评分"]),
        "applicant_kind": st.sampled_from([word.word for word in ALL.vocabulary.applicant_kinds]),
        "applicant_foreign_share": st.sampled_from([0, 25, 50, 100]),
        "applicant_certs": st.lists(
            st.sampled_from([word.word for word in ALL.vocabulary.applicant_certs]), max_size=2
        ),
        "applicant_credit": st.sampled_from([word.word for word in ALL.vocabulary.credit_states]),
        "delivery": st.sampled_from(["download", "api", "query", "secure_env"]),
        "retention_days": st.sampled_from([30, 180, 365, 366, 800]),
        "cross_border": st.booleans(),
        "onward_sharing": st.booleans(),
        "linked_columns": any_of("semantics"),
        "linked_tags": any_of("tags"),
    }
)


def verdict_of(request: dict[str, Any]) -> Any:
    return judge(read_facts(request, words()), ALL.lists, date=DAY)


def test_every_shipped_file_holds_and_its_cases_pass():
    report = check_paths([], FOLDER)
    assert [str(fault) for fault in report.faults] == []
    assert report.passed > 100


@pytest.mark.parametrize("each", ALL.lists, ids=lambda each: each.id)
def test_rule_ids_follow_the_domain(each):
    assert {rule.id[:2] for rule in each.rules} <= PREFIXES[each.domain]


def test_no_two_shipped_lists_share_a_rule_id():
    ids = [rule.id for each in ALL.in_force(DAY) for rule in each.rules]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("domain", PREFIXES)
def test_every_domain_has_a_list_in_force(domain):
    assert [each.id for each in ALL.in_force(DAY) if each.domain == domain]


@settings(max_examples=150, deadline=None)
@given(requests, st.sets(st.sampled_from(sorted(KNOWN)), min_size=1, max_size=3))
def test_hiding_facts_never_leads_outside_floor_and_ceiling(request, hidden):
    told = verdict_of({key: value for key, value in request.items() if key not in hidden})
    truth = verdict_of(request)
    assert strictness(told.floor) <= strictness(truth.floor)
    assert strictness(told.floor) <= strictness(truth.outcome) <= strictness(told.ceiling)
    if told.floor != told.ceiling:
        assert told.missing


@settings(max_examples=150, deadline=None)
@given(requests, st.sampled_from([*NAMES["semantics"], None]))
def test_adding_a_column_never_lowers_the_outcome(request, semantic):
    wider = {**request, "columns": [*request["columns"], {"name": "new", "semantic": semantic}]}
    before, after = verdict_of(request), verdict_of(wider)
    assert strictness(after.outcome) >= strictness(before.outcome)
    assert strictness(after.floor) >= strictness(before.floor)


@settings(max_examples=50, deadline=None)
@given(requests, st.randoms(use_true_random=False))
def test_the_order_of_lists_changes_nothing(request, chance):
    facts = read_facts(request, words())
    lists = list(ALL.lists)
    chance.shuffle(lists)
    assert judge(facts, lists, date=DAY).as_json() == verdict_of(request).as_json()


def test_the_same_bytes_under_any_hash_seed():
    facts = json.dumps(
        {**KNOWN, "dataset_tags": ["transit.tap.metro", "taxi.order"], "min_group": None, "dataset_level": 2}
    )
    command = [
        sys.executable,
        "-m",
        "service.policy.commands",
        "judge",
        "--facts",
        "-",
        "--list",
        str(FOLDER / "lists"),
    ]
    printed = {
        subprocess.run(
            command,
            input=facts.encode(),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            cwd=FOLDER.parent,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(printed) == 1


def test_no_policy_speaks_of_passing():
    for path in FOLDER.rglob("*.yaml"):
        if path.parts[-2] in {"agreements", "reasons", "remedies", "routes", "forms"}:
            assert "判定通过" not in path.read_text(encoding="utf-8")
