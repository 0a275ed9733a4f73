"""An English page speaks English and a Chinese page Chinese; only names, titles and marked quotations differ."""

from collections.abc import Iterator

import pytest

from tests import running
from tests.house.crawl import Page, log_in, names_of, strangers, walk

pytestmark = pytest.mark.slow
ROLES = (None, "applicant", "manager", "steward", "authority", "auditor", "operator")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("languages")) as site:
        yield site


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_page_says_nothing_in_the_other_language(site, role, language):
    names = names_of(site)
    bad = [f"{page.path}: {text}" for page in pages(site, role, language) for text in strangers(page, names)]
    assert not bad, "\n".join(bad)


def pages(site, role, language) -> list[Page]:
    """Return every page of a role, having checked that each answers and says which language it is in."""
    found = list(walk(site, log_in(site, role, language)))
    assert len(found) > 4
    tag = "en" if language == "en" else "zh-CN"
    assert not [page.path for page in found if page.lang != tag]
    assert not [f"{page.path}: {page.status}" for page in found if page.status != 200]
    return found
