"""What is typed wrongly is said beside the field and on top, by the field's name, and nothing typed is lost."""

import pytest

pytestmark = pytest.mark.browser


def test_a_unit_registers_after_its_mistakes_are_named(enter):
    visit = enter()
    visit.go("/units/new")
    visit.page.fill("#name", "甲")
    visit.page.fill("#uscc", "91330100MA0TDE001D")
    visit.press("登记并登录")
    summary = visit.page.locator(".govuk-error-summary").inner_text()
    for field in ("单位类型", "单位名称", "统一社会信用代码", "密码"):
        assert visit.word(field) in summary
    assert visit.word("至少 %(min_length)s 个字") % {"min_length": 2} in summary
    assert visit.page.input_value("#name") == "甲"
    visit.page.locator(".govuk-error-summary a").first.click()
    assert visit.page.url.endswith("#kind")

    visit.page.check('input[name="kind"][value="enterprise"]')
    visit.page.fill("#name", "示例新设数据有限公司")
    visit.page.fill("#uscc", "91330100MA0TDE001C")
    visit.page.fill("#person_name", "某甲")
    visit.page.fill("#login", f"new-{visit.language}")
    visit.page.fill("#password", "correct horse battery")
    visit.press("登记并登录")
    assert visit.path == "/unit" and visit.says("待核验")

    authority = enter("authority-1")
    authority.follow("单位核验")
    authority.page.locator("tbody a").first.click()
    authority.look()
    assert "91330100MA0TDE001C" in authority.text


def test_a_term_in_the_past_is_refused_and_the_rest_kept(enter, language):
    applicant = enter("lake-apply" if language == "zh" else "tide-apply")
    applicant.go("/applications/new?dataset=parking-records")
    applicant.press("开始填写")
    applicant.follow("提供方式和期限")
    applicant.page.check('input[name="delivery"][value="api"]')
    applicant.page.fill("#ends_on", "2020-01-01")
    applicant.press("保存并继续")
    assert applicant.says("使用期限应在今天之后")
    assert applicant.page.title().startswith(applicant.word("错误："))
    assert applicant.page.is_checked('input[name="delivery"][value="api"]')
    assert applicant.page.input_value("#ends_on") == "2020-01-01"
    applicant.page.locator(".govuk-error-summary a").first.click()
    assert applicant.page.url.endswith("#ends_on")
