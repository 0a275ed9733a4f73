"""Versions: how schemas differ, where `latest` points and when, who reviews; with a machine over their whole life."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.catalogue.rules.sayings import said
from service.catalogue.rules.secrecy import Act, Reader, due, may, may_file
from service.catalogue.rules.versions import (
    OVERLAP,
    ChangeKind,
    Field,
    breaks,
    differences,
    fields,
    is_held,
    latest_from,
    manifest_digest,
    next_in_line,
    pointed_at,
)

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LOT = Field("lot", "string", "place.id", 1)
SPACES = Field("spaces", "integer", "measure.count", 1)


def kinds(before, after, **said_of):
    return [(change.kind.value, change.column, change.breaking) for change in differences(before, after, **said_of)]


# ---- differences ----------------------------------------------------------------------------------------------------


def test_an_added_column_breaks_nothing_and_a_removed_one_does():
    assert kinds([LOT], [LOT, SPACES]) == [("added", "spaces", False)]
    assert kinds([LOT, SPACES], [LOT]) == [("removed", "spaces", True)]


def test_a_retyped_column_breaks_and_says_both_types():
    [change] = differences([SPACES], [replace(SPACES, type="number")])
    assert (change.kind, change.before, change.after, change.breaking) == (
        ChangeKind.RETYPED,
        "integer",
        "number",
        True,
    )


def test_a_renamed_column_is_one_only_where_the_steward_says_so():
    bays = replace(SPACES, name="bays")
    assert kinds([LOT, SPACES], [LOT, bays]) == [("added", "bays", False), ("removed", "spaces", True)]
    assert kinds([LOT, SPACES], [LOT, bays], renamed={"bays": "spaces"}) == [("renamed", "spaces", True)]


def test_a_rename_that_was_said_for_an_earlier_version_says_nothing_of_a_later_one():
    bays = replace(SPACES, name="bays")
    assert kinds([LOT, bays], [LOT, bays], renamed={"bays": "spaces"}) == []


def test_what_means_something_else_breaks_and_what_is_known_at_last_does_not():
    unknown = replace(SPACES, semantic=None)
    assert kinds([SPACES], [replace(SPACES, semantic="measure.price")]) == [("reclassified", "spaces", True)]
    assert kinds([unknown], [SPACES]) == [("reclassified", "spaces", False)]


def test_a_higher_grade_is_told_and_breaks_nobodys_program():
    [change] = differences([SPACES], [replace(SPACES, level=2)])
    assert (change.before, change.after, change.breaking) == ("L1", "L2", False)


def test_the_order_of_columns_is_no_change():
    assert differences([LOT, SPACES], [SPACES, LOT]) == ()


COLUMNS = st.lists(
    st.builds(
        Field, st.sampled_from("abcd"), st.sampled_from(["string", "integer"]), st.sampled_from([None, "x", "y"]),
        st.sampled_from([None, 1, 2]),
    ),
    unique_by=lambda field: field.name, max_size=4,
)  # fmt: skip


@given(COLUMNS, COLUMNS)
@settings(max_examples=200, deadline=None)
def test_every_change_can_be_said(before, after):
    for change in differences(before, after):
        message, blanks = said(change.document())
        assert "None" not in message % blanks, (change, message)
    assert differences(before, before) == ()
    gone = {field.name for field in before} - {field.name for field in after}
    assert not gone or breaks(before, after)


# ---- manifests ------------------------------------------------------------------------------------------------------


def test_the_digest_is_of_the_columns_and_the_parts_in_their_order():
    columns = [{"name": "lot", "type": "string", "semantic": "place.id", "level": 1}]
    parts = [("a" * 64, 5), ("b" * 64, 7)]
    digest = manifest_digest(columns, parts)
    assert digest == manifest_digest([dict(reversed(columns[0].items()))], parts), "the order of keys says nothing"
    assert fields(columns) == (LOT,)
    others = [
        manifest_digest(columns, parts[::-1]), manifest_digest(columns, parts[:1]),
        manifest_digest([columns[0] | {"level": 2}], parts), manifest_digest(columns, [("a" * 64, 6), parts[1]]),
    ]  # fmt: skip
    assert len({digest, *others}) == 5


@dataclass(frozen=True)
class Part:
    id: str


# ---- latest ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """A version of the machine; its schema is a set of columns of one type."""

    number: int
    columns: tuple[Field, ...] = (LOT,)
    published_at: datetime | None = None
    latest_from: datetime | None = None
    withdrawn_at: datetime | None = None


def test_what_breaks_with_latest_waits_ninety_days():
    assert latest_from([LOT], latest=[LOT, SPACES], held=None, now=NOW) == NOW + OVERLAP
    assert latest_from([LOT, SPACES], latest=[LOT], held=None, now=NOW) == NOW
    assert latest_from([LOT], latest=None, held=None, now=NOW) == NOW


def test_what_fits_the_version_that_waits_comes_with_it():
    soon = NOW + 10 * DAY
    assert latest_from([LOT], latest=[LOT, SPACES], held=([LOT], soon), now=NOW) == soon
    assert latest_from([SPACES], latest=[LOT, SPACES], held=([LOT], soon), now=NOW) == NOW + OVERLAP
    assert latest_from([LOT, SPACES], latest=[LOT, SPACES], held=([LOT], soon), now=NOW) == NOW


def test_latest_is_the_highest_that_was_published_and_has_come():
    first = Version(1, published_at=NOW, latest_from=NOW)
    second = Version(2, published_at=NOW + DAY, latest_from=NOW + 91 * DAY)
    assert pointed_at([first, second], NOW + 2 * DAY) is first
    assert is_held(second, NOW + 2 * DAY) and not is_held(first, NOW + 2 * DAY)
    assert pointed_at([first, second], NOW + 91 * DAY) is second
    assert pointed_at([first, second], NOW - DAY) is None


def test_a_withdrawn_version_was_latest_before_and_is_not_after():
    first = Version(1, published_at=NOW, latest_from=NOW)
    second = Version(2, published_at=NOW + DAY, latest_from=NOW + DAY, withdrawn_at=NOW + 3 * DAY)
    assert pointed_at([first, second], NOW + 2 * DAY) is second
    assert pointed_at([first, second], NOW + 3 * DAY) is first


SHAPES = ((LOT,), (LOT, SPACES), (SPACES,), (replace(LOT, type="integer"), SPACES))


class Life(RuleBasedStateMachine):
    """Versions are loaded, published, held, withdrawn while time goes on; what `latest` was is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.versions: list[Version] = []
        self.answers: list[tuple[datetime, int | None]] = []

    def _set(self, version: Version) -> None:
        self.versions[version.number - 1] = version

    @rule(columns=st.sampled_from(SHAPES))
    def load(self, columns):
        self.versions.append(Version(len(self.versions) + 1, columns))

    @rule(data=st.data())
    def publish(self, data):
        newest = max((one.number for one in self.versions if one.published_at and not one.withdrawn_at), default=0)
        loaded = [one for one in self.versions if one.published_at is None and not one.withdrawn_at]
        may_be = [one for one in loaded if one.number > newest]
        if not may_be:
            return
        chosen = data.draw(st.sampled_from(may_be))
        latest = pointed_at(self.versions, self.now)
        held = [one for one in self.versions if is_held(one, self.now)]
        waits = max(held, key=lambda one: one.number, default=None)
        at = latest_from(
            chosen.columns, latest=latest.columns if latest else None,
            held=(waits.columns, waits.latest_from) if waits else None, now=self.now,
        )  # fmt: skip
        assert self.now <= at <= self.now + OVERLAP
        if latest is None or not breaks(latest.columns, chosen.columns):
            assert at == self.now
        else:
            assert at > self.now, "what readers rely on does not change under them"
        self._set(replace(chosen, published_at=self.now, latest_from=at))

    @precondition(lambda self: any(one.withdrawn_at is None for one in self.versions))
    @rule(data=st.data())
    def withdraw(self, data):
        chosen = data.draw(st.sampled_from([one for one in self.versions if one.withdrawn_at is None]))
        self._set(replace(chosen, withdrawn_at=self.now))
        if chosen.published_at and pointed_at(self.versions, self.now) is None:
            following = next_in_line(self.versions, self.now)
            if following:
                self._set(replace(following, latest_from=self.now))
                assert pointed_at(self.versions, self.now).number == following.number

    @rule(days=st.integers(1, 60))
    def wait(self, days):
        latest = pointed_at(self.versions, self.now)
        self.answers.append((self.now, latest.number if latest else None))
        self.now += days * DAY

    @invariant()
    def what_latest_was_stays_so(self):
        for at, number in self.answers:
            found = pointed_at(self.versions, at)
            assert (found.number if found else None) == number

    @invariant()
    def nothing_is_latest_that_was_withdrawn_or_waits(self):
        latest = pointed_at(self.versions, self.now)
        if latest is None:
            assert not [one for one in self.versions if is_held(one, self.now)], "somebody would wait for nothing"
            return
        assert latest.withdrawn_at is None and latest.published_at <= self.now and not is_held(latest, self.now)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# ---- the secrecy review ---------------------------------------------------------------------------------------------


@dataclass
class Review:
    outcome: str = "open"
    filed_by: str = "a"
    reviewed_by: str | None = None


def reader(person, stewards="abc", officers="xy"):
    return Reader(person, frozenset(stewards), frozenset(officers))


def test_an_officer_of_the_source_unit_files_and_nobody_else():
    assert may_file(reader("a"))
    assert not may_file(reader("x"))
    assert not may_file(reader("stranger"))


def test_the_reviewer_is_another_of_the_unit_while_it_has_another():
    review = Review()
    assert due(review) is Act.REVIEW
    assert may(reader("b"), Act.REVIEW, review)
    assert not may(reader("a"), Act.REVIEW, review), "nobody reviews their own"
    assert not may(reader("x"), Act.REVIEW, review), "the authority lends only whom the unit lacks"
    assert may(reader("x", stewards="a"), Act.REVIEW, review)


def test_the_head_is_a_third_person_of_the_unit_or_the_authority():
    review = Review(reviewed_by="b")
    assert due(review) is Act.APPROVE
    assert [who for who in "abcxyz" if may(reader(who), Act.APPROVE, review)] == ["c", "x", "y"]


def test_two_persons_in_all_suffice_and_one_never_does():
    review = Review(reviewed_by="x")
    assert may(reader("x", stewards="a", officers="x"), Act.APPROVE, review)
    assert not may(reader("a", stewards="a", officers="x"), Act.APPROVE, review)
    assert not may(reader("a", stewards="a", officers=""), Act.REVIEW, Review())


@pytest.mark.parametrize("outcome", ["cleared", "refused"])
def test_what_has_ended_waits_for_nobody(outcome):
    assert due(Review(outcome, reviewed_by="b")) is None
    assert not may(reader("c"), Act.APPROVE, Review(outcome, reviewed_by="b"))
