"""A session ends, a service is away, in the middle of a form: what was typed is not lost, and it is said."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
STEP, TYPED = "接触数据的人员", "A. First\nB. Second"


@pytest.fixture
def applicant(enter):
    """An applicant at the step of a new form where persons are named."""
    visit = enter("lake-apply")
    visit.go("/applications/new?dataset=parking-records")
    visit.press("开始填写")
    visit.follow(STEP)
    return visit


def end_other_sessions(visit) -> None:
    visit.go("/account")
    visit.press("结束其他全部会话")


def test_a_session_that_ended_is_said_above_the_form_and_one_press_after_the_login_sends_it(applicant, enter):
    page, form = applicant.page, applicant.path
    end_other_sessions(enter("lake-apply"))
    page.fill("#members", TYPED)
    expect(page.locator("#qt-said")).to_contain_text(applicant.word("登录已失效。您填的内容还在这一页。"))
    assert page.input_value("#members") == TYPED

    applicant.press("保存并继续")
    assert applicant.says("提交时登录已失效，还没有办成。")
    account = next(one for one in applicant.site.demo["accounts"] if one["login"] == "lake-apply")
    page.fill("#login", account["login"])
    page.fill("#password", account["password"])
    page.locator("form:has(#password) button").first.click()
    applicant.look()
    assert applicant.says("您填的内容还在") and "A. First" in applicant.text
    applicant.press("继续提交")
    assert applicant.path != form
    applicant.go(form)
    assert page.input_value("#members").split() == TYPED.split()


def test_a_service_that_does_not_answer_is_said_above_the_form(applicant):
    page = applicant.page
    page.route("**/draft/**", lambda route: route.abort())
    page.fill("#members", TYPED)
    expect(page.locator("#qt-said")).to_contain_text(applicant.word("连不上服务。您填的内容还在这一页，过一会儿再试。"))
    assert page.input_value("#members") == TYPED
    assert all("ERR_FAILED" in fault or "Failed to fetch" in fault for fault in applicant.faults)
    applicant.faults.clear()
    page.unroute("**/draft/**")
