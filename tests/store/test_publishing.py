"""Publishing: an unconditional dataset is judged as everybody's, and its public view is there when it is shown."""

from datetime import timedelta

import pytest

from service.base import clock, db
from service.catalogue import jobs as catalogue
from service.catalogue import store as datasets
from service.catalogue.actions import versions
from service.catalogue.actions.versions import StoredData
from service.catalogue.engine import samples
from service.catalogue.rules.versions import OVERLAP
from service.catalogue.store import history
from service.catalogue.tables import DatasetColumn
from service.grants import store as grants
from service.people import actions as people
from service.policy import engine as policy
from service.screening import actions, jobs
from service.screening import store as screenings
from service.screening.rules import NotPublishable
from tests import cases

RATES = "exchange-rates"


@pytest.fixture(autouse=True)
def world(sqlite, store):
    policy.use(cases.policies())
    with db.writing() as session:
        now = clock.now(session)
        for unit in ("finance-office", "transport-bureau"):
            people.add_unit(session, people.NewUnit("source", unit, id=unit), by="x", now=now)
        actions.publish_editions(session, now=now)
    manifests = {file.stem: file for file in samples()}
    catalogue.import_dataset(manifests[RATES], by="x")
    return manifests


def classified_as(semantic, name="country"):
    with db.writing() as session:
        session.get(DatasetColumn, (RATES, name)).semantic = semantic


def _screenings_of(session, dataset):
    return [row for row in screenings.screenings(session) if row.subject == f"dataset:{dataset}"]


def test_open_data_is_screened_built_and_shown_at_once():
    found = jobs.publish_dataset(RATES, stated="x", by="x")
    assert (found.outcome, found.columns, found.dropped) == ("pass", ("date", "country", "rate"), {})
    with db.reading() as session:
        assert datasets.published_dataset(session, RATES)
        view = grants.public_view(session, RATES)
        assert [column["name"] for column in view.columns] == list(found.columns)
        kept = _screenings_of(session, RATES)
        assert [(row.moment, row.verdict["outcome"]) for row in kept] == [("publish", "pass")]
    assert jobs.replay() == (1, [])


def test_a_prohibited_column_is_left_out_of_the_public_view_and_named():
    classified_as("person.id_card")
    found = jobs.publish_dataset(RATES, stated="x", by="x")
    assert found.columns == ("date", "rate")
    assert list(found.dropped) == ["country"]
    assert found.dropped["country"]
    with db.reading() as session:
        assert [column["name"] for column in grants.public_view(session, RATES).columns] == ["date", "rate"]


def test_what_is_not_clean_is_not_published_and_says_why():
    classified_as("device.id")
    with pytest.raises(NotPublishable) as refusal:
        jobs.publish_dataset(RATES, stated="x", by="x")
    assert refusal.value.facts["outcome"] == "review"
    assert "CO-029" in refusal.value.facts["reasons"]
    with db.reading() as session:
        assert datasets.dataset(session, RATES).state == "draft"
        assert grants.public_view(session, RATES) is None


def test_a_column_that_nobody_classified_is_not_published():
    classified_as(None)
    with pytest.raises(NotPublishable) as refusal:
        jobs.publish_dataset(RATES, stated="x", by="x")
    assert "columns.country" in refusal.value.facts["reasons"]


def test_restricted_data_is_judged_for_the_record_and_has_no_public_view(world):
    catalogue.import_dataset(world["parking-records"], by="x")
    found = jobs.publish_dataset("parking-records", stated="x", by="x")
    assert found.columns == ()
    with db.reading() as session:
        assert datasets.published_dataset(session, "parking-records")
        assert grants.public_view(session, "parking-records") is None
        assert len(_screenings_of(session, "parking-records")) == 1


def test_publishing_again_changes_nothing():
    first = jobs.publish_dataset(RATES, stated="x", by="x")
    assert jobs.publish_dataset(RATES, stated="x", by="x") == first


def test_the_public_view_stays_on_the_version_in_use_while_a_breaking_one_waits(world):
    jobs.publish_dataset(RATES, stated="x", by="x")
    with db.writing() as session:
        now = clock.now(session)
        kept = [column for column in datasets.columns(session, RATES) if column.name != "country"]
        datasets.replace_columns(session, RATES, kept)
        [part] = datasets.parts(session, RATES, 1)
        data = StoredData(part.blob_key, "f" * 64, part.rows, part.bytes, part.period_from, part.period_to)
        versions.add_version(session, RATES, [data], append=False, by="x", now=now)
    found = jobs.publish_dataset(RATES, stated="x", by="x")
    assert found.columns == ("date", "rate")
    with db.reading() as session:
        assert [column["name"] for column in grants.public_view(session, RATES).columns] == ["date", "country", "rate"]
        assert [row.number for row in history.held(session, RATES, now=now)] == [2]
    with clock.moved(OVERLAP + timedelta(hours=1)), db.reading() as session:
        assert [column["name"] for column in grants.public_view(session, RATES).columns] == ["date", "rate"]


def test_a_version_that_waits_leaves_the_dataset_on_the_list(world):
    jobs.publish_dataset(RATES, stated="x", by="x")
    catalogue.import_dataset(world[RATES], by="x")
    with db.reading() as session:
        assert datasets.published_dataset(session, RATES)
        assert datasets.newest(session, RATES).number == 1, "the same again is no version"
