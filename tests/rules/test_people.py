"""Codes, logins, passwords, sessions: what holds and why not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.people import rules
from service.people.rules import ABSOLUTE, IDLE, USCC_LETTERS, alive, fold_uscc, network_of, password_fault, uscc_fault

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def check_letter(body: str) -> str:
    """The standard's own sum, written here a second time."""
    total = sum(USCC_LETTERS.index(letter) * weight for letter, weight in zip(body, WEIGHTS, strict=True))
    return USCC_LETTERS[(31 - total % 31) % 31]


@pytest.mark.parametrize("code", ["91330000755918469E", "91110000600037341L", "11332500MB1601924J"])
def test_codes_in_use_hold(code):
    assert uscc_fault(code) is None


def test_a_wrong_check_letter_is_told_as_such():
    assert uscc_fault("91330000755918469F").code == "uscc_check"


@pytest.mark.parametrize(("code", "fault"), [
    ("", "uscc_length"),
    ("9133000075591846", "uscc_length"),
    ("91330000755918469EE", "uscc_length"),
    ("9133000075591846OE", "uscc_alphabet"),
    ("I1330000755918469E", "uscc_alphabet"),
    ("9133000075591846华E", "uscc_alphabet"),
    ("91AA0000755918469E", "uscc_region"),
])  # fmt: skip
def test_each_fault_of_a_code_has_its_own_message(code, fault):
    assert uscc_fault(code).code == fault


def test_the_place_of_a_foreign_letter_is_named():
    assert uscc_fault("9133000075591846OE").blanks == {"place": 17, "letter": "O"}


def test_a_code_typed_with_blanks_hyphens_small_or_full_width_letters_is_the_same_code():
    assert fold_uscc(" 9133-0000 755918469e ") == "91330000755918469E"
    assert fold_uscc("９１３３００００７５５９１８４６９Ｅ") == "91330000755918469E"


@given(st.text(USCC_LETTERS, min_size=2, max_size=2), st.text("0123456789", min_size=6, max_size=6),
       st.text(USCC_LETTERS, min_size=9, max_size=9))  # fmt: skip
def test_every_code_made_by_the_standards_sum_holds_and_no_other_letter_at_its_end(first, region, rest):
    body = first + region + rest
    right = check_letter(body)
    assert uscc_fault(body + right) is None
    assert all(uscc_fault(body + letter).code == "uscc_check" for letter in USCC_LETTERS if letter != right)


@given(st.text(max_size=40))
def test_no_text_breaks_the_check(text):
    uscc_fault(fold_uscc(text))


@pytest.mark.parametrize("login", ["li.wei", "a-1", "0xyz", "a" * 32])
def test_logins_that_may_be_taken(login):
    assert rules.login_fault(login) is None


@pytest.mark.parametrize("login", ["", "ab", "-abc", "a b c", "李伟李伟", "a" * 33, "a@b.cn", "abc\n"])
def test_logins_that_may_not(login):
    assert rules.login_fault(login).code == "login_pattern"


@pytest.mark.parametrize(("password", "code"), [
    ("short", "password_short"),
    ("lingyun.chen", "password_login"),
    ("LINGYUN.CHEN", "password_login"),
    ("Password123", "password_common"),
    ("aaaaaaaaaaaa", "password_common"),
    ("１２３４５６７８９０", "password_common"),
])  # fmt: skip
def test_weak_passwords_are_refused_with_the_reason(password, code):
    assert password_fault(password, "lingyun.chen").code == code


def test_a_long_sentence_is_a_password():
    assert password_fault("西湖 断桥 残雪 苏堤 春晓", "lingyun.chen") is None


def test_a_session_ends_after_thirty_idle_minutes_and_after_twelve_hours_in_any_case():
    def good(at: datetime, seen_at: datetime) -> bool:
        return alive(created_at=NOW, seen_at=seen_at, now=at)

    assert good(NOW, NOW)
    assert good(NOW + IDLE - timedelta(seconds=1), NOW)
    assert not good(NOW + IDLE, NOW)
    busy = NOW + ABSOLUTE - timedelta(minutes=1)
    assert good(busy, busy)
    assert not good(NOW + ABSOLUTE, busy)


def test_a_session_from_the_future_is_not_good():
    assert not alive(created_at=NOW, seen_at=NOW, now=NOW - timedelta(hours=1))


@pytest.mark.parametrize(("address", "network"), [
    ("203.0.113.9", "203.0.113.9"),
    ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
    ("::ffff:203.0.113.9", "203.0.113.9"),
    ("", "unknown"),
])  # fmt: skip
def test_an_ipv6_customer_counts_as_one_address(address, network):
    assert network_of(address) == network


def test_every_kind_and_role_has_a_name_and_every_kind_its_roles():
    assert set(rules.KIND_NAMES) == set(rules.UnitKind) == set(rules.ROLES_OF_KIND)
    assert set(rules.ROLE_NAMES) == set().union(*rules.ROLES_OF_KIND.values())


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
         "Safari/537.36 Edg/131.0.0.0", "Edge 131, Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
         "Safari/605.1.15", "Safari 18, macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox 133, Linux"),
        ("curl/8.5.0", "curl/8.5.0"), ("", ""),
    ],
)  # fmt: skip
def test_a_browser_is_called_as_its_user_would(agent, said):
    assert rules.browser_of(agent) == said
