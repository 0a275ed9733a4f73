"""The head of every page says what waits for its reader."""

import re

import pytest

from service.applications import store
from service.applications.rules import Person
from service.base import clock, db
from service.people import store as people

HEAD = re.compile(r'href="(/inbox|/applications)"[^>]*>[^<]+ <span class="qt-count">(\d+)</span>')
LOGINS = ("tide-apply", "lake-manager", "transport-1", "authority-1", "auditor-1", "operator-1")


def test_a_visitor_is_told_of_nothing(world):
    assert "qt-count" not in world.visitor().get("/").text


@pytest.mark.parametrize("login", LOGINS)
def test_the_head_counts_what_the_list_of_open_cases_holds(world, login):
    with db.reading() as session:
        person = people.person_by_login(session, login)
        actor = Person(person.id, person.unit_id, people.roles_of(session, person.id))
        cases = len(store.open_for(session, actor, now=clock.now(session)))
        assert store.count_open(session, actor) == cases
    said = dict(HEAD.findall(world.login(login).get("/").text))
    assert {int(number) for number in said.values()} == ({cases} if cases else set())
