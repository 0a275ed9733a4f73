"""Arrow without what lies between its values.

Value slots under empty values, and the rest of a buffer behind its last value, hold old memory of the process: values
of another query, of rows that were not granted.  No Arrow byte leaves without passing `scrubbed`.
"""

import pyarrow as pa
import pyarrow.compute as pc

ZEROES = {"string": "", "large_string": "", "bool": False}


def scrubbed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with zeros where nothing is, dictionaries decoded, and buffers that end with their values."""
    columns = [_column(column) for column in batch.columns]
    fields = [field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def scrubbed_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema that scrubbed batches of `schema` have; metadata of the source is left out."""
    return pa.schema([pa.field(field.name, _plain(field.type), field.nullable) for field in schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _column(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        raise TypeError(f"no column of a view is a {column.type}")
    if pa.types.is_null(column.type):
        return pa.nulls(len(column))
    valid = None
    if column.null_count:
        valid = pc.is_valid(column).buffers()[1]
        column = column if _is_bare(column) else pc.fill_null(column, _zero(column.type))
    if column.offset:
        column = pa.concat_arrays([column, column.slice(0, 0)])  # copies what it joins
    return pa.Array.from_buffers(column.type, len(column), [_cut(valid, (len(column) + 7) // 8), *_values(column)])


def _is_bare(column: pa.Array) -> bool:
    """Whether a column of texts has nothing under its empty values: its values fill what its offsets span."""
    if not pa.types.is_string(column.type) or column.offset:
        return False
    _valid, offsets, data = column.buffers()
    if data is None:
        return False
    end = int.from_bytes(memoryview(offsets)[4 * len(column) : 4 * len(column) + 4], "little")
    return bytes(memoryview(offsets)[:4]) == b"\0\0\0\0" and pc.sum(pc.binary_length(column)).as_py() == end


def _zero(kind: pa.DataType) -> pa.Scalar:
    if str(kind) in ZEROES:
        return pa.scalar(ZEROES[str(kind)], kind)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.scalar(b"", kind)
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bytes(kind.bit_width // 8))])[0]


def _values(column: pa.Array) -> list[pa.Buffer | None]:
    """Return a column's buffers after its validity, each cut where its values end."""
    length, buffers = len(column), column.buffers()[1:]
    if len(buffers) == 1:
        return [_cut(buffers[0], (length * column.type.bit_width + 7) // 8)]
    wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    offsets, data = buffers
    size = 8 if wide else 4
    offsets = _cut(offsets, (length + 1) * size)
    if offsets is None or offsets.size == 0:
        return [pa.py_buffer(bytes(size)), pa.py_buffer(b"")]
    end = int.from_bytes(memoryview(offsets)[length * size :], "little")
    return [offsets, _cut(data, end)]


def _cut(buffer: pa.Buffer | None, size: int) -> pa.Buffer | None:
    return buffer.slice(0, size) if buffer is not None else None
