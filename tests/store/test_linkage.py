"""What a unit holds already counts when it asks for more: suspended leave too, and leave that is being signed for."""

import threading

import pytest

from service.applications import actions
from service.base import db
from service.grants import actions as grants
from service.grants import store
from service.policy import engine as policy
from service.screening import actions as screening
from service.screening import store as screenings
from tests import cases
from tests.cases import NOW


@pytest.fixture(autouse=True)
def world(database):
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        screening.publish_editions(session, now=NOW)


def test_a_suspended_grant_still_counts_as_held():
    """It may be lifted tomorrow: what is granted meanwhile would then be joined without having been judged so."""
    with db.writing() as session:
        grant = cases.signed(session, cases.approved(session))
        before = screenings.held(session, "firm", now=NOW)
        grants.suspend(session, grant.id, cause="核查", by="steward", now=NOW)
        assert screenings.held(session, "firm", now=NOW) == before
        assert before.semantics


def test_a_grant_that_was_handed_back_counts_until_its_own_end():
    """What was read under it is read: else a unit would read, hand back, and ask for the other half."""
    with db.writing() as session:
        grant = cases.signed(session, cases.approved(session))
        before = screenings.held(session, "firm", now=NOW)
        grants.hand_back(session, grant.id, by="manager", now=NOW)
        assert screenings.held(session, "firm", now=NOW) == before
        assert screenings.held(session, "firm", now=grant.ends_at).semantics == frozenset()


def test_an_ended_grant_does_not_count():
    with db.writing() as session:
        grant = cases.signed(session, cases.approved(session))
        held = screenings.held(session, "firm", now=grant.ends_at)
    assert (held.semantics, held.tags) == (frozenset(), frozenset())


def test_of_two_signatures_of_one_unit_the_second_sees_what_the_first_one_grants(database):
    """Otherwise two requests that are harmless each, and not together, are both won by signing them at one moment."""
    with db.writing() as session:
        first = cases.approved(session, columns=["lot_id"])
        second = cases.approved(session, columns=["duration_min"])
        digests = {case.id: actions.agreement_of(session, case).digest for case in (first, second)}
    started, done = threading.Event(), threading.Event()

    def sign_second():
        with db.writing() as session:
            started.set()
            cases.signed(session, second)
        done.set()

    other = threading.Thread(target=sign_second)
    with db.writing() as session:
        case = actions.visible(session, first.id, cases.ACTORS["manager"])
        actions.sign(
            session, first.id, seen=case.version, digest=digests[first.id], by=cases.ACTORS["manager"], now=NOW
        )
        other.start()
        if database.engine == "postgresql":  # on SQLite the second transaction has not even begun
            assert started.wait(10)
        assert not done.wait(0.5)
    other.join(20)
    with db.reading() as session:
        rests = [
            screenings.screening(session, str(one.rests_on["screening"])) for one in store.of_unit(session, "firm")
        ]
    linked = {row.subject: row.facts["linked_columns"] for row in rests}
    assert set(linked[f"application:{first.id}"]) < set(linked[f"application:{second.id}"])
