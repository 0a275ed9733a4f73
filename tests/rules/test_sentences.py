"""Every rule of a list is a sentence that people can read, in both languages, and says all that the rule says."""

import re
from typing import Any

import pytest

from service.base.i18n import HAN
from service.policy.rules.models import Rule, When
from service.policy.rules.phrases import AGGREGATE, EN, PERSONS, SINGLE_ROWS, ZH
from service.policy.rules.sentences import sentence
from service.policy.rules.vocabulary import AXES
from tests.policies.lists import shipped

VOCABULARY = shipped().vocabulary
RULES = [rule for each in shipped().lists for rule in each.rules]
RAW_KEY = re.compile(r"[a-z]+_[a-z]+|[a-z]+\.[a-z]+|\{|\}|None")


def a_rule(**fields: Any) -> Rule:
    head = {"id": "XX-001", "title": {"zh": "甲", "en": "A"}, "basis": [{"law": "数据安全法", "mark": "read"}]}
    return Rule.of(head | {"outcome": "prohibit"} | fields)


def said(**fields: Any) -> dict[str, str]:
    return sentence(a_rule(**fields), VOCABULARY)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_of_the_shipped_lists_is_a_sentence_in_both_languages(rule):
    spoken = sentence(rule, VOCABULARY)
    assert spoken["zh"].endswith("。")
    assert HAN.search(spoken["zh"])
    assert spoken["en"].endswith(".")
    assert not HAN.search(spoken["en"])
    assert not any(RAW_KEY.search(text) for text in spoken.values()), spoken


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_sentence_names_every_word_that_its_rule_names(rule):
    blocks = [each for each in (rule.when, *(rule.when_any or ()), *(but.when for but in rule.unless)) if each]
    zh = sentence(rule, VOCABULARY)["zh"]
    for key, match in (clause for block in blocks for clause in block.clauses):
        for words in filter(None, (getattr(match, name, None) for name in ("any_of", "all_of", "none_of"))):
            if any(frozenset(words) == group for group in (PERSONS, SINGLE_ROWS, AGGREGATE)):
                continue
            for word in words:
                name = VOCABULARY.label(AXES[key], word) if key in AXES else word
                assert ZH.renamed.get(word, name) in zh


def test_a_rule_about_columns_reads_as_a_lawyer_would_write_it():
    spoken = said(
        when={"columns": {"any_of": ["vehicle.plate"]}},
        unless=[
            {
                "id": "XX-001-E1",
                "reason": {"zh": "甲", "en": "A"},
                "when": {"dataset_tags": {"any_of": ["transform.anonymised"]}},
            }
        ],
    )
    assert spoken["zh"] == "申请的字段含号牌号码的，禁止提供，但数据集带有“匿名化”标签的除外。"
    assert spoken["en"] == (
        "Not provided when the columns asked for include “licence plate”, unless the dataset is marked “anonymised”."
    )


def test_cases_are_numbered_and_what_they_share_is_said_once():
    rows = {"record_unit": {"any_of": sorted(SINGLE_ROWS)}}
    spoken = said(
        when_any=[
            {"columns": {"any_of": ["geo.stay"]}, **rows},
            {"dataset_tags": {"any_of": ["taxi.order"]}, "cross_border": True, **rows},
        ]
    )
    assert spoken["zh"].startswith("记录为逐条明细，且有下列情形之一的，禁止提供：（一）")
    assert spoken["zh"].count("记录为逐条明细") == 1
    assert "(1) the columns asked for include" in spoken["en"]


def test_a_case_that_only_says_what_all_share_makes_the_others_idle():
    rows = {"record_unit": {"none_of": ["aggregate"]}}
    assert said(when_any=[rows, {**rows, "cross_border": True}])["zh"] == "记录不是汇总结果的，禁止提供。"


def test_an_or_in_a_row_stands_only_where_nothing_else_could_be_read_into_it():
    alone = said(when_any=[{"cross_border": True}, {"onward_sharing": True}])
    beside = said(when={"dataset_level": {"at_least": 2}}, when_any=[{"cross_border": True}, {"onward_sharing": True}])
    assert alone["zh"] == "数据拟出境或者供境外访问，或者拟向他人提供的，禁止提供。"
    assert "（一）" in beside["zh"]


@pytest.mark.parametrize("key", list(When.model_fields))
def test_every_key_of_the_format_has_its_phrases(key):
    for text in (ZH, EN):
        known = {*text.sets, *text.numbers_of, *(name for name, _ in text.truths)}
        assert key in known


@pytest.mark.parametrize("operator", ["at_least", "at_most", "below", "above"])
@pytest.mark.parametrize("key", sorted(ZH.numbers_of))
def test_every_bound_of_every_number_is_spoken(key, operator):
    spoken = said(when={key: {operator: 3}})
    assert "3" in spoken["zh"]
    assert "3" in spoken["en"]
    assert said(when={key: {"at_least": 3, "below": 8}}) != spoken


@pytest.mark.parametrize(
    "obligation",
    [
        {"kind": "max_retention", "days": 365},
        {"kind": "min_group", "k": 10},
        {"kind": "drop_columns", "semantics": ["person.age", "person.gender"]},
        {"kind": "transform", "semantics": ["person.age"], "method": "bucket", "to": "person.age_band"},
        {"kind": "transform", "semantics": ["person.age"], "method": "mask"},
        {"kind": "coarsen_spatial", "metres": 500},
        {"kind": "coarsen_time", "minutes": 15},
        {"kind": "delivery_only", "modes": ["secure_env", "query"]},
        {"kind": "document", "name": "dpia"},
        {"kind": "usage_report", "every_days": 180},
        {"kind": "delay", "minutes": 30},
        {"kind": "quota", "rows_per_day": 100000},
        {"kind": "attribution"},
        {"kind": "attribution", "text": "数据来源：杭州市"},
        {"kind": "destruction_proof", "within_days": 30},
        {"kind": "approver", "role": "traffic_police"},
        *({"kind": kind.kind} for kind in VOCABULARY.obligations if not kind.params),
    ],
    ids=lambda each: each["kind"],
)
def test_every_obligation_is_a_clause_in_both_languages(obligation):
    bare = said(when={"cross_border": True}, outcome="review")
    spoken = said(when={"cross_border": True}, outcome="review", obligations=[obligation])
    assert all(len(spoken[language]) > len(bare[language]) for language in ("zh", "en"))
    assert HAN.search(spoken["zh"])
    assert not HAN.search(spoken["en"])
    assert not any(RAW_KEY.search(text) for text in spoken.values())


def test_kinds_of_obligation_are_all_spoken():
    kinds = {kind.kind for kind in VOCABULARY.obligations}
    assert kinds == {*ZH.duties, *ZH.choices} == {*EN.duties, *EN.choices}


def test_the_named_groups_are_still_what_the_vocabulary_has():
    assert {word.word for word in VOCABULARY.subjects} - PERSONS == {"public_official", "organisation"}
    assert {word.word for word in VOCABULARY.record_units} - SINGLE_ROWS == {"organisation", "facility", "aggregate"}


def test_an_exception_says_what_must_hold():
    (rule,) = (rule for rule in RULES if rule.id == "CO-005")
    spoken = sentence(rule, VOCABULARY)
    assert spoken["zh"].endswith("但数据集带有“监护人同意”标签，且以受控环境方式提供的除外。")
    assert spoken["en"].endswith(
        "unless the dataset is marked “consent of guardians”, and delivery is by controlled environment."
    )


def test_a_rule_with_a_term_says_so():
    spoken = said(when={"cross_border": True}, effective={"from": "2026-03-01", "until": "2026-12-31"})
    assert spoken["zh"].endswith("本条自2026年3月1日起至2026年12月31日有效。")
    assert spoken["en"].endswith("In force from 2026-03-01 to 2026-12-31.")


def test_the_same_rule_gives_the_same_sentence():
    assert [sentence(rule, VOCABULARY) for rule in RULES] == [sentence(rule, VOCABULARY) for rule in RULES]
