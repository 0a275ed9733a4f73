"""Versions over HTTP: what everybody reads of them, what their officers do, and who is told."""

import re
from xml.etree import ElementTree

import pytest

from tests.http.conftest import ORIGIN

OPEN, HELD = "hotel-occupancy-daily", "bus-ridership-15min"
ADDED = "weather-observations"
ATOM = "{http://www.w3.org/2005/Atom}"


def act(browser, path, **form):
    return browser.post(path, data=form, base_url=ORIGIN, headers={"Sec-Fetch-Site": "same-origin"})


def listed(world, dataset, browser=None):
    return (browser or world.visitor()).get(f"/api/v1/datasets/{dataset}/versions").get_json()


def cleared(world, number=2):
    """Take the version that waits in the demo through the rest of its review."""
    place = f"/datasets/{HELD}/versions/{number}"
    for login in ("transport-2", "authority-1"):
        assert act(world.login(login), f"{place}/opinions", act="agree", opinion="无涉密内容").status_code == 303
    return place


# ---- what everybody reads -------------------------------------------------------------------------------------------


def test_the_versions_of_open_data_are_listed_with_their_parts_and_checksums(world):
    told = listed(world, OPEN)
    assert told["latest"] == 2
    second, first = told["versions"]
    assert (second["number"], second["state"], second["latest"], second["parts"]) == (2, "published", True, 2)
    assert (first["parts"], first["latest"], second["rows"] > first["rows"]) == (1, False, True)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", second["sha256"])
    assert second["schema"] == first["schema"] and second["changes"] == []


def test_a_column_more_is_told_as_a_change_that_breaks_nothing(world):
    second, first = listed(world, ADDED)["versions"]
    assert second["changes"] == [
        {"kind": "added", "column": "pressure_hpa", "from": None, "to": "number", "breaking": False}
    ]
    assert len(second["schema"]) == len(first["schema"]) + 1
    text = world.visitor().get(f"/datasets/{ADDED}").text
    assert "新增字段 pressure_hpa" in text and "现用" in text


def test_data_that_is_not_open_has_keyed_checksums_and_round_counts(world):
    [only] = listed(world, "parking-records")["versions"]
    ((sha256,),) = world.found("select sha256 from datasetversion where dataset_id = 'parking-records'")
    assert only["sha256"].startswith("hmac-sha256:") and sha256 not in str(only)
    assert only["rows"] % 10 == 0 and only["bytes"] is None


def test_a_version_that_waits_is_known_to_its_officers_only(world):
    assert [one["number"] for one in listed(world, HELD)["versions"]] == [1]
    for browser in (world.visitor(), world.login("tide-apply"), world.login("health-1")):
        assert browser.get(f"/datasets/{HELD}/versions/2").status_code == 404
        assert "第 2 版" not in browser.get(f"/datasets/{HELD}/versions").text
        assert browser.get(f"/api/v1/datasets/{HELD}?version=2").status_code == 404
    for login in ("transport-1", "authority-2"):
        assert "保密审查" in world.login(login).get(f"/datasets/{HELD}/versions/2").text


def test_a_version_can_be_pinned_and_asked_for_by_a_day(world):
    ask = world.visitor()
    path = f"/api/v1/datasets/{OPEN}"
    assert ask.get(path).get_json()["version"]["number"] == 2
    assert ask.get(f"{path}?version=1").get_json()["version"]["number"] == 1
    ((published,),) = world.found(f"select published_at from datasetversion where dataset_id = '{OPEN}' and number = 2")
    day = str(published)[:10]
    assert ask.get(f"{path}?as_of={day}T00:00:00Z").get_json()["version"]["number"] == 1
    assert ask.get(f"{path}?as_of=2999-01-01").get_json()["version"]["number"] == 2
    assert ask.get(f"{path}?as_of=1999-01-01").status_code == 404
    for wrong in ("as_of=yesterday", "as_of=2026-01-01T00:00:00", "version=0", "version=x", "as_of=2026-13-01"):
        assert ask.get(f"{path}?{wrong}").status_code == 422, wrong


def test_each_version_is_cited_by_its_own_number_and_checksum(world):
    for number in (1, 2):
        one = next(each for each in listed(world, OPEN)["versions"] if each["number"] == number)
        text = world.visitor().get(f"/datasets/{OPEN}/versions/{number}").text
        assert f"v{number}[DS/OL]" in text
        assert text.count(one["sha256"]) == 3
        assert f"/datasets/{OPEN}/versions/{number}" in text


def test_the_feed_has_an_entry_for_each_version(world):
    answer = world.visitor().get(f"/datasets/{OPEN}/versions.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = ElementTree.fromstring(answer.data)
    assert [entry.findtext(f"{ATOM}id").rpartition("/")[2] for entry in feed.iter(f"{ATOM}entry")] == ["2", "1"]
    assert feed.findtext(f"{ATOM}updated") and feed.findtext(f"{ATOM}author/{ATOM}name")
    world.change(f"update dataset set state = 'draft' where id = '{OPEN}'")
    assert world.visitor().get(f"/datasets/{OPEN}/versions.atom").status_code == 404


# ---- what officers do -----------------------------------------------------------------------------------------------


def test_a_version_is_reviewed_by_three_persons_and_published(world):
    place = f"/datasets/{HELD}/versions/2"
    assert "待审核" in world.login("transport-2").get("/inbox").text
    assert f'{place}"' not in world.login("transport-1").get("/inbox").text, "it is not theirs to review"
    assert act(world.login("transport-1"), f"{place}/opinions", act="agree").status_code == 403
    assert act(world.login("transport-1"), f"{place}/publication").status_code == 409
    cleared(world)
    assert act(world.login("authority-1"), f"{place}/publication").status_code == 403
    answer = act(world.login("transport-1"), f"{place}/publication")
    assert (answer.status_code, answer.location) == (303, place)
    assert listed(world, HELD)["latest"] == 2


def test_an_officer_who_refuses_says_why_and_what_was_typed_stays(world):
    place = f"/datasets/{HELD}/versions/2"
    answer = act(world.login("transport-2"), f"{place}/opinions", act="refuse", opinion="")
    assert answer.status_code == 422
    assert "不予公开须写明理由" in answer.text and 'value="refuse" checked' in answer.text
    assert act(world.login("transport-2"), f"{place}/opinions", act="refuse", opinion="有内部批注").status_code == 303
    assert act(world.login("transport-1"), f"{place}/publication").status_code == 409
    text = world.login("transport-1").get(place).text
    assert "不得公开" in text and "有内部批注" in text and "送保密审查" in text


@pytest.mark.parametrize("login", ["tide-apply", "health-1", "auditor-1"])
@pytest.mark.parametrize("verb", ["reviews", "opinions", "publication", "withdrawal"])
def test_nobody_else_acts_on_a_version(world, login, verb):
    form = {"withdrawal": {"reason_zh": "x"}, "opinions": {"act": "agree"}}.get(verb, {})
    answer = act(world.login(login), f"/datasets/{HELD}/versions/2/{verb}", **form)
    assert answer.status_code in (403, 404)
    assert world.found(f"select state from datasetversion where dataset_id = '{HELD}' and number = 2") == [("loaded",)]


def test_a_withdrawn_version_answers_410_with_its_successor_and_says_so_on_every_page(world):
    steward = world.login("tourism-1")
    place = f"/datasets/{OPEN}/versions/1"
    assert act(steward, f"{place}/withdrawal", reason_zh="", successor="2").status_code == 422
    assert act(steward, f"{place}/withdrawal", reason_zh="口径有误", reason_en="", successor="9").status_code == 404
    answer = act(steward, f"{place}/withdrawal", reason_zh="口径有误", reason_en="Wrong definition", successor="2")
    assert answer.status_code == 303
    gone = world.visitor().get(f"/api/v1/datasets/{OPEN}?version=1")
    assert (gone.status_code, gone.get_json()["successor"]) == (410, 2)
    assert gone.get_json()["type"].endswith("/problems/version-withdrawn")
    told = listed(world, OPEN)
    assert told["latest"] == 2 and told["versions"][1]["withdrawn"]["successor"] == 2
    for path in (f"/datasets/{OPEN}", f"/datasets/{OPEN}/versions", place):
        text = world.visitor().get(path).text
        assert "口径有误" in text and "请改用第 2 版" in text, path


# ---- followers ------------------------------------------------------------------------------------------------------


def test_who_follows_is_told_and_who_stops_is_not(world):
    reader, other = world.login("cloud-apply"), world.login("tide-apply")
    for browser in (reader, other):
        assert act(browser, f"/datasets/{HELD}/following", follow="yes").status_code == 303
    assert "不再关注" in reader.get(f"/datasets/{HELD}").text
    assert act(other, f"/datasets/{HELD}/following", follow="no").status_code == 303
    act(world.login("transport-1"), f"{cleared(world)}/publication")
    assert "发布了第 2 版" in reader.get("/notices").text
    assert "发布了第 2 版" not in other.get("/notices").text


def test_a_visitor_is_offered_the_feed_and_follows_nothing(world):
    assert "versions.atom" in world.visitor().get(f"/datasets/{OPEN}").text
    assert act(world.visitor(), f"/datasets/{OPEN}/following", follow="yes").status_code in (302, 303, 401)
    assert world.found("select 1 from datasetfollower") == []
    assert act(world.login("tide-apply"), "/datasets/nothing/following", follow="yes").status_code == 404
