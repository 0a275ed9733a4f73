"""What a page tells of a table shows no single row: nothing planted comes through, and a difference finds nothing."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.base import blobs, clock, db
from service.catalogue import jobs as catalogue
from service.catalogue import store as datasets
from service.catalogue.actions import versions as entries
from service.catalogue.engine import samples
from service.catalogue.engine.profile import Graded, Terms, closed_columns, identifies, measure, nice_step
from service.catalogue.tables import DatasetColumn
from service.people import actions as people
from service.policy import engine as policy
from service.screening import actions, jobs, store
from service.screening.tables import Profile
from tests import cases

PLANTED = {"plate": "浙Z99999", "place": "独一无二路", "speed": 987_654.0, "lane": 7_777_777, "day": "1871-03-18"}
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table of passings and returns its file."""

    def write(rows=2_000, *, planted=0, name="t"):
        at = [START + timedelta(minutes=7 * n) for n in range(rows)]
        data = {
            "plate": [f"浙A{n % 400:05}" for n in range(rows)],
            "place": [("东", "西", "南", "北")[n % 4] for n in range(rows)],
            "speed": [20.0 + (n * 37 % 600) / 10 for n in range(rows)],
            "lane": [n % 3 + 1 for n in range(rows)],
            "day": [moment.date() for moment in at],
        }
        for column, value in PLANTED.items():
            odd = datetime.fromisoformat(str(value)).date() if column == "day" else value
            data[column] += [odd] * planted
        file = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(data), file)
        return file

    return write


def told(file, **terms):
    return measure([file], Terms(**{"closed": frozenset(), **terms}))


def everything(profile):
    return json.dumps(profile, ensure_ascii=False)


@pytest.mark.parametrize("planted", [1, 9])
def test_a_planted_value_is_not_in_the_profile(table, planted):
    said = everything(told(table(planted=planted)))
    for value in ("浙Z99999", "独一无二路", "987654", "7777777", "1871"):
        assert value not in said


def test_what_is_planted_often_enough_is_found(table):
    said = everything(told(table(planted=40)))
    assert "独一无二路" in said, "the search finds what may be told"


@pytest.mark.parametrize("planted", [1, 3])
def test_a_row_more_moves_a_count_by_nothing_or_by_ten(table, planted):
    before, after = told(table(name="a")), told(table(planted=planted, name="b"))
    for column in before["columns"]:
        pairs = zip(counts(before, column), counts(after, column), strict=True)
        assert all(abs(one - other) in (0, 10) for one, other in pairs), column


def counts(profile, column):
    found = profile["columns"][column]
    return [cell["rows"] for cell in (*found.get("bins", ()), *found.get("values", ()))]


def test_every_count_is_of_at_least_ten_rows_and_round(table):
    profile = told(table(planted=9))
    found = [count for column in profile["columns"] for count in counts(profile, column)]
    assert found
    assert all(count >= 10 and count % 10 == 0 for count in found)


@pytest.mark.parametrize("kind", ["day", "at", "speed"])
def test_the_ends_are_those_of_many_vehicles_and_not_of_one_with_many_rows(tmp_path, kind):
    """Fifty rows of one vehicle in two hundred and fifty are a fifth of the rows; their day is still its own."""
    ends = {"day": (date(2026, 3, 2), date(1871, 3, 18)), "speed": (30.0, 987_654.0)}
    ends["at"] = (START, datetime(1871, 3, 18, 12, tzinfo=UTC))
    usual, odd = ends[kind]
    step = 0.5 if kind == "speed" else timedelta(days=1)
    rows = {
        "plate": [f"浙A{n:05}" for n in range(200)] + ["浙Z99999"] * 50,
        kind: [usual + step * (n % 20) for n in range(200)] + [odd] * 50,
    }
    file = tmp_path / "ends.parquet"
    pq.write_table(pa.table(rows), file)
    closed = frozenset({"plate"})
    alone = measure([file], Terms(closed))["columns"][kind]
    found = measure([file], Terms(closed, holders=("plate",)))["columns"][kind]
    assert "1871" in everything(alone) or "50000" in everything(alone)
    assert "1871" not in everything(found) and "50000" not in everything(found)
    assert found["unit"] in ("day", "hour", 0.5)


def test_no_extreme_is_named(table):
    bins = told(table(planted=1))["columns"]["speed"]["bins"]
    assert bins[0]["from"] is None
    assert bins[-1]["to"] is None
    assert len(bins) <= 24
    edges = [cell["to"] for cell in bins[:-1]]
    assert all(20 <= edge <= 80 for edge in edges), "edges are those of the many"


def test_of_a_closed_column_only_its_empty_share_is_told(table):
    assert told(table(), closed=frozenset({"place"}))["columns"]["place"] == {"closed": True, "nulls": 0}


def test_many_rows_of_one_vehicle_are_one_vehicle(tmp_path):
    """Fifty passings of one car at a place are no fifty cars."""
    rows = {"plate": [f"浙A{n:05}" for n in range(200)] + ["浙Z99999"] * 50, "place": ["东"] * 200 + ["家门口"] * 50}
    file = tmp_path / "one.parquet"
    pq.write_table(pa.table(rows), file)
    closed = frozenset({"plate"})
    assert "家门口" in everything(measure([file], Terms(closed)))
    assert "家门口" not in everything(measure([file], Terms(closed, holders=("plate",))))


def test_too_few_rows_are_not_told_of_at_all(table):
    profile = told(table(rows=19))
    assert not [count for column in profile["columns"] for count in counts(profile, column)]


def test_an_empty_table_has_a_profile(tmp_path):
    file = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), file)
    assert measure([file], Terms(frozenset()))["columns"]["a"]["nulls"] == 0


def test_a_list_may_ask_for_larger_cells(table):
    profile = told(table(), smallest=100)
    found = [count for column in profile["columns"] for count in counts(profile, column)]
    assert found and all(count >= 100 and count % 100 == 0 for count in found)


def test_steps_are_round():
    assert [nice_step(wanted) for wanted in (0.13, 1, 3, 7, 60)] == [0.2, 1, 5, 10, 100]
    assert nice_step(0.2, whole=True) == 1


# ---- what is closed --------------------------------------------------------------------------------------------------


def graded(name="a", level=1, semantic="measure.count", roles=()):
    return Graded(name, level, semantic, None if roles is None else frozenset(roles))


@pytest.mark.parametrize(
    "column",
    [
        graded(level=3), graded(level=None), graded(roles=("direct",)), graded(roles=("quasi", "sensitive")),
        graded(roles=("confidential",)), graded(roles=None, semantic=None),
        graded(semantic="key.row", roles=("quasi",)),
        graded(semantic="device.id", roles=("quasi",)),
    ],
)  # fmt: skip
def test_what_is_graded_high_unclassified_or_identifies_is_closed(column):
    assert closed_columns([column], prohibited=(), public=None) == {"a"}


def test_what_a_list_prohibits_or_the_public_view_leaves_out_is_closed():
    columns = [graded("a"), graded("b"), graded("c", level=2, roles=("quasi",))]
    assert closed_columns(columns, prohibited=("a",), public=None) == {"a"}
    assert closed_columns(columns, prohibited=(), public=("b",)) == {"a", "c"}
    assert closed_columns(columns, prohibited=(), public=()) == {"a", "b", "c"}
    assert not identifies(columns[2])


# ---- stored with the version -----------------------------------------------------------------------------------------


@pytest.fixture
def stored(database, tmp_path):
    blobs.connect(f"file://{tmp_path / 'store'}")
    policy.use(cases.policies())
    with db.writing() as session:
        now = clock.now(session)
        people.add_unit(session, people.NewUnit("source", "某局", id="transport-bureau"), by="x", now=now)
        actions.publish_editions(session, now=now)
    manifest = next(file for file in samples() if file.stem == "parking-records")
    catalogue.import_dataset(manifest, by="x")
    jobs.publish_dataset("parking-records", stated="x", by="x")


def kept(number=1):
    with db.reading() as session:
        return store.profile(session, "parking-records", number)


def test_publishing_measures_the_version_and_closes_the_plate(stored):
    columns = kept().body["columns"]
    assert columns["plate"] == {"closed": True, "nulls": 0}
    assert {len(columns[name]["bins"]) > 1 for name in ("entry_time", "duration_min")} == {True}
    assert columns["vehicle_type"]["values"][0]["value"] == "小型汽车"


def test_a_version_without_a_profile_gets_one_by_the_job(stored):
    with db.writing() as session:
        session.delete(kept())
    assert kept() is None
    assert jobs.profile_missing() == 1
    assert kept().body["smallest"] >= 10
    assert jobs.profile_missing() == 0


def test_what_was_measured_before_a_list_changed_is_measured_again(stored):
    with db.writing() as session:
        row = session.get(Profile, ("parking-records", 1))
        row.at, row.body = row.at - timedelta(days=400), {"smallest": 5, "columns": {}}
        session.add(row)
        session.flush()
    assert jobs.profile_missing() == 1
    assert kept().body["smallest"] >= 10
    assert jobs.profile_missing() == 0


def test_a_column_that_is_classified_later_is_closed_from_then_on(stored):
    with db.writing() as session:
        session.get(DatasetColumn, ("parking-records", "lot_name")).semantic = "person.name"
    with db.reading() as session:
        assert "lot_name" in actions.standing(session, "parking-records", now=clock.now(session)).terms.closed


def test_a_version_with_a_few_more_rows_is_shown_with_the_measures_of_the_one_before(stored):
    jobs.profile_dataset("parking-records", add_version(rows_more=9))
    assert (kept(2).measured, kept(2).body) == (1, kept(1).body)
    jobs.profile_dataset("parking-records", add_version(rows_more=10))
    assert kept(3).measured == 3


def add_version(*, rows_more):
    """Load the same data again as one of that many rows more; return the version's number."""
    with db.writing() as session:
        [first] = datasets.parts(session, "parking-records", 1)
        data = entries.StoredData(first.blob_key, f"{rows_more:064}", first.rows + rows_more, first.bytes, None, None)
        loaded = entries.add_version(session, "parking-records", [data], append=False, by="x", now=clock.now(session))
        return loaded.number
