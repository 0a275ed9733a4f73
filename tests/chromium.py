"""A real Chromium for the journeys: QIANTANG_CHROMIUM, else what PATH has, else the browser driver's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, sync_playwright

# Without these Chromium calls home at every start and waits for answers that do not come.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str | None:
    """Return the browser's path; None leaves it to the driver."""
    return os.environ.get("QIANTANG_CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium; each test opens a context of its own in it."""
    options: dict[str, Any] = {"args": list(FLAGS)}
    if path := executable():
        options["executable_path"] = path
    with sync_playwright() as driver:
        browser = driver.chromium.launch(**options)
        try:
            yield browser
        finally:
            browser.close()
