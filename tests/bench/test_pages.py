"""Pages against the clock and against Lighthouse; `make bench` prints both beside their limits.

Nothing here fails on a slow machine: times are printed to be read.
"""

import gc
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser

from tests import chromium
from tests.house.crawl import Page
from tests.running import Running
from tests.web import tools
from tests.web.conftest import browser, pages, routes, site
from tests.web.pages import READERS, Reader, draft_of
from tests.web.test_pages import WHOLE, entered, looked_at

__all__ = ["browser", "pages", "routes", "site"]  # fixtures

pytestmark = pytest.mark.timeout(1800)

TIMES = 100
P50_LIMIT, RATIO_LIMIT = 20.0, 5.0  # ms, p99 / p50
SCORE_LIMIT = 95
CATEGORIES = ("performance", "accessibility", "best-practices")
# Lighthouse's pages: by whom, and where.  The form is the column picker of a case just begun.
LIT = (
    ("home", "visitor", "/"),
    ("catalogue", "visitor", "/datasets"),
    ("dataset", "visitor", "/datasets/parking-records"),
    ("form", "applicant", ""),
    ("inbox", "steward", "/inbox"),
)
FLAGS = " ".join(("--headless=new", *chromium.FLAGS))


def test_the_time_that_the_server_takes_for_each_page(site: Running, pages: Callable[[Reader], list[Page]]) -> None:
    measured: list[tuple[float, float, str, str]] = []
    for role in ("visitor", "applicant", "manager", "steward", "authority"):
        reader = Reader(role, "zh")
        cookie = cookie_of(site, reader)
        for page in pages(reader):
            if page.status == 200:
                measured.append((*timed(site, cookie, page.path), role, page.path))
    measured.sort(reverse=True)
    say(f"server time of {len(measured)} pages over {TIMES} requests each; p50 of all pages "
        f"{statistics.median(one[0] for one in measured):.1f} ms")  # fmt: skip
    for p50, p99, role, path in measured[:3]:
        say(f"  slowest: {p50:6.1f} ms p50, {p99:6.1f} ms p99, {p99 / p50:4.1f} x, {path} ({role})")
    say(f"over the limits of {P50_LIMIT:.0f} ms p50 and {RATIO_LIMIT:.0f} x:")
    for p50, p99, role, path in measured:
        if p50 > P50_LIMIT or p99 > RATIO_LIMIT * p50:
            say(f"  {p50:6.1f} ms p50, {p99:6.1f} ms p99, {p99 / p50:4.1f} x, {path} ({role})")


def test_what_lighthouse_says_of_the_main_pages(site: Running, tmp_path: Path) -> None:
    for name, role, path in LIT:
        reader = Reader(role, "zh")
        cookie = cookie_of(site, reader)
        address = path or f"{draft_of(site, reader.enter(site))}/columns"
        scores = lit(site.base_url + address, cookie, tmp_path / f"{name}.json")
        told = ", ".join(f"{category} {score}" for category, score in scores.items())
        say(f"lighthouse {name}: {told}{'' if min(scores.values()) >= SCORE_LIMIT else f'  BELOW {SCORE_LIMIT}'}")


def test_everything_that_axe_finds(site: Running, browser: Browser, pages: Callable[[Reader], list[Page]]) -> None:
    faults, looked = [], 0
    for reader in READERS:
        with entered(site, browser, reader) as tab:
            for page in pages(reader):
                tab.goto(page.path)
                faults += [f"{reader} {page.path}: {fault}" for fault in looked_at(tab, WHOLE[reader.language])]
                looked += 1
    say(f"axe: {len(faults)} faults on {looked} pages, each at 390 and 1280 px, light and dark")
    assert not faults, "\n".join(faults)


def cookie_of(site: Running, reader: Reader) -> str:
    return "; ".join(f"{one.name}={one.value}" for one in reader.enter(site).cookies)


def timed(site: Running, cookie: str, path: str) -> tuple[float, float]:
    """Return p50 and p99 in ms of one page over one connection.

    This process does not collect garbage meanwhile: its own pauses would be counted as the server's.
    """
    gc.disable()
    connection = http.client.HTTPConnection(urlsplit(site.base_url).netloc, timeout=60)
    headers = {"Cookie": cookie, "Accept-Language": "zh-CN"}
    address, took = quote(path, safe="/?=&%"), []
    for _ in range(TIMES + 5):
        started = time.perf_counter()
        connection.request("GET", address, headers=headers)
        connection.getresponse().read()
        took.append((time.perf_counter() - started) * 1000)
    connection.close()
    gc.enable()
    ordered = sorted(took[5:])
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def lit(url: str, cookie: str, report: Path) -> dict[str, int]:
    """Return Lighthouse's scores of a page by category, in hundredths, on its simulated phone."""
    headers = report.with_suffix(".headers.json")
    headers.write_text(json.dumps({"Cookie": cookie, "Accept-Language": "zh-CN"}))
    command = [
        tools.node(), str(tools.module("lighthouse/cli/index.js")), url, "--quiet", "--output=json",
        f"--output-path={report}", f"--only-categories={','.join(CATEGORIES)}", f"--extra-headers={headers}",
        f"--chrome-flags={FLAGS}",
    ]  # fmt: skip
    path = chromium.executable()
    environment = {**os.environ, **({"CHROME_PATH": path} if path else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert report.is_file(), done.stderr[-2000:]
    found = json.loads(report.read_text(encoding="utf-8"))["categories"]
    return {category: round(100 * (found[category]["score"] or 0)) for category in CATEGORIES}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
