"""When a version may reach a grant, judged by its schema, levels, verdicts and measured groups."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as some

from service.grants.rules import Recipe
from service.grants.rules.groups import released, same_rows, shared
from service.grants.rules.transforms import Aggregate, CoarsenTime, Suppress, Token
from service.screening.rules import versions as rules
from service.screening.rules.versions import Code, Known

LOT, TIME = Known("lot", "string", "place.id"), Known("at", "datetime", "time.event")


def verdict(outcome="pass", ceiling="", *, rules=(), obligations=()):
    standing = [{"list": "l", "id": id, "state": state} for id, state in rules]
    return {
        "outcome": outcome, "ceiling": ceiling or outcome, "rules": standing, "obligations": list(obligations),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("there", "changed"),
    [
        ((LOT, TIME), []), ((TIME, LOT, Known("new", "string", None)), []), ((LOT,), ["at"]), ((), ["lot", "at"]),
        ((LOT, Known("at", "date", "time.event")), ["at"]), ((Known("lot", "string", None), TIME), ["lot"]),
    ],
)  # fmt: skip
def test_what_was_judged_must_be_there_as_it_was_and_what_came_does_not_matter(there, changed):
    found = rules.schema_reasons([LOT, TIME], there)
    assert [reason["columns"] for reason in found] == ([changed] if changed else [])


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        (verdict(), verdict(), None),
        (verdict("review"), verdict("pass"), None),
        (verdict("pass"), verdict("review"), []),
        (verdict("review", rules=[("A", "hit")]), verdict("review", rules=[("A", "hit"), ("B", "hit")]), ["B"]),
        (verdict("review", rules=[("A", "unknown")]), verdict("review", rules=[("A", "hit")]), ["A"]),
        (verdict("review", rules=[("A", "hit")]), verdict("review", rules=[("A", "unknown")]), None),
        (verdict(rules=[("A", "exempt")]), verdict(rules=[("A", "exempt")]), None),
        (verdict("pass", "review"), verdict("pass", "prohibit"), []),
        (verdict("prohibit"), verdict("prohibit"), []),
        (verdict("condition", obligations=[{"kind": "quota"}]), verdict("condition"), None),
        (verdict("condition"), verdict("condition", obligations=[{"kind": "quota"}]), []),
    ],
)  # fmt: skip
def test_a_verdict_carries_a_grant_only_when_nothing_of_it_is_stricter(before, after, held):
    found = rules.verdict_reasons(before, after)
    assert [reason["rules"] for reason in found] == ([] if held is None else [held])


def test_a_smallest_group_binds_by_the_verdicts_or_by_the_view_and_the_larger_holds():
    ten, twenty = ({"kind": "min_group", "k": k} for k in (10, 20))
    assert rules.smallest_group([verdict(), verdict()], None) is None
    assert rules.smallest_group([verdict(obligations=[ten]), verdict(obligations=[twenty])], None) == 20
    assert rules.smallest_group([verdict(obligations=[ten])], (("lot",), 30)) == 30


def test_how_few_came_is_not_said():
    [reason] = rules.difference_reasons(10, came=1, gone=None, base=3, grant=None)
    assert reason == {"code": "difference-too-small", "k": 10, "base": 3}
    assert rules.difference_reasons(10, came=None, gone=None, base=3, grant=None) == []
    assert rules.difference_reasons(10, came=None, gone=4, base=3, grant="g")[0]["code"] == Code.GRANTS


@pytest.mark.parametrize(
    ("codes", "waits"),
    [([], False), (["difference-too-small"], True), (["difference-too-small", "schema-changed"], False)],
)
def test_nobody_has_to_do_anything_where_only_more_rows_are_waited_for(codes, waits):
    assert rules.waits([{"code": code} for code in codes]) is waits


@given(some.lists(some.frozensets(some.integers(0, 5)), min_size=1, max_size=6))
def test_versions_that_only_grew_are_held_against_the_last_and_all_others_where_rows_went(histories):
    older = [(number, frozenset(map(str, parts))) for number, parts in enumerate(histories[:-1], 1)]
    newest = frozenset(map(str, histories[-1]))
    wanted = rules.needed(older, newest)
    chain = [*(parts for _number, parts in older), newest]
    for number, _parts in older:
        grew = all(one <= next for one, next in zip(chain[number - 1 :], chain[number:], strict=False))
        last = number == len(older)
        assert (number in wanted) == (last or not grew)


@given(some.lists(some.integers(0, 30), min_size=1, max_size=8), some.integers(2, 12))
def test_where_each_step_of_growth_is_large_enough_so_is_every_difference(steps, k):
    """Why the last version is enough to hold a grown one against: what came since any version is a sum of steps."""
    held = [step if step >= k else 0 for step in steps]
    totals = [0, *accumulate(held)]
    assert all(later - here == 0 or later - here >= k for i, here in enumerate(totals) for later in totals[i:])


# ---- views against each other ------------------------------------------------------------------------------------


def recipe(columns=("lot", "at"), *, steps=(), namespace="g1", **changes):
    kinds = {"lot": "string", "at": "datetime", "n": "integer"}
    types = tuple(kinds[name] for name in columns)
    return Recipe(
        "d", 1, columns, types, tuple(None for _ in columns), transforms=steps, namespace=namespace, **changes
    )


HOUR, DAY = CoarsenTime(column="at", unit="hour"), CoarsenTime(column="at", unit="day")
TOKEN = Token(column="lot")


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (recipe(), recipe(("at", "n")), ("at",)),
        (recipe(steps=(HOUR,)), recipe(steps=(DAY,)), ("lot",)),
        (recipe(steps=(HOUR,)), recipe(steps=(HOUR,)), ("lot", "at")),
        (recipe(steps=(TOKEN,)), recipe(steps=(TOKEN,), namespace="g2"), ("at",)),
        (recipe(steps=(TOKEN,)), recipe(steps=(TOKEN,)), ("lot", "at")),
    ],
)
def test_two_views_share_the_columns_whose_values_can_be_compared(one, other, common):
    assert shared(one, other) == common


def test_two_views_have_the_same_rows_when_filters_and_left_out_groups_are_the_same():
    few = Suppress(columns=("lot",), k=10)
    assert same_rows(recipe(), recipe(("lot", "n")))
    assert not same_rows(recipe(area_column="lot", areas=("A",)), recipe())
    assert same_rows(recipe(area_column="lot", areas=("A", "B")), recipe(area_column="lot", areas=("B", "A")))
    assert not same_rows(recipe(steps=(few,)), recipe())
    assert same_rows(recipe(steps=(few,)), recipe(("lot", "n"), steps=(few,)))
    assert not same_rows(recipe(steps=(Suppress(columns=("at",), k=10), HOUR)),
                         recipe(steps=(Suppress(columns=("at",), k=10), DAY)))  # fmt: skip


def test_groups_go_out_as_rows_or_as_cells():
    assert released((HOUR, Suppress(columns=("lot",), k=10))) == (("lot",), 10)
    assert released((Aggregate(by=("lot",), k=20),)) == (("lot",), 20)
    assert released((HOUR,)) is None
