"""One served demo, one Chromium and one map of routes for the whole suite, on each worker."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from playwright.sync_api import Browser
from werkzeug.routing import Map

from service.app import create_app
from service.base.settings import Settings
from tests import running
from tests.chromium import chromium
from tests.house.crawl import Page
from tests.web.pages import BEFORE, Reader, pages_of, said


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("web")) as site:
        yield site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Map:
    home = tmp_path_factory.mktemp("routes")
    return create_app(Settings(home=home, secret_key="a secret of the tests", log_level="ERROR")).url_map


@pytest.fixture(scope="session")
def pages(site: running.Running, routes: Map) -> Callable[[Reader], list[Page]]:
    """Return a function that gives the pages of a reader, walked once; those that say something of their own."""
    walked = cache(lambda reader: pages_of(site, reader, routes))

    def own(reader: Reader) -> list[Page]:
        if reader.role not in BEFORE:
            return walked(reader)
        former = Reader(BEFORE[reader.role], reader.language)
        known = {(page.path, said(page)) for page in walked(former)}
        return [page for page in walked(reader) if (page.path, said(page)) not in known]

    return cache(own)
