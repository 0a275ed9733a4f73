"""One person at a phone or a desk: acts by what is written on the page, and looks at every page that opens.

Every page that a visit opens is looked at: it fits the screen without scrolling sideways, the browser has nothing to
complain about (a refused style or script, a broken link of the page itself), and it speaks one language.
"""

import os
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page

from service.base.i18n import english
from tests.house.crawl import Page as Said
from tests.house.crawl import Reader, names_of, strangers
from tests.running import Running

SCREENS = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}
USUAL = (("zh", "phone"), ("en", "desk"))
EVERYWHERE = tuple((language, screen) for language in ("zh", "en") for screen in SCREENS)
# Every corner is walked by `make bench`, which sets QIANTANG_FULL: each takes half a minute.
CORNERS = EVERYWHERE if os.environ.get("QIANTANG_FULL") else USUAL
everywhere = pytest.mark.parametrize("setting", CORNERS, ids="-".join, indirect=True)
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
TOO_WIDE = "() => { const all = document.documentElement; return all && all.scrollWidth - all.clientWidth; }"
# The browser reports every refusal that a journey provokes on purpose; each of those is asserted where it is provoked.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (401|403|404|409|422)")


class Visit:
    """A browser context of one person."""

    def __init__(
        self, browser: Browser, site: Running, language: str, screen: str = "phone", *, script: bool = True
    ) -> None:
        self.site, self.language, self.screen = site, language, screen
        self.names = names_of(site)
        self.faults: list[str] = []
        self.context = browser.new_context(
            base_url=site.base_url, viewport=SCREENS[screen], locale=LOCALES[language], java_script_enabled=script
        )
        self.context.set_default_timeout(15_000)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.path}: {error}"))

    def close(self) -> None:
        self.context.close()

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def text(self) -> str:
        """What a reader sees in the page's main part."""
        return self.page.inner_text("main")

    def word(self, message: str) -> str:
        """Return a message of the service as this visit's language says it."""
        return message if self.language == "zh" else english()[message]

    def log_in(self, login: str) -> None:
        account = next(one for one in self.site.demo["accounts"] if one["login"] == login)
        self.go("/login")
        self.page.fill("#login", account["login"])
        self.page.fill("#password", account["password"])
        self.page.locator("form:has(#password) button").click()
        self.look()

    def go(self, path: str) -> None:
        self.page.goto(path)
        self.look()

    def press(self, message: str) -> None:
        """Press the button that says `message`."""
        self.page.get_by_role("button", name=self.word(message), exact=True).click()
        self.look()

    def follow(self, message: str) -> None:
        """Follow the first link that says `message`."""
        self.page.get_by_role("link", name=self.word(message), exact=True).first.click()
        self.look()

    def says(self, message: str) -> bool:
        return self.word(message) in self.text

    def look(self) -> None:
        """Look at the page that has opened, as the screen shows it."""
        if (wide := self._too_wide()) > 0:
            self.faults.append(f"{self.path} ({self.language}): {wide} px too wide for a {self.screen}")
        said = Said(self.path, 200, "")
        Reader(said).feed(self.page.content())
        self.faults += [f"{self.path} ({self.language}): {text}" for text in strangers(said, self.names)]

    def _too_wide(self) -> int:
        """Return by how many pixels the page scrolls sideways; a page that is just being left is waited for."""
        for _ in range(5):
            self.page.wait_for_load_state()
            try:
                wide = self.page.evaluate(TOO_WIDE)
            except Error as fault:
                if "navigation" not in str(fault):
                    raise
                continue
            if wide is not None:
                return int(wide)
            self.page.wait_for_timeout(50)  # the next page has begun and has nothing yet
        raise TimeoutError(f"{self.path} does not come to rest")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED.match(message.text):
            self.faults.append(f"{self.path}: {message.text}")
