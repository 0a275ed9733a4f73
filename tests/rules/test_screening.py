"""Facts of a request: what is asked, by whom, and what they hold already."""

import pytest

from service.screening import rules
from service.screening.rules import Applicant, Ask, Column, Held, Subject, UnknownColumn

DATASET = Subject(
    tags=("transport", "parking.record"), level=3, subjects=(), records=None, record_unit="event", spatial_m=100,
    temporal_min=15, key_domain="transport",
    columns=(
        Column("plate", "vehicle.plate", "号牌", 3), Column("lot", "admin.code", "停车场", 1),
        Column("entered", "time.event", "进场", 2), Column("note", None, "备注", None),
    ),
)  # fmt: skip
FIRM = Applicant("enterprise", 0, ("mlps3",), "good")


def facts(*columns, held=Held(), applicant=FIRM, **ask):  # noqa: B008 - frozen
    wanted = Ask("d", columns, **ask)
    return rules.gather(
        wanted, DATASET, applicant, held, quasi=frozenset({"time.event"}), domains=["common"], day="2026-11-23"
    )


@pytest.mark.parametrize(
    ("columns", "filters", "level"),
    [
        (("lot",), (), 1), (("lot", "entered"), (), 2), (("plate", "lot"), (), 3), (("lot",), ("entered",), 2),
        (("lot", "note"), (), 3), ((), (), 1),
    ],
)  # fmt: skip
def test_the_level_is_the_highest_of_what_is_asked_or_filtered_by(columns, filters, level):
    assert facts(*columns, filter_columns=filters)["dataset_level"] == level


def test_a_filtering_column_counts_as_asked_in_the_dataset_s_order():
    assert [column["name"] for column in facts("lot", filter_columns=("plate",))["columns"]] == ["plate", "lot"]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UnknownColumn) as refusal:
        facts("lot", "salary")
    assert refusal.value.facts["columns"] == "salary"


def test_what_live_grants_give_is_joined_to_what_is_asked():
    held = Held(frozenset({"transit.card_token"}), frozenset({"transit.tap"}))
    found = facts("lot", held=held)
    assert found["linked_columns"] == ["admin.code", "transit.card_token"]
    assert found["linked_tags"] == ["parking.record", "transit.tap", "transport"]


def test_an_unclassified_column_makes_what_is_linked_unknown():
    assert facts("lot", "note")["linked_columns"] is None
    assert facts("lot", held=Held(None))["linked_columns"] is None


def test_what_nobody_said_is_unknown():
    found = facts("lot", applicant=None)
    for key in ("purpose", "delivery", "cross_border", "applicant_kind", "applicant_certs", "min_group"):
        assert found[key] is None


def test_every_fact_says_where_it_comes_from():
    found = facts("lot")
    assert set(found["provenance"]) == set(found) - {"date", "domains", "provenance"}
    assert set(found["provenance"].values()) <= {"catalogue", "register", "computed", "declared"}
    assert set(rules.FACTS) == set(found["provenance"])


def test_quasi_identifiers_are_counted():
    assert facts("lot", "entered")["quasi_identifiers"] == 1


@pytest.mark.parametrize(
    ("registered", "incident", "expected"),
    [
        ("good", False, "good"), ("good", None, "good"), ("good", True, "incident_3y"), (None, True, "incident_3y"),
        ("blacklisted", True, "blacklisted"), ("poor", True, "incident_3y"), (None, False, None),
    ],
)  # fmt: skip
def test_a_declared_incident_weighs_against_the_register(registered, incident, expected):
    assert rules.worse_credit(registered, incident) == expected


def test_a_column_s_own_rules_are_those_that_the_request_without_it_does_not_meet():
    def verdict(*rules):
        return {"rules": [{"id": id, "state": state, "outcome": "review"} for id, state in rules]}

    own = rules.own_rules(verdict(("A", "hit"), ("B", "unknown"), ("C", "exempt")), verdict(("A", "hit"), ("B", "hit")))
    assert [rule["id"] for rule in own] == ["B"]


def test_public_data_is_judged_as_everybody_s():
    ask = rules.for_everybody("d", ["lot"])
    assert (ask.cross_border, ask.onward_sharing, ask.unit_id) == (True, True, None)
    assert None not in (ask.purpose, ask.delivery, ask.retention_days, ask.applicant)
