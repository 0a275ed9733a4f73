"""The pages that say no are as sound as all others."""

import functools

import pytest
from flask import Flask
from playwright.sync_api import Route
from werkzeug.exceptions import MethodNotAllowed

from service.app import create_app
from service.base.errors import Changed, Invalid, NotAllowed, NotFound, TooLarge, TooMany, Unavailable
from service.base.settings import Settings
from service.base.states import OWN_PAGES
from tests.web import tools
from tests.web.pages import LANGUAGES, Reader
from tests.web.test_pages import USUAL, entered, in_language, looked_at, shoot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATH = "/negative-lists"  # it is made to fail in each way in turn
FAULTS = {
    403: NotAllowed(),
    404: NotFound(),
    405: MethodNotAllowed(valid_methods=["POST"]),
    409: Changed(changes=["1 → 2", "2 → 3"]),
    413: TooLarge(),
    422: Invalid(errors=[{"field": "name", "message": "1"}]),
    429: TooMany(retry_after=13),
    500: ZeroDivisionError("a fault of ours"),
    503: Unavailable(retry_after=30),
}


@pytest.fixture(scope="module")
def broken(site) -> Flask:
    """The application on the demo's own database, in this process, so that one of its views can be made to fail."""
    given = {"home": site.home, "base_url": site.base_url, "secret_key": "a secret of the tests"}
    settings = Settings(**given, log_level="CRITICAL")
    return create_app(settings)


def state_page(app: Flask, language: str, status: int) -> str:
    """Return the page of a state, as the application answers it."""
    endpoint, _values = app.url_map.bind("127.0.0.1").match(PATH, method="GET")
    view = app.view_functions[endpoint]

    @functools.wraps(view)
    def fail() -> str:
        raise FAULTS[status]

    app.view_functions[endpoint] = fail
    try:
        answer = app.test_client().get(PATH, headers={"Accept-Language": LANGUAGES[language]}, base_url=base_of(app))
    finally:
        app.view_functions[endpoint] = view
    assert answer.status_code == status
    return answer.text


def answer(route: Route, *, status: int, body: str) -> None:
    """Let the browser have a page that the application gave us, as if it had asked for it."""
    route.fulfill(status=status, body=body, content_type="text/html; charset=utf-8")


def base_of(app: Flask) -> str:
    return str(app.extensions["settings"].base_url)


def test_every_state_with_a_page_of_its_own_is_looked_at():
    assert set(FAULTS) == OWN_PAGES


@in_language
def test_no_page_of_a_state_has_a_fault_that_axe_or_html_validate_knows(site, browser, broken, tmp_path, language):
    faults: list[str] = []
    reader = Reader("visitor", language)
    with entered(site, browser, reader) as tab:
        for status in FAULTS:
            page = state_page(broken, language, status)
            (tmp_path / f"{status}.html").write_text(page, encoding="utf-8")
            tab.route(f"**/state/{status}", functools.partial(answer, status=status, body=page))
            tab.goto(f"/state/{status}")
            shoot(tab, reader, f"state-{status}")
            faults += [f"{status}: {fault}" for fault in looked_at(tab, USUAL[language])]
    faults += tools.html_faults(tmp_path)
    assert not faults, "\n".join(faults)
