"""Released views as bytes: exactly the granted columns and rows, in an order and a footer that tell nothing else."""

import csv
import io
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from service.grants import engine, rules
from service.grants.engine import opening, writing
from service.grants.rules import BadRecipe, Described, Format
from tests.store import granted
from tests.store.granted import COLUMNS, DATASET
from tests.store.viewing import recipe


def _build(table, chosen, tmp_path, name="build"):
    folder = tmp_path / name
    folder.mkdir()
    return _built(granted.write(table, folder / "source.parquet"), chosen, folder)


@dataclass(frozen=True)
class Built:
    """A view of one part: its Parquet part and its CSV."""

    parquet: engine.BuiltFile
    csv: engine.BuiltFile

    @property
    def rows(self):
        return self.parquet.rows


def _built(source, chosen, folder):
    part = engine.cut_part([source], chosen, folder)
    return Built(part, engine.write_file([part.path], Format.CSV, folder, chosen.promise))


def _measured(built, chosen):
    return [
        *engine.measure_part(built.parquet, chosen),
        *engine.measure_file(built.csv, Format.CSV, chosen.promise, built.rows),
    ]


def _rows(table):
    return Counter(tuple(row.values()) for row in table.to_pylist())


# ---- what is in the bytes -------------------------------------------------------------------------------------------


def test_a_view_holds_exactly_its_columns_and_all_their_rows(tmp_path):
    source = granted.records()
    built = _build(source, recipe(), tmp_path)
    view = pq.read_table(built.parquet.path)
    assert tuple(view.column_names) == COLUMNS
    assert _rows(view) == _rows(source.select(list(COLUMNS)))
    assert built.rows == source.num_rows
    assert _measured(built, recipe()) == []


def test_columns_come_in_the_order_of_the_grant(tmp_path):
    built = _build(granted.records(50), recipe(("vehicle_type", "lot_id")), tmp_path)
    assert pq.read_schema(built.parquet.path).names == ["vehicle_type", "lot_id"]


def test_rows_are_those_of_the_period_and_the_areas_both_days_included(tmp_path):
    source = granted.records()
    chosen = recipe(row_filter={"from": "2026-09-05", "to": "2026-09-06", "areas": ["L001", "L007"]})
    view = pq.read_table(_build(source, chosen, tmp_path).parquet.path)
    days = pc.cast(source["entry_time"], pa.date32())
    wanted = pc.and_(
        pc.and_(pc.greater_equal(days, date(2026, 9, 5)), pc.less_equal(days, date(2026, 9, 6))),
        pc.is_in(source["lot_id"], pa.array(["L001", "L007"])),
    )
    assert view.num_rows > 0
    assert _rows(view) == _rows(source.filter(wanted).select(list(COLUMNS)))


def test_values_of_a_filter_are_bound_and_never_read_as_sql(tmp_path):
    chosen = recipe(row_filter={"areas": ["L001') OR 1=1 --", "'; DROP TABLE released; --"]})
    assert _build(granted.records(100), chosen, tmp_path).rows == 0


def test_a_filter_may_use_a_column_that_is_not_shown(tmp_path):
    chosen = recipe(("minutes",), {"from": "2026-09-05", "to": "2026-09-05"})
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
        _build(granted.records(20).drop_columns(["minutes"]), recipe(), tmp_path)


def test_a_view_of_a_dictionary_column_keeps_no_value_of_other_rows(tmp_path):
    table = granted.records(500)
    table = table.set_column(1, "lot_id", table["lot_id"].dictionary_encode())
    built = _build(table, recipe(row_filter={"areas": ["L001"]}), tmp_path)
    data = built.parquet.path.read_bytes()
    assert b"L001" in data
    assert not [lot for lot in (f"L{n:03d}".encode() for n in range(20)) if lot != b"L001" and lot in data]


# ---- what is not in the bytes ---------------------------------------------------------------------------------------


def test_no_byte_of_a_view_tells_a_plate_or_the_name_of_its_column(tmp_path):
    source = granted.records()
    built = _build(source, recipe(), tmp_path)
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
    chosen = recipe(row_filter={"areas": ["L001"]})
    no_gaps = source.filter(pc.and_(only, pc.is_valid(source["minutes"])))
    elsewhere = source.filter(pc.invert(only))
    apart = _build(no_gaps, chosen, tmp_path, "apart")
    among = _build(pa.concat_tables([elsewhere, no_gaps]), chosen, tmp_path, "among")
    assert elsewhere["minutes"].null_count > 0
    assert apart.parquet.sha256 == among.parquet.sha256
    assert apart.csv.sha256 == among.csv.sha256


def test_statistics_are_those_of_the_view(tmp_path):
    built = _build(granted.records(), recipe(row_filter={"areas": ["L003", "L004"]}), tmp_path)
    bounds = {(group.column(0).statistics.min, group.column(0).statistics.max) for group in _groups(built)}
    assert bounds == {("L003", "L004")}


def test_the_order_of_the_source_does_not_show(tmp_path):
    source = granted.records()
    shuffled = source.take(pa.array(random.Random(3).sample(range(source.num_rows), source.num_rows)))
    first, second = _build(source, recipe(), tmp_path, "first"), _build(shuffled, recipe(), tmp_path, "second")
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
    built = _build(granted.records(), recipe(), tmp_path)
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


def _tampered(tmp_path, table, chosen):
    """A view as something other than the builder would have written it."""
    built = _build(granted.records(100), chosen, tmp_path)
    pq.write_table(table, built.parquet.path)
    return replace(built, parquet=replace(built.parquet, rows=table.num_rows))


def test_a_view_with_a_column_too_many_or_with_metadata_is_found(tmp_path):
    chosen = recipe(("lot_id",))
    wide = granted.records(100).select(["lot_id", "plate"]).replace_schema_metadata({"from": "plate"})
    found = _measured(_tampered(tmp_path, wide, chosen), chosen)
    assert {"columns", "metadata", "hidden-name:plate"} <= set(found)


def test_a_view_in_another_order_is_found(tmp_path):
    chosen = recipe(("lot_id", "minutes"))
    built = _build(granted.records(500), chosen, tmp_path)
    table = pq.read_table(built.parquet.path)
    with opening.opened(tmp_path) as connection:
        connection.register("turned", table.take(pa.array(range(table.num_rows - 1, -1, -1))))
        connection.execute(f"COPY (FROM turned) TO '{built.parquet.path}' (FORMAT parquet)")
    assert _measured(built, chosen) == ["order"]


def test_a_view_of_another_length_is_found(tmp_path):
    built = _build(granted.records(100), recipe(), tmp_path)
    wrong = replace(built, parquet=replace(built.parquet, rows=99))
    assert engine.measure_part(wrong.parquet, recipe()) == ["rows"]


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
    chosen = recipe(("lot_id",))
    assert _measured(_build(table, chosen, tmp_path), chosen) == [f"{kind}:lot_id"]


def test_a_column_of_phones_as_numbers_is_found_and_chance_is_not(tmp_path):
    chosen = recipe(("minutes",))
    phones = pa.table({"minutes": [13_800_000_000 + n for n in range(50)]})
    assert _measured(_build(phones, chosen, tmp_path, "phones"), chosen) == ["phone:minutes"]
    mixed = pa.table({"minutes": [*range(50), 13_800_000_000]})
    assert _measured(_build(mixed, chosen, tmp_path, "mixed"), chosen) == []


def test_a_column_that_was_judged_as_plates_may_hold_plates(tmp_path):
    chosen = recipe(("plate",))
    assert _measured(_build(granted.records(50), chosen, tmp_path), chosen) == []
