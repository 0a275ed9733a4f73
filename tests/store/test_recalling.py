"""Rows are found in a stored part and taken out of it, and of what was taken out no byte stays behind."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.catalogue.engine import recalling

ROWS = {
    "plate": ["浙A12345", "浙A12345", None, 'q"uote', "浙B99999", "x; --"],
    "fee": [1, 2, 3, 4, 5, 6],
    "when": [None, "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-06"],
}


@pytest.fixture
def part(tmp_path):
    file = tmp_path / "store" / "part.parquet"
    file.parent.mkdir()
    pq.write_table(pa.table(ROWS), file)
    return file


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("plate", ["浙A12345"], [0, 1]),
        ("plate", ['q"uote', "x; --"], [3, 5]),
        ("fee", ["3", "5", "03"], [2, 4]),
        ("plate", ["浙A12346"], []),
        ("a column of another version", ["浙A12345"], []),
    ],
)
def test_the_rows_of_a_value_are_found_by_its_text(part, folder, column, values, found):
    assert recalling.places(part, column, values, folder) == found


def test_a_part_without_its_recalled_rows_keeps_the_others_in_their_order(part, folder):
    left = recalling.without(part, [0, 1, 3], folder)
    assert pq.read_table(left.path).to_pydict() == {
        "plate": [None, "浙B99999", "x; --"], "fee": [3, 5, 6], "when": ["2026-01-03", "2026-01-05", "2026-01-06"],
    }  # fmt: skip
    assert left.rows == 3
    assert "浙A12345".encode() not in left.path.read_bytes()
    assert b"uote" not in left.path.read_bytes()


def test_the_same_part_and_places_give_the_same_bytes(part, folder, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    assert recalling.without(part, [4], folder).sha256 == recalling.without(part, [4], again).sha256


@pytest.mark.parametrize("places", [[6], [-1], [2, 2]])
def test_places_that_the_part_does_not_have_are_refused(part, folder, places):
    with pytest.raises(ValueError, match="places"):
        recalling.without(part, places, folder)


@settings(max_examples=15, deadline=None)
@given(gone=st.sets(st.integers(0, 299)))
def test_what_is_left_is_everything_but_what_was_recalled(gone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recall")
    source = folder / "source.parquet"
    pq.write_table(pa.table({"n": list(range(300))}), source, row_group_size=64)
    left = recalling.without(source, sorted(gone), folder)
    assert pq.read_table(left.path)["n"].to_pylist() == [n for n in range(300) if n not in gone]
