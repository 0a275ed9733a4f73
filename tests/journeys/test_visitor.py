"""What anybody may do without an account, with eyes on the screen or hands on the keyboard."""

import csv

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("journeys")]


def test_a_visitor_searches_two_characters_and_downloads_open_data(enter):
    visit = enter()
    visit.go("/")
    visit.page.fill("#q", "汇率")
    visit.press("查找")
    assert visit.path == "/datasets"
    visit.page.locator("main h2 a").first.click()
    visit.look()
    assert visit.path == "/datasets/exchange-rates"
    assert visit.says("无条件开放")
    with visit.page.expect_download() as found:
        visit.page.get_by_role("link", name=visit.word("下载 CSV")).click()
    with open(found.value.path(), newline="", encoding="utf-8-sig") as file:
        header, first = (row for _, row in zip(range(2), csv.reader(file), strict=False))
    shown = visit.page.locator("td:first-child > code").all_inner_texts()
    assert header and set(header) <= set(shown) and len(first) == len(header)


def test_a_visitor_reads_lists_register_and_the_way_to_an_account(enter):
    visit = enter()
    for path in ("/negative-lists", "/negative-lists/common", "/negative-lists/transport", "/register", "/units/new"):
        visit.go(path)
    visit.go("/applications")
    assert visit.path == "/login"
    visit.go("/nothing/here")
    assert visit.says("没有找到")


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
