"""When a grant is live, what a dead one says, who may stop it, what a recipe may hold."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.beijing import end_of_day, last_day
from service.base.roles import Role
from service.grants import rules
from service.grants.rules import BadRecipe, Described, GrantStanding

START = datetime(2026, 11, 1, tzinfo=UTC)
END = end_of_day(date(2026, 11, 30))
SECOND = timedelta(seconds=1)


@dataclass
class AGrant:
    id: str = "g1"
    dataset_id: str = "parking-records"
    starts_at: datetime = START
    ends_at: datetime = END


# ---- standing -------------------------------------------------------------------------------------------------------


def test_a_grant_through_a_day_ends_at_its_24_00_in_beijing():
    assert end_of_day(date(2026, 11, 30)).astimezone(UTC) == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert last_day(END) == date(2026, 11, 30)


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        (START - SECOND, GrantStanding.NOT_STARTED),
        (START, GrantStanding.LIVE),
        (END - SECOND, GrantStanding.LIVE),
        (END, GrantStanding.ENDED),
    ],
)
def test_a_grant_is_live_from_its_start_up_to_but_not_including_its_end(now, standing):
    assert rules.standing(AGrant(), suspended=False, returned_at=None, now=now) is standing


def test_a_suspension_stops_a_live_grant_and_an_end_outweighs_it():
    assert rules.standing(AGrant(), suspended=True, returned_at=None, now=START) is GrantStanding.SUSPENDED
    assert rules.standing(AGrant(), suspended=True, returned_at=None, now=START - SECOND) is GrantStanding.SUSPENDED
    assert rules.standing(AGrant(), suspended=True, returned_at=None, now=END) is GrantStanding.ENDED


def test_a_live_grant_is_not_refused():
    assert rules.refusal(AGrant(), suspended=False, returned_at=None, now=START) is None


@pytest.mark.parametrize(
    ("now", "suspended", "code"),
    [(START - SECOND, False, "grant-not-started"), (START, True, "grant-suspended"), (END, False, "grant-ended")],
)
def test_a_dead_grant_says_why_and_where_to_apply(now, suspended, code):
    refused = rules.refusal(AGrant(), suspended=suspended, returned_at=None, now=now)
    assert refused is not None
    assert (refused.code, refused.status) == (code, 403)
    assert refused.facts["apply"] == "/applications/new?dataset=parking-records"
    assert refused.detail is not None
    assert refused.detail % refused.facts


@pytest.mark.parametrize("now", [START - SECOND, START, END])
@pytest.mark.parametrize("suspended", [False, True])
def test_a_grant_that_was_given_back_stays_so_whatever_else_is_true_of_it(now, suspended):
    assert rules.standing(AGrant(), suspended=suspended, returned_at=START, now=now) is GrantStanding.RETURNED
    refused = rules.refusal(AGrant(), suspended=suspended, returned_at=START, now=now)
    assert refused is not None and refused.code == "grant-returned"
    assert refused.detail is not None and "(北京时间)".strip("()") in refused.detail % refused.facts


@pytest.mark.parametrize(
    ("roles", "unit", "may"),
    [({Role.MANAGER}, "firm", True), ({Role.APPLICANT}, "firm", False), ({Role.MANAGER}, "rival", False),
     ({Role.AUTHORITY}, "bureau", False), ({Role.STEWARD}, "source", False)],
)  # fmt: skip
def test_only_a_manager_of_the_unit_gives_its_grant_back(roles, unit, may):
    assert rules.may_hand_back(roles, unit_id=unit, holder_unit_id="firm") is may


def test_the_end_is_told_as_the_last_day():
    refused = rules.refusal(AGrant(), suspended=False, returned_at=None, now=END)
    assert refused is not None
    assert refused.facts["end"] == "2026-11-30"


def test_what_cannot_be_enforced_is_named():
    assert rules.unenforceable(["download", "secure_env"], [{"kind": "keyed_hash"}]) == [
        "delivery=secure_env", "transform=keyed_hash",
    ]  # fmt: skip
    assert rules.unenforceable(["download", "api"], []) == []


# ---- suspension -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "unit", "may"),
    [
        ({Role.AUTHORITY}, "bureau", True),
        ({Role.STEWARD}, "source", True),
        ({Role.STEWARD}, "other", False),
        ({Role.STEWARD}, "firm", False),
        ({Role.AUTHORITY}, "firm", False),
        ({Role.MANAGER}, "firm", False),
        ({Role.OPERATOR}, "bureau", False),
        (set(), "source", False),
    ],
)
def test_only_the_authority_and_the_sources_own_stewards_oversee_a_grant(roles, unit, may):
    assert rules.may_oversee(roles, unit_id=unit, source_unit_id="source", holder_unit_id="firm") is may


@pytest.mark.parametrize(
    ("roles", "unit", "may"),
    [
        ({Role.AUTHORITY}, "bureau", True),
        ({Role.AUDITOR}, "bureau", True),
        ({Role.APPLICANT}, "firm", True),
        ({Role.MANAGER}, "rival", False),
        ({Role.STEWARD}, "source", True),
        ({Role.STEWARD}, "other", False),
        ({Role.OPERATOR}, "bureau", False),
    ],
)
def test_a_grant_is_known_to_its_holder_its_source_the_authority_and_the_auditor(roles, unit, may):
    assert rules.may_see(roles, unit_id=unit, source_unit_id="source", holder_unit_id="firm") is may


def test_a_suspension_is_to_be_confirmed_by_the_end_of_the_next_working_day():
    friday = datetime(2026, 11, 27, 2, tzinfo=UTC)
    due = rules.confirmation_due(friday, works=lambda day: day.weekday() < 5)
    assert due == end_of_day(date(2026, 11, 30))


def test_a_suspension_late_in_the_evening_counts_from_its_beijing_day():
    sunday_in_utc = datetime(2026, 11, 29, 17, tzinfo=UTC)  # Monday 01:00 in Beijing
    due = rules.confirmation_due(sunday_in_utc, works=lambda day: day.weekday() < 5)
    assert due == end_of_day(date(2026, 12, 1))


# ---- recipes --------------------------------------------------------------------------------------------------------

KNOWN = (
    Described("plate", "string", "vehicle.plate"),
    Described("lot_id", "string", None),
    Described("entry_time", "datetime", None),
)


def _recipe(columns=("lot_id",), row_filter=None, time_column="entry_time", area_column="lot_id"):
    return rules.recipe(
        dataset_id="d", dataset_version=1, described=KNOWN, columns=columns, row_filter=row_filter or {},
        time_column=time_column, area_column=area_column,
    )  # fmt: skip


def test_a_recipe_knows_what_it_hides():
    assert _recipe(("entry_time", "lot_id")).hidden == ("plate",)


@pytest.mark.parametrize(
    ("columns", "row_filter", "time_column", "area_column"),
    [
        ((), {}, "entry_time", "lot_id"),
        (("lot_id", "lot_id"), {}, "entry_time", "lot_id"),
        (("colour",), {}, "entry_time", "lot_id"),
        (("lot_id",), {"from": "2026-01-01"}, None, "lot_id"),
        (("lot_id",), {"areas": ["L1"]}, "entry_time", None),
        (("lot_id",), {"plate": "浙A12345"}, "entry_time", "lot_id"),
        (("lot_id",), {"from": "yesterday"}, "entry_time", "lot_id"),
    ],
)
def test_a_recipe_that_cannot_be_applied_as_granted_is_refused(columns, row_filter, time_column, area_column):
    with pytest.raises(ValueError):
        _recipe(columns, row_filter, time_column, area_column)


def test_a_stranger_among_the_columns_is_named():
    with pytest.raises(BadRecipe, match="colour"):
        _recipe(("lot_id", "colour"))


def test_the_digest_follows_what_decides_the_bytes_and_nothing_else():
    assert _recipe(("lot_id",)).digest() == _recipe(("lot_id",), time_column=None).digest()
    assert _recipe(("lot_id", "entry_time")).digest() != _recipe(("entry_time", "lot_id")).digest()
    one, other = ({"areas": ["L1", "L2"]}, {"areas": ["L2", "L1"]})
    assert _recipe(row_filter=one).digest() == _recipe(row_filter=other).digest()
    assert _recipe(row_filter=one).digest() != _recipe().digest()


# ---- detectors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("浙A12345", {"plate"}),
        ("浙AD12345", {"plate"}),
        ("粤Z1234港", {"plate"}),
        ("车牌 浙A·8K8K8 已离场", {"plate"}),
        ("11010519491231002X", {"identity-number"}),
        ("110105194912310021", set()),
        ("110105194902310020", set()),
        ("13812345678", {"phone"}),
        ("电话13812345678转1", {"phone"}),
        ("1138123456789", set()),
        ("L003", set()),
        ("西湖区A座12345", set()),
        ("云ABCDEF", set()),
        ("", set()),
    ],
)
def test_plates_identity_numbers_and_phones_are_found_and_nothing_else(text, found):
    assert rules.detected(text) == found


def test_a_column_judged_as_what_it_holds_is_no_surprise():
    assert rules.judged_as("plate", "vehicle.plate")
    assert rules.judged_as("phone", "org.phone")
    assert not rules.judged_as("plate", "vehicle.type")
    assert not rules.judged_as("identity-number", None)


# ---- reminders ------------------------------------------------------------------------------------------------------


@given(st.integers(min_value=1, max_value=40 * 86_400))
def test_at_most_one_reminder_is_due_at_any_moment(seconds):
    left = timedelta(seconds=seconds)
    due = [days for days, more, most in rules.windows() if more < left <= most]
    expected = [days for days in (1, 7, 30) if left <= timedelta(days=days)][:1]
    assert due == expected
