"""What is left of a grant's limits, and how it is said."""

from datetime import UTC, datetime

import pytest

from service.data.rules import quota
from service.data.rules.asking import network_of, version_of
from service.data.rules.quota import Amount, Left, Quota
from service.data.rules.refusals import BadParameter

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)  # 12:00 in Beijing


def test_a_grant_has_the_limits_that_it_says_and_its_level_s_for_the_rest():
    found = quota.quota_of({"rows_per_day": 5}, 3)
    assert found.rows_per_day == 5
    assert found.bytes_per_day == quota.DEFAULTS[3].bytes_per_day
    assert quota.quota_of(None, 2) == quota.DEFAULTS[2]
    assert quota.quota_of({"requests_per_minute": None}, 2).requests_per_minute is None


def test_a_level_that_nobody_knows_has_the_narrowest_limits():
    assert quota.quota_of({}, 9) == quota.DEFAULTS[4]


@pytest.mark.parametrize(
    ("used", "wanted", "which"),
    [
        (Amount(0, 0), Amount(10, 100), None),
        (Amount(0, 0), Amount(11, 100), "rows"),
        (Amount(0, 0), Amount(10, 101), "bytes"),
        (Amount(9, 99), Amount(1, 1), None),
        (Amount(9, 99), Amount(0, 0), None),
        (Amount(10, 0), Amount(0, 0), "rows"),
        (Amount(0, 100), Amount(0, 0), "bytes"),
    ],
)
def test_a_day_may_be_used_up_to_its_limit_and_not_beyond(used, wanted, which):
    assert quota.spent(Quota(rows_per_day=10, bytes_per_day=100), used, wanted) == which


def test_without_limits_nothing_is_ever_spent():
    assert quota.spent(Quota(), Amount(10**15, 10**15), Amount(10**15, 10**15)) is None
    assert Left(Quota(), 0, 0, Amount(), 1).headers() == {}


def test_a_day_s_limit_holds_until_midnight_in_beijing():
    assert quota.until_midnight(NOON) == 12 * 3600
    assert quota.until_midnight(datetime(2026, 11, 24, 15, 59, 59, 999_000, tzinfo=UTC)) == 1
    refusal = quota.over_day("rows", Quota(rows_per_day=7), now=NOON, page="/grants/g")
    assert refusal.facts == {"what": "rows", "limit": 7, "retry_after": 12 * 3600, "page": "/grants/g"}


def test_what_is_left_is_said_in_the_fields_of_the_draft():
    left = Left(Quota(60, 1000, 5000), 59, 42, Amount(100, 6000), 3600)
    assert left.headers() == {
        "RateLimit-Policy": '"requests";q=60;w=60;qu="requests", "rows";q=1000;w=86400;qu="rows", '
        '"bytes";q=5000;w=86400;qu="content-bytes"',
        "RateLimit": '"requests";r=59;t=42, "rows";r=900;t=3600, "bytes";r=0;t=3600',
    }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("nowhere", None),
        ("", None),
        (None, None),
    ],
)
def test_a_place_is_known_by_its_network_and_not_by_its_address(address, network):
    assert network_of(address) == network


def test_a_version_is_named_exactly_or_as_of_a_number():
    assert version_of(None, None) == (None, None)
    assert version_of("3", None) == (3, None)
    assert version_of(None, "12") == (None, 12)


@pytest.mark.parametrize("pair", [("0", None), ("-1", None), ("1.0", None), ("٣", None), ("", None), (None, "x"),
                                  ("1", "1"), ("1" * 10, None)])  # fmt: skip
def test_anything_else_is_no_version(pair):
    with pytest.raises(BadParameter):
        version_of(*pair)
