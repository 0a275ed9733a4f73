"""An English page speaks English and a Chinese page Chinese; only names, titles and marked quotations differ."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import running
from tests.house.crawl import AS_GIVEN, Page, log_in, walk
from tests.house.scan import HAN

pytestmark = [pytest.mark.xdist_group("languages"), pytest.mark.slow]
# Four English words in a row: a licence's or a program's name is shorter.
ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){3,}")
CODE = {"code", "pre", "samp", "kbd"}
ROLES = (None, "applicant", "manager", "steward", "authority", "auditor", "operator")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("languages")) as site:
        yield site


@pytest.fixture(scope="module")
def names(site: running.Running) -> tuple[str, ...]:
    """Return the names of units and persons, longest first: a name is not translated where it has no English one."""
    with closing(sqlite3.connect(f"file:{site.home}/qiantang.db?mode=ro", uri=True)) as database:
        found = [name for table in ("unit", "person") for (name,) in database.execute(f"select name from {table}")]
    return tuple(sorted(found, key=len, reverse=True))


@pytest.mark.parametrize("role", ROLES)
def test_an_english_page_has_no_han_outside_names_and_what_is_marked_chinese(site, names, role):
    bad = [
        f"{page.path}: {piece.text[:60]}"
        for page in pages(site, role, "en")
        for piece in page.pieces
        if HAN.search(_without(piece.text, names)) and not piece.lang.startswith(("zh", AS_GIVEN))
    ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("role", ROLES)
def test_a_chinese_page_has_no_english_sentence_outside_what_is_marked_english(site, names, role):
    bad = [
        f"{page.path}: {piece.text[:80]}"
        for page in pages(site, role, "zh-CN")
        for piece in page.pieces
        if ENGLISH.search(piece.text) and not piece.lang.startswith(("en", AS_GIVEN)) and not CODE & set(piece.tags)
    ]
    assert not bad, "\n".join(bad)


def pages(site, role, language) -> list[Page]:
    """Return every page of a role, having checked that each answers and says which language it is in."""
    found = list(walk(site, log_in(site, role, language)))
    assert len(found) > 4
    tag = "en" if language == "en" else "zh-CN"
    assert not [page.path for page in found if page.lang != tag]
    assert not [f"{page.path}: {page.status}" for page in found if page.status != 200]
    return found


def _without(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        text = text.replace(name, "")
    return text
