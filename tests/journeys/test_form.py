"""The form with script: verdicts as one ticks, answers that save themselves, two pages of one draft."""

import re

import pytest
from playwright.sync_api import expect

from tests.journeys import applying

pytestmark = pytest.mark.browser
DATASET, PLATE = "parking-records", "plate"


@pytest.fixture
def applicant(enter):
    """An applicant at the tasks of a new form."""
    visit = enter("tide-apply")
    visit.go(f"/applications/new?dataset={DATASET}")
    visit.press("开始填写")
    return visit


def test_a_verdict_comes_as_a_column_is_ticked_and_what_is_being_typed_stays(applicant):
    applicant.follow("数据与字段")
    page, objection = applicant.page, applying.TEXTS[applicant.language]["objection"]
    page.check(f"#col-{PLATE}")
    page.locator(f"#objection-{PLATE}").fill(objection)
    page.check("#col-lot_id")
    expect(page.locator(".qt-dock__tally .qt-tally li")).to_have_count(2)
    assert page.evaluate("document.activeElement.id") == "col-lot_id"
    assert page.input_value(f"#objection-{PLATE}") == objection
    applicant.press("去掉这一列")
    assert not page.is_checked(f"#col-{PLATE}") and page.is_checked("#col-lot_id")


def test_a_step_saves_itself_and_a_page_that_is_behind_shows_both_versions(applicant, enter):
    applicant.follow("接触数据的人员")
    other = enter("tide-manager")
    other.go(applicant.path)
    applicant.page.fill("#members", "A. First")
    expect(applicant.page.locator("#saved")).to_contain_text(re.compile(r"\d\d:\d\d"))
    other.page.fill("#members", "B. Second")
    expect(other.page.locator("#saved")).to_contain_text(other.word("没有保存：别人改了这一步"))
    assert other.page.input_value("#members") == "B. Second"
    other.press("保存并继续")
    assert other.says("您填写时，别人改了这份申请。您的内容还在。") and "A. First" in other.text
    other.press("保存并继续")
    assert other.path.endswith("/check") and "B. Second" in other.text
