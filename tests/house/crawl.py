"""Walks the running demo by its own links, as one role in one language, and reads what a reader would see."""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from tests.house.scan import HAN
from tests.running import Running

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SPOKEN = ("title", "alt", "placeholder", "aria-label", "value")
CODE = {"code", "pre", "samp", "kbd"}
# Four English words in a row: a licence's or a program's name is shorter.
ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){3,}")
MAX_PAGES = 150
AS_GIVEN = "zxx"  # what is shown as it came, whatever its language: rows of data


@dataclass
class Piece:
    """Something said on a page: its text, and the language that its nearest marked element names."""

    text: str
    lang: str
    tags: tuple[str, ...]


@dataclass
class Page:
    path: str
    status: int
    lang: str
    text: str = ""
    pieces: list[Piece] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects what a page says, each piece with the language of its nearest element that names one."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        lang = given.get("lang") or (self.open[-1][1] if self.open else "")
        if given.get("translate") == "no":
            lang = AS_GIVEN
        if tag == "html":
            self.page.lang = lang
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        if not (tag == "input" and given.get("type") in ("hidden", "text", "search", "date", "radio", "checkbox")):
            self.page.pieces += [self._piece(given[name], lang, tag) for name in SPOKEN if given.get(name)]
        if tag not in VOID:
            self.open.append((tag, lang))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.page.pieces.append(self._piece(data.strip(), self.open[-1][1] if self.open else ""))

    def _piece(self, text: str, lang: str, *more: str) -> Piece:
        return Piece(text, lang, (*(tag for tag, _lang in self.open), *more))


def strangers(page: Page, names: tuple[str, ...]) -> list[str]:
    """Return what a page says in the other language, outside names, code, typed texts and what is marked as such."""
    return [piece.text[:80] for piece in page.pieces if "textarea" not in piece.tags and _strange(page, piece, names)]


def _strange(page: Page, piece: Piece, names: tuple[str, ...]) -> bool:
    if page.lang == "en":
        return bool(HAN.search(_without(piece.text, names))) and not piece.lang.startswith(("zh", AS_GIVEN))
    return (
        bool(ENGLISH.search(piece.text)) and not piece.lang.startswith(("en", AS_GIVEN)) and not CODE & set(piece.tags)
    )


def _without(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        text = text.replace(name, "")
    return text


def names_of(site: Running) -> tuple[str, ...]:
    """Return the names of units and persons, longest first: a name is not translated where it has no English one."""
    with closing(sqlite3.connect(f"file:{site.home}/qiantang.db?mode=ro", uri=True)) as database:
        found = [name for table in ("unit", "person") for (name,) in database.execute(f"select name from {table}")]
    return tuple(sorted(found, key=len, reverse=True))


def log_in(site: Running, role: str | None, language: str, *, number: int = 0) -> requests.Session:
    """Return a browser of the demo's account of `role`, or of a visitor, that prefers `language`."""
    browser = requests.Session()
    browser.headers.update({"Accept-Language": language, "Origin": site.base_url, "Sec-Fetch-Site": "same-origin"})
    if role is not None:
        account = site.account(role, number)
        form = {"login": account["login"], "password": account["password"], "next": "/"}
        answer = browser.post(f"{site.base_url}/login", data=form, allow_redirects=False, timeout=30)
        assert answer.status_code == 303, answer.text
    return browser


def walk(
    site: Running,
    browser: requests.Session,
    start: tuple[str, ...] = ("/",),
    shape_of: Callable[[str], str] | None = None,
    most: Callable[[str], int] = lambda _shape: 1,
) -> Iterator[Page]:
    """Yield every page that links lead to, each path once; `most(shape)` examples of a shape of page are enough."""
    waiting, asked, seen = list(start), set[str](), Counter[str]()
    while waiting and seen.total() < MAX_PAGES:
        path = waiting.pop(0)
        shape = (shape_of or _shape)(path)
        if path in asked or seen[shape] >= most(shape):
            continue
        asked.add(path)
        seen[shape] += 1
        answer = browser.get(site.base_url + path, timeout=60)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        page = Page(path, answer.status_code, "", answer.text)
        Reader(page).feed(answer.text)
        yield page
        waiting += [target for link in page.links if (target := _local(path, link))]


def _shape(path: str) -> str:
    """Return a path with its ids and all but the names of its query cut, so that like pages are read once."""
    parts = urlsplit(path)
    names = sorted(re.findall(r"(?:^|&)([^=&]+)=", parts.query))
    path = re.sub(r"^/problems/[a-z-]+$", "/problems/*", parts.path)  # one page for all; each is read in tests/http
    return re.sub(r"[0-9a-z]{26}", "*", path) + "?" + "&".join(names)


def _local(path: str, link: str) -> str:
    target = urlsplit(urljoin(path, link))
    skipped = (
        target.scheme
        or target.netloc
        or target.path.startswith(("/language/", "/theme/", "/api/", "/static/", "/logout"))
    )
    return "" if skipped or not target.path else target.path + (f"?{target.query}" if target.query else "")
