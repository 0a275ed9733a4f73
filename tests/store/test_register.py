"""What the public register, the start page and the lists count, on each engine."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.audit import jobs
from service.base import db
from service.catalogue.tables import Dataset
from service.grants.tables import Handback, Suspension
from service.home import store
from service.home.store import RegisterFilter
from service.policy import engine as policy
from service.screening import actions as screening
from service.screening import store as screenings
from service.screening.rules import Ask
from tests import cases
from tests.cases import COLUMNS, DATASET, NOW, PLATE

ANYTHING = RegisterFilter()


@pytest.fixture(autouse=True)
def world(database):
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        screening.publish_editions(session, now=NOW)


def granted(session, now=NOW):
    """Return a case that was submitted, approved and signed, with its grant."""
    case = cases.approved(session, now=now)
    grant = cases.signed(session, case, now=now)
    session.refresh(case)
    return case, grant


def entries(session, asked=ANYTHING, *, cutoff=NOW, now=NOW, limit=10):
    return [one.number for one in store.registered(session, asked, cutoff=cutoff, now=now, limit=limit)]


def test_an_entry_is_registered_under_its_case_number_from_its_day_on():
    with db.writing() as session:
        case, grant = granted(session)
        assert entries(session) == [case.number]
        assert entries(session, cutoff=NOW - timedelta(seconds=1)) == []
        (one,) = store.registered_as(session, case.number, cutoff=NOW)
        assert (one.grant.id, one.unit.id, one.dataset.id, one.ended) == (grant.id, "firm", DATASET, None)


def test_entries_are_newest_first_and_go_on_after_the_last_one_seen():
    with db.writing() as session:
        first, old = granted(session)
        second, new = granted(session, NOW + timedelta(hours=1))
        later = NOW + timedelta(hours=2)
        assert entries(session, cutoff=later) == [second.number, first.number]
        assert entries(session, cutoff=later, limit=1) == [second.number]
        assert entries(session, replace(ANYTHING, before=new.id), cutoff=later) == [first.number]
        assert entries(session, replace(ANYTHING, before=old.id), cutoff=later) == []


def test_a_state_and_a_domain_narrow_the_entries():
    with db.writing() as session:
        case, grant = granted(session)
        end = grant.ends_at
        for domain, found in (("transport", [case.number]), ("finance", [])):
            assert entries(session, RegisterFilter(domain=domain)) == found
        assert entries(session, RegisterFilter(state="running")) == [case.number]
        assert entries(session, RegisterFilter(state="over")) == []
        assert entries(session, RegisterFilter(state="running"), now=end) == []
        assert entries(session, RegisterFilter(state="over"), now=end) == [case.number]


def test_a_grant_that_was_handed_back_is_over_before_its_day():
    with db.writing() as session:
        case, grant = granted(session)
        session.add(Handback(grant_id=grant.id, by="manager", at=NOW))
        session.flush()
        assert entries(session, RegisterFilter(state="over")) == [case.number]
        assert store.register_totals(session, cutoff=NOW, now=NOW) == (1, 0, 1)
        assert store.live_grants(session, now=NOW) == 0


def test_a_suspended_grant_runs_on_in_the_register_and_is_not_live():
    with db.writing() as session:
        _case, grant = granted(session)
        assert store.live_grants(session, now=NOW) == 1
        session.add(Suspension(id="s", grant_id=grant.id, cause="核查", by="steward", at=NOW))
        session.flush()
        assert store.register_totals(session, cutoff=NOW, now=NOW) == (1, 1, 1)
        assert store.live_grants(session, now=NOW) == 0


def test_the_newest_datasets_come_with_their_units_and_drafts_do_not():
    with db.writing() as session:
        found = session.get(Dataset, DATASET)
        cases.publish(session, id="newer", published_at=NOW + timedelta(days=1))
        cases.publish(session, id="draft", state="draft", published_at=None)
        listed = [(dataset.id, unit.id) for dataset, unit in store.newest(session, limit=5)]
    assert listed == [("newer", "transport-bureau"), (found.id, "transport-bureau")]


def test_the_event_that_proves_a_grant_is_found_once_it_is_sealed(tmp_path):
    with db.writing() as session:
        _case, grant = granted(session)
        subject = f"grant:{grant.id}"
        assert store.sealed_event(session, subject, "grant:issue") is None
    jobs.seal(tmp_path)
    with db.reading() as session:
        event, position = store.sealed_event(session, subject, "grant:issue")
        assert (event.subject, event.kind) == (subject, "grant:issue")
        assert position >= 0


def test_a_rule_is_counted_once_an_application_and_what_was_only_tried_is_not():
    with db.writing() as session:
        assert screenings.recent_hits(session) == (0, {})
        for moment in ("submit", "submit", "decision"):
            ask = Ask(DATASET, (*COLUMNS, PLATE), unit_id="firm")
            screening.screen(session, ask, subject="application:a", moment=moment, now=NOW)
        looked_at, hits = screenings.recent_hits(session)
    assert looked_at == 2
    assert hits["TR-001"] == 2


def test_the_datasets_that_a_rule_hits_are_those_published_under_that_edition():
    with db.writing() as session:
        screening.screen(session, Ask(DATASET, (PLATE,)), subject=f"dataset:{DATASET}", moment="publish", now=NOW)
        lists = {each.domain: each for each in screenings.editions(session)}
        found = screenings.published_hits(session, lists["transport"])
        assert [hit.dataset_id for hit in found["TR-001"]] == [DATASET]
        assert "TR-001" not in screenings.published_hits(session, lists["common"])
        session.get(Dataset, DATASET).state = "draft"
        session.flush()
        assert screenings.published_hits(session, lists["transport"]) == {}


def test_refusals_are_all_counted_and_the_newest_are_looked_at():
    with db.writing() as session:
        for hours in (0, 1, 2):
            now = NOW + timedelta(hours=hours)
            case = cases.submitted(session, now=now)
            cases.decided(session, case, "steward", "refuse", now=now)
        total, verdicts = store.refusals(session, limit=2)
    assert (total, len(verdicts)) == (3, 2)
