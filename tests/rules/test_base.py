"""The base's own rules: the demo's clock, languages, dates, settings, ids, paths of this site."""

from datetime import UTC, datetime, timedelta

import pytest

from service.base import clock, forms, i18n, ids
from service.base.errors import Invalid
from service.base.http import local_path
from service.base.settings import Settings

AT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shift"),
    [
        ("", timedelta(0)),
        ("+P400D", timedelta(days=400)),
        ("-PT1H", timedelta(hours=-1)),
        ("P400D", timedelta(days=400)),
        ("-P2W", timedelta(weeks=-2)),
        ("+P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("2026-03-02T04:30:00+00:00", timedelta(days=1)),
        ("2026-03-01T12:30:00", timedelta(0)),
    ],
)
def test_the_demo_s_clock_takes_an_offset_or_an_instant_of_beijing(text, shift):
    assert clock.parse_shift(text, at=AT) == shift


def test_a_clock_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="tomorrow"):
        clock.parse_shift("tomorrow", at=AT)


def test_a_day_ends_at_midnight_in_beijing():
    assert clock.beijing_date(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == "2026-03-01"
    assert clock.beijing_date(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == "2026-03-02"


@pytest.mark.parametrize(
    ("wanted", "accept", "language"),
    [
        (None, ["zh-CN", "en"], "zh"),
        (None, ["en-GB", "zh"], "en"),
        (None, ["fr", "de"], "zh"),
        ("en", ["zh-CN"], "en"),
        ("xx", ["en"], "en"),
        (None, [], "zh"),
    ],
)
def test_the_reader_s_choice_goes_before_the_browser_s(wanted, accept, language):
    assert i18n.negotiate(wanted, accept) == language


def test_dates_are_written_as_each_language_writes_them():
    assert i18n.format_time(AT) == "2026年3月1日 12:30"
    with i18n.speaking("en"):
        assert i18n.format_time(AT) == "1 March 2026 12:30"


def test_a_language_is_spoken_only_inside_its_block():
    with i18n.speaking("en"):
        assert i18n.current() == "en"
    assert i18n.current() == "zh"


def test_ids_sort_by_the_time_of_their_making_and_differ():
    early, late = ids.new_id(AT), ids.new_id(AT + timedelta(milliseconds=1))
    assert early < late
    assert len({ids.new_id(AT) for _ in range(1000)}) == 1000
    assert len(early) == 26


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "\\/evil", "/a b", "", None]
)
def test_next_never_leaves_the_site(wanted):
    assert local_path(wanted) == "/"


def test_next_keeps_a_path_of_the_site():
    assert local_path("/applications/1?lang=en") == "/applications/1?lang=en"


def test_one_home_is_enough_to_start(tmp_path):
    settings = Settings(home=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/qiantang.db"
    assert settings.store_url == f"file://{tmp_path}/store"
    assert not settings.secure
    assert settings.pepper() == Settings(home=tmp_path).pepper()
    assert (tmp_path / "keys" / "secret.key").stat().st_mode & 0o077 == 0


def test_a_public_service_brings_its_own_secret(tmp_path):
    with pytest.raises(ValueError, match="QIANTANG_SECRET_KEY"):
        Settings(home=tmp_path, base_url="https://data.example.org").pepper()
    with pytest.raises(ValueError, match="at least 20"):
        Settings(home=tmp_path, base_url="https://data.example.org", secret_key="short").pepper()
    assert Settings(home=tmp_path, base_url="https://data.example.org", secret_key="x" * 20).pepper() == b"x" * 20


def test_only_listed_hosts_are_trusted(tmp_path):
    settings = Settings(home=tmp_path, base_url="https://data.example.org", trusted_hosts="a.example, b.example")
    assert settings.hosts == {"data.example.org", "a.example", "b.example"}


class Asked(forms.Form):
    title: str
    days: int


def test_a_form_names_every_fault_at_once_and_takes_nothing_extra():
    with pytest.raises(Invalid) as refusal:
        forms.parse(Asked, {"days": "many", "state": "approved"})
    assert {error["field"] for error in refusal.value.facts["errors"]} == {"title", "days", "state"}


def test_a_form_does_not_repeat_what_was_typed():
    with pytest.raises(Invalid) as refusal:
        forms.parse(Asked, {"title": "x", "days": "secret value"})
    assert "secret value" not in str(refusal.value.facts)
