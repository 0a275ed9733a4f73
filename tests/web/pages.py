"""The pages of the demo that the web suite looks at: two of each kind, by each role, in each language."""

import gzip
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from tests.house.crawl import Page, log_in, walk
from tests.running import Running

LANGUAGES = {"zh": "zh-CN", "en": "en"}
ROLES = ("visitor", "applicant", "manager", "steward", "authority")
# The unit of these two holds a grant and has a system that reads by it.
NUMBERS = {"applicant": 1, "manager": 1}
# A page that says to a role just what it says to the one before is looked at once.
BEFORE = {"applicant": "visitor", "manager": "applicant", "steward": "visitor", "authority": "steward"}
TOLD_APART = ("step", "name")  # parts of an address that name a page and not one thing of many
TURNED = {"cursor", "sort", "page"}  # names of a query that only turn the leaves of a list
# Where the walk begins: what no link leads to is named here too.
START = (
    "/", "/datasets/parking-records", "/datasets/parking-records/uploads", "/datasets/exchange-rates",
    "/datasets?q=停车", "/datasets?q=qqqq", "/login", "/units/new", "/nothing/here",
)  # fmt: skip
CHARTS = "echarts"  # what draws charts is not counted: the table beside each is there without it
BRINGS = re.compile(r'<(?:link rel="stylesheet" href|script src)="([^"]+)"')


@dataclass(frozen=True)
class Reader:
    """Somebody who looks at pages: a role of the demo in a language."""

    role: str
    language: str

    def __str__(self) -> str:
        return f"{self.role}-{self.language}"

    def enter(self, site: Running) -> requests.Session:
        role = None if self.role == "visitor" else self.role
        return log_in(site, role, LANGUAGES[self.language], number=NUMBERS.get(self.role, 0))


READERS = tuple(Reader(role, language) for language in LANGUAGES for role in ROLES)


def pages_of(site: Running, reader: Reader, routes: Map) -> list[Page]:
    """Return the pages that `reader` comes to, by the demo's own links."""
    browser = reader.enter(site)
    begin = {"applicant": (draft_of,), "steward": (recall_of, upload_of)}.get(reader.role, ())
    begun = [one(site, browser) for one in begin]
    return list(walk(site, browser, (*begun, *START), kinds(routes), enough))


def enough(kind: str) -> int:
    """Return how many pages of a kind are looked at: two, for a dataset may be open or not; one of a list's choices."""
    return 2 if kind.endswith("?") else 1


def draft_of(site: Running, browser: requests.Session) -> str:
    """Return the path of a form that an applicant has just begun."""
    begun = browser.post(f"{site.base_url}/applications", data={"dataset": "parking-records"}, timeout=60)
    assert begun.status_code == 200, begun.status_code
    return urlsplit(begun.url).path


def recall_of(site: Running, browser: requests.Session) -> str:
    """Return the path of a recall that a steward has just filed; it waits for a second person."""
    form = {"reason": "erased", "column": "plate", "values": "浙A·00000", "note": "受理 17 号"}
    filed = browser.post(f"{site.base_url}/datasets/parking-records/recalls", data=form, timeout=60)
    assert filed.status_code == 200, filed.status_code
    return urlsplit(filed.url).path


def upload_of(site: Running, browser: requests.Session) -> str:
    """Return the path of an upload that was read and waits for its steward: not all of its columns are found."""
    sent = {"file": ("lots.csv", "停车场编号,停车场名称,电话\nP001,一号,1\n".encode(), "text/csv")}
    begun = browser.post(f"{site.base_url}/datasets/car-park-directory/uploads", files=sent, timeout=60)
    assert begun.status_code == 200, begun.status_code
    for _ in range(60):
        if "column_lot_id" in browser.get(begun.url, timeout=60).text:
            return urlsplit(begun.url).path
        time.sleep(1)
    raise AssertionError("the upload was not read within a minute")


def said(page: Page) -> str:
    """Return what a page says to its reader, without the head and the foot that all pages share."""
    return page.text.partition("<main")[2].partition("</main>")[0]


def kinds(routes: Map) -> Callable[[str], str]:
    """Return a function that names a path's kind: the view that answers it and the names of its query."""
    bound = routes.bind("127.0.0.1")

    def kind(path: str) -> str:
        parts = urlsplit(path)
        names = sorted(set(re.findall(r"(?:^|&)([^=&]+)=", parts.query)) - TURNED)
        try:
            endpoint, values = bound.match(parts.path, method="GET")
        except HTTPException:
            return "nothing"
        shown = [str(values[name]) for name in TOLD_APART if name in values]
        return f"{endpoint} {' '.join(shown)}?{'&'.join(names)}"

    return kind


def name_of(page: Page) -> str:
    """Return a page's path as the name of a file."""
    return re.sub(r"[^\w=]+", "_", page.path, flags=re.ASCII).strip("_") or "home"


def weight(site: Running, browser: requests.Session, page: Page) -> int:
    """Return the bytes of a first load, compressed: the page, its stylesheets and its scripts."""
    texts = [page.text.encode()]
    texts += [
        browser.get(site.base_url + path, timeout=30).content
        for path in dict.fromkeys(BRINGS.findall(page.text))
        if CHARTS not in path
    ]
    return sum(len(gzip.compress(text, 9)) for text in texts)
