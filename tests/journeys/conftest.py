"""One served demo and one Chromium on each worker for all its journeys; a browser context for each person.

Each journey is walked in Chinese at a phone and in English at a desk.  Those marked `everywhere` (tests.journeys.visit)
are walked by `make bench` in both languages on both screens.
"""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests import running
from tests.chromium import chromium
from tests.journeys.visit import USUAL, Visit


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("journeys")) as site:
        yield site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=USUAL, ids="-".join)
def setting(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The language and the screen of this walk."""
    language, screen = request.param
    return str(language), str(screen)


@pytest.fixture
def language(setting: tuple[str, str]) -> str:
    return setting[0]


@pytest.fixture
def screen(setting: tuple[str, str]) -> str:
    return setting[1]


@pytest.fixture
def enter(site: running.Running, browser: Browser, language: str, screen: str) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a visit: of an account by its login, of a visitor without one."""
    visits: list[Visit] = []

    def open_visit(login: str = "", *, script: bool = True) -> Visit:
        visit = Visit(browser, site, language, screen, script=script)
        visits.append(visit)
        if login:
            visit.log_in(login)
        return visit

    yield open_visit
    for visit in visits:
        visit.close()
    faults = [fault for visit in visits for fault in visit.faults]
    assert not faults, "\n".join(faults)
