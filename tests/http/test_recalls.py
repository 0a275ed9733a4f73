"""Recalling rows over HTTP: who may file, confirm and answer, and what the next reader gets."""

import pytest

from service.grants import jobs
from tests.http.conftest import ORIGIN

FORM = {"reason": "erased", "column": "plate", "values": "浙A·T3262\n", "note": "受理 17 号"}


def file(world, values=FORM, login="transport-1"):
    return world.login(login).post(f"/datasets/{world.dataset}/recalls", data=values)


def recalled(world):
    """Recall the row as two officers do and let the jobs run; return the recall's page."""
    page = file(world).headers["Location"]
    assert world.login("authority-1").post(f"{page}/confirmation").status_code == 303
    for _turn in range(2):
        jobs.recall_parts()
        jobs.recall_views()
        jobs.build_missing()
    return page


def test_a_row_that_two_officers_recall_is_gone_for_the_next_reader_and_the_unit_is_asked(world):
    token = world.token()
    before = world.file(token)
    lines = before.data.count(b"\r\n")  # read to its end first: what is on its way is cut by the recall
    page = recalled(world)
    after = world.file(token)
    assert after.status_code == 200
    assert after.data.count(b"\r\n") < lines
    assert after.headers["ETag"] != before.headers["ETag"]
    manager = world.login("lake-manager")
    shown = manager.get(page)
    assert shown.status_code == 200
    assert "已删除全部副本" in shown.text
    assert "浙A·T3262" not in shown.text
    assert manager.post(f"{page}/answer", data={"grant": world.grant, "deleted": "true"}).status_code == 303
    assert "已删除全部副本" not in manager.get(page).text
    assert "已删除" in world.login("transport-1").get(page).text


def test_a_cursor_from_before_a_recall_reads_no_further(world):
    token = world.token()
    cursor = world.rows(token, "?limit=5").json["next"]
    recalled(world)
    answer = world.rows(token, f"?cursor={cursor}")
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (410, "cursor-expired")


@pytest.mark.parametrize("login", ["tide-manager", "health-1", "operator-1", "auditor-1"])
def test_whoever_is_asked_nothing_is_told_nothing(world, login):
    page = file(world).headers["Location"]
    assert world.login(login).get(page).status_code in (403, 404)
    assert world.login(login).get(f"/datasets/{world.dataset}/recalls").status_code in (403, 404)
    assert world.login(login).post(f"{page}/confirmation").status_code in (403, 404)


def test_the_one_who_filed_does_not_confirm(world):
    page = file(world).headers["Location"]
    answer = world.login("transport-1").post(f"{page}/confirmation")
    assert answer.status_code == 403
    assert world.found("select state from recall") == [("filed",)]


def test_a_form_that_does_not_hold_keeps_what_was_typed(world):
    answer = file(world, {**FORM, "reason": "", "note": "x"})
    assert answer.status_code == 422
    assert "浙A·T3262" in answer.text
    assert 'href="#reason"' in answer.text
    assert 'href="#note"' in answer.text


def test_a_recall_from_another_site_is_refused(world):
    browser = world.login("transport-1")
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    path = f"/datasets/{world.dataset}/recalls"
    assert browser.post(path, data=FORM, headers=headers, base_url=ORIGIN).status_code == 403
    assert not world.found("select id from recall")


def test_a_recall_waits_in_the_inbox_of_whoever_may_confirm_it(world):
    page = file(world).headers["Location"]
    assert page in world.login("authority-1").get("/inbox").text
    assert page in world.login("transport-2").get("/inbox").text
    for other in ("transport-1", "health-1"):
        assert page not in world.login(other).get("/inbox").text
    assert (
        f"/datasets/{world.dataset}/recalls"
        in world.login("transport-1").get(f"/datasets/{world.dataset}/versions").text
    )
    assert "/recalls" not in world.visitor().get(f"/datasets/{world.dataset}/versions").text
