"""What a dataset needs before it may be published, and how it is found."""

from dataclasses import replace

import pytest

from service.catalogue.engine import words
from service.catalogue.rules import Column, Entry, faults, highest_level, in_public_view, lowered

BOTH = ("写明", "stated")
ASSESSMENT = {"method": "取整", "assessor": "评估组", "date": "2026-04-10", "result": "不可识别"}
OPEN = Entry(openness="unconditional", level=1, columns=(Column("date", 1, "time.date"),))
RESTRICTED = Entry(
    openness="restricted",
    level=3,
    columns=(Column("plate", 3, "vehicle.plate"), Column("lot", 1, "admin.code")),
    texts=dict.fromkeys(("conditions", "requirements", "safeguards", "basis_note"), BOTH),
    basis="anonymisation",
    assessment=ASSESSMENT,
)


def fields(entry):
    return [fault.field for fault in faults(entry)]


def test_a_complete_restricted_dataset_can_be_published():
    assert faults(RESTRICTED) == ()


def test_a_restricted_dataset_without_conditions_hears_every_reason_at_once():
    bare = replace(RESTRICTED, texts={}, basis=None, assessment=None, level=2)
    assert fields(bare) == ["level", "conditions", "requirements", "safeguards", "basis"]


@pytest.mark.parametrize("name", ["conditions", "requirements", "safeguards", "basis_note"])
def test_one_language_is_not_enough(name):
    assert fields(replace(RESTRICTED, texts=RESTRICTED.texts | {name: ("写明", " ")})) == [name]


@pytest.mark.parametrize("key", sorted(ASSESSMENT))
def test_an_anonymisation_assessment_lacks_nothing(key):
    part = {name: value for name, value in ASSESSMENT.items() if name != key}
    assert fields(replace(RESTRICTED, assessment=part)) == ["assessment"]


def test_restricted_data_of_level_1_names_no_basis():
    assert faults(replace(RESTRICTED, level=1, columns=(Column("lot", 1, None),), basis=None, assessment=None)) == ()


def test_the_dataset_is_graded_as_its_highest_column():
    assert highest_level(RESTRICTED.columns) == 3
    assert highest_level([Column("free", None, None)]) == 1
    assert fields(replace(RESTRICTED, level=2)) == ["level"]
    assert faults(replace(RESTRICTED, level=4)) == ()


def test_only_level_1_is_open_to_everyone():
    assert faults(OPEN) == ()
    assert fields(replace(OPEN, level=2)) == ["openness"]


def test_a_column_above_level_1_may_be_kept_out_of_the_public_view():
    columns = (*OPEN.columns, Column("tailnum", 3, "vehicle.plate"))
    whole = replace(OPEN, level=3, columns=columns)
    assert set(fields(whole)) == {"openness"}
    without = replace(whole, public_columns=("date",))
    assert faults(without) == ()
    assert [column.name for column in in_public_view(without)] == ["date"]


@pytest.mark.parametrize("openness", ["restricted", "prohibited"])
def test_only_unconditional_data_has_a_public_view(openness):
    assert in_public_view(replace(RESTRICTED, openness=openness)) == ()


def test_columns_that_are_named_must_exist():
    entry = replace(OPEN, time_column="at", area_column="district", public_columns=("date", "gone"))
    assert fields(entry) == ["time_column", "area_column", "public_columns"]


def test_a_derived_dataset_records_how_and_its_new_grade():
    derived = replace(RESTRICTED, derived_from="passing-records")
    assert fields(derived) == ["derivation"]
    record = {"method": "计数", "assessor": "评估组", "date": "2026-04-12"}
    assert fields(replace(derived, derivation=record | {"level": 2})) == ["derivation"]
    assert faults(replace(derived, derivation=record | {"level": 3})) == ()


def test_synthetic_data_says_so_and_proves_no_exception():
    marked = {"title": ("甲（合成数据）", "A (synthetic)"), "summary": ("合成数据", "Synthetic data")}
    synthetic = replace(OPEN, synthetic=True, texts=marked, tags=("transport",))
    assert faults(synthetic) == ()
    assert fields(replace(synthetic, texts={})) == ["title", "summary"]
    exempting = ("transform.aggregated", "consent.subject", "legal.published", "legal.contract_closed")
    assert fields(replace(synthetic, tags=exempting)) == ["tags"] * 3


def test_an_unclassified_column_does_not_bar_publication():
    entry = replace(RESTRICTED, columns=(*RESTRICTED.columns, Column("f17", None, None)))
    assert faults(entry) == ()


def test_a_load_may_raise_and_classify_but_not_lower():
    before = [Column("a", 2, "time.event"), Column("b", None, None), Column("c", 1, "admin.code")]
    raised = [Column("a", 3, "time.event"), Column("b", 1, "admin.code"), Column("new", 1, None)]
    assert lowered(before, raised) == ()
    milder = [Column("a", 1, "time.hour"), Column("b", None, None), Column("c", None, "admin.code")]
    assert [fault.field for fault in lowered(before, milder)] == ["a", "a", "c"]


# ---- search words ----------------------------------------------------------------------------------------------------

TITLES = {
    "parking": "停车场进出记录",
    "civil": "城市民政对象名录",
    "citizens": "市民卡服务网点",
    "bridge": "桥梁检测结果",
    "junior": "初中学生人数",
    "middle": "中学名录",
    "english": "Daily exchange rates",
}
INDEX = {name: words.index([title], []) for name, title in TITLES.items()}


def found(query):
    demanded, _better = words.asked(query)
    return {name for name, index in INDEX.items() if demanded and all(word in index for word in demanded)}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("停车", {"parking"}),
        ("停車場", {"parking"}),
        ("记录", {"parking"}),
        ("桥", {"bridge"}),
        ("名录", {"civil", "middle"}),
        ("停车 记录", {"parking"}),
        ("停车 名录", set()),
        ("exch", {"english"}),
        ("ＤＡＩＬＹ rates", {"english"}),
        ("change", set()),
        ("！？", set()),
    ],
)
def test_a_query_finds_the_titles_that_hold_all_its_words(query, expected):
    assert found(query) == expected


def test_whole_words_and_titles_weigh_more():
    demanded, better = words.asked("市民")
    scores = {name: sum(INDEX[name].get(word, 0) for word in {*demanded, *better}) for name in ("civil", "citizens")}
    assert scores["citizens"] >= scores["civil"]
    assert words.index(["停车"], ["停车", "道路"])["停车"] > words.index(["停车"], ["停车", "道路"])["道路"]
