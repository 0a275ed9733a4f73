"""What the pages bring along: kept for a year under its content's name, compressed for those who can read it."""

import gzip
import re
from datetime import date

import pytest

from service.base import assets
from service.base.access import Role


@pytest.fixture
def front(visitor):
    return visitor.get("/", headers={"Accept-Encoding": "gzip"})


def _addresses(page):
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', page)


def test_every_file_of_the_front_page_may_be_kept_for_a_year(visitor):
    found = _addresses(visitor.get("/").text)
    assert len(found) >= 7
    for address in found:
        answer = visitor.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == f"public, max-age={assets.YEAR}, immutable", address


def test_a_file_under_another_version_is_asked_for_again_each_time(visitor):
    assert visitor.get("/static/tokens.css?v=old").headers["Cache-Control"] == "public, no-cache"
    assert visitor.get("/static/tokens.css").headers["Cache-Control"] == "public, no-cache"


def test_a_file_is_compressed_for_those_who_can_read_it(visitor):
    plain = visitor.get("/static/base.css")
    small = visitor.get("/static/base.css", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 2


def test_a_visitors_page_is_compressed_and_says_so_to_caches(front, visitor):
    assert front.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in front.headers["Vary"]
    assert gzip.decompress(front.data).decode().startswith("<!doctype html>")


def test_a_page_made_for_a_person_is_not_compressed(enter):
    answer = enter(Role.APPLICANT).get("/", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(("chosen", "shown"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
def test_a_reader_chooses_light_or_dark_and_comes_back_to_the_page(visitor, chosen, shown):
    answer = visitor.get(f"/theme/{chosen}?next=/datasets")
    assert answer.status_code == 303 and answer.headers["Location"] == "/datasets"
    assert shown in visitor.get("/").text


def test_a_reader_follows_the_system_again(visitor):
    visitor.get("/theme/dark")
    visitor.get("/theme/system")
    assert "data-theme=" not in visitor.get("/").text


def test_a_choice_of_theme_never_leads_to_another_site(visitor):
    assert visitor.get("/theme/dark?next=//elsewhere.example").headers["Location"] == "/"


def test_a_date_in_a_sentence_is_an_element_and_what_else_is_typed_is_not(app):
    with app.test_request_context("/"):
        sentence = app.jinja_env.from_string("{{ _('%(name)s 于 %(day)s', name=name, day=format_date(day)) }}")
        shown = sentence.render(name="<b>", day=date(2026, 11, 24))
    assert shown == '&lt;b&gt; 于 <time datetime="2026-11-24">2026年11月24日</time>'


@pytest.mark.parametrize("name", ["vendor/../base.css", "nosuch/../base.css", "./base.css"])
def test_one_file_under_a_winding_address_is_one_file_and_kept_once(visitor, name):
    visitor.get("/static/base.css", headers={"Accept-Encoding": "gzip"})
    before = assets.digest.cache_info().currsize, assets._file.cache_info().currsize
    answer = visitor.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert (assets.digest.cache_info().currsize, assets._file.cache_info().currsize) == before
