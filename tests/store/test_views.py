"""Released views as bytes: exactly the granted columns and rows, in an order and a footer that tell nothing else."""

import csv
import io
import random
import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.catalogue import store as catalogue
from service.catalogue.tables import DatasetColumn
from service.grants import actions, engine, jobs, rules, store
from service.grants.engine import opening, writing
from service.grants.rules import BadRecipe, Described, Format, ViewBuilding, ViewHeld
from service.grants.tables import ReleasedView
from service.notices.tables import Outbox
from tests.store import granted
from tests.store.granted import COLUMNS, DATASET, NOW

DESCRIBED = tuple(Described(name, *granted.TYPES[name]) for name in granted.TYPES)


def _recipe(columns=COLUMNS, row_filter=None, described=DESCRIBED, **changes):
    made = rules.recipe(
        dataset_id=DATASET, dataset_version=1, described=described, columns=columns, row_filter=row_filter or {},
        time_column="entry_time", area_column="lot_id",
    )  # fmt: skip
    return replace(made, **changes)


def _build(table, recipe, tmp_path, name="build"):
    folder = tmp_path / name
    folder.mkdir()
    return _built(granted.write(table, folder / "source.parquet"), recipe, folder)


@dataclass(frozen=True)
class Built:
    """A view of one part: its Parquet part and its CSV."""

    parquet: engine.BuiltFile
    csv: engine.BuiltFile

    @property
    def rows(self):
        return self.parquet.rows


def _built(source, recipe, folder):
    part = engine.cut_part([source], recipe, folder)
    return Built(part, engine.write_file([part.path], Format.CSV, folder, recipe.promise))


def _measured(built, recipe):
    return [
        *engine.measure_part(built.parquet, recipe),
        *engine.measure_file(built.csv, Format.CSV, recipe.promise, built.rows),
    ]


def _rows(table):
    return Counter(tuple(row.values()) for row in table.to_pylist())


# ---- what is in the bytes -------------------------------------------------------------------------------------------


def test_a_view_holds_exactly_its_columns_and_all_their_rows(tmp_path):
    source = granted.records()
    built = _build(source, _recipe(), tmp_path)
    view = pq.read_table(built.parquet.path)
    assert tuple(view.column_names) == COLUMNS
    assert _rows(view) == _rows(source.select(list(COLUMNS)))
    assert built.rows == source.num_rows
    assert _measured(built, _recipe()) == []


def test_columns_come_in_the_order_of_the_grant(tmp_path):
    built = _build(granted.records(50), _recipe(("vehicle_type", "lot_id")), tmp_path)
    assert pq.read_schema(built.parquet.path).names == ["vehicle_type", "lot_id"]


def test_rows_are_those_of_the_period_and_the_areas_both_days_included(tmp_path):
    source = granted.records()
    chosen = _recipe(row_filter={"from": "2026-09-05", "to": "2026-09-06", "areas": ["L001", "L007"]})
    view = pq.read_table(_build(source, chosen, tmp_path).parquet.path)
    days = pc.cast(source["entry_time"], pa.date32())
    wanted = pc.and_(
        pc.and_(pc.greater_equal(days, date(2026, 9, 5)), pc.less_equal(days, date(2026, 9, 6))),
        pc.is_in(source["lot_id"], pa.array(["L001", "L007"])),
    )
    assert view.num_rows > 0
    assert _rows(view) == _rows(source.filter(wanted).select(list(COLUMNS)))


def test_values_of_a_filter_are_bound_and_never_read_as_sql(tmp_path):
    chosen = _recipe(row_filter={"areas": ["L001') OR 1=1 --", "'; DROP TABLE released; --"]})
    assert _build(granted.records(100), chosen, tmp_path).rows == 0


def test_a_filter_may_use_a_column_that_is_not_shown(tmp_path):
    chosen = _recipe(("minutes",), {"from": "2026-09-05", "to": "2026-09-05"})
    built = _build(granted.records(), chosen, tmp_path)
    assert 0 < built.rows < 2_000
    assert pq.read_schema(built.parquet.path).names == ["minutes"]
    assert _measured(built, chosen) == []


def test_a_column_name_with_a_quote_stays_a_name(tmp_path):
    table = granted.records(20).rename_columns(['pl"ate', "lot", "entry_time", "minutes", "vehicle_type"])
    described = (Described('pl"ate', "string", None), Described("entry_time", "datetime", None))
    chosen = rules.recipe(
        dataset_id=DATASET, dataset_version=1, described=described, columns=['pl"ate'], row_filter={},
        time_column=None, area_column=None,
    )  # fmt: skip
    built = _build(table, chosen, tmp_path)
    assert pq.read_schema(built.parquet.path).names == ['pl"ate']


def test_a_column_that_the_stored_version_lacks_stops_the_build(tmp_path):
    with pytest.raises(BadRecipe, match="minutes"):
        _build(granted.records(20).drop_columns(["minutes"]), _recipe(), tmp_path)


def test_a_view_of_a_dictionary_column_keeps_no_value_of_other_rows(tmp_path):
    table = granted.records(500)
    table = table.set_column(1, "lot_id", table["lot_id"].dictionary_encode())
    built = _build(table, _recipe(row_filter={"areas": ["L001"]}), tmp_path)
    data = built.parquet.path.read_bytes()
    assert b"L001" in data
    assert not [lot for lot in (f"L{n:03d}".encode() for n in range(20)) if lot != b"L001" and lot in data]


# ---- what is not in the bytes ---------------------------------------------------------------------------------------


def test_no_byte_of_a_view_tells_a_plate_or_the_name_of_its_column(tmp_path):
    source = granted.records()
    built = _build(source, _recipe(), tmp_path)
    plates = {plate.encode() for plate in source["plate"].to_pylist()}
    for path in (built.parquet.path, built.csv.path):
        data = path.read_bytes()
        assert b"plate" not in data
        assert "浙A".encode() not in data
        assert not [plate for plate in plates if plate in data]
    footer = engine.footer(built.parquet.path)
    assert b"plate" not in footer
    assert b"traffic bureau" not in footer
    for group in _groups(built):
        assert all(group.column(i).path_in_schema in COLUMNS for i in range(group.num_columns))


def test_the_footer_tells_nothing_of_rows_that_were_left_out(tmp_path):
    """The same granted rows give the same bytes, whatever else the source holds: other values, empty cells."""
    source = granted.records()
    only = pc.equal(source["lot_id"], "L001")
    chosen = _recipe(row_filter={"areas": ["L001"]})
    no_gaps = source.filter(pc.and_(only, pc.is_valid(source["minutes"])))
    elsewhere = source.filter(pc.invert(only))
    apart = _build(no_gaps, chosen, tmp_path, "apart")
    among = _build(pa.concat_tables([elsewhere, no_gaps]), chosen, tmp_path, "among")
    assert elsewhere["minutes"].null_count > 0
    assert apart.parquet.sha256 == among.parquet.sha256
    assert apart.csv.sha256 == among.csv.sha256


def test_statistics_are_those_of_the_view(tmp_path):
    built = _build(granted.records(), _recipe(row_filter={"areas": ["L003", "L004"]}), tmp_path)
    bounds = {(group.column(0).statistics.min, group.column(0).statistics.max) for group in _groups(built)}
    assert bounds == {("L003", "L004")}


def test_the_order_of_the_source_does_not_show(tmp_path):
    source = granted.records()
    shuffled = source.take(pa.array(random.Random(3).sample(range(source.num_rows), source.num_rows)))
    first, second = _build(source, _recipe(), tmp_path, "first"), _build(shuffled, _recipe(), tmp_path, "second")
    assert first.parquet.sha256 == second.parquet.sha256
    assert first.csv.sha256 == second.csv.sha256
    assert first.parquet.key == f"views/{first.parquet.sha256}.parquet"


def test_two_views_joined_by_row_number_find_no_more_true_pairs_than_chance(tmp_path):
    """The attack: one view with an identity, one with a secret, put side by side row by row."""
    count = 4_000
    chance = random.Random(11)
    people = list(range(count))
    tokens = {name: {one: chance.getrandbits(60) for one in people} for name in ("first", "second", "third")}
    source = pa.table({name: [tokens[name][one] for one in people] for name in tokens})
    described = tuple(Described(name, "integer", None) for name in tokens)
    views = {}
    for name in tokens:
        chosen = rules.recipe(
            dataset_id=DATASET, dataset_version=1, described=described, columns=[name], row_filter={},
            time_column=None, area_column=None,
        )  # fmt: skip
        views[name] = pq.read_table(_build(source, chosen, tmp_path, name).parquet.path)[name].to_pylist()
    who = {name: {token: one for one, token in tokens[name].items()} for name in tokens}
    for one, other in combinations(tokens, 2):
        pairs = zip(views[one], views[other], strict=True)
        true = sum(who[one][left] == who[other][right] for left, right in pairs)
        assert true <= 8  # chance gives 1 on average; more than 8 happens once in a million
    in_source_order = sum(a == b for a, b in zip(views["first"], source["first"].to_pylist(), strict=True))
    assert in_source_order <= 8


def _groups(built):
    metadata = pq.read_metadata(built.parquet.path)
    return [metadata.row_group(i) for i in range(metadata.num_row_groups)]


# ---- the CSV --------------------------------------------------------------------------------------------------------


def test_the_csv_is_rfc_4180_and_says_what_the_parquet_says(tmp_path):
    built = _build(granted.records(), _recipe(), tmp_path)
    text = built.csv.path.read_bytes().decode("utf-8")
    header, *rows = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(header) == COLUMNS
    assert text.startswith("lot_id,entry_time,minutes,vehicle_type\r\n")
    assert text.endswith("\r\n")
    view = pq.read_table(built.parquet.path).to_pylist()
    shown = [["" if value is None else str(value) for value in row.values()] for row in view]
    assert rows == shown


def test_record_ends_are_told_from_line_feeds_in_fields_across_chunks(tmp_path, monkeypatch):
    raw, made = tmp_path / "raw.csv", tmp_path / "made.csv"
    raw.write_bytes(b'a,b\n"x\n""y""\n",2\n\n"",3\n')
    for size in range(1, 12):
        monkeypatch.setattr(writing, "CHUNK", size)
        writing.with_crlf(raw, made)
        assert made.read_bytes() == b'a,b\r\n"x\n""y""\n",2\r\n\r\n"",3\r\n', size


# ---- measuring ------------------------------------------------------------------------------------------------------


def _tampered(tmp_path, table, recipe):
    """A view as something other than the builder would have written it."""
    built = _build(granted.records(100), recipe, tmp_path)
    pq.write_table(table, built.parquet.path)
    return replace(built, parquet=replace(built.parquet, rows=table.num_rows))


def test_a_view_with_a_column_too_many_or_with_metadata_is_found(tmp_path):
    chosen = _recipe(("lot_id",))
    wide = granted.records(100).select(["lot_id", "plate"]).replace_schema_metadata({"from": "plate"})
    found = _measured(_tampered(tmp_path, wide, chosen), chosen)
    assert {"columns", "metadata", "hidden-name:plate"} <= set(found)


def test_a_view_in_another_order_is_found(tmp_path):
    chosen = _recipe(("lot_id", "minutes"))
    built = _build(granted.records(500), chosen, tmp_path)
    table = pq.read_table(built.parquet.path)
    with opening.opened(tmp_path) as connection:
        connection.register("turned", table.take(pa.array(range(table.num_rows - 1, -1, -1))))
        connection.execute(f"COPY (FROM turned) TO '{built.parquet.path}' (FORMAT parquet)")
    assert _measured(built, chosen) == ["order"]


def test_a_view_of_another_length_is_found(tmp_path):
    built = _build(granted.records(100), _recipe(), tmp_path)
    wrong = replace(built, parquet=replace(built.parquet, rows=99))
    assert engine.measure_part(wrong.parquet, _recipe()) == ["rows"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["浙A12345", "x"], "plate"),
        (["11010519491231002X", ""], "identity-number"),
        (["联系 13812345678", None], "phone"),
    ],
)
def test_what_the_recorded_meaning_did_not_say_is_found_in_the_values(tmp_path, values, kind):
    table = pa.table({"lot_id": values})
    chosen = _recipe(("lot_id",))
    assert _measured(_build(table, chosen, tmp_path), chosen) == [f"{kind}:lot_id"]


def test_a_column_of_phones_as_numbers_is_found_and_chance_is_not(tmp_path):
    chosen = _recipe(("minutes",))
    phones = pa.table({"minutes": [13_800_000_000 + n for n in range(50)]})
    assert _measured(_build(phones, chosen, tmp_path, "phones"), chosen) == ["phone:minutes"]
    mixed = pa.table({"minutes": [*range(50), 13_800_000_000]})
    assert _measured(_build(mixed, chosen, tmp_path, "mixed"), chosen) == []


def test_a_column_that_was_judged_as_plates_may_hold_plates(tmp_path):
    chosen = _recipe(("plate",))
    assert _measured(_build(granted.records(50), chosen, tmp_path), chosen) == []


# ---- jobs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready(database, store, tmp_path):
    """A database of each engine with the people, the dataset, one version of it, at NOW."""
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(200), tmp_path)
        clock.set_shift(NOW - clock.database_now(session))
    return database


@pytest.fixture
def grant(ready):
    with db.writing() as session:
        return granted.issue(session)


def _view(grant):
    with db.reading() as session:
        return store.view_of(session, grant.id)


def _files(view):
    with db.reading() as session:
        return store.files_of(session, view.id)


def _all_views():
    with db.reading() as session:
        return list(session.exec(db.select(ReleasedView)))


def _later(minutes):
    with db.reading() as session:
        clock.set_shift(clock.now(session) + timedelta(minutes=minutes) - clock.database_now(session))


def test_a_grant_is_given_its_view_once(grant):
    assert _view(grant) is None
    assert jobs.build_missing() == 1
    assert jobs.build_missing() == 0
    view = _view(grant)
    assert view is not None
    assert [column["name"] for column in view.columns] == list(COLUMNS)
    assert view.columns[1]["type"] == "datetime"
    files = _files(view)
    assert set(files) == {"parquet", "csv"}
    assert blobs.size(files["parquet"].key) == files["parquet"].bytes
    assert blobs.read(files["csv"].key).count(b"\r\n") == view.rows + 1
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"view:{view.id}")).all()
    assert [event.kind for event in events] == ["view:ready"]


def test_a_grant_stays_on_its_dataset_version(grant, tmp_path):
    jobs.build_missing()
    before = _view(grant)
    with db.writing() as session:
        granted.version(session, DATASET, 2, [granted.records(50, seed=8)], tmp_path)
    assert jobs.build_missing() == 0
    after = _view(grant)
    assert before is not None
    assert after is not None
    assert (after.id, after.dataset_version) == (before.id, 1)


def test_an_ended_grant_is_given_no_view(ready):
    with db.writing() as session:
        granted.issue(session, days=1)
    _later(60 * 24 * 2)
    assert jobs.build_missing() == 0


def test_a_crash_between_claim_and_settle_leaves_no_half_view_and_is_made_good(grant):
    with db.writing() as session:
        assert actions.claim_grant_view(session, grant.id, now=clock.now(session)) is not None
    # the worker died here
    assert _view(grant) is None
    assert jobs.build_missing() == 0
    _later(9)
    assert jobs.build_missing() == 0
    _later(2)
    assert jobs.build_missing() == 1
    assert _view(grant) is not None
    assert len(_all_views()) == 1


def test_a_worker_whose_claim_was_retaken_settles_nothing(grant, tmp_path):
    with db.writing() as session:
        slow = actions.claim_grant_view(session, grant.id, now=clock.now(session))
    assert slow is not None
    _later(11)
    with db.writing() as session:
        quick = actions.claim_grant_view(session, grant.id, now=clock.now(session))
    assert quick is not None
    assert (quick.view_id, quick.tries) == (slow.view_id, 2)
    assert jobs.build(slow) is False
    assert _view(grant) is None
    assert jobs.build(quick) is True
    assert _view(grant) is not None


def test_four_workers_build_a_view_once(grant):
    start, made = threading.Barrier(4), []

    def build():
        start.wait()
        made.append(jobs.build_missing())

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 1]
    assert len(_all_views()) == 1


def test_a_build_that_fails_says_why_is_tried_again_and_told_after_the_third_time(grant):
    with db.reading() as session:
        [part] = catalogue.parts(session, DATASET, 1)
        key = part.blob_key
    kept = blobs.read(key)
    blobs.delete(key)
    for _ in range(4):
        assert jobs.build_missing() == 0
        _later(11)
    (view,) = _all_views()
    assert view.state == "building"
    assert view.tries == 4
    assert view.note
    with db.reading() as session:
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-failed")).all()
    assert [entry.to_role for entry in told] == ["operator"]
    restored = blobs._root / key
    restored.write_bytes(kept)
    assert jobs.build_missing() == 1
    assert _view(grant) is not None


def test_a_grant_whose_column_is_gone_does_not_hold_up_the_others(ready):
    with db.writing() as session:
        stuck = granted.issue(session, columns=["minutes"])
        fine = granted.issue(session, application="a2", columns=["lot_id"])
        version = catalogue.version(session, DATASET, 1)
        version.columns = [column for column in version.columns if column["name"] != "minutes"]
        session.add(version)
    assert jobs.build_missing() == 1
    assert _view(stuck) is None
    assert _view(fine) is not None


def test_a_view_worse_than_its_verdict_is_quarantined_and_the_stewards_are_told(ready, tmp_path):
    smuggled = granted.records(50)
    smuggled = smuggled.set_column(4, "vehicle_type", smuggled["plate"])
    with db.writing() as session:
        granted.version(session, DATASET, 2, [smuggled], tmp_path)
        grant = granted.issue(session, dataset_version=2)
    assert jobs.build_missing() == 0
    assert jobs.build_missing() == 0
    assert _view(grant) is None
    (view,) = _all_views()
    assert (view.state, view.note, _files(view)) == ("quarantined", "plate:vehicle_type", {})
    stored = list(blobs.keys())
    assert not [key for key in stored if key.startswith("views/")]
    with db.reading() as session:
        assert store.view_state(session, grant.id) == "quarantined"
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-quarantined")).all()
    assert [(entry.to_unit, entry.to_role) for entry in told] == [("source", "steward")]


def test_a_column_graded_worse_later_does_not_make_plates_fit_for_a_grant_won_before(ready, tmp_path):
    smuggled = granted.records(50)
    smuggled = smuggled.set_column(4, "vehicle_type", smuggled["plate"])
    with db.writing() as session:
        granted.version(session, DATASET, 2, [smuggled], tmp_path)
        grant = granted.issue(session, dataset_version=2)
        session.flush()
        _record_as(session, "vehicle_type", "vehicle.plate")
    assert jobs.build_missing() == 0
    _later(60 * 24 * 3)
    assert jobs.build_missing() == 0
    assert _view(grant) is None


def test_publishing_again_measures_a_quarantined_public_view_again(ready, tmp_path):
    phones = granted.records(50).set_column(1, "lot_id", pa.array([f"1380000{n:04d}" for n in range(50)]))
    with db.writing() as session:
        granted.version(session, DATASET, 2, [phones], tmp_path)
    for _ in range(2):
        with pytest.raises(ViewHeld):
            jobs.build_public_view(DATASET, ["lot_id"])
    with db.writing() as session:
        _record_as(session, "lot_id", "org.phone")
    view = jobs.build_public_view(DATASET, ["lot_id"])
    assert view.rows == 50
    with db.reading() as session:
        events = session.exec(db.select(Event).where(Event.subject == f"view:{view.id}").order_by(Event.version)).all()
        told = session.exec(db.select(Outbox).where(Outbox.kind == "view-quarantined")).all()
    assert [event.kind for event in events] == ["view:quarantine", "view:quarantine", "view:ready"]
    assert len(told) == 1


def _record_as(session, name, semantic):
    column = session.get(DatasetColumn, (DATASET, name))
    column.semantic = semantic
    session.add(column)


def test_the_public_view_is_built_at_once_and_the_same_recipe_not_twice(ready):
    first = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    again = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    assert (first.id, first.grant_id, first.rows) == (again.id, None, 200)
    with db.reading() as session:
        served = store.public_view(session, DATASET)
    assert served is not None
    assert served.id == first.id


def test_the_public_view_that_was_published_last_serves(ready):
    wide = jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    _later(1)
    narrow = jobs.build_public_view(DATASET, ["lot_id"])
    with db.reading() as session:
        assert store.public_view(session, DATASET).id == narrow.id
    _later(1)
    jobs.build_public_view(DATASET, ["lot_id", "minutes"])
    with db.reading() as session:
        assert store.public_view(session, DATASET).id == wide.id


def test_a_public_view_with_plates_in_it_is_held(ready, tmp_path):
    with db.writing() as session:
        table = granted.records(50).set_column(1, "lot_id", granted.records(50)["plate"])
        granted.version(session, DATASET, 2, [table], tmp_path)
    with pytest.raises(ViewHeld):
        jobs.build_public_view(DATASET, ["lot_id"])
    with db.reading() as session:
        assert store.public_view(session, DATASET) is None


def test_a_public_view_that_another_worker_builds_is_waited_for(ready):
    with db.writing() as session:
        actions.claim_public_view(session, DATASET, ["lot_id"], version=None, now=clock.now(session))
    with pytest.raises(ViewBuilding):
        jobs.build_public_view(DATASET, ["lot_id"])
