"""A view in every format says the same, and tells nothing else: not one byte of what was not granted."""

import csv
import errno
import io
import json
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.grants import engine
from service.grants.engine import worker
from service.grants.engine.__main__ import _kind
from service.grants.engine.jobs import Cut, Write, asked, heard
from service.grants.rules import Described, Format
from tests.store import granted
from tests.store.viewing import cut, keys, recipe, whole

ODD = Described("text", "string", None), Described("number", "number", None), Described("at", "datetime", None)


def _odd(tmp_path):
    """A view of values that formats stumble over."""
    texts = ["=1+1", "+8613800000000", "-x", "@name", "\tx", "\rx", 'a"b', "a,b", "a\nb", "", None, "浙江", "'x"]
    table = pa.table(
        {
            "text": texts,
            "number": [float("nan"), float("inf"), -1.5, None, *range(9)],
            "at": [datetime(2026, 9, 1, 8, n, tzinfo=None) for n in range(13)],  # noqa: DTZ001 - as the column has it
        }
    )
    chosen = recipe(("text", "number", "at"), described=ODD)
    return table, chosen, whole(table, chosen, tmp_path)


def _cells(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("format", list(Format))
def test_every_format_of_a_view_measures_as_its_parts(tmp_path, format):
    chosen = recipe()
    view = whole(granted.records(), chosen, tmp_path)
    assert engine.measure_file(view.files[format], format, chosen.promise, 2_000) == []
    assert engine.measure_file(view.files[format], format, chosen.promise, 1_999) != []


@pytest.mark.parametrize("format", list(Format))
def test_values_that_formats_stumble_over_measure_too(tmp_path, format):
    table, chosen, view = _odd(tmp_path)
    assert engine.measure_file(view.files[format], format, chosen.promise, table.num_rows) == []


@pytest.mark.parametrize("format", list(Format))
def test_an_empty_view_is_a_file_like_any_other(tmp_path, format):
    chosen = recipe(row_filter={"areas": ["nowhere"]})
    view = whole(granted.records(50), chosen, tmp_path)
    assert engine.measure_file(view.files[format], format, chosen.promise, 0) == []


@pytest.mark.parametrize("format", list(Format))
def test_the_same_rows_give_the_same_bytes(tmp_path, format):
    chosen, table = recipe(), granted.records(500)
    first, second = (whole(table, chosen, tmp_path, name) for name in ("first", "second"))
    assert first.files[format].sha256 == second.files[format].sha256


@pytest.mark.parametrize("format", list(Format))
def test_no_byte_of_any_format_tells_a_hidden_column_or_a_row_that_was_left_out(tmp_path, format):
    source = granted.records()
    chosen = recipe(row_filter={"areas": ["L001", "L002"]})
    data = whole(source, chosen, tmp_path).files[format].path.read_bytes()
    if format is Format.CSV_ZST:
        data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    assert b"L001" in data or format is Format.PARQUET
    hidden = {plate.encode() for plate in source["plate"].to_pylist()} | {b"plate", "浙A".encode(), b"traffic bureau"}
    left_out = {f"L{n:03d}".encode() for n in range(20)} - {b"L001", b"L002"}
    assert not [value for value in hidden | left_out if value in data]


def test_a_spreadsheet_finds_no_formula_and_knows_the_encoding(tmp_path):
    _table, _chosen, view = _odd(tmp_path)
    data = view.files[Format.EXCEL].path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.endswith(b"\r\n")
    texts = {row[0] for row in _cells(data)[1:]}
    assert {"'=1+1", "'+8613800000000", "'-x", "'@name", "'\tx", "'\rx", "浙江", "'x"} <= texts
    assert not [text for text in texts if text[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert "-1.5" in {row[1] for row in _cells(data)}  # a number is no formula


def test_the_name_of_a_column_is_no_formula_either(tmp_path):
    described = (Described("=cmd()", "string", None),)
    view = whole(pa.table({"=cmd()": ["x"]}), recipe(("=cmd()",), described=described), tmp_path)
    assert _cells(view.files[Format.EXCEL].path.read_bytes())[0] == ["'=cmd()"]
    assert _cells(view.files[Format.CSV].path.read_bytes())[0] == ["=cmd()"]


def test_plain_csv_is_true_to_the_byte(tmp_path):
    table, _chosen, view = _odd(tmp_path)
    texts = [row[0] for row in _cells(view.files[Format.CSV].path.read_bytes())[1:]]
    assert sorted(texts) == sorted(text or "" for text in table["text"].to_pylist())


def test_a_packed_csv_unpacks_to_the_plain_one(tmp_path):
    view = whole(granted.records(), recipe(), tmp_path)
    packed = pa.CompressedInputStream(str(view.files[Format.CSV_ZST].path), "zstd").read()
    assert packed == view.files[Format.CSV].path.read_bytes()


def test_json_lines_hold_every_value_and_nothing_that_is_no_json(tmp_path):
    table, chosen, view = _odd(tmp_path)
    lines = [json.loads(line, parse_constant=pytest.fail) for line in view.files[Format.JSONL].path.open("rb")]
    assert [list(line) for line in lines] == [list(chosen.columns)] * table.num_rows
    assert {line["text"] for line in lines} == set(table["text"].to_pylist())
    assert min(line["at"] for line in lines) == "2026-09-01T08:00:00"
    assert sum(line["number"] is None for line in lines) == 3


def test_arrow_holds_the_rows_in_order_without_a_word_of_its_source(tmp_path):
    view = whole(granted.records(), recipe(), tmp_path)
    with pa.memory_map(str(view.files[Format.ARROW].path)) as source:
        found = pa.ipc.open_file(source).read_all()
    assert found.schema.metadata is None
    assert found.to_pylist() == pq.read_table(view.part.path).to_pylist()


def test_no_value_slot_of_an_empty_arrow_value_holds_anything(tmp_path):
    view = whole(granted.records(), recipe(), tmp_path)
    with pa.memory_map(str(view.files[Format.ARROW].path)) as source:
        column = pa.ipc.open_file(source).read_all()["minutes"].combine_chunks()
    assert column.null_count > 100
    values = memoryview(column.buffers()[1]).cast("q")
    assert {values[index] for index, value in enumerate(column.to_pylist()) if value is None} == {0}


def test_a_canary_of_the_heap_is_in_no_format(tmp_path):
    """The process has read something else just before: that is what lies in its freed memory."""
    canary = "CANARY-OF-ANOTHER-QUERY"
    for _ in range(3):
        other = pa.table({"x": [f"{canary}-{n}" for n in range(200_000)], "n": list(range(200_000))})
        pq.write_table(other, tmp_path / "other.parquet")
        assert pq.read_table(tmp_path / "other.parquet").num_rows == 200_000
        del other
    source = granted.records(20_000)
    gaps = source.set_column(
        1, "lot_id", pa.array([None if n % 2 else v for n, v in enumerate(source["lot_id"].to_pylist())])
    )
    view = whole(gaps, recipe(), tmp_path)
    for file in view.files.values():
        assert canary.encode() not in file.path.read_bytes()


def test_a_whole_file_of_several_parts_is_theirs_in_order(tmp_path):
    chosen, table = recipe(), granted.records(900)
    parts = [cut(table.slice(start, 300), chosen, tmp_path, f"part{start}") for start in (0, 300, 600)]
    paths = [part.path for part in parts]
    for format in Format:
        made = engine.write_file(paths, format, tmp_path, chosen.promise)
        assert engine.measure_file(made, format, chosen.promise, 900) == []
    joined = pa.concat_tables([pq.read_table(path) for path in paths])
    assert pq.read_table(tmp_path / "whole.parquet").to_pylist() == joined.to_pylist()
    with pa.memory_map(str(tmp_path / "whole.arrow")) as source:
        assert pa.ipc.open_file(source).read_all().to_pylist() == joined.to_pylist()


# ---- measuring ------------------------------------------------------------------------------------------------------


def test_a_formula_in_a_file_for_spreadsheets_is_found(tmp_path):
    _table, chosen, view = _odd(tmp_path)
    made = view.files[Format.EXCEL]
    made.path.write_bytes(made.path.read_bytes().replace(b"'=1+1", b"=1+1"))
    assert engine.measure_file(made, Format.EXCEL, chosen.promise, 13) == ["formula"]


def test_a_key_too_many_in_a_line_is_found(tmp_path):
    chosen = recipe(("lot_id",))
    made = whole(granted.records(10), chosen, tmp_path).files[Format.JSONL]
    made.path.write_text(made.path.read_text().replace("}\n", ',"plate":"x"}\n', 1))
    assert engine.measure_file(made, Format.JSONL, chosen.promise, 10) == ["jsonl-keys"]


def test_metadata_in_an_arrow_file_is_found(tmp_path):
    chosen = recipe(("lot_id",))
    view = whole(granted.records(10), chosen, tmp_path)
    table = pq.read_table(view.part.path).replace_schema_metadata({"from": "plate"})
    with pa.OSFile(str(view.files[Format.ARROW].path), "wb") as raw, pa.ipc.new_file(raw, table.schema) as writer:
        writer.write_table(table)
    assert engine.measure_file(view.files[Format.ARROW], Format.ARROW, chosen.promise, 10) == ["arrow-schema"]


# ---- the child ------------------------------------------------------------------------------------------------------


def test_a_job_is_the_same_after_it_was_told(tmp_path):
    steps = [{"kind": "token", "column": "plate"}, {"kind": "suppress", "columns": ["lot_id"], "k": 5}]
    chosen = recipe(("plate", "lot_id"), {"from": "2026-09-05", "areas": ["L001"]}, steps=steps)
    cutting = Cut((tmp_path / "a", tmp_path / "b"), chosen, tmp_path, keys())
    writing = Write((tmp_path / "a",), Format.ARROW, chosen.promise, 7, tmp_path)
    for job in (cutting, writing):
        assert heard(json.loads(json.dumps(asked(job)))) == job
    assert "namespace" not in repr(cutting.keys) or keys().namespace.hex() not in repr(cutting)


def test_a_child_makes_what_the_engine_makes_and_is_kept(tmp_path):
    source = granted.write(granted.records(), tmp_path / "source.parquet")
    here = engine.cut_part([source], recipe(), tmp_path, keys())
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = engine.do(Cut((source,), recipe(), tmp_path / name, keys()), lambda share: None)
        assert (made.file.sha256, made.reasons) == (here.sha256, ())
    assert len(worker._idle) >= 1


def test_a_child_that_is_killed_fails_its_job_and_the_next_one_is_done(tmp_path, monkeypatch):
    source = granted.write(granted.records(), tmp_path / "source.parquet")
    job = Cut((source,), recipe(), tmp_path, keys())
    killed = worker.Child()
    killed.process.kill()
    killed.process.wait()
    monkeypatch.setattr(worker, "_taken", lambda: killed)
    with pytest.raises(engine.Failed, match="SIGKILL"):
        engine.do(job, lambda share: None)
    monkeypatch.undo()
    assert engine.do(job, lambda share: None).file.rows == 2_000


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (duckdb.IOException('Could not write file "/x": No space left on device'), "disk"),
        (duckdb.OutOfMemoryException("failed to offload data block: max_temp_directory_size is reached"), "disk"),
        (duckdb.OutOfMemoryException("could not allocate block of 浙A12345"), "memory"),
        (duckdb.ConversionException("Could not convert string '浙A12345' to INT64"), "ConversionException"),
    ],
)
def test_what_is_told_of_a_fault_is_a_word_that_holds_no_value(fault, word):
    assert _kind(fault) == word
