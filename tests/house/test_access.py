"""Every route says who may call it, docs/permissions.md says the same, and the running application keeps to it."""

from tests.house.permissions import FILE, routes, table

# Flask's own file server: style sheets and scripts for everybody.
OPEN = {"static"}


def test_every_route_says_who_may_call_it(application):
    assert not [route for route in routes(application) if route.access is None and route.endpoint not in OPEN]


def test_no_view_is_closed_to_everybody(application):
    assert not [route for route in routes(application) if route.access is not None and not route.access.roles]


def test_the_page_of_permissions_is_the_routes(application):
    assert FILE.read_text(encoding="utf-8") == table(application), "run python -m tests.house.permissions"
