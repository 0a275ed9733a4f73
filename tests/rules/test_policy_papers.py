"""What a grant rests on: duties that can be enforced, the agreement's text, reasons and the remedy block."""

from datetime import date
from typing import Any

import pytest

from service.policy.rules.duties import Grantable, blocking, tasks
from service.policy.rules.facts import Column
from service.policy.rules.merging import merge
from service.policy.rules.models import Text
from service.policy.rules.papers import Terms, agreement_text, blanks_in, fill
from tests.policies.lists import a_list, a_rule, shipped, words

TERMS = Terms(
    number="SQ-2026-000001",
    applicant="杭州某智能科技有限公司",
    applicant_uscc="91330000755918469E",
    source_unit="市交通运输局",
    authority="市数据资源管理局",
    dataset="停车场进出记录",
    columns=("停车场编号", "进场时间"),
    rows="2026-01-01 至 2026-06-30",
    purpose="ai.training.traffic",
    statement="训练停车需求预测模型",
    delivery="api",
    starts_on="2026-12-01",
    ends_on="2027-11-30",
    security_contact="安全负责人甲",
    members=("甲", "乙"),
)
AGREEMENT = shipped().agreements["use"]


def duties(*obligations: dict[str, Any]) -> tuple[Any, ...]:
    rule = a_rule("TR-101", "condition", when={"cross_border": False}) | {"obligations": list(obligations)}
    return merge(a_list(rule).rules[0].obligations)


def blocked(*obligations: dict[str, Any], **grant: Any) -> list[str]:
    asked: dict[str, Any] = {
        "columns": (),
        "delivery": "api",
        "served": frozenset({"download", "api"}),
        "days": 180,
        **grant,
    }
    return [each.zh for each in blocking(duties(*obligations), Grantable(**asked), words().enforcers)]


SPEED, PLATE, UNKNOWN = (
    Column(name="speed", semantic="measure.speed"),
    Column(name="hphm", semantic="vehicle.plate.rear"),
    Column(name="f"),
)
NO_PLATES = {"kind": "drop_columns", "semantics": ["vehicle.plate"]}


def test_a_term_up_to_the_retention_is_enforced_by_the_grants_end():
    assert blocked({"kind": "max_retention", "days": 180}, days=180) == []
    assert "超过保存期限上限 180 天" in blocked({"kind": "max_retention", "days": 180}, days=181)[0]


def test_dropped_columns_must_be_out_of_the_grant():
    assert blocked(NO_PLATES, columns=(SPEED,)) == []
    assert "hphm" in blocked(NO_PLATES, columns=(SPEED, PLATE))[0]
    assert "f" in blocked(NO_PLATES, columns=(UNKNOWN,))[0]


@pytest.mark.parametrize(("served", "holds"), [(500, True), (1000, True), (499, False), (None, False)])
def test_a_precision_already_coarse_enough_is_enforced(served, holds):
    assert (blocked({"kind": "coarsen_spatial", "metres": 500}, spatial_m=served) == []) is holds
    assert (blocked({"kind": "coarsen_time", "minutes": 500}, temporal_min=served) == []) is holds


def test_a_controlled_environment_is_never_turned_into_a_download():
    assert blocked({"kind": "delivery_only", "modes": ["api"]}, delivery="api") == []
    assert "须改为 api" in blocked({"kind": "delivery_only", "modes": ["api"]}, delivery="download")[0]
    assert "暂无受控环境" in blocked({"kind": "delivery_only", "modes": ["secure_env"]}, delivery="download")[0]
    assert "暂无受控环境" in blocked({"kind": "delivery_only", "modes": ["secure_env"]}, delivery="secure_env")[0]


@pytest.mark.parametrize(
    "obligation",
    [
        {"kind": "watermark"},
        {"kind": "aggregate_only"},
        {"kind": "min_group", "k": 10},
        {"kind": "delay", "minutes": 15},
        {"kind": "quota", "rows_per_day": 10},
        {"kind": "transform", "semantics": ["vehicle.plate"], "method": "keyed_hash"},
    ],
)
def test_what_only_the_system_could_enforce_and_this_build_does_not_blocks_the_grant(obligation):
    assert obligation["kind"] in blocked(obligation)[0]


CLAUSED = [
    ({"kind": "no_reidentification"}, "不得重识别"),
    ({"kind": "no_onward_sharing"}, "不得转让"),
    ({"kind": "no_cross_border"}, "境内存储"),
    ({"kind": "attribution"}, "署名方式"),
    ({"kind": "document", "name": "dpia"}, "个人信息保护影响评估"),
    ({"kind": "approver", "role": "transport_authority"}, "交通运输主管部门会审"),
    ({"kind": "usage_report", "every_days": 90}, "每90天"),
    ({"kind": "destruction_proof", "within_days": 30}, "30天内"),
    ({"kind": "no_memorisation"}, "防记忆承诺"),
    ({"kind": "training_register"}, "训练集登记"),
    ({"kind": "retire_on_revocation"}, "撤销后退役"),
    ({"kind": "output_check"}, "结果出域审查"),
    ({"kind": "max_retention", "days": 180}, "不得超过180天"),
]


@pytest.mark.parametrize(("obligation", "clause"), CLAUSED)
def test_what_contract_or_process_enforces_becomes_a_clause(obligation, clause):
    assert blocked(obligation) == []
    assert clause in agreement_text(AGREEMENT, TERMS, duties(obligation), words())
    assert clause not in agreement_text(AGREEMENT, TERMS, (), words())


def test_process_duties_have_a_date():
    found = tasks(
        duties(
            {"kind": "usage_report", "every_days": 90},
            {"kind": "destruction_proof", "within_days": 30},
            {"kind": "training_register"},
            {"kind": "no_reidentification"},
        ),
        starts_on=date(2026, 12, 1),
        ends_on=date(2027, 5, 30),
        vocabulary=words(),
    )
    assert [(task.kind, task.due_on.isoformat()) for task in found] == [
        ("training_register", "2026-12-01"),
        ("usage_report", "2027-03-01"),
        ("usage_report", "2027-05-30"),
        ("destruction_proof", "2027-06-29"),
    ]


def test_the_agreement_names_what_is_granted_and_settles_derived_results():
    text = agreement_text(AGREEMENT, TERMS, (), words())
    for said in (*TERMS.columns, TERMS.dataset, TERMS.applicant_uscc, TERMS.ends_on, "交通模型训练", "衍生成果处置"):
        assert said in text
    evaluation = Terms(**{name: getattr(TERMS, name) for name in Terms.__slots__} | {"purpose": "ai.evaluation"})
    assert "衍生成果处置" not in agreement_text(AGREEMENT, evaluation, (), words())


def test_the_agreement_is_the_same_text_each_time_and_in_both_languages():
    several = duties(*(obligation for obligation, _ in CLAUSED))
    assert agreement_text(AGREEMENT, TERMS, several, words()) == agreement_text(
        AGREEMENT, TERMS, reversed(several), words()
    )
    english = agreement_text(AGREEMENT, TERMS, several, words(), language="en")
    assert "Derived results" in english
    assert "%(" not in english


def test_what_an_applicant_writes_cannot_pose_as_a_clause():
    sly = Terms(
        **{name: getattr(TERMS, name) for name in Terms.__slots__}
        | {"statement": "训练\n\n第九条　例外\n%(authority)s"}
    )
    text = agreement_text(AGREEMENT, sly, (), words())
    assert "训练 第九条 例外 %(authority)s" in text


def test_a_blank_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        fill(Text(zh="字段%(column)s", en="column %(column)s"), {}, "zh")


def test_reasons_are_offered_by_verb_and_counted_by_category():
    reasons = shipped().reasons
    for verb in ("refuse", "return", "narrow", "suspend", "revoke"):
        assert reasons.for_verb(verb)
    assert {reason.category for reason in reasons.reasons} <= {category.code for category in reasons.categories}
    assert "通过" not in repr(reasons)


def test_the_remedy_block_is_a_draft_until_signed_off():
    remedy = shipped().remedies["default"]
    assert remedy.signed_off is None
    assert blanks_in(remedy.text) == {"authority", "reconsideration_body"}
