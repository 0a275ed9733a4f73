"""What anybody may do without an account, with eyes on the screen or hands on the keyboard."""

import csv

import pytest

from tests.journeys.visit import everywhere

pytestmark = pytest.mark.browser


def test_a_visitor_searches_two_characters_and_downloads_open_data(enter):
    visit = enter()
    visit.go("/")
    visit.page.fill("#q", "汇率" if visit.language == "zh" else "exchange rates")
    visit.press("查找")
    assert visit.path == "/datasets"
    visit.page.locator('main h2 a[href="/datasets/exchange-rates"]').click()
    visit.look()
    assert visit.says("无条件开放")
    with visit.page.expect_download() as found:
        visit.page.get_by_role("link", name=visit.word("下载 CSV")).click()
    with open(found.value.path(), newline="", encoding="utf-8-sig") as file:
        header, first = (row for _, row in zip(range(2), csv.reader(file), strict=False))
    shown = visit.page.locator("th.qt-field > code").all_inner_texts()
    assert header and set(header) <= set(shown) and len(first) == len(header)


def test_a_visitor_reads_lists_register_and_the_way_to_an_account(enter):
    visit = enter()
    for path in ("/negative-lists", "/negative-lists/common", "/negative-lists/transport", "/register", "/units/new"):
        visit.go(path)
    visit.go("/applications")
    assert visit.path == "/login"
    visit.go("/nothing/here")
    assert visit.says("没有找到")


@everywhere
def test_a_visitor_goes_from_a_word_to_a_dataset_to_the_rule_against_its_plates_to_the_register(enter):
    visit = enter()
    visit.go("/")
    visit.page.fill("#q", "停车场进出" if visit.language == "zh" else "car park entries")
    visit.press("查找")
    visit.page.locator('main h2 a[href="/datasets/parking-records"]').click()
    visit.look()
    visit.page.locator('button[popovertarget="rule-TR-001"]').first.click()
    visit.page.locator('#rule-TR-001 a[href*="/negative-lists/transport"]').click()
    visit.look()
    assert visit.path.startswith("/negative-lists/transport")
    assert visit.page.locator("#TR-001 .qt-rule__said").is_visible()
    visit.page.locator("#TR-001 summary").click()
    assert visit.page.locator("#TR-001 .qt-caselist").first.is_visible()
    visit.page.get_by_role("link", name=visit.word("开放利用登记簿"), exact=True).first.click()
    visit.look()
    visit.page.locator('main a[href^="/register/SQ-"]').first.click()
    visit.look()
    assert visit.says("申请单位")


def test_a_visitor_narrows_a_list_with_and_without_script(enter):
    for script in (True, False):
        visit = enter(script=script)
        visit.go("/negative-lists/transport")
        every = visit.page.locator(".qt-rule").count()
        visit.page.get_by_role("navigation", name=visit.word("按判定结果看")).get_by_role("link").nth(1).click()
        visit.page.wait_for_url("**outcome=prohibit")
        visit.look()
        assert 0 < visit.page.locator(".qt-rule").count() < every
        visit.page.fill("#q", "TR-001")
        visit.press("查找")
        assert visit.page.locator(".qt-rule").count() == 1


def test_a_visitor_reads_every_guide_the_reference_and_what_an_error_means(enter):
    visit = enter()
    visit.go("/help")
    for path in visit.page.locator('main h2 a[href^="/help/"]').evaluate_all("all => all.map(a => a.pathname)"):
        visit.go(path)
    visit.go("/help/errors")
    visit.page.locator('main a[href="/problems/grant-suspended"]').click()
    visit.look()
    assert visit.says("怎么办")


def test_the_language_link_changes_the_language_and_stays_on_the_page(enter):
    visit = enter()
    visit.go("/datasets/parking-records")
    before = visit.page.locator("h1").inner_text()
    visit.page.get_by_role("link", name="English" if visit.language == "zh" else "中文", exact=True).click()
    assert visit.path == "/datasets/parking-records"
    assert visit.page.locator("h1").inner_text() != before


def test_the_keyboard_reaches_the_text_first_and_its_place_is_visible(enter):
    visit = enter()
    visit.go("/login")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("() => document.activeElement.className") == "govuk-skip-link"
    assert visit.page.evaluate("() => document.activeElement.getBoundingClientRect().left") >= 0
    seen = set()
    for _ in range(12):
        visit.page.keyboard.press("Tab")
        name, width = visit.page.evaluate(
            "() => [document.activeElement.tagName, parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
        )
        seen.add(name)
        assert width >= 2, name
    assert {"A", "INPUT", "BUTTON"} <= seen
