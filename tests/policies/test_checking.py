"""Strict loading and `policy check` / `policy judge`: a bad file is named to the line, a missing case is noticed."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.policy.commands import policy
from service.policy.engine.checking import check_list
from service.policy.engine.folder import load
from service.policy.engine.lists import read_list
from service.policy.engine.reading import PolicyError, parse, plain_scalar, read
from tests.policies.lists import FOLDER, KNOWN, words

GOOD = """\
format: negative-list/1
id: t.transport
edition: 2026-1
domain: transport
title: {zh: 清单, en: List}
issued_by: {zh: 局, en: Bureau}
effective: {from: 2026-03-01}
rules:
- id: TR-101
  title: {zh: 号牌, en: Plates}
  basis: [{law: 民法典, mark: read}]
  outcome: prohibit
  when: {columns: {any_of: [vehicle.plate]}}
- id: TR-102
  title: {zh: 期限, en: Term}
  basis: [{law: 民法典, mark: read}]
  outcome: condition
  when: {retention_days: {above: 90}}
  obligations: [{kind: max_retention, days: 180}]
base_case: {columns: [{name: v, semantic: measure.speed}], retention_days: 90, dataset_level: 1}
tests:
- name: 未命中
  given: {}
  expect: {outcome: pass, rules: []}
- name: 号牌
  given: {columns: [{name: hphm, semantic: vehicle.plate}]}
  expect: {outcome: prohibit, rules: [TR-101], evidence: {TR-101: [hphm]}}
- name: 期限
  given: {retention_days: 91}
  expect: {outcome: condition, rules: [TR-102], obligations: [max_retention]}
"""


def run(*arguments: object, input: str | None = None) -> Result:
    return CliRunner().invoke(policy, [str(each) for each in arguments], input=input)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The good list, as one of the policies that are served."""
    copytree(FOLDER / "vocabulary", tmp_path / "served" / "vocabulary")
    monkeypatch.setenv("QIANTANG_POLICIES", str(tmp_path / "served"))
    path = tmp_path / "served" / "lists" / "good.yaml"
    path.parent.mkdir()
    path.write_text(GOOD, encoding="utf-8")
    return path


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_good_list_passes_and_the_last_line_counts(good):
    result = run("check", good)
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "3 passed, 0 failed")


def test_a_folder_is_checked_as_its_files(good):
    assert run("check", good.parent).output.endswith("3 passed, 0 failed\n")


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "key"),
    [
        (
            "when: {retention_days: {above: 90}}",
            "when: {retention_dayz: {above: 90}}",
            18,
            10,
            "rules.1.when.retention_dayz",
        ),
        ("any_of: [vehicle.plate]", "any_of: [vehicle.plat]", 13, 29, "rules.0.when.columns.any_of.0"),
        ("any_of: [vehicle.plate]", "any_of: [vehicle]", 13, 29, "rules.0.when.columns.any_of.0"),
        ("law: 民法典, mark: read", "law: 民法典, mark: read, kind: analogy", 9, 3, "rules.0"),
        ("domain: transport", "domain: space", 4, 1, "domain"),
        ("days: 180", "days: many", 19, 39, "rules.1.obligations.0.days"),
        ("days: 180", "days: yes", 19, 39, "rules.1.obligations.0.days"),
        ("  outcome: condition\n", "", 14, 3, "rules.1.outcome"),
        ("kind: max_retention, days: 180", "kind: keep, days: 180", 19, 17, "rules.1.obligations.0"),
        ("rules: [TR-101]", "rules: [TR-109]", 27, 39, "tests.1.expect.rules.0"),
        ("evidence: {TR-101:", "evidence: {TR-109:", 27, 59, "tests.1.expect.evidence.TR-109"),
        ("given: {retention_days: 91}", "given: {retention: 91}", 29, 11, "tests.2.given.retention"),
        ("retention_days: 90,", "retention_day: 90,", 20, 60, "base_case.retention_day"),
        ("edition: 2026-1", "edition: 2026-1\nedition: 2026-2", 4, 1, "edition"),
        ("issued_by: {zh: 局", "issued_by: &a {zh: 局", 6, 12, "issued_by"),
        ("issued_by: {zh: 局", "issued_by: {zh: !!str 局", 6, 17, "issued_by.zh"),
        ("{from: 2026-03-01}", "{from: 2026-03-01, <<: 1}", 7, 31, "effective.<<"),
        ("{from: 2026-03-01}", "{from: 2026-13-01}", 7, 13, "effective.from"),
        ("{zh: 清单, en: List}", "{zh: 清单, en: List, of bans}", 5, 27, "title.of bans"),
    ],
)
def test_a_bad_file_is_named_to_the_line_and_key(good, old, new, line, column, key):
    result = run("check", edited(good, old, new))
    assert result.exit_code == 1
    assert f"{good}:{line}:{column}: {key}: " in result.output, result.output
    assert result.output.splitlines()[-1].endswith(" failed")


def test_all_faults_are_told_at_once(good):
    edited(good, "vehicle.plate]", "vehicle.plat]")
    edited(good, "outcome: pass, rules: []", "outcome: pass, rules: [TR-109]")
    assert run("check", good).output.count(str(good)) == 2


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("retention_days: {above", "retention_dayz: {above", "retention_days"),
        ("vehicle.plate]", "vehicle.plat]", "vehicle.plate"),
    ],
)
def test_a_misspelt_word_gets_a_hint(good, old, new, hint):
    assert f"did you mean {hint}?" in run("check", edited(good, old, new)).output


def test_broken_yaml_is_named_to_its_place(good):
    assert f"{good}:6:10: YAML" in run("check", edited(good, "en: List}", "en: List")).output


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a: 1\n---\nb: 2\n", "one document"),
        (b"a: &x 1\nb: *x\n", "f:1:4: a: .*anchors"),
        (b"a: *x\n", "aliases"),
        (b"? [a]\n: 1\n", "must be a text"),
        (b"a" * (2 << 20), "larger"),
        ("清单: 1".encode("gb18030"), "UTF-8"),
        (b"[" * 100 + b"]" * 100, "deeply"),
        (b"a: 9007199254740993", "out of range"),
        (b"a: .nan", "out of range"),
        (b"a: \x00", "YAML"),
    ],
)
def test_what_a_reader_of_the_file_would_not_see_is_refused(raw, said):
    with pytest.raises(PolicyError, match=said):
        parse(raw, "f")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("1:30", "1:30"),
        ("010", 10),
        ("0x1f", 31),
        ("1e3", 1000.0),
        ("2026-03-01", "2026-03-01"),
        ("~", None),
        ("True", True),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    assert plain_scalar(text) == value


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("outcome: pass, rules: []", "outcome: review, rules: []", "outcome pass, expected review"),
        ("evidence: {TR-101: [hphm]}", "evidence: {TR-101: [kkbh]}", "evidence of TR-101"),
        ("obligations: [max_retention]", "obligations: []", "obligations ['max_retention'], expected []"),
        ("rules: [TR-102]", "rules: []", "rules ['TR-102'], expected []"),
    ],
)
def test_a_case_that_fails_says_what_came_instead(good, old, new, said):
    result = run("check", edited(good, old, new))
    assert result.exit_code == 1
    assert said in result.output


def test_a_list_without_a_case_that_is_not_hit_fails(served):
    edited(
        served,
        "given: {}\n  expect: {outcome: pass, rules: []}",
        "given: {retention_days: 99}\n  expect: {outcome: condition}",
    )
    assert "no case passes" in run("check", served).output


def test_a_rule_that_no_case_hits_fails(served):
    text = served.read_text(encoding="utf-8")
    served.write_text(text[: text.index("- name: 期限")], encoding="utf-8")
    assert "no case hits TR-102" in run("check", served).output


def test_a_rule_that_the_cases_would_not_miss_fails(served):
    twin = """\
- id: TR-103
  title: {zh: 又一条, en: Again}
  basis: [{law: 民法典, mark: read}]
  outcome: prohibit
  when: {columns: {any_of: [vehicle.plate]}}
base_case:"""
    edited(served, "rules: [TR-101], evidence", "evidence")
    assert "the cases still hold without TR-103" in run("check", edited(served, "base_case:", twin)).output


def test_a_list_on_the_desk_may_leave_rules_without_cases_and_is_told(good):
    text = good.read_text(encoding="utf-8")
    good.write_text(text[: text.index("- name: 期限")], encoding="utf-8")
    result = run("check", good)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed")
    assert f"{good}:14:3: rules.1.id: 没有用例命中 TR-102" in result.stderr


def test_one_wrong_expectation_is_one_failure(good):
    result = run("check", edited(good, "given: {retention_days: 91}", "given: {retention_days: 90}"))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "2 passed, 1 failed")


def test_an_id_given_to_two_rules_is_named_where_it_comes_again(good):
    result = run("check", edited(good, "- id: TR-102", "- id: TR-101"))
    assert f"{good}:14:3: rules.1.id: " in result.output


def test_a_fault_of_the_whole_file_is_named_too(good):
    good.write_text("- a\n", encoding="utf-8")
    assert f"{good}:1:1: document: " in run("check", good).output


def test_deleting_any_shipped_rule_of_transport_is_noticed():
    path = FOLDER / "lists" / "transport" / "2026-1.yaml"
    file = read_list(read(path), words())
    for rule in file.list.rules:
        without = tuple(each for each in file.list.rules if each is not rule)
        report = check_list(replace(file, list=file.list.model_copy(update={"rules": without})), words())
        assert report.failed, f"nobody would miss {rule.id}"


def test_two_editions_in_force_on_one_day_are_refused(good):
    later = good.with_name("later.yaml")
    later.write_text(
        GOOD.replace("edition: 2026-1", "edition: 2026-2").replace("2026-03-01", "2026-09-01"), encoding="utf-8"
    )
    assert "in force together" in run("check", good.parent).output
    edited(good, "{from: 2026-03-01}", "{from: 2026-03-01, until: 2026-08-31}")
    assert run("check", good.parent).output.endswith("6 passed, 0 failed\n")
    edited(later, "edition: 2026-2", "edition: 2026-1")
    assert "the same edition" in run("check", good.parent).output


def test_a_folder_without_policies_fails(tmp_path):
    result = run("check", tmp_path)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "0 passed, 1 failed")


def test_judge_judges_every_list_it_is_given(good):
    other = good.with_name("other.yaml")
    other.write_text(GOOD.replace("t.transport", "t.other"), encoding="utf-8")
    result = judge(good, {**KNOWN, "columns": [{"name": "p", "semantic": "vehicle.plate"}]}, "--list", other)
    assert [(rule["id"], rule["list"]) for rule in json.loads(result.stdout)["rules"]] == [
        ("TR-101", "t.other"),
        ("TR-101", "t.transport"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copytree(FOLDER, tmp_path / "policies")
    return tmp_path / "policies"


def test_a_route_whose_steps_exceed_its_total_is_refused(folder):
    path = edited(folder / "routes" / "default.yaml", "working_days: 5", "working_days: 6")
    result = run("check", path)
    assert result.exit_code == 1
    assert f"{path}:8:3: total.working_days: " in result.output


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "routes/default.yaml",
            "priority: 0",
            "priority: 0\napplies: {level_at_least: 1}",
            "no route without conditions",
        ),
        (
            "agreements/use.yaml",
            "obligations: [no_memorisation]",
            "obligations: [no_memory]",
            "not kinds of obligation",
        ),
        ("agreements/use.yaml", "  obligations: [no_memorisation]\n", "", "no clause for these obligations"),
        ("agreements/use.yaml", "%(max_retention_days)s", "%(max_days)s", "unknown blanks"),
        ("reasons/reasons.yaml", "category: scope", "category: space", "not one of the categories"),
        ("remedies/default.yaml", "%(authority)s", "%(court)s", "unknown blanks"),
        ("vocabulary/vocabulary.yaml", "format: vocabulary/1", "format: vocabulary/2", "vocabulary/1"),
        ("calendar/CN-2026.yaml", "state: announced", "state: sure", "announced"),
    ],
)
def test_policies_that_do_not_hold_together_stop_the_process(folder, file, old, new, said):
    edited(folder / file, old, new)
    with pytest.raises(PolicyError, match=said):
        load(folder)


def test_a_whole_folder_is_checked_as_at_start(folder):
    assert run("check", folder).exit_code == 0
    (folder / "reasons" / "reasons.yaml").unlink()
    result = run("check", folder)
    assert (result.exit_code, "library of reasons" in result.output) == (1, True)


def judge(good: Path, facts: dict[str, Any] | str, *more: object) -> Result:
    text = facts if isinstance(facts, str) else json.dumps(facts)
    return run("judge", "--list", good, "--facts", "-", *more, input=text)


def test_judge_prints_the_verdict_and_exits_zero_whatever_it_is(good):
    for given, outcome in (({}, "pass"), ({"columns": [{"name": "p", "semantic": "vehicle.plate"}]}, "prohibit")):
        result = judge(good, {**KNOWN, **given})
        assert result.exit_code == 0
        assert json.loads(result.stdout)["outcome"] == outcome


def test_judge_reads_a_file_and_several_lists(good, tmp_path):
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({**KNOWN, "domains": ["transport"]}), encoding="utf-8")
    common = FOLDER / "lists" / "common" / "2026-1.yaml"
    result = run("judge", "--list", good, "--list", common, "--facts", facts)
    assert [each["id"] for each in json.loads(result.stdout)["lists"]] == ["hz.common", "t.transport"]


def test_judge_takes_several_files_after_one_list_option(good):
    other = good.with_name("other.yaml")
    other.write_text(GOOD.replace("t.transport", "t.other"), encoding="utf-8")
    result = run("judge", "--list", good, other, "--facts", "-", input=json.dumps(KNOWN))
    assert [each["id"] for each in json.loads(result.stdout)["lists"]] == ["t.other", "t.transport"]


def test_judge_names_a_bad_list_at_the_line_s_start(good):
    result = judge(edited(good, "days: 180", "days: many"), KNOWN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{good}:19:39: rules.1.obligations.0.days: ")


def test_judge_names_the_key_that_provenance_does_not_know(good):
    result = judge(good, {**KNOWN, "provenance": {"colour": "declared"}})
    assert (result.exit_code, result.stderr.startswith("provenance: ")) == (2, True)


def test_judge_follows_the_date_of_the_facts(good):
    assert json.loads(judge(good, {**KNOWN, "date": "2026-02-28"}).stdout)["lists"] == []
    assert json.loads(judge(good, {**KNOWN, "date": "2026-03-01"}).stdout)["lists"] != []


@pytest.mark.parametrize(
    "facts",
    [
        {"colour": "red"},
        {"record_unit": "persons"},
        "not json",
        "[]",
        '{"min_group": 1, "min_group": 2}',
        '{"spatial_m": NaN}',
    ],
)
def test_bad_facts_exit_with_two(good, facts):
    result = judge(good, facts)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_bad_list_exits_with_two(good):
    assert judge(edited(good, "vehicle.plate]", "vehicle.plat]"), KNOWN).exit_code == 2
    assert judge(good.with_name("none.yaml"), KNOWN).exit_code == 2
    assert run("judge", "--list", good, "--facts", good.with_name("none.json")).exit_code == 2


def test_help_is_in_both_languages():
    for command in ((), ("check",), ("judge",)):
        assert " / " in run(*command, "--help").output


def test_a_folded_text_is_joined_by_spaces_whichever_parser_reads_it():
    folded = b"text: >-\n  one\n  two\nscale: %b\n"
    for scale in (b"'1:5000'", b"[1:5000]"):
        assert parse(folded % scale, "folded.yaml").data["text"] == "one two"
