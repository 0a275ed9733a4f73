"""A small list and facts for tests of the judge; the shipped lists are tested as themselves."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from service.policy.engine.folder import Policies, load
from service.policy.rules.facts import Facts, read_facts
from service.policy.rules.judging import Verdict, judge
from service.policy.rules.models import NegativeList
from service.policy.rules.vocabulary import Vocabulary

FOLDER = Path(__file__).parents[2] / "policies"
DAY = date(2026, 12, 1)

LAW = [{"law": "数据安全法", "mark": "read"}]
KNOWN: dict[str, Any] = {
    "dataset_tags": ["transport.stats"],
    "dataset_level": 1,
    "dataset_subjects": [],
    "dataset_records": 5000,
    "columns": [{"name": "speed", "semantic": "measure.speed", "title": "平均速度"}],
    "quasi_identifiers": 0,
    "record_unit": "aggregate",
    "spatial_m": 1000,
    "temporal_min": 15,
    "min_group": 50,
    "purpose": "ai.training.traffic",
    "purpose_statement": "训练拥堵预测模型",
    "applicant_kind": "enterprise",
    "applicant_foreign_share": 0,
    "applicant_certs": ["mlps2"],
    "applicant_credit": "good",
    "delivery": "download",
    "retention_days": 90,
    "cross_border": False,
    "onward_sharing": False,
    "linked_columns": ["measure.speed"],
    "linked_tags": ["transport.stats"],
}


@cache
def shipped() -> Policies:
    return load(FOLDER)


def words() -> Vocabulary:
    return shipped().vocabulary


def a_rule(id: str = "TR-101", outcome: str = "review", **keys: Any) -> dict[str, Any]:
    duties = {"obligations": [{"kind": "no_reidentification"}]} if outcome == "condition" else {}
    return {"id": id, "title": {"zh": "规则", "en": "Rule"}, "basis": LAW, "outcome": outcome, **duties, **keys}


def a_document(*rules: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "format": "negative-list/1",
        "id": "t.transport",
        "edition": "2026-1",
        "domain": "transport",
        "title": {"zh": "清单", "en": "List"},
        "issued_by": {"zh": "局", "en": "Bureau"},
        "effective": {"from": "2026-03-01"},
        "rules": list(rules),
        **keys,
    }


def a_list(*rules: dict[str, Any], **keys: Any) -> NegativeList:
    return NegativeList.of(a_document(*rules, **keys))


def facts(**given: Any) -> Facts:
    return read_facts({**KNOWN, **given}, words())


def verdict_of(*rules: dict[str, Any], day: date = DAY, **given: Any) -> Verdict:
    return judge(facts(**given), [a_list(*rules)], date=day)
