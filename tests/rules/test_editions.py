"""Editions of a list beside each other: what changed, what a word finds, which case belongs to which rule."""

from service.policy.rules.editions import cases_by_rule, changes, finds, history, is_verified, texts_of


def a_rule(id="TR-001", **changed):
    head = {"id": id, "title": {"zh": "车辆号牌不得提供", "en": "No plates"}, "outcome": "prohibit"}
    basis = [{"law": "个人信息保护法", "article": "第四条", "mark": "read"}]
    return head | {"basis": basis, "when": {"columns": {"any_of": ["vehicle.plate"]}}} | changed


def an_edition(*rules):
    return {"rules": list(rules)}


def test_a_new_edition_tells_what_is_added_removed_and_changed_rule_by_rule():
    old = an_edition(a_rule("TR-001"), a_rule("TR-002"), a_rule("TR-003"))
    new = an_edition(a_rule("TR-001"), a_rule("TR-002", outcome="review"), a_rule("TR-004"))
    found = [(each.id, each.kind, each.parts) for each in changes(old, new)]
    assert found == [("TR-002", "changed", ("outcome",)), ("TR-004", "added", ()), ("TR-003", "removed", ())]


def test_every_part_of_a_rule_that_may_change_is_named():
    moved = {
        "outcome": "review",
        "title": {"zh": "乙", "en": "B"},
        "when": {"cross_border": True},
        "unless": [{"id": "TR-001-E1"}],
        "obligations": [{"kind": "output_check"}],
        "basis": [],
        "remedy": {"zh": "丙", "en": "C"},
        "effective": {"from": "2026-01-01"},
        "live_grants": "keep",
    }
    (change,) = changes(an_edition(a_rule()), an_edition(a_rule(**moved)))
    assert len(change.parts) == len(moved)


def test_the_same_text_is_no_change():
    assert changes(an_edition(a_rule()), an_edition(a_rule())) == ()


def test_a_rule_s_history_names_the_editions_that_touched_it_and_its_return():
    editions = [
        ("2025-1", an_edition(a_rule())),
        ("2025-2", an_edition(a_rule())),
        ("2026-1", an_edition()),
        ("2026-2", an_edition(a_rule(outcome="review"))),
    ]
    told = [(edition, change.kind) for edition, change in history(editions, "TR-001")]
    assert told == [("2025-1", "added"), ("2026-1", "removed"), ("2026-2", "added")]
    assert history(editions, "TR-009") == ()


def test_a_rule_is_found_by_law_article_number_or_word_in_either_script_and_width():
    texts = texts_of(a_rule())
    for words in (
        "TR-001",
        "tr-001",
        "號牌",
        "个人信息保护法",
        "《个人信息保护法》第四条",
        "plates",
        "号牌 第四条",
        "ＴＲ-001",
    ):
        assert finds(words, texts), words
    assert not finds("号牌 行踪", texts)


def test_only_law_that_somebody_has_read_is_verified():
    assert is_verified({"law": "甲", "mark": "read"})
    assert not is_verified({"law": "甲", "mark": "second_hand"})
    assert not is_verified({"law": "甲", "mark": "read", "kind": "analogy"})
    assert not is_verified({"law": "甲", "mark": "read", "kind": "assumption"})


def test_a_case_that_no_rule_hits_stands_beside_the_rule_it_is_told_from():
    hit = {"name": "含号牌", "expect": {"rules": ["TR-001"]}}
    miss = {"name": "号牌归属地不是号牌", "expect": {"rules": []}}
    first = {"name": "路况指数", "expect": {"outcome": "pass"}}
    found = cases_by_rule([first, hit, miss])
    assert found["TR-001"].hits == (hit,)
    assert found["TR-001"].misses == (miss,)
