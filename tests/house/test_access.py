"""Every route says who may call it, docs/permissions.md says the same, and the running application keeps to it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.base.roles import Role
from tests.house.permissions import FILE, Route, routes, table
from tests.http.conftest import log_in, open_browser, resume

# Flask's own file server: style sheets and scripts for everybody.
OPEN = {"static"}


def test_every_route_says_who_may_call_it(application):
    assert not [route for route in routes(application) if route.access is None and route.endpoint not in OPEN]


def test_no_view_is_closed_to_everybody(application):
    assert not [route for route in routes(application) if route.access is not None and not route.access.roles]


def test_the_page_of_permissions_is_the_routes(application):
    assert FILE.read_text(encoding="utf-8") == table(application), "run python -m tests.house.permissions"


PERSONS = [role for role in Role if role not in (Role.PUBLIC, Role.CLIENT)]
CLOSED = {"login-required", "not-allowed", "person-required"}


def test_every_route_keeps_to_its_roles(sqlite_app, sessions_of):
    """Each route is called by each role with forged ids: whom the table names comes past the door, nobody else does."""
    wrong = []
    for route, method in calls(sqlite_app):
        for role in [None, *PERSONS]:
            answer = call(sqlite_app, route, method, sessions_of(role))
            wrong += [f"{role} {method} {route.path}: {fault}" for fault in faults(route, role, answer)]
    assert not wrong, "\n".join(wrong)


def test_a_stale_login_is_asked_for_the_password_again(sqlite_app, sessions_of):
    wrong = []
    for route, method in calls(sqlite_app):
        if route.access.fresh:
            for role in route.access.roles:
                answer = call(sqlite_app, route, method, sessions_of(role, stale=True))
                if slug(answer) != "fresh-login-required":
                    wrong.append(f"{role} {method} {route.path}: {answer.status_code} {slug(answer)}")
    assert not wrong, "\n".join(wrong)


def test_a_machine_s_token_opens_no_door_of_persons(sqlite_app):
    wrong = []
    for route, method in calls(sqlite_app):
        if not route.access.roles & {Role.PUBLIC, Role.CLIENT}:
            browser = open_browser(sqlite_app)
            browser.environ_base["HTTP_AUTHORIZATION"] = "Bearer qta_0000000000000000000000000000000000000000"
            answer = call(sqlite_app, route, method, browser)
            if (answer.status_code, slug(answer)) != (403, "person-required"):
                wrong.append(f"{method} {route.path}: {answer.status_code} {slug(answer)}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def sessions_of(sqlite_app) -> Callable[..., FlaskClient]:
    """Return a function that opens a browser with a session of its own: some calls end the session that makes them."""
    people: dict[Role, str] = {}

    def open_as(role: Role | None, *, stale: bool = False) -> FlaskClient:
        if role is None:
            return open_browser(sqlite_app)
        if role not in people:
            people[role] = log_in(sqlite_app, role).person_id
        return resume(sqlite_app, people[role], ago=timedelta(minutes=16 if stale else 0))

    return open_as


def calls(app: Flask) -> Iterator[tuple[Route, str]]:
    for route in routes(app):
        if route.access is not None:
            for method in route.methods:
                yield route, method


def call(app: Flask, route: Route, method: str, browser: FlaskClient) -> TestResponse:
    """Call a route with an id that does not exist, in the way of its kind: JSON for the API, a form for pages."""
    path = re.sub(r"<(int:)?[^>]+>", lambda blank: "1" if blank.group(1) else "nosuch", route.path)
    body = {"json": {}} if path.startswith("/api/") and method != "GET" else {}
    return browser.open(path, method=method, **body)


def faults(route: Route, role: Role | None, answer: TestResponse) -> Iterator[str]:
    """Yield what is wrong with an answer to `role`; nothing when the door was rightly open or rightly shut."""
    if answer.status_code >= 500 and slug(answer) != "unavailable":
        yield f"broke with {answer.status_code}"
    open_to_all = bool(route.access.roles & {Role.PUBLIC, Role.CLIENT})
    if open_to_all or role in route.access.roles:
        if not open_to_all and (slug(answer) in CLOSED or "/login?" in answer.headers.get("Location", "")):
            yield f"shut to a role that may: {answer.status_code} {slug(answer)}"
    elif role is None:
        if answer.status_code != 401 and "/login?next=" not in answer.headers.get("Location", ""):
            yield f"a visitor came in: {answer.status_code}"
    elif (answer.status_code, slug(answer)) != (403, "not-allowed"):
        yield f"open to a role that may not: {answer.status_code}"


def slug(answer: TestResponse) -> str:
    """Return the refusal's code; a page that sends a reader to the login counts as its refusal."""
    if "fresh=1" in answer.headers.get("Location", ""):
        return "fresh-login-required"
    return answer.headers.get("Qiantang-Problem", "")
