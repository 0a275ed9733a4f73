"""A reader looks at a dataset: a clause opens where it is named, and closing it leads back there."""

import pytest

from tests.journeys.visit import everywhere

pytestmark = pytest.mark.browser


@everywhere
def test_a_clause_opens_over_the_page_and_escape_leads_back_to_its_button(enter):
    visit = enter()
    visit.go("/datasets/parking-records")
    button = visit.page.locator("#column-plate button")
    dialog = visit.page.locator("#rule-TR-001")
    assert not dialog.is_visible()
    button.focus()
    visit.page.keyboard.press("Enter")
    dialog.wait_for(state="visible")
    assert "TR-001" in dialog.inner_text()
    edges = dialog.bounding_box()
    width = visit.page.viewport_size["width"]
    assert edges["x"] >= 0 and edges["x"] + edges["width"] <= width
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("() => document.activeElement.closest('.qt-pop') !== null"), "its link comes next"
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert visit.page.evaluate("() => document.activeElement.getAttribute('popovertarget')") == "rule-TR-001"


def test_a_clause_closes_with_a_click_elsewhere(enter):
    visit = enter()
    visit.go("/datasets/parking-records")
    visit.page.locator("#column-plate button").click()
    dialog = visit.page.locator("#rule-TR-001")
    dialog.wait_for(state="visible")
    visit.page.mouse.click(5, 5)
    dialog.wait_for(state="hidden")


def test_without_script_the_clause_opens_too_and_nothing_offers_to_copy(enter):
    visit = enter(script=False)
    visit.go("/datasets/parking-records")
    visit.page.locator("#column-plate button").click()
    visit.page.locator("#rule-TR-001").wait_for(state="visible")
    assert not visit.page.locator(".qt-cite__copy").first.is_visible()


def test_a_citation_is_copied_with_one_press(enter):
    visit = enter()
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.go("/datasets/exchange-rates")
    visit.page.locator(".qt-cite__copy").first.click()
    visit.page.get_by_role("button", name=visit.word("已复制")).wait_for()
    assert "[DS/OL]" in visit.page.evaluate("() => navigator.clipboard.readText()")


def test_the_numbers_of_a_plot_are_one_press_away(enter):
    visit = enter()
    visit.go("/datasets/parking-records")
    card = visit.page.locator("#profile-duration_min")
    assert not card.locator("table").is_visible()
    card.locator("summary").click()
    assert card.locator("tbody tr").count() == card.locator("rect").count()
