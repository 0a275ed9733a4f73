"""The datasets that ship: whole, over every domain, of known rows, and open as far as they can be."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import duckdb
import pytest

from service.base import blobs, clock, db
from service.catalogue import actions, jobs, store
from service.catalogue.actions import secrecy
from service.catalogue.engine import samples, synthetic
from service.catalogue.engine.manifests import read
from service.catalogue.forms import Manifest
from service.catalogue.rules import DATA_DOMAINS, EXEMPTING_TAGS, KEY_DOMAINS, OTHER
from service.home.jobs.cast import cast
from service.people import actions as people
from service.policy import engine as policy
from service.screening.actions import column_verdicts, preview
from service.screening.rules import Applicant, Ask
from tests import cases

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
REAL = {
    "cn-areas": 2_978, "epidemic-counts": 229_084, "epidemic-counts-zhejiang": 132, "exchange-rates": 17_237,
    "exchange-rates-yearly": 1_150, "flights": 336_776, "flights-monthly-delays": 399, "open-data-portals": 149,
    "public-data-sources": 768, "world-airports": 7_884, "world-universities": 10_251,
    "world-universities-by-country": 201,
}  # fmt: skip
LARGEST = 60_000  # rows of a generated table
# Held for the controlled environment: what is counted from them is what can be applied for.
ROOM_ONLY = {"clinic-visits", "ride-hailing-orders"}


@pytest.fixture(scope="module", autouse=True)
def _policies():
    policy.use(cases.policies())


@cache
def manifests() -> dict[str, Manifest]:
    return {file.stem: read(file, Manifest) for file in samples()}


# ---- what they say ---------------------------------------------------------------------------------------------------


def test_every_domain_class_and_level_has_datasets():
    found = manifests().values()
    assert len(found) >= 26
    assert {one.data_domain for one in found} == set(DATA_DOMAINS)
    assert {one.key_domain for one in found} == set(KEY_DOMAINS)
    assert {one.openness for one in found} == {"unconditional", "restricted", "prohibited"}
    assert {one.level for one in found} == {1, 2, 3, 4}
    assert len({one.update_cycle for one in found}) >= 10
    by_domain = Counter(one.key_domain for one in found)
    assert min(count for domain, count in by_domain.items() if domain != OTHER) >= 5


def test_every_dataset_has_its_source_unit_in_the_cast():
    units = {unit["id"] for unit in cast()["units"] if unit["kind"] == "source"}
    assert {one.source_unit for one in manifests().values()} <= units


def test_every_column_is_classified():
    without = [(one.id, column.name) for one in manifests().values() for column in one.columns if not column.semantic]
    assert not without


def test_what_is_generated_says_so_and_proves_no_exception():
    for one in manifests().values():
        assert one.synthetic == bool(one.data.generator), one.id
        if one.synthetic:
            assert not [tag for tag in one.tags for root in EXEMPTING_TAGS if f"{tag}.".startswith(f"{root}.")], one.id


def test_a_level_is_not_below_the_vocabularys():
    vocabulary = policy.current().vocabulary
    below = []
    for one in manifests().values():
        for column in one.columns:
            word = vocabulary.word("semantics", column.semantic)
            if word and word.level and column.level < word.level:
                below.append((one.id, column.name, column.level, word.level))
    assert not below


def test_an_origin_comes_before_what_is_derived_from_it():
    order = [file.stem for file in samples()]
    derived = [(one.derived.dataset, one.id) for one in manifests().values() if one.derived]
    assert len(derived) >= 5
    assert all(order.index(origin) < order.index(child) for origin, child in derived)


def test_the_files_ship_with_source_and_licence():
    folder = samples()[0].parent
    licences = (folder / "LICENCES.md").read_text(encoding="utf-8")
    data = [file.name for file in folder.iterdir() if file.suffix in (".csv", ".parquet")]
    used = {one.data.path for one in manifests().values()} - {None}
    assert set(data) == used
    assert all(name in licences for name in data)
    assert sum((folder / name).stat().st_size for name in data) < 10 << 20


# ---- what they hold --------------------------------------------------------------------------------------------------


@pytest.fixture
def units(sqlite, tmp_path):
    """A database with the source units and an empty blob store."""
    blobs.connect(f"file://{tmp_path / 'store'}")
    with db.writing() as session:
        now = clock.now(session)
        for unit in {one.source_unit for one in manifests().values()}:
            people.add_unit(session, people.NewUnit("source", unit, id=unit), by="x", now=now)


def test_all_are_imported_and_ready_to_be_published(units):
    for manifest in samples():
        jobs.import_dataset(manifest, by="x")
        with db.writing() as session:
            now = clock.now(session)
            secrecy.state_review(session, manifest.stem, 1, basis="x", by="x", now=now)
            actions.mark_published(session, manifest.stem, by="x", now=now)
    with db.reading() as session:
        rows = {name: one.rows for name, one in _latest(session).items()}
        assert {name: rows[name] for name in REAL} == REAL
        assert "tailnum" not in store.public_columns(session, "flights")
        assert "stock" not in store.public_columns(session, "safety-licences")
    assert not {name: count for name, count in rows.items() if name not in REAL and not 0 < count <= LARGEST}


def _latest(session):
    return store.latest_of(session, list(manifests()), now=clock.now(session))


def test_most_columns_of_restricted_data_can_be_had(units):
    """Over-blocking: a firm with an ordinary purpose gets most of what is called restricted."""
    for manifest in samples():
        jobs.import_dataset(manifest, by="x")
    restricted = [one for one in manifests().values() if one.openness == "restricted" and one.id not in ROOM_ONLY]
    blocked = {one.id: prohibited(one) for one in restricted}
    assert len(blocked) >= 12
    assert max(len(names) / len(manifests()[id].columns) for id, names in blocked.items()) <= 0.25
    assert blocked["parking-records"] == ["plate"]
    assert blocked["enterprise-penalties"] == ["contact", "phone"]
    assert blocked["industrial-firms"] == ["output_wan_yuan"]
    assert sum(not names for names in blocked.values()) >= 8


def test_a_room_only_table_cannot_be_downloaded_and_what_is_counted_from_it_can(units):
    for file in samples():
        if file.stem.startswith("ride-hailing-orders"):
            jobs.import_dataset(file, by="x")
    orders, hourly = manifests()["ride-hailing-orders"], manifests()["ride-hailing-orders-hourly"]
    with db.reading() as session:
        whole = {one.id: preview(session, asked(one), now=NOW).verdict["outcome"] for one in (orders, hourly)}
        harmless = preview(session, replace(asked(orders), columns=("distance_km",)), now=NOW).verdict
    assert whole == {"ride-hailing-orders": "prohibit", "ride-hailing-orders-hourly": "pass"}
    assert "TR-004" in [rule["id"] for rule in harmless["rules"] if rule["state"] == "hit"]
    assert prohibited(orders) == ["plate", "driver_licence"]


def asked(found):
    """Return the request of a firm that wants all columns for its own analysis."""
    return Ask(
        found.id, tuple(column.name for column in found.columns), purpose="analytics.operations",
        statement="分析运行规律", delivery="download", retention_days=120, cross_border=False, onward_sharing=False,
        incident=False, applicant=Applicant("enterprise", 0, ("mlps3",), "good"),
    )  # fmt: skip


def prohibited(found):
    """Return the columns that a list prohibits to that firm."""
    with db.reading() as session:
        verdicts = column_verdicts(session, asked(found), now=NOW)
    return [name for name, verdict in verdicts.items() if verdict["own_outcome"] == "prohibit"]


# ---- what is generated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(synthetic.GENERATORS))
def test_synthetic_tables_are_the_same_bytes_each_time(name, tmp_path):
    def digest(seed, folder):
        folder.mkdir()
        return synthetic.write(name, seed, folder).read_bytes()

    assert digest(2026, tmp_path / "a") == digest(2026, tmp_path / "b")
    assert digest(2027, tmp_path / "c") != digest(2026, tmp_path / "d")


def test_every_generator_has_its_dataset():
    assert {one.data.generator for one in manifests().values()} - {None} == set(synthetic.GENERATORS)


def test_counted_tables_have_no_small_cells(tmp_path):
    counts = {
        "bus_ridership": "least(boardings, alightings)", "ride_hailing_hourly": "orders", "outpatient_fees": "visits",
        "vaccinations": "doses", "vocational_training": "least(enrolled, certified)", "sme_loans": "firms",
        "mortgage_registrations": "registrations", "road_traffic": "vehicles", "electricity_use": "users",
    }  # fmt: skip
    for name, count in counts.items():
        file = synthetic.write(name, 2026, tmp_path)
        assert duckdb.execute(f"SELECT min({count}) FROM read_parquet(?)", [str(file)]).fetchone()[0] >= 10, name


def test_the_tours_dataset_is_the_one_we_know(tmp_path):
    blobs.connect(f"file://{tmp_path / 'store'}")
    file = next(one for one in samples() if one.stem == "parking-records")
    data = jobs.store_data(read(file, Manifest), file.parent)
    assert data.sha256 == jobs.store_data(read(file, Manifest), file.parent).sha256
    times, plates = duckdb.execute(
        "SELECT max(minute(entry_time) % 15 + second(entry_time)), count(*) FILTER (plate LIKE '浙A·T____')"
        f" FROM read_parquet('{tmp_path}/store/{data.blob_key}')"
    ).fetchone()
    assert (times, plates) == (0, 20_000)
