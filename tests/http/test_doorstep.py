"""A page that is given again at the door is the page that the house would give, to whoever may have it."""

import pytest

from service.base.doorstep import Doorstep
from service.catalogue.store import search
from tests.http.conftest import ORIGIN

PAGES = (
    "/datasets",
    "/datasets?q=停车",
    "/datasets?q=qqqq",
    "/datasets?domain=transport&sort=title",
    "/datasets?lang=en",
)
# Whoever asks like this is not given a kept page, or is given one of their own.
ASKING = (
    {}, {"Accept-Language": "en"}, {"Accept-Language": "en;q=0.1, zh"}, {"Cookie": "lang=en"}, {"Cookie": "theme=dark"},
    {"Cookie": "qiantang=stolen"}, {"Authorization": "Bearer x"}, {"Host": "127.0.0.1:9"}, {"Cookie": "bad\x01=;;"},
    {"If-None-Match": "*"}, {"X-Forwarded-Host": "evil.example"}, {"Range": "bytes=0-9"},
)  # fmt: skip


@pytest.fixture
def count(monkeypatch):
    """How often a request went into the house."""
    gone = []
    usual = Doorstep._remembered
    monkeypatch.setattr(Doorstep, "_remembered", lambda *given: gone.append(1) or usual(*given))
    return lambda: len(gone)


def ask(world, path, method="GET", **headers):
    headers = {"Accept-Language": "zh"} | headers
    answer = world.app.test_client(use_cookies=False).open(path, method=method, base_url=ORIGIN, headers=headers)
    told = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    return answer.status_code, told, answer.data, answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", PAGES)
def test_whoever_asks_gets_at_the_door_what_the_house_would_give(world, path, monkeypatch):
    at_the_door = [[ask(world, path, **headers) for headers in ASKING] for _turn in range(2)][1]
    monkeypatch.setattr(Doorstep, "_key", lambda *_given: None)
    for headers, kept in zip(ASKING, at_the_door, strict=True):
        assert kept[:3] == ask(world, path, **headers)[:3], headers


def test_the_second_visitor_is_served_at_the_door_with_an_id_of_his_own(world, count):
    first, second = ask(world, "/datasets?q=door"), ask(world, "/datasets?q=door")
    assert (first[:3], count()) == (second[:3], 1)
    assert first[3] != second[3]


def test_what_is_published_is_seen_by_the_very_next_visitor(world, count):
    ask(world, "/datasets?q=next")
    world.change("UPDATE facetcount SET n = n + 1 WHERE kind = 'last' AND value = ''")
    ask(world, "/datasets?q=next")
    assert count() == 2


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE"])
def test_another_method_goes_in(world, method, monkeypatch):
    ask(world, "/datasets?q=method")
    given = ask(world, "/datasets?q=method", method)
    monkeypatch.setattr(Doorstep, "_key", lambda *_given: None)
    assert given[:2] == ask(world, "/datasets?q=method", method)[:2]  # an error page names its request


def test_nobody_with_a_session_is_given_a_visitors_page_nor_a_visitor_his(world):
    own = world.login("tide-manager").get("/datasets?q=own").text
    visitor = ask(world, "/datasets?q=own")[2].decode()
    assert "演示管理员" in own
    assert "演示管理员" not in visitor
    assert "演示管理员" in world.login("tide-manager").get("/datasets?q=own").text


def test_a_page_that_went_wrong_is_not_kept(world, count):
    for _turn in range(2):
        assert ask(world, "/datasets?cursor=nonsense&q=x&level=99")[0] == 422
    assert count() == 2


def test_while_the_database_is_away_the_reader_is_told_so(world, monkeypatch):
    ask(world, "/datasets?q=away")

    def away():
        raise OSError("no database")

    monkeypatch.setattr(search, "glance", lambda _statement: away())
    assert ask(world, "/datasets?q=away")[0] == 200  # the session's own way still works here
