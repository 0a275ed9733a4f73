"""Folding: what looks the same to a reader is the same to a rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.base.hanzi import _TABLE, simplified
from service.policy.rules.texts import fold


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ＡＢＣ１２３", "abc123"),
        ("核\u200b保", "核保"),
        ("核\ufeff保", "核保"),
        ("核\u3164保", "核保"),
        ("核\ufe0f保", "核保"),
        ("\u202e核保", "核保"),
        ("核\t \u3000\n保", "核保"),
        ("保險定價", "保险定价"),
        ("ﬁnance", "finance"),
        ("后里面", "后里面"),
    ],
)
def test_folding(written, read):
    assert fold(written) == read


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_the_table_maps_traditional_to_simplified_one_to_one():
    assert len(_TABLE) > 1000
    for old, new in _TABLE.items():
        assert len(new) == 1
        new.encode("gbk")
        assert simplified(chr(old)) == new == simplified(new)
