"""The officers at work, on both screens in both languages: refusal and objection, narrowing, two at once, a batch."""

from datetime import timedelta

import pytest

from service.base import clock
from tests.journeys import applying, deciding
from tests.journeys.visit import everywhere

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DATASET, PLATE, CLAUSE = "parking-records", "plate", "TR-001"
# Each walk has columns of its own: the same request a second time would be a duplicate.
WALKS = {("zh", "phone"): 1, ("zh", "desk"): 2, ("en", "phone"): 3, ("en", "desk"): 4}


def asked(site, setting, *more):
    """Return columns that no other walk of this test asks for together."""
    columns = site.demo["tour"]["columns"]
    return [*columns[: WALKS[setting]], *more]


@everywhere
def test_an_objection_stands_beside_its_column_and_the_column_is_left_out(enter, language, site, setting):
    number = apply(enter("tide-apply"), [*asked(site, setting), PLATE])
    steward = enter("transport-1")
    deciding.open_case(steward, number)
    case = steward.path
    row = steward.page.locator(f"tr:has(#give-{PLATE})")
    assert steward.word("禁止") in row.inner_text()
    assert applying.TEXTS[language]["objection"] in steward.page.locator("tr.qt-objection").inner_text()
    row.get_by_role("button", name=CLAUSE, exact=True).click()
    assert "《民法典》" in steward.page.locator(f"#rule-{CLAUSE}").inner_text()
    steward.page.keyboard.press("Escape")

    steward.press("去掉被禁止的字段")
    assert steward.page.input_value(f"#give-{PLATE}") == ""
    assert CLAUSE in steward.page.input_value("#reason")
    assert steward.page.locator('input[name="verb"][value="narrow"]').is_checked()
    deciding.choose(steward, "narrow")
    assert steward.says("主管部门审定中")

    authority = enter("authority-1")
    deciding.open_case(authority, number)
    assert CLAUSE in authority.text, "the steward's reason"
    deciding.choose(authority, "refuse", deciding.REASONS[language])
    assert authority.says("不予开放")

    applicant = enter("tide-apply")
    applicant.go(case)
    assert applicant.says("决定不予开放。")
    applicant.follow("打印决定书")
    assert applicant.says("不予开放决定书") and applicant.says("救济途径的表述为草稿，待司法行政部门审定。")


@everywhere
def test_who_comes_second_is_shown_what_changed_and_goes_on(enter, language, site, setting):
    number = apply(enter("lake-apply"), asked(site, setting, "lot_name"))
    first, second = enter("transport-1"), enter("transport-2")
    deciding.open_case(second, number)
    case = second.path
    reason = deciding.REASONS[language]

    deciding.open_case(first, number)
    deciding.choose(first, "return", reason)
    applicant = enter("lake-apply")
    applicant.go(case)
    assert applicant.says("请补正后再提交。")
    applicant.go(f"{case}/check")
    applicant.press("提交申请")

    deciding.choose(second, "refuse", reason)
    assert second.says("您填写时，别人改了这份申请。您的内容还在。")
    assert second.page.input_value("#reason") == reason
    deciding.choose(second, "refuse")
    assert second.says("不予开放")


@everywhere
def test_a_steward_narrows_without_javascript(enter, language, site, setting):
    number = apply(enter("cloud-apply"), asked(site, setting, "lot_name"))
    steward = enter("transport-1", script=False)
    deciding.decide(steward, number, "narrow", drop="lot_name", ends_on=_day(60))
    assert steward.says("主管部门审定中")
    assert "lot_name" in steward.text
    steward.go("/inbox?view=unit")
    assert number in steward.text


def apply(applicant, columns) -> str:
    """Send an application, contesting a prohibited column; return its number."""
    applying.start(applicant, DATASET)
    applying.fill(applicant, columns, _day(200))
    if PLATE in columns:
        applicant.page.locator(f'main a[href$="#objection-{PLATE}"]').click()
        applicant.page.fill(f"#objection-{PLATE}", applying.TEXTS[applicant.language]["objection"])
        applicant.press("保存并继续")
        applicant.go(applicant.path.rsplit("/draft", 1)[0] + "/check")
    return applying.submit(applicant)


def _day(days: int) -> str:
    return (clock.system_now() + timedelta(days=days)).date().isoformat()
