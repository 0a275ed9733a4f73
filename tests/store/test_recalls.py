"""A recalled row is in no byte that the service keeps: no part, no view, no file, no restored copy."""

from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest

from service.audit.tables import Event
from service.base import blobs, clock, db
from service.base.errors import Invalid, NotFound, SecondPersonRequired, WrongState
from service.catalogue import store as catalogue
from service.catalogue.actions import recalls as actions
from service.catalogue.actions import versions
from service.catalogue.actions.versions import StoredData
from service.catalogue.rules.recalls import Reason, RecallState, RowsRecalled, tombstone
from service.catalogue.store import recalls as rows
from service.catalogue.tables import DatasetPart, Recall, VersionPart
from service.grants import actions as grants
from service.grants import jobs, store
from service.grants.actions import recalls as answers
from service.grants.rules import ViewState
from service.grants.store import recalls as asked
from service.grants.tables import ReleasedView
from service.home.jobs.restoring import apply_recalls
from service.notices.tables import Outbox
from tests.store import granted
from tests.store.granted import DATASET, NOW

GONE = "浙A00001"
KIND = "召回的车型"


@pytest.fixture
def parked(database, store, tmp_path):
    """Two parts; the row that will be recalled is in the first, with a value that nothing else has."""
    first = granted.records(300, seed=1).slice(0, 299)
    row = pa.table(
        {"plate": [GONE], "lot_id": ["L001"], "entry_time": first["entry_time"].slice(0, 1), "minutes": [15],
         "vehicle_type": [KIND]}, schema=first.schema,
    )  # fmt: skip
    tables = [pa.concat_tables([first, row]), granted.records(200, seed=2)]
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, tables[1], tmp_path)
        granted.version(session, DATASET, 2, tables, tmp_path)
        clock.set_shift(NOW - clock.database_now(session))
        whole = granted.issue(session, dataset_version=2)
        elsewhere = granted.issue(session, dataset_version=2, application="a2", row_filter={"areas": ["L002"]})
    jobs.build_missing()
    return whole.id, elsewhere.id


def recall(session, *, by="steward", column="plate", values=(GONE,)):
    return actions.file_recall(
        session, DATASET, reason=Reason.ERASED, column=column, values=values, note="受理 17 号", by=by, now=NOW
    )


def confirmed(by="second"):
    with db.writing() as session:
        row = recall(session)
        actions.confirm_recall(session, row.id, by=by, now=NOW, works=lambda day: day.weekday() < 5)
    return row.id


def carried_out():
    id = confirmed()
    jobs.recall_parts()
    jobs.recall_views()
    jobs.build_missing()
    jobs.recall_views()
    return id


def everything():
    """Return every value of every object of the store: compressed bytes would hide what is looked for."""
    found = b""
    for key in sorted(blobs.keys()):
        with blobs.as_file(key) as file:
            raw = file.read_bytes()
            if key.endswith(".parquet"):
                raw += repr(duckdb.sql(f"SELECT * FROM read_parquet('{file}')").fetchall()).encode()
            found += raw
    return found


def test_a_recalled_row_is_in_no_object_and_every_other_row_still_is(parked):
    whole, elsewhere = parked
    assert GONE.encode() in everything()
    with db.reading() as session:
        before = {one: store.view_of(session, one) for one in parked}
        spared = store.file_of(session, before[elsewhere].id, "parquet").sha256
    id = carried_out()
    left = everything()
    assert GONE.encode() not in left
    assert KIND.encode() not in left
    with db.reading() as session:
        row = rows.recall(session, id)
        assert (row.state, row.removed, row.values) == (RecallState.DONE, 1, None)
        assert catalogue.version(session, DATASET, 2).rows == 499
        assert catalogue.version(session, DATASET, 1).rows == 200
        assert store.view_of(session, whole).rows == before[whole].rows - 1
        assert store.file_of(session, store.view_of(session, elsewhere).id, "parquet").sha256 == spared


def test_a_version_names_the_parts_that_it_holds_now(parked):
    with db.reading() as session:
        before = catalogue.version(session, DATASET, 2).sha256
    carried_out()
    with db.reading() as session:
        row = catalogue.version(session, DATASET, 2)
        parts = catalogue.parts(session, DATASET, 2)
    assert row.sha256 != before
    assert [part.rows for part in parts] == [299, 200]
    assert all(blobs.size(part.blob_key) == part.bytes for part in parts)


def test_only_the_unit_whose_bytes_held_the_row_is_asked_to_delete_them_and_answers_once(parked):
    whole, _elsewhere = parked
    id = carried_out()
    with db.reading() as session:
        [one] = asked.answers(session, id)
        told = session.exec(db.select(Outbox).where(Outbox.kind == "rows-recalled")).all()
        assert (one.grant_id, one.number, one.answered_at) == (whole, 2, None)
        assert [entry.to_unit for entry in told] == ["firm"]
    with db.writing() as session:
        with pytest.raises(NotFound):
            answers.answer(session, id, whole, deleted=True, by="rival", now=NOW)
        answers.answer(session, id, whole, deleted=True, by="manager", now=NOW)
    with db.writing() as session:
        assert all(one.answered_at for one in asked.answers(session, id))
        with pytest.raises(WrongState):
            answers.answer(session, id, whole, deleted=False, by="manager", now=NOW)


def test_a_view_with_recalled_rows_is_stopped_before_anything_else(parked):
    whole, _elsewhere = parked
    confirmed()
    jobs.recall_parts()
    with db.writing() as session:
        assert asked.mark_recalled(session) == 2
    with db.reading() as session:
        assert store.view_of(session, whole) is None
        states = {view.state for view in session.exec(db.select(ReleasedView))}
        assert states == {ViewState.RECALLED}
    assert jobs.build_missing() == 0  # not before the old objects are gone


def test_the_second_person_is_another_and_of_the_same_house(parked):
    with db.writing() as session:
        row = recall(session)
        works = lambda day: True  # noqa: E731
        with pytest.raises(SecondPersonRequired):
            actions.confirm_recall(session, row.id, by="steward", now=NOW, works=works)
        for stranger in ("manager", "outsider", "operator", "auditor"):
            with pytest.raises(NotFound):
                actions.confirm_recall(session, row.id, by=stranger, now=NOW, works=works)
        assert actions.confirm_recall(session, row.id, by="reviewer", now=NOW, works=works).due_at == NOW.replace(
            day=24, hour=16
        )
        with pytest.raises(WrongState):
            actions.refuse_recall(session, row.id, by="second", now=NOW)


@pytest.mark.parametrize("stranger", ["manager", "outsider", "reviewer", "operator"])
def test_only_the_datas_own_steward_files_a_recall(parked, stranger):
    with db.writing() as session, pytest.raises(NotFound):
        recall(session, by=stranger)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"column": "nobody"}, "column"), ({"values": ()}, "values"), ({"values": ("x" * 201,)}, "values"),
     ({"values": tuple(map(str, range(1001)))}, "values")],
)  # fmt: skip
def test_a_recall_that_does_not_hold_is_told_where(parked, changes, field):
    with db.writing() as session, pytest.raises(Invalid) as fault:
        recall(session, **changes)
    assert [error["field"] for error in fault.value.facts["errors"]] == [field]


def test_what_was_looked_for_is_counted_for_the_second_person_and_forgotten_when_refused(parked):
    with db.writing() as session:
        row = recall(session)
    jobs.recall_parts()
    with db.writing() as session:
        assert rows.recall(session, row.id).matched == 1
        actions.refuse_recall(session, row.id, by="second", now=NOW)
    assert jobs.recall_parts() == 0
    with db.reading() as session:
        assert rows.recall(session, row.id).values is None
        assert GONE not in repr(session.exec(db.select(Event)).all())
    assert GONE.encode() in everything()


def test_the_bytes_that_were_recalled_from_are_not_loaded_again(parked):
    with db.reading() as session:
        old = catalogue.parts(session, DATASET, 2)[0]
    carried_out()
    data = StoredData(old.blob_key, old.sha256, old.rows, old.bytes, None, None)
    with db.writing() as session, pytest.raises(RowsRecalled):
        versions.add_version(session, DATASET, [data], append=False, by="steward", now=NOW)


def test_a_part_that_comes_while_rows_are_looked_for_is_looked_through_too(parked, tmp_path):
    id = confirmed()
    with db.writing() as session:
        seen = frozenset(part.id for part in rows.parts_of_dataset(session, DATASET))
        granted.version(session, DATASET, 3, [granted.records(10, seed=3)], tmp_path)
        assert not actions.carry_out(session, id, [], seen=seen, now=NOW)
        assert session.get(Recall, id).state == RecallState.CONFIRMED


def test_a_recall_interrupted_anywhere_is_finished_by_the_next_turn(parked, monkeypatch):
    whole, _elsewhere = parked
    id = confirmed()
    broken = iter([True, True, False])
    delete = blobs.delete

    def sometimes(key):
        if next(broken, False):
            raise blobs.Away("the store is away")
        delete(key)

    monkeypatch.setattr(blobs, "delete", sometimes)
    for _turn in range(6):
        for job in (jobs.recall_parts, jobs.recall_views, jobs.build_missing):
            try:
                job()
            except blobs.Away:
                continue
    assert GONE.encode() not in everything()
    with db.reading() as session:
        assert store.view_of(session, whole) is not None
        assert [one.told_at is not None for one in asked.answers(session, id)] == [True]


def test_a_restored_copy_from_before_the_recall_serves_none_of_its_rows(parked, tmp_path):
    kept = {}
    for key in sorted(blobs.keys()):
        with blobs.as_file(key) as file:
            kept[key] = file.read_bytes()
    with db.reading() as session:
        held = [(part.id, part.blob_key, part.sha256, part.rows, part.bytes) for part in _all_parts(session)]
    carried_out()
    with db.reading() as session:
        documents = [one.document() for one in rows.tombstones(session)]
    assert GONE not in repr(documents)
    _come_back(kept, held, tmp_path)
    assert GONE.encode() in everything()
    assert apply_recalls(map(tombstone, documents)) == 1
    jobs.build_missing()
    assert GONE.encode() not in everything()


def _all_parts(session):
    return rows.parts_of_dataset(session, DATASET)


def _come_back(kept, held, tmp_path):
    """Put objects and rows back as a backup from before the recall has them."""
    for key, raw in kept.items():
        file = tmp_path / "back"
        file.write_bytes(raw)
        blobs.put(key, file)
    with db.writing() as session:
        for row in session.exec(db.select(Recall)):
            session.delete(row)
        for table in ("recalledpart", "recall_answer", "versionpart"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
        for view in session.exec(db.select(ReleasedView)):
            session.connection().exec_driver_sql(f"DELETE FROM view_part WHERE view_id = '{view.id}'")
            session.connection().exec_driver_sql(f"DELETE FROM view_file WHERE view_id = '{view.id}'")
            session.delete(view)
        for position, (id, *_rest) in enumerate(held):
            session.add(VersionPart(dataset_id=DATASET, number=2, position=position, part_id=id))
            assert session.get(DatasetPart, id) is not None
    jobs.build_missing()


@pytest.mark.parametrize(
    "document", [{}, [], {"recall": "r", "dataset": "d", "reason": "erased", "part": "x", "rows": [0], "at": ""},
                 {"recall": "r", "dataset": "d", "reason": "whim", "part": "0" * 64, "rows": [0], "at": ""},
                 {"recall": "r", "dataset": "d", "reason": "erased", "part": "0" * 64, "rows": [-1], "at": ""}],
)  # fmt: skip
def test_what_is_no_tombstone_is_refused(document):
    with pytest.raises(ValueError, match="tombstone"):
        tombstone(document)


def test_a_grant_that_is_over_is_asked_all_the_same(parked):
    whole, _elsewhere = parked
    confirmed()
    with db.writing() as session:
        grants.hand_back(session, whole, by="manager", now=NOW)
    jobs.recall_parts()
    jobs.recall_views()
    jobs.recall_views()
    with db.reading() as session:
        told = session.exec(db.select(Outbox).where(Outbox.kind == "rows-recalled")).all()
    assert len(told) == 1
    clock.set_shift(timedelta())


def test_a_version_that_a_grant_has_left_is_made_anew_too_for_who_asks_for_it_by_number(parked, tmp_path):
    whole, _elsewhere = parked
    with db.writing() as session:
        granted.version(session, DATASET, 3, [granted.records(10, seed=3)], tmp_path)
        store.note_version(session, whole, 3, state="judged", now=NOW)
        grants.move_to(session, store.grant(session, whole), 3, now=NOW)
    jobs.build_missing()
    id = carried_out()
    with db.reading() as session:
        assert store.view_of(session, whole, 2).rows == 499
        assert [(one.number, one.told_at is not None) for one in asked.answers(session, id)] == [(2, True)]
