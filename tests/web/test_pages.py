"""Every page of the demo as its readers see it: nothing axe or html-validate objects to, and light enough to carry."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.house.scan import ROOT
from tests.running import Running
from tests.web import tools
from tests.web.pages import LANGUAGES, READERS, Reader, name_of, weight

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

SHOTS = Path(os.environ.get("QIANTANG_SHOTS") or ROOT / "var" / "shots")
WIDTHS = (390, 1280)
HEIGHT = 900
TALLEST = 8000  # px of a picture
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async ([only, place]) => {
  const found = await axe.run(place || document, { runOnly: only, resultTypes: ["violations"], preload: false });
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}`));
}"""
# A clause opens over the page; one of them is looked at, for all are made alike.
POP = """() => {
  const box = document.querySelector("[popover]");
  box?.showPopover();
  return box ? `#${box.id}` : "";
}"""
SHUT = "(id) => document.querySelector(id).hidePopover()"
OPEN = "() => { for (const box of document.querySelectorAll('main details')) box.open = true; }"
TALL = "() => document.documentElement.scrollHeight"
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDEST = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 3)
  .map((one) => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 30)}`)"""
LIGHT = ("light", TAGS)
DARK = ("dark", {"type": "rule", "values": ["color-contrast"]})  # only the colours differ from the light
# Chinese at a phone and English at a desk; `make bench` looks at everything.
USUAL = {"zh": {390: (LIGHT, DARK), 1280: ()}, "en": {390: (), 1280: (LIGHT, DARK)}}
WHOLE = {language: dict.fromkeys(WIDTHS, (LIGHT, DARK)) for language in LANGUAGES}
LIMIT = 120_000  # bytes of a first load, compressed, without charts

# One worker walks for one language (tests.together), so that no page is fetched twice.
each_reader = pytest.mark.parametrize("reader", READERS, ids=str)
in_language = pytest.mark.parametrize("language", LANGUAGES)


@each_reader
def test_no_page_has_a_fault_that_axe_knows(site, browser, pages, reader):
    faults: list[str] = []
    with entered(site, browser, reader) as tab:
        for page in pages(reader):
            tab.goto(page.path)
            shoot(tab, reader, name_of(page))
            faults += [f"{page.path}: {fault}" for fault in looked_at(tab, USUAL[reader.language])]
    assert not faults, "\n".join(faults)


@in_language
def test_a_form_that_comes_back_with_its_faults_has_none_that_axe_knows(site, browser, language):
    faults: list[str] = []
    with entered(site, browser, Reader("visitor", language)) as tab:
        for path in ("/login", "/units/new"):
            tab.goto(path)
            tab.locator(f'main form[action="{path.removesuffix("/new")}"] button.govuk-button').first.click()
            assert tab.locator(".govuk-error-summary").count() == 1
            faults += [f"{path}: {fault}" for fault in looked_at(tab, WHOLE[language])]
    assert not faults, "\n".join(faults)


@in_language
def test_no_page_breaks_a_rule_of_html(pages, tmp_path, language):
    for reader in (one for one in READERS if one.language == language):
        for page in pages(reader):
            (tmp_path / f"{reader}-{name_of(page)}.html").write_text(page.text, encoding="utf-8")
    faults = tools.html_faults(tmp_path)
    assert not faults, "\n".join(faults)


@each_reader
def test_no_page_weighs_more_than_120_kb_to_begin_with(site, pages, reader):
    visitor = reader.enter(site)
    heavy = {page.path: size for page in pages(reader) if (size := weight(site, visitor, page)) > LIMIT}
    assert not heavy


def looked_at(tab: Tab, checks: Mapping[int, Sequence[tuple[str, object]]]) -> list[str]:
    """Return what axe finds on the open page by the checks of each width, and how far it does not fit."""
    tab.evaluate(tools.axe())
    tab.evaluate(OPEN)
    faults: list[str] = []
    for width, runs in checks.items():
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme, only in runs:
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = tab.evaluate(RUN, [only, ""]) + in_the_clause(tab, only)
            faults += [f"{width} {scheme}: {fault}" for fault in found]
        if (wide := tab.evaluate(WIDE)) > 0:
            faults.append(f"{width}: {wide} px too wide: {tab.evaluate(WIDEST)}")
    tab.emulate_media(color_scheme="light")
    return faults


def in_the_clause(tab: Tab, only: object) -> list[str]:
    """Return what axe finds in a clause that opens over the page, where there is one."""
    if not (box := tab.evaluate(POP)):
        return []
    faults: list[str] = tab.evaluate(RUN, [only, box])
    tab.evaluate(SHUT, box)
    return faults


def shoot(tab: Tab, reader: Reader, name: str) -> None:
    """Keep a picture of the open page at each width; the window is as tall as the page, so that no bar floats."""
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        tab.set_viewport_size({"width": width, "height": min(max(tab.evaluate(TALL), HEIGHT), TALLEST)})
        folder = SHOTS / f"{reader.language}-{width}"
        folder.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=folder / f"{reader.role}-{name}.jpg", type="jpeg", quality=70)


@contextmanager
def entered(site: Running, browser: Browser, reader: Reader) -> Iterator[Tab]:
    """Open a tab of `reader`, logged in where they have a role."""
    given: dict[str, Any] = {"base_url": site.base_url, "locale": LANGUAGES[reader.language]}
    context = browser.new_context(**given)
    cookies = reader.enter(site).cookies
    context.add_cookies([{"name": one.name, "value": one.value or "", "url": site.base_url} for one in cookies])
    try:
        yield context.new_page()
    finally:
        context.close()
