"""Datasets enter by their manifests, are found, and are published only when whole; on both engines."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from sqlmodel import select

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.base.errors import Invalid, NotFound
from service.base.settings import resource_dir
from service.catalogue import actions, jobs, store
from service.catalogue.actions import secrecy
from service.catalogue.commands import datasets
from service.catalogue.engine import finding, samples, words
from service.catalogue.forms import Assessment, ColumnEntry, Derivation, Manifest
from service.catalogue.rules import BadData, GradeLowered, NotPublishable
from service.catalogue.tables import Dataset
from service.people import actions as people
from service.policy import engine as policy

UNITS = ("transport-bureau", "education-bureau", "health-commission", "finance-office", "tourism-bureau")
SAID = {"zh": "说明", "en": "Said"}
PRIVATE = "三墩路9号"


@pytest.fixture(scope="module", autouse=True)
def _policies():
    policy.use(policy.load(resource_dir("policies")))


@pytest.fixture
def units(database, tmp_path):
    """A database with the source units and an empty blob store."""
    blobs.connect(f"file://{tmp_path / 'store'}")
    with db.writing() as session:
        now = clock.now(session)
        for unit in UNITS:
            people.add_unit(session, people.NewUnit("source", "某局", "A bureau", id=unit), by="x", now=now)


@pytest.fixture
def upload(units, tmp_path):
    """Return a function that writes a manifest with its CSV and imports it."""
    folder = tmp_path / "upload"
    folder.mkdir()

    def load(rows: str | bytes = "lot,spaces,opened\nA,5,2026-01-02\n", name: str = "lots.csv", **changes):
        data = rows if isinstance(rows, bytes) else rows.encode()
        (folder / name).write_bytes(data)
        file = folder / "lots.yaml"
        file.write_text(json.dumps(a_manifest(name) | changes, indent=1), encoding="utf-8")
        return jobs.import_dataset(file, by="x")

    return load


def a_manifest(path="lots.csv"):
    columns = [("lot", "string", 1), ("spaces", "integer", 2), ("opened", "date", 1)]
    return {
        "format": "dataset/1", "id": "lots", "title": SAID, "summary": SAID, "source_unit": "transport-bureau",
        "data_domain": "transport", "key_domain": "transport", "update_cycle": "daily", "openness": "restricted",
        "level": 2, "tags": ["parking.static"], "record_unit": "facility", "time_column": "opened",
        "licence": {"name": "CC0-1.0", "url": "https://example.org/licence"}, "source": {"note": SAID},
        "conditions": SAID, "requirements": SAID, "safeguards": SAID, "basis": {"code": "statute", "note": SAID},
        "data": {"path": path},
        "columns": [
            {"name": name, "title": SAID, "type": kind, "description": SAID, "level": level, "semantic": "admin.code"}
            for name, kind, level in columns
        ],
    }  # fmt: skip


def publish(dataset_id):
    with db.writing() as session:
        now = clock.now(session)
        if newest := store.newest_or_none(session, dataset_id):
            secrecy.state_review(session, dataset_id, newest.number, basis="x", by="x", now=now)
        return actions.mark_published(session, dataset_id, by="x", now=now)


def search(query, **chosen):
    with db.reading() as session:
        return [one.dataset_id for one in finding.find(session, words.asked(query), chosen, limit=100).found]


def refused(fault):
    """Return the fields and the messages of a refusal."""
    errors = fault.value.facts["errors"]
    return [error["field"] for error in errors], " ".join(error["message"] for error in errors)


def only_part(session):
    [part] = store.parts(session, "lots", 1)
    return part


def kinds_of(subject):
    with db.reading() as session:
        told = session.exec(select(Event).where(Event.subject == subject).order_by(Event.version)).all()
        return [(event.version, event.kind) for event in told]


# ---- loading ---------------------------------------------------------------------------------------------------------


def test_an_import_makes_a_draft_with_one_version_of_typed_data(upload):
    found = upload("lot,spaces,opened\nA,5,2026-01-02\nB,,2026-03-04\n")
    assert (found.state, found.version, found.level, found.records) == ("draft", 1, 2, 2)
    with db.reading() as session:
        version = store.newest(session, "lots")
        [part] = store.parts(session, "lots", version.number)
        assert [column.name for column in store.columns(session, "lots")] == ["lot", "spaces", "opened"]
        with pytest.raises(NotFound):
            store.published_dataset(session, "lots")
    assert (version.number, version.rows, str(version.period_from), str(version.period_to)) == (
        1, 2, "2026-01-02", "2026-03-04",
    )  # fmt: skip
    assert part.blob_key == f"raw/{part.sha256}.parquet"
    with blobs.as_file(part.blob_key) as file:
        rows = duckdb.execute(
            "SELECT lot, spaces, CAST(opened AS VARCHAR) FROM read_parquet(?)", [str(file)]
        ).fetchall()
    assert rows == [("A", 5, "2026-01-02"), ("B", None, "2026-03-04")]
    assert kinds_of("dataset:lots") == [(1, "dataset:import")]


def test_the_same_import_again_changes_nothing(upload):
    upload()
    publish("lots")
    again = upload()
    assert (again.state, again.version) == ("published", 2)
    assert [kind for _version, kind in kinds_of("dataset:lots")] == ["dataset:import", "dataset:publish"]


def test_new_data_is_a_new_version_that_waits_while_the_public_keeps_the_one_before(upload):
    upload(title={"zh": "停车位", "en": "Spaces"})
    publish("lots")
    changed = upload("lot,spaces,opened\nA,6,2026-01-02\n", title={"zh": "停车位", "en": "Spaces"})
    assert (changed.state, changed.version) == ("published", 2)
    assert search("车位") == ["lots"]
    with db.reading() as session:
        now = clock.now(session)
        assert (store.newest(session, "lots").number, store.newest(session, "lots").state) == (2, "loaded")
        assert store.latest(session, "lots", now=now).number == 1
    publish("lots")
    with db.reading() as session:
        assert store.latest(session, "lots", now=clock.now(session)).number == 2


def test_an_entry_that_says_something_else_is_a_draft_again_and_keeps_its_version(upload):
    upload()
    publish("lots")
    changed = upload(tags=["parking.event"])
    assert (changed.state, changed.version) == ("draft", 3)
    with db.reading() as session:
        assert store.newest(session, "lots").number == 1
        assert store.latest(session, "lots", now=clock.now(session)).number == 1


def test_an_import_does_not_lower_a_grade_or_change_a_classification(upload):
    upload()
    columns = a_manifest()["columns"]
    columns[1] |= {"level": 1, "semantic": "measure.count"}
    with pytest.raises(GradeLowered) as fault:
        upload(columns=columns, level=1)
    assert refused(fault)[0] == ["spaces", "spaces", "level"]
    with db.reading() as session:
        assert store.columns(session, "lots")[1].level == 2


def test_a_chinese_file_in_gb18030_is_read(upload):
    upload(f"lot,spaces,opened\n{PRIVATE},5,2026-01-02\n".encode("gb18030"))
    with db.reading() as session, blobs.as_file(only_part(session).blob_key) as file:
        assert duckdb.execute("SELECT lot FROM read_parquet(?)", [str(file)]).fetchone() == (PRIVATE,)


def test_instants_without_an_offset_are_beijing_time(upload):
    columns = a_manifest()["columns"]
    columns[2]["type"] = "datetime"
    upload("lot,spaces,opened\nA,5,2026-01-02 00:30\nB,5,2026-01-01T16:30:00Z\n", columns=columns)
    with db.reading() as session, blobs.as_file(only_part(session).blob_key) as file:
        seconds = duckdb.execute("SELECT DISTINCT epoch(opened) FROM read_parquet(?)", [str(file)]).fetchall()
        assert store.newest(session, "lots").period_from.isoformat() == "2026-01-02"
    assert seconds == [(1767285000.0,)]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("lot,places,opened", ["spaces", "c2"]),
        ("lot,spaces", ["opened"]),
        ("lot,spaces,opened,phone", ["c4"]),
        ("spaces,lot,opened", [""]),
        ("lot,lot,opened", ["spaces", ""]),
        ('lot,spaces,"opened"")--"', ["opened", "c3"]),
    ],
)
def test_a_file_with_other_columns_than_its_manifest_is_refused(upload, heading, fields):
    with pytest.raises(BadData) as fault:
        upload(f"{heading}\nA,5,2026-01-02\n")
    assert refused(fault)[0] == fields
    assert "phone" not in refused(fault)[1]


def test_wrong_values_are_named_by_row_and_column_and_never_shown(upload):
    rows = f"lot,spaces,opened\nA,5,2026-01-02\nB,{PRIVATE},2026-13-01\nC,5.5,{PRIVATE}\n"
    with pytest.raises(BadData) as fault:
        upload(rows)
    fields, message = refused(fault)
    assert fields == ["spaces", "opened"]
    assert "第 3 行起共 2 个值" in message
    assert PRIVATE not in message
    with db.reading() as session:
        assert store.find(session, "lots") is None


def test_an_oversized_field_is_refused(upload):
    with pytest.raises(BadData) as fault:
        upload(f"lot,spaces,opened\n{'长' * 10_001},5,2026-01-02\n")
    assert refused(fault)[0] == ["lot"]
    assert "10000" in refused(fault)[1]


@pytest.mark.parametrize("row", [f"{PRIVATE},5", f"{PRIVATE},5,2026-01-02,x", f'"{PRIVATE},5,2026-01-02'])
def test_a_broken_record_is_refused_without_its_content(upload, row):
    with pytest.raises(BadData) as fault:
        upload(f"lot,spaces,opened\nA,5,2026-01-02\n{row}\n")
    assert PRIVATE not in refused(fault)[1]
    assert "第 3 行" in refused(fault)[1]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "Lots/../x"}, "id"),
        ({"level": "2"}, "level"),
        ({"colour": "red"}, "colour"),
        ({"data_domain": "weapons"}, "data_domain"),
        ({"data": {"path": "../lots.csv"}}, "data.path"),
        ({"data": {"path": "*.csv"}}, "data.path"),
        ({"data": {"generator": "parking_records", "seed": 1}}, ""),
        ({"columns": []}, "columns"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused_with_its_place(upload, changes, field):
    with pytest.raises(Invalid) as fault:
        upload(**changes)
    [told] = refused(fault)[0]
    assert told.startswith("lots.yaml:")
    assert told.endswith(field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tags": ["teleport"]}, "tags"),
        ({"subjects": ["ghost"]}, "subjects"),
        ({"record_unit": "atom"}, "record_unit"),
        ({"source_unit": "nobody"}, "source_unit"),
        (
            {"derived": {"dataset": "gone", "method": SAID, "assessor": SAID, "date": "2026-01-01", "level": 2}},
            "derived.dataset",
        ),
    ],
)
def test_words_units_and_origins_must_be_known(upload, changes, field):
    with pytest.raises(Invalid) as fault:
        upload(**changes)
    assert refused(fault)[0] == [field]


def test_a_file_named_like_a_pattern_reads_nothing_but_itself(upload, tmp_path):
    (tmp_path / "upload" / "lots2.csv").write_text("lot,spaces,opened\nneighbour,9,2026-01-02\n")
    upload(name="lots_.csv")
    with db.reading() as session:
        assert store.newest(session, "lots").rows == 1


# ---- publishing ------------------------------------------------------------------------------------------------------


def test_a_restricted_dataset_without_its_conditions_is_refused_with_every_reason(upload):
    bare = dict.fromkeys(("conditions", "requirements", "safeguards", "basis"))
    upload(**bare)
    with pytest.raises(NotPublishable) as fault:
        publish("lots")
    assert refused(fault)[0] == ["conditions", "requirements", "safeguards", "basis"]
    with db.reading() as session:
        assert store.dataset(session, "lots").state == "draft"
    assert [kind for _version, kind in kinds_of("dataset:lots")] == ["dataset:import"]


def test_publishing_is_told_once_and_shows_the_dataset(upload):
    upload()
    published = publish("lots")
    assert (published.state, published.version) == ("published", 2)
    assert publish("lots").version == 2
    with db.reading() as session:
        assert store.published_dataset(session, "lots").published_at is not None
    assert kinds_of("dataset:lots") == [(1, "dataset:import"), (2, "dataset:publish")]


def test_nothing_is_published_without_data(units):
    with db.writing() as session:
        now = clock.now(session)
        session.add(
            Dataset(
                id="empty", title_zh="空", title_en="Empty", summary_zh="空", summary_en="Empty",
                source_unit_id="transport-bureau", data_domain="transport", key_domain="transport",
                update_cycle="daily", openness="prohibited", level=1, tags=[], subjects=[], record_unit="event",
                licence="CC0-1.0", licence_url="https://example.org", created_at=now, updated_at=now,
            )
        )  # fmt: skip
    with pytest.raises(NotPublishable) as fault:
        publish("empty")
    assert refused(fault)[0] == ["columns", "data"]


def test_a_draft_is_not_found(upload):
    upload(title={"zh": "停车位", "en": "Spaces"})
    assert search("车位") == []
    publish("lots")
    assert search("车位") == ["lots"]


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_imports_and_tells_faults(units, database, tmp_path, monkeypatch):
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path))
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    monkeypatch.setenv("QIANTANG_STORE_URL", f"file://{tmp_path / 'store'}")
    good = next(one for one in samples() if one.stem == "exchange-rates")
    for file in (good, good.parent / "exchange_rates_monthly.csv"):
        shutil.copyfile(file, tmp_path / file.name)
    bad = tmp_path / "bad.yaml"
    bad.write_text((tmp_path / good.name).read_text().replace("level: 1", "level: 9", 1))

    told = CliRunner().invoke(datasets, ["import", str(tmp_path / good.name), str(bad)])

    assert told.exit_code == 1
    assert "exchange-rates: draft" in told.output
    assert "bad.yaml:12:1: level" in told.output
    with db.reading() as session:
        assert store.newest(session, "exchange-rates").rows == 17_237


def test_the_command_appends_a_day_and_a_day_that_is_there_is_not_there_twice(upload, database, tmp_path, monkeypatch):
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path))
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    monkeypatch.setenv("QIANTANG_STORE_URL", f"file://{tmp_path / 'store'}")
    upload()
    (tmp_path / "upload" / "lots.csv").write_text("lot,spaces,opened\nB,7,2026-01-03\n")
    for _ in range(2):
        told = CliRunner().invoke(datasets, ["import", "--append", str(tmp_path / "upload" / "lots.yaml")])
        assert told.exit_code == 0, told.output
    with db.reading() as session:
        version = store.newest(session, "lots")
        assert (version.number, version.rows, len(store.parts(session, "lots", 2))) == (2, 2, 2)
        assert (str(version.period_from), str(version.period_to)) == ("2026-01-02", "2026-01-03")


def test_the_documents_name_every_key_of_a_manifest():
    text = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
    models = (Manifest, ColumnEntry, Derivation, Assessment)
    keys = {name for model in models for name in model.model_fields}
    assert not sorted(key for key in keys if f"`{key}`" not in text)
