"""Two views side by side, two versions, two grants: what their difference or their order would tell."""

import hashlib
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.base import clock, db
from service.grants import actions, jobs, store
from service.grants.rules import VersionState
from tests.escape import canaries
from tests.escape.looking import clean

CHANCE = 8  # pairs that meet by chance in a part: one on average, and more than this once in a million tables


# ---- by row number ---------------------------------------------------------------------------------------------------


WAYS = ["files/data.parquet", "parts/1.parquet", "parts/2.parquet", "files/data.csv", "rows?limit=10000",
        "rows?format=arrow", "rows?format=jsonl"]  # fmt: skip


@pytest.mark.parametrize("path", WAYS)
def test_two_views_of_a_version_cannot_be_joined_by_row_number(both, path):
    left, right = _column(both, path, "left", "hidden_serial"), _column(both, path, "right", "lot")
    assert len(left) == len(right) >= canaries.ROWS
    assert sum(one == other for one, other in zip(left, right, strict=True)) <= 2 * CHANCE


@pytest.mark.parametrize("orders", [("kind", "ratio"), ("-kind", "-ratio"), ("kind", "-ratio")])
def test_nor_in_an_order_that_one_asks_for_oneself(ground, orders):
    """Rows that are equal in it come as they lie in the view, which is no order of the source."""
    left = _column(ground, f"rows?format=arrow&order={orders[0]}", "left", "hidden_serial")
    right = _column(ground, f"rows?format=arrow&order={orders[1]}", "right", "lot")
    assert sum(one == other for one, other in zip(left, right, strict=True)) <= 2 * CHANCE


def test_the_source_s_order_is_in_no_view(ground):
    source = [
        _number(lot)
        for seed in (0, 1)
        for lot in canaries.table(seed + 1, first=seed * canaries.ROWS)["lot"].to_pylist()
    ]
    for name, column in (("left", "hidden_serial"), ("right", "lot"), ("theirs", "hidden_serial")):
        found = _column(ground, "files/data.parquet", name, column)
        assert sum(one == other for one, other in zip(source, found, strict=True)) <= 2 * CHANCE


def _column(ground, path: str, name: str, column: str) -> list[int]:
    """Return the number of the source's row that each row of a view is of."""
    data = ground.ask(path, name).data
    if "parquet" in path:
        values = pq.read_table(io.BytesIO(data))[column].to_pylist()
    elif "arrow" in path:
        values = pa.ipc.open_stream(data).read_all()[column].to_pylist()
    elif "limit" in path:
        values = [row[column] for row in json.loads(data)["rows"]]
    elif "jsonl" in path:
        values = [json.loads(line)[column] for line in data.splitlines()]
    else:
        head, *lines = data.decode().split("\r\n")[:-1]
        values = [line.split(",")[head.split(",").index(column)] for line in lines]
    return [_number(value) for value in values]


def _number(text: str) -> int:
    return int(text.rpartition("-")[2])


# ---- keyed tokens ----------------------------------------------------------------------------------------------------


def test_tokens_of_two_grants_have_nothing_in_common(both):
    mine, theirs = (
        pq.read_table(io.BytesIO(both.ask("files/data.parquet", name).data))["hidden_plate"].to_pylist()
        for name in ("tokens-mine", "tokens-theirs")
    )
    assert len(set(mine)) == len(set(theirs)) == 2 * canaries.ROWS
    assert not set(mine) & set(theirs)
    assert sum(one[:4] == other[:4] for one, other in zip(mine, theirs, strict=True)) <= CHANCE


def test_a_token_is_no_hash_that_somebody_else_could_compute(ground):
    tokens = set(
        pq.read_table(io.BytesIO(ground.ask("files/data.parquet", "tokens-mine").data))["hidden_plate"].to_pylist()
    )
    plates = canaries.table(1)["hidden_plate"].to_pylist()[:200]
    for plate in plates:
        for salt in ("", canaries.DATASET, ground.grants["tokens-mine"], "hidden_plate", "firm"):
            for text in (f"{salt}{plate}", f"{plate}{salt}", f"{salt}:{plate}"):
                for name in ("md5", "sha1", "sha256"):
                    found = hashlib.new(name, text.encode()).hexdigest()
                    assert not tokens & {found, found[:32], found[:16], found.upper()}


def test_no_plate_stands_beside_its_token(ground):
    for path in ("files/data.parquet", "files/data.csv", "rows?format=arrow", "rows?limit=10000"):
        found = set(canaries.leaks(ground.ask(path, "tokens-mine").data))
        assert b"plate-" not in found and b"serial-" not in found


# ---- by difference ---------------------------------------------------------------------------------------------------


def test_the_difference_of_two_versions_is_the_granted_rows_that_came(ground):
    """The version is judged for a grant that follows; for the others it stays as if it were not there."""
    grant = ground.grants["daily"]
    before = [part["sha256"] for part in ground.ask("manifest.json", "daily").json["parts"]]
    first = _lots(ground, "files/data.parquet?version=1")
    with db.writing() as session:
        now = clock.now(session)
        store.note_version(session, grant, 2, state=VersionState.JUDGED, now=now, screening_id="s2")
    assert jobs.build_grant_view(grant, 2, pepper=ground.settings.pepper())
    with db.writing() as session:
        actions.move_to(session, store.grant(session, grant), 2, now=now)
    told = ground.ask("manifest.json", "daily").json["parts"]
    assert [part["sha256"] for part in told[:2]] == before
    came = _lots(ground, "files/data.parquet?version=2") - first
    wanted = canaries.table(3, mark="next", first=2 * canaries.ROWS)["lot"].to_pylist()
    assert came == {lot for lot in wanted if lot.startswith("next-")}
    assert first < first | came == _lots(ground, "files/data.parquet")
    changes = ground.ask("changes?since=1", "daily").json
    assert [(part["number"], part["rows"]) for part in changes["added"]] == [(3, len(came))] and not changes["removed"]
    clean(ground.ask("files/data.csv?version=1", "daily"))
    for face in ("files/data.parquet", "rows", "manifest.json"):
        assert clean(ground.ask(face)).headers["Qiantang-Version"] == "1"


def _lots(ground, path: str) -> set[str]:
    return set(pq.read_table(io.BytesIO(ground.ask(path, "daily").data))["lot"].to_pylist())


def test_the_difference_of_two_grants_is_what_the_wider_one_was_granted(ground):
    mine, wider = (
        pq.read_table(io.BytesIO(ground.ask("files/data.parquet", name).data)).select(["lot", "minutes"]).to_pylist()
        for name in ("mine", "wider")
    )
    source = pa.concat_tables([canaries.table(1), canaries.table(2, first=canaries.ROWS)]).to_pylist()
    within = {row["lot"] for row in source if row["entered"] and row["entered"].year == 2026}
    assert {row["lot"] for row in wider} == within
    assert {row["lot"] for row in mine} < within
    assert {tuple(row.values()) for row in mine} <= {tuple(row.values()) for row in wider}
