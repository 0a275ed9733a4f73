"""Finding a dataset: by what one types, by facets, with a keyboard, with and without script."""

import pytest

pytestmark = pytest.mark.browser


def test_a_reader_types_initials_and_chooses_with_the_keyboard(enter):
    visit = enter()
    visit.go("/datasets")
    field = visit.page.get_by_role("combobox", name=visit.word("搜索数据集"))
    field.press_sequentially("tccjl" if visit.language == "zh" else "car park")
    visit.page.locator("[role=option]").first.wait_for()
    assert field.get_attribute("aria-expanded") == "true"
    field.press("ArrowDown")
    chosen = field.get_attribute("aria-activedescendant")
    assert visit.page.locator(f"#{chosen}").get_attribute("aria-selected") == "true"
    field.press("Enter")
    visit.page.wait_for_url("**/datasets/parking-records")


def test_escape_closes_the_suggestions_and_keeps_what_was_typed(enter):
    visit = enter()
    visit.go("/datasets")
    field = visit.page.get_by_role("combobox", name=visit.word("搜索数据集"))
    field.press_sequentially("tingche")
    visit.page.locator("[role=option]").first.wait_for()
    field.press("Escape")
    assert field.get_attribute("aria-expanded") == "false"
    assert field.input_value() == "tingche"


def test_facets_narrow_the_list_in_place_and_the_address_follows(enter):
    visit = enter()
    visit.go("/datasets")
    every = visit.page.locator("#count").inner_text()
    if visit.screen == "phone":
        visit.page.locator(".qt-fold--filter > summary").click()
    visit.page.check("#domain-transport")
    visit.page.wait_for_url("**domain=transport**")
    visit.page.locator(".qt-applied").wait_for()
    assert visit.page.locator("#count").inner_text() != every
    assert visit.page.evaluate("() => document.activeElement.id") == "domain-transport"
    assert visit.page.locator("#openness-restricted").is_visible()
    visit.page.check("#openness-restricted")
    visit.page.wait_for_url("**openness=restricted**")
    visit.page.locator(".qt-applied a").first.click()
    visit.look()
    assert "domain=" not in visit.page.url
    assert "openness=restricted" in visit.page.url


def test_without_script_a_form_does_the_same(enter):
    visit = enter(script=False)
    visit.go("/datasets")
    if visit.screen == "phone":
        visit.page.locator(".qt-fold--filter > summary").click()
    visit.page.check("#domain-transport")
    visit.press("应用筛选")
    assert "domain=transport" in visit.page.url
    assert visit.page.locator(".qt-applied a").count() == 2
    visit.page.fill("#q", "qqqqq")
    visit.press("查找")
    assert visit.says("看全部数据集")
