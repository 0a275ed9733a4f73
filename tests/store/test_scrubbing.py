"""Arrow batches without old memory: nothing under empty values, nothing behind the last one."""

import io

import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from service.grants.engine.scrub import scrubbed, scrubbed_schema

CANARY = b"CANARY!!"
ROWS = 1000
KINDS = [
    pa.int8(), pa.int32(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us", "Asia/Shanghai"),
    pa.time64("us"), pa.decimal128(38, 2),
]  # fmt: skip


def sent(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def full_of_canaries(kind: pa.DataType) -> pa.RecordBatch:
    """Return a column that is empty in every row, over old memory, with more of it behind."""
    nothing = pa.py_buffer(bytes((ROWS + 7) // 8))
    return pa.RecordBatch.from_arrays(
        [pa.Array.from_buffers(kind, ROWS, [nothing, pa.py_buffer(CANARY * 4000)])], ["x"]
    )


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("part", [(0, ROWS), (3, 77), (0, 10), (992, 8), (5, 0)])
def test_old_memory_is_in_no_byte(kind, part):
    batch = full_of_canaries(kind).slice(*part)
    told = sent(scrubbed(batch))
    assert CANARY[:4] not in told
    assert ipc.open_stream(told).read_all().column(0).to_pylist() == [None] * part[1]


def test_without_scrubbing_it_would_be():
    assert CANARY in sent(full_of_canaries(pa.int64()))


def test_text_under_an_empty_value_is_gone():
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 1, 9, 10)))
    column = pa.Array.from_buffers(
        pa.string(), 3, [pa.py_buffer(bytes([0b101])), offsets, pa.py_buffer(b"a" + CANARY + b"b")]
    )
    told = sent(scrubbed(pa.RecordBatch.from_arrays([column], ["x"])))
    assert CANARY not in told
    assert ipc.open_stream(told).read_all().column(0).to_pylist() == ["a", None, "b"]


def test_values_left_out_by_slicing_are_gone():
    batch = pa.RecordBatch.from_pydict({"x": ["CANARY!!", "b", None, "d", "CANARY!!"], "y": [7, 8, None, 10, 11]})
    told = sent(scrubbed(batch.slice(1, 3)))
    assert b"CANARY" not in told
    assert ipc.open_stream(told).read_all().to_pydict() == {"x": ["b", None, "d"], "y": [8, None, 10]}


def test_a_dictionary_is_decoded_with_what_it_holds_of_other_rows():
    column = pa.array(["CANARY!!", "b", None, "b"]).dictionary_encode().slice(1)
    batch = pa.RecordBatch.from_arrays([column], ["x"])
    told = sent(scrubbed(batch))
    assert b"CANARY" not in told
    assert scrubbed_schema(batch.schema) == scrubbed(batch).schema == pa.schema([("x", pa.string())])
    assert ipc.open_stream(told).read_all().to_pydict() == {"x": ["b", None, "b"]}


def test_metadata_of_the_source_stays_behind():
    batch = pa.RecordBatch.from_pydict({"x": [1]}).replace_schema_metadata({"pandas": "CANARY"})
    assert b"CANARY" not in sent(scrubbed(batch))


def test_a_nested_column_is_no_column_of_a_view():
    with pytest.raises(TypeError):
        scrubbed(pa.RecordBatch.from_pydict({"x": [[1]]}))
