"""Pages and cursors of the data plane."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.data import rules
from service.data.rules import BadParameter, ColumnNotGranted, CursorExpired, Page, UnknownColumn

GRANTED = ("lot_id", "entry_time")
KNOWN = ("plate", *GRANTED)
KEY = b"k" * 32


def test_without_select_the_granted_columns_come_and_no_other():
    assert rules.selected(None, GRANTED, KNOWN, apply="/a") == GRANTED


def test_select_keeps_the_order_asked_for():
    assert rules.selected("entry_time, lot_id", GRANTED, KNOWN, apply="/a") == ("entry_time", "lot_id")


def test_a_column_of_the_dictionary_that_was_not_granted_is_named_with_the_way_to_apply():
    with pytest.raises(ColumnNotGranted) as refused:
        rules.selected("lot_id,plate", GRANTED, KNOWN, apply="/applications/new?dataset=d")
    assert refused.value.facts == {"columns": "plate", "apply": "/applications/new?dataset=d"}


def test_a_name_that_is_no_column_is_unknown():
    with pytest.raises(UnknownColumn):
        rules.selected("lot_id,colour", GRANTED, KNOWN, apply="/a")


@pytest.mark.parametrize("select", ["", ",", "lot_id,lot_id"])
def test_an_empty_or_repeated_select_is_refused(select):
    with pytest.raises(BadParameter):
        rules.selected(select, GRANTED, KNOWN, apply="/a")


@pytest.mark.parametrize(("text", "limit"), [(None, 100), ("1", 1), ("10000", 10000)])
def test_a_page_has_one_to_ten_thousand_rows(text, limit):
    assert rules.limit_of(text) == limit


@pytest.mark.parametrize("text", ["0", "10001", "-1", "ten", "1.0", "９", ""])
def test_any_other_limit_is_refused(text):
    with pytest.raises(BadParameter):
        rules.limit_of(text)


@given(st.integers(0, 10**12), st.lists(st.text(), max_size=4))
def test_a_cursor_opens_for_its_own_binding_only(start, columns):
    page = Page(start, tuple(columns))
    cursor = rules.seal_cursor(page, "view|grant.1", KEY)
    assert rules.open_cursor(cursor, "view|grant.1", KEY) == page
    with pytest.raises(CursorExpired):
        rules.open_cursor(cursor, "view|grant.2", KEY)


@given(st.text())
def test_a_made_up_cursor_never_opens(cursor):
    with pytest.raises(CursorExpired):
        rules.open_cursor(cursor, "view|grant.1", KEY)
