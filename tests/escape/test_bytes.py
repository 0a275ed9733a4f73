"""Every byte of everything that is served, for what must not be in it; and of the children's memory."""

import io
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from service.grants import jobs
from tests.escape import canaries
from tests.escape.looking import clean

FILES = ("files/data.parquet", "files/data.csv", "files/data.csv?for=excel", "files/data.csv.zst", "files/data.jsonl",
         "files/data.arrow", "parts/1.parquet", "parts/2.parquet")  # fmt: skip
KINDS = ("json", "jsonl", "csv", "arrow", "parquet")
ROWS = [
    f"rows?format={kind}&limit=10000{more}" for kind in KINDS for more in ("", "&order=-minutes,lot&where=ratio:ge:3")
]
TOLD = ("manifest.json", "changes?since=1", "schema", "/api/v1/me/grants")
READY = ("files/data.parquet", "files/data.csv", "parts/1.parquet",
         *(f"rows?format={kind}&limit=10000" for kind in KINDS))  # fmt: skip


@pytest.mark.parametrize("path", READY)
def test_the_looking_finds_in_another_view_what_it_looks_for(ground, path):
    """Else what follows would prove nothing."""
    found = canaries.leaks(ground.ask(path, "theirs").data)
    assert {b"hidden_", b"plate-", b"cell-far", b"serial-", b"out-lot"} <= set(found)
    assert {*found} & {*canaries.BITS, *canaries.DIGITS}


@pytest.mark.parametrize("path", [*FILES, *ROWS, *TOLD])
def test_no_byte_of_an_answer_is_of_a_hidden_column_a_filtered_row_or_another_version(ground, path):
    answer = clean(ground.ask(path), home=ground.settings.home)
    assert answer.status_code == 200 and len(answer.data) > 50


def test_it_is_the_same_on_both_databases(both):
    for path in (*FILES, *ROWS[::2], *TOLD):
        assert clean(both.ask(path), home=both.settings.home).status_code == 200, path


@pytest.mark.parametrize("path", [*FILES, *(f"rows?format={kind}&limit=10000" for kind in KINDS)])
def test_the_rows_are_exactly_those_that_were_granted(ground, path):
    wanted = _granted(canaries.table(1), canaries.table(2, first=canaries.ROWS))
    if path.startswith("parts/"):
        wanted = _granted(canaries.table(1) if "1" in path else canaries.table(2, first=canaries.ROWS))
    found = _lots(ground.ask(path).data, path)
    assert sorted(found) == sorted(wanted) and len(set(found)) == len(found)


def _granted(*tables: pa.Table) -> list[str]:
    return [lot for table in tables for lot in table["lot"].to_pylist() if lot.startswith("in-")]


def _lots(data: bytes, path: str) -> list[str]:
    if "parquet" in path:
        return pq.read_table(io.BytesIO(data))["lot"].to_pylist()
    if "arrow" in path:
        opened = pa.ipc.open_file if path.startswith("files/") else pa.ipc.open_stream
        return opened(data).read_all()["lot"].to_pylist()
    if path.endswith("zst"):
        data = pa.CompressedInputStream(io.BytesIO(data), "zstd").read()
    if "json&" in path:
        return [row["lot"] for row in json.loads(data)["rows"]]
    if "jsonl" in path:
        return [json.loads(line)["lot"] for line in data.splitlines()]
    head, *lines = data.decode("utf-8-sig").split("\r\n")[:-1]
    return [line.split(",")[head.replace('"', "").split(",").index("lot")].strip('"') for line in lines]


# ---- Parquet's own notes ---------------------------------------------------------------------------------------------

PARQUET = ("files/data.parquet", "parts/1.parquet", "parts/2.parquet", "rows?format=parquet",
           "rows?format=parquet&select=lot,minutes&where=minutes:lt:100")  # fmt: skip


@pytest.mark.parametrize("path", PARQUET)
def test_what_parquet_notes_of_a_file_is_of_its_own_rows(ground, path):
    data = ground.ask(path).data
    file, table = pq.ParquetFile(io.BytesIO(data)), pq.read_table(io.BytesIO(data))
    assert not file.metadata.metadata and table.schema.metadata is None
    assert set(file.schema_arrow.names) <= set(canaries.GRANTED)
    assert file.metadata.num_rows == table.num_rows
    for index in range(file.metadata.num_row_groups):
        group = file.read_row_group(index)
        for place in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(index).column(place)
            column, noted = group[chunk.path_in_schema], chunk.statistics
            assert noted.null_count == column.null_count
            if noted.has_min_max:
                least = pc.min_max(column).as_py()
                assert (noted.min, noted.max) == (least["min"], least["max"])


# ---- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["arrow", "parquet", "csv", "jsonl"])
def test_the_memory_of_a_child_that_answered_another_unit_is_in_no_answer(ground, kind):
    """A child sorts all that is hidden, and answers the next one: nothing of it lies between the values."""
    for other in ("arrow", kind, "arrow"):
        assert canaries.leaks(ground.ask(f"rows?format={other}&order=hidden_owner,minutes", "newer").data)
        for query in ("", "&order=minutes", "&select=minutes,ratio,kind&where=ratio:is_null"):
            clean(ground.ask(f"rows?format={kind}{query}"))


def test_every_slot_under_an_empty_value_is_zero(ground):
    ground.ask("rows?format=arrow&order=-hidden_owner", "theirs")
    for path in ("files/data.arrow", "rows?format=arrow", "rows?format=arrow&order=-minutes"):
        data = ground.ask(path).data
        table = (pa.ipc.open_file if path.startswith("files") else pa.ipc.open_stream)(data).read_all()
        for batch in table.to_batches():
            for name in ("minutes", "ratio"):
                column = batch.column(name)
                slots = memoryview(column.buffers()[1]).cast("q")
                assert column.null_count and column.offset == 0
                assert {slots[at] for at in range(len(column)) if not column[at].is_valid} == {0}
                assert len(slots) == len(column)


def test_a_child_that_made_another_view_leaves_nothing_of_it_in_the_next_file(ground):
    """The file in Arrow is made once more, by the child that has just written all that is hidden."""
    before = ground.ask("files/data.arrow")
    ground.ask("files/data.arrow", "theirs")
    again = "update view_file set state = 'wanted' where format = 'arrow' and sha256 = :sha"
    ground.run(again, sha=before.headers["ETag"].strip('"'))
    assert jobs.make_wanted() >= 1
    after = ground.ask("files/data.arrow")
    assert after.data == clean(before).data


@pytest.mark.parametrize("part", ["0-63", "-64", "100-4099", "0-0,100-199,-10", "4000-"])
@pytest.mark.parametrize("name", ["data.parquet", "data.arrow", "data.csv"])
def test_a_range_is_of_the_same_file_and_of_no_other(ground, name, part):
    whole, answer = ground.ask(f"files/{name}").data, ground.ask(f"files/{name}", Range=f"bytes={part}")
    assert answer.status_code == 206
    clean(answer)
    if "," not in part:
        first, _dash, last = part.partition("-")
        start = int(first) if first else len(whole) - int(last)
        assert answer.data == whole[start : int(last) + 1 if first and last else None]
