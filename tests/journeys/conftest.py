"""One served demo and one Chromium for all journeys; a browser context of its own for each person."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests import running
from tests.chromium import chromium
from tests.journeys.visit import Visit


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.Running]:
    with running.demo(tmp_path_factory.mktemp("journeys")) as site:
        yield site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def enter(site: running.Running, browser: Browser, language: str) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a visit: of an account by its login, of a visitor without one."""
    visits: list[Visit] = []

    def open_visit(login: str = "", *, script: bool = True) -> Visit:
        visit = Visit(browser, site, language, script=script)
        visits.append(visit)
        if login:
            visit.log_in(login)
        return visit

    yield open_visit
    for visit in visits:
        visit.close()
    faults = [fault for visit in visits for fault in visit.faults]
    assert not faults, "\n".join(faults)
