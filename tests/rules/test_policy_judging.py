"""The judge on small lists: each point of its semantics, at its boundary."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from service.policy.rules.facts import FactsError, read_facts
from service.policy.rules.judging import judge
from service.policy.rules.models import NegativeList, strictest, strictness
from tests.policies.lists import DAY, a_document, a_list, a_rule, facts, verdict_of, words

PLATE = {"name": "hphm", "semantic": "vehicle.plate", "title": "号牌号码"}
SPEED = {"name": "speed", "semantic": "measure.speed"}
UNKNOWN = {"name": "f17", "semantic": None}
NO_PLATES = a_rule("TR-101", "prohibit", when={"columns": {"any_of": ["vehicle.plate", "vehicle.vin"]}})


def states(verdict: Any) -> dict[str, str]:
    return {rule.id: rule.state for rule in verdict.rules}


def test_a_request_that_no_rule_names_is_not_hit():
    verdict = verdict_of(NO_PLATES)
    assert (verdict.outcome, verdict.floor, verdict.ceiling) == ("pass", "pass", "pass")
    assert verdict.missing == () == verdict.rules


def test_the_evidence_of_a_column_is_its_name():
    [hit] = verdict_of(NO_PLATES, columns=[SPEED, PLATE]).rules
    assert (hit.state, hit.evidence) == ("hit", ("hphm",))


def test_the_strictest_rule_wins_whatever_the_order():
    rules = [
        a_rule("TR-102", "condition", when={"record_unit": {"any_of": ["aggregate"]}}),
        a_rule("TR-103", "review", when={"dataset_level": {"at_least": 1}}),
        NO_PLATES,
    ]
    there, back = verdict_of(*rules, columns=[PLATE]), verdict_of(*reversed(rules), columns=[PLATE])
    assert there.outcome == "prohibit"
    assert there.as_json()["rules"] == back.as_json()["rules"]


def test_all_rules_are_judged_and_not_only_the_first_that_hits():
    second = a_rule("TR-102", "prohibit", when={"cross_border": True})
    verdict = verdict_of(NO_PLATES, second, columns=[PLATE], cross_border=True)
    assert states(verdict) == {"TR-101": "hit", "TR-102": "hit"}
    assert verdict.rules[1].evidence == ("cross_border=true",)


def test_an_unclassified_column_is_unknown_and_goes_to_a_person():
    verdict = verdict_of(NO_PLATES, columns=[SPEED, UNKNOWN])
    assert (verdict.outcome, verdict.floor, verdict.ceiling) == ("review", "pass", "prohibit")
    assert verdict.missing == ("columns.f17",)
    assert states(verdict) == {"TR-101": "unknown"}


def test_a_known_column_settles_what_an_unclassified_one_leaves_open():
    assert verdict_of(NO_PLATES, columns=[PLATE, UNKNOWN]).outcome == "prohibit"


def test_none_of_columns_is_false_with_one_and_unknown_with_an_unclassified_one():
    rule = a_rule("TR-101", "prohibit", when={"columns": {"none_of": ["vehicle.plate"]}})
    assert verdict_of(rule, columns=[PLATE]).outcome == "pass"
    assert verdict_of(rule, columns=[SPEED]).outcome == "prohibit"
    assert verdict_of(rule, columns=[SPEED, UNKNOWN]).outcome == "review"


def test_all_of_needs_every_word():
    rule = a_rule("TR-101", "prohibit", when={"columns": {"all_of": ["vehicle.plate", "measure.speed"]}})
    assert verdict_of(rule, columns=[PLATE]).outcome == "pass"
    assert verdict_of(rule, columns=[PLATE, UNKNOWN]).outcome == "review"
    assert verdict_of(rule, columns=[PLATE, SPEED]).outcome == "prohibit"


def test_a_missing_number_is_unknown_and_named():
    rule = a_rule("TR-101", "prohibit", when={"min_group": {"below": 20}})
    verdict = verdict_of(rule, min_group=None)
    assert (verdict.outcome, verdict.missing) == ("review", ("min_group",))


def test_a_missing_fact_behind_a_false_one_does_not_matter():
    rule = a_rule("TR-101", "prohibit", when={"min_group": {"below": 20}, "cross_border": True})
    assert verdict_of(rule, min_group=None).outcome == "pass"


def test_unknown_with_a_ceiling_no_higher_than_the_floor_is_decided():
    rules = [
        a_rule("TR-101", "review", when={"cross_border": False}),
        a_rule("TR-102", "review", when={"min_group": {"below": 20}}),
    ]
    verdict = verdict_of(*rules, min_group=None)
    assert (verdict.outcome, verdict.floor, verdict.ceiling) == ("review", "review", "review")
    assert verdict.missing == ("min_group",)


@pytest.mark.parametrize(
    ("bound", "value", "hits"),
    [
        ("below", 19, True),
        ("below", 20, False),
        ("at_most", 20, True),
        ("at_most", 20.5, False),
        ("at_least", 20, True),
        ("at_least", 19.9, False),
        ("above", 20, False),
        ("above", 20.1, True),
    ],
)
def test_bounds_at_their_edge(bound, value, hits):
    verdict = verdict_of(a_rule(when={"spatial_m": {bound: 20}}), spatial_m=value)
    assert (verdict.outcome == "review") is hits


@pytest.mark.parametrize(("value", "shown"), [(19, "19"), (500.0, "500"), (120.155, "120.155"), (1234567.0, "1234567")])
def test_the_evidence_of_a_number_is_key_and_value(value, shown):
    [hit] = verdict_of(a_rule(when={"spatial_m": {"above": 1}}), spatial_m=value).rules
    assert hit.evidence == (f"spatial_m={shown}",)


def test_a_word_matches_everything_below_it_and_nothing_above_or_beside():
    rule = a_rule(when={"dataset_tags": {"any_of": ["transit.tap"]}})
    assert verdict_of(rule, dataset_tags=["transit.tap.metro"]).rules[0].evidence == ("dataset_tags=transit.tap.metro",)
    assert verdict_of(rule, dataset_tags=["transit.tap"]).outcome == "review"
    assert verdict_of(rule, dataset_tags=["transit"]).outcome == "pass"
    assert verdict_of(rule, dataset_tags=["transit.tapestry"]).outcome == "pass"


def test_a_fact_may_lie_below_a_known_word():
    rule = a_rule(when={"columns": {"any_of": ["vehicle.plate"]}})
    assert verdict_of(rule, columns=[{"name": "p", "semantic": "vehicle.plate.rear"}]).outcome == "review"


def test_when_any_needs_one_block_and_when_all_of_it():
    rule = a_rule(
        when={"cross_border": False},
        when_any=[{"delivery": {"any_of": ["api"]}}, {"retention_days": {"above": 365}}],
    )
    assert verdict_of(rule, delivery="download", retention_days=365).outcome == "pass"
    assert verdict_of(rule, delivery="api").outcome == "review"
    assert verdict_of(rule, retention_days=366).outcome == "review"
    assert verdict_of(rule, retention_days=366, cross_border=True).outcome == "pass"
    assert verdict_of(rule, delivery="api", retention_days=None).missing == ()
    assert verdict_of(rule, delivery="download", retention_days=None).missing == ("retention_days",)


LIFTED = a_rule(
    "TR-101",
    "prohibit",
    when={"dataset_tags": {"any_of": ["trajectory"]}},
    unless=[
        {"id": "TR-101-E1", "reason": {"zh": "汇总", "en": "sums"}, "when": {"record_unit": {"any_of": ["aggregate"]}}}
    ],
)


def test_an_exception_lifts_its_own_rule_and_is_shown():
    other = a_rule("TR-102", "review", when={"dataset_tags": {"any_of": ["trajectory"]}})
    verdict = verdict_of(LIFTED, other, dataset_tags=["trajectory.vehicle"], record_unit="aggregate")
    assert verdict.outcome == "review"
    assert states(verdict) == {"TR-102": "hit", "TR-101": "exempt"}
    assert verdict.as_json()["rules"][1]["exception"] == "TR-101-E1"


def test_an_exception_that_is_not_known_leaves_the_rule_unknown():
    verdict = verdict_of(LIFTED, dataset_tags=["trajectory.vehicle"], record_unit=None)
    assert (verdict.outcome, verdict.floor, verdict.ceiling, verdict.missing) == (
        "review",
        "pass",
        "prohibit",
        ("record_unit",),
    )


def test_an_exception_that_holds_settles_an_unknown_rule():
    assert verdict_of(LIFTED, dataset_tags=None, record_unit="aggregate").outcome == "pass"


def test_level_three_is_at_least_review_whatever_the_lists_say():
    verdict = verdict_of(NO_PLATES, dataset_level=3)
    assert verdict.outcome == "review"
    assert [(rule["id"], rule["list"]) for rule in verdict.as_json()["rules"]] == [("DEFAULT-L3", None)]
    assert verdict_of(NO_PLATES, dataset_level=2).outcome == "pass"
    assert verdict_of(NO_PLATES, dataset_level=None).missing == ("dataset_level",)


def test_level_three_raises_a_condition_and_keeps_its_obligations():
    rule = a_rule("TR-102", "condition", when={"record_unit": {"any_of": ["aggregate"]}})
    verdict = verdict_of(rule, dataset_level=4)
    assert (verdict.outcome, [duty.kind for duty in verdict.obligations]) == ("review", ["no_reidentification"])


def test_a_rule_holds_from_its_first_to_its_last_day():
    rule = a_rule(when={"cross_border": False}, effective={"from": "2026-12-01", "until": "2026-12-31"})
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [verdict_of(rule, day=day).outcome for day in days] == ["pass", "review", "review", "pass"]


def test_a_list_judges_its_domain_and_its_days_only():
    rule = a_rule(when={"cross_border": False})
    of_transport = a_list(rule, effective={"from": "2026-03-01", "until": "2026-12-01"})
    common = a_list(a_rule("CO-101", when={"cross_border": False}), id="t.common", domain="common")

    def lists(day: date = DAY, **given: Any) -> list[str]:
        return [each.id for each in judge(facts(**given), [of_transport, common], date=day).lists]

    assert lists() == ["t.common", "t.transport"]
    assert lists(domains=["transport"]) == ["t.common", "t.transport"]
    assert lists(domains=["finance"]) == ["t.common"]
    assert lists(domains=[]) == ["t.common"]
    assert lists(day=date(2026, 12, 2)) == ["t.common"]
    assert lists(day=date(2026, 2, 28)) == []


def test_purpose_text_is_found_however_it_is_written():
    rule = a_rule("PU-101", "prohibit", when={"purpose_text": {"any_of": ["核保", "信用评分"]}})
    for statement in ["用于寿险核保模型", "核\u200b保", "核 保", "核\n\u3000保", "信用評分", "ＡＩ核保", "核\u00ad保"]:
        verdict = verdict_of(rule, purpose_statement=statement)
        assert verdict.outcome == "prohibit", statement
    assert verdict_of(rule, purpose_statement="用于寿险核保模型").rules[0].evidence == ("核保",)
    assert verdict_of(rule, purpose_statement="审核后保存").outcome == "pass"


@pytest.mark.parametrize("blank", [None, "", " \u200b\u3000"])
def test_a_blank_statement_is_unknown(blank):
    rule = a_rule("PU-101", "prohibit", when={"purpose_text": {"any_of": ["核保"]}})
    assert verdict_of(rule, purpose_statement=blank).missing == ("purpose_statement",)


def test_column_text_is_looked_for_in_name_and_title_apart():
    rule = a_rule(when={"columns_text": {"any_of": ["備註", "remark"]}})
    assert verdict_of(rule, columns=[{"name": "bz", "semantic": "text.remark", "title": "备 注"}]).rules[
        0
    ].evidence == ("bz", "備註")
    assert verdict_of(rule, columns=[{"name": "REMARK_1", "semantic": "text.remark"}]).outcome == "review"
    assert verdict_of(rule, columns=[{"name": "re", "semantic": "text.remark", "title": "mark"}]).outcome == "pass"
    assert verdict_of(rule, columns=[UNKNOWN]).outcome == "pass"
    assert verdict_of(rule, columns=None).missing == ("columns",)


def test_strictness_orders_the_four_outcomes():
    assert [strictness(word) for word in ("pass", "condition", "review", "prohibit")] == [0, 1, 2, 3]
    assert strictest([]) == "pass"
    assert strictest(["condition", "review", "pass"]) == "review"


def test_the_verdict_has_the_keys_that_others_rely_on():
    verdict = verdict_of(NO_PLATES, columns=[PLATE]).as_json()
    assert {"outcome", "floor", "ceiling", "missing", "rules", "obligations", "lists"} <= set(verdict)
    assert {"id", "list", "state", "evidence", "basis", "remedy"} <= set(verdict["rules"][0])
    assert verdict["lists"] == [{"id": "t.transport", "edition": "2026-1", "digest": a_list(NO_PLATES).digest}]
    assert verdict["rules"][0]["basis"] == [{"law": "数据安全法", "kind": "law", "mark": "read"}]
    assert verdict["rules"][0]["remedy"] is None


def test_the_digest_is_of_the_text_without_its_tests():
    document = a_document(NO_PLATES, base_case={"dataset_level": 1})
    with_tests = {**document, "tests": [{"name": "一", "given": {}, "expect": {"outcome": "pass"}}]}
    other = {**document, "edition": "2026-2"}
    digests = [NegativeList.of(each).digest for each in (document, with_tests, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"colour": "red"}, "colour"),
        ({"dataset_level": 5}, "dataset_level"),
        ({"dataset_level": True}, "dataset_level"),
        ({"min_group": "20"}, "min_group.int"),
        ({"cross_border": "no"}, "cross_border"),
        ({"record_unit": "persons"}, "record_unit"),
        ({"columns": [{"name": "a", "semantic": "vehicel.plate"}]}, "columns.a"),
        ({"columns": [SPEED, SPEED]}, "columns"),
        ({"columns": [{"name": "a", "type": "text"}]}, "columns.0.type"),
        ({"domains": ["space"]}, "domains.0"),
        ({"provenance": {"speed": "declared"}}, "provenance"),
        ({"date": "2026-13-01"}, "date"),
    ],
)
def test_facts_that_cannot_be_judged_are_refused(given, path):
    with pytest.raises(FactsError) as refused:
        read_facts(given, words())
    assert path.removesuffix(".int") in {each for each, _ in refused.value.errors} or path in {
        each for each, _ in refused.value.errors
    }


def test_a_misspelt_word_is_answered_with_the_nearest_one():
    with pytest.raises(FactsError, match=r"did you mean vehicle\.plate"):
        read_facts({"columns": [{"name": "a", "semantic": "vehicel.plate"}]}, words())


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(),
        a_rule(when={}),
        a_rule(when={"columns": {}}),
        a_rule(when={"columns": {"any_of": []}}),
        a_rule(when={"min_group": {}}),
        a_rule(when_any=[]),
        a_rule("TR-101", "prohibit", when={"cross_border": True}, obligations=[{"kind": "watermark"}]),
        a_rule("TR-101", "condition", when={"cross_border": True}) | {"obligations": []},
        a_rule("TR-101", "prohibit", when={"cross_border": True})
        | {"basis": [{"law": "x", "mark": "memory", "kind": "analogy"}]},
        a_rule(when={"cross_border": True}, basis=[]),
        a_rule("T-1", when={"cross_border": True}),
        a_rule(when={"cross_border": True}, colour="red"),
        a_rule(when={"cross_border": True}, effective={"from": "2026-02-01", "until": "2026-01-31"}),
    ],
)
def test_a_rule_that_does_not_hold_together_is_refused(rule):
    with pytest.raises(ValidationError):
        a_list(rule)


def test_rule_ids_are_unique_in_a_list():
    with pytest.raises(ValidationError, match="TR-101"):
        a_list(NO_PLATES, NO_PLATES)
