"""What a dataset needs before it may be published, and how it is found."""

from dataclasses import replace

import pytest

from service.catalogue import rules
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
INDEX = {name: words.index(title, title, [], {}) for name, title in TITLES.items()}


def holds(terms: str, query) -> bool:
    """Whether terms answer a query, as both databases are asked."""
    if isinstance(query, str):
        held = terms.split()
        return any(term.startswith(query[:-1]) for term in held) if query.endswith("*") else query in held
    answers = [holds(terms, part) for part in query]
    return any(answers) if isinstance(query, tuple) else all(answers)


def found(query, reading=words.anywhere):
    demanded = reading(words.asked(query))
    return {name for name, index in INDEX.items() if demanded and holds(index.terms, demanded)}


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
    assert found(query, words.in_title) == expected


def test_whole_words_are_told_from_letters_that_only_stand_side_by_side():
    assert found("市民") == {"civil", "citizens"}
    assert found("市民", words.as_words) == {"citizens"}


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("tingche", {"parking"}),
        ("tingchechangjinchu", {"parking"}),
        ("tccjcjl", {"parking"}),
        ("tccjl", {"parking"}),
        ("jinchu", {"parking"}),
        ("csmz", {"civil"}),
        ("zxml", {"middle"}),
        ("tingchu", set()),
        ("x", set()),
        ("停车", set()),
    ],
)
def test_titles_are_found_by_their_pinyin_and_its_initials(letters, expected):
    def reading(query):
        return words.spelt(query) or ()

    assert found(letters, reading) == expected


def test_figures_that_touch_a_character_are_one_with_it():
    index = words.index("106年年度报告5份", "Report", [], {})
    assert holds(index.terms, words.anywhere(words.asked("106年")))
    assert not holds(index.terms, words.anywhere(words.asked("5年")))
    assert holds(index.terms, words.anywhere(words.asked("5 年")))


def test_a_title_may_break_between_its_words():
    assert words.breaks("停车场进出记录（合成数据）") == ["停车场", "进出", "记录", "（", "合成", "数据", "）"]


def test_facets_are_packed_as_they_are_unpacked():
    facets = rules.facets_of(
        key_domain="transport", data_domain="transport", unit_id="transport-bureau", openness="restricted", level=3,
        update_cycle="daily", synthetic=True, loaded=True,
    )  # fmt: skip
    assert rules.unpacked(rules.packed(facets)) == facets
    assert facets["has"] == ["data", "synthetic"]


def test_what_is_prohibited_is_had_in_no_format():
    facets = rules.facets_of(
        key_domain="tourism", data_domain="other", unit_id="u", openness="prohibited", level=4, update_cycle="once",
        synthetic=False, loaded=True,
    )  # fmt: skip
    assert facets["format"] == facets["has"] == []
