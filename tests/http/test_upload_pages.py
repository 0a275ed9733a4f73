"""A steward's pages of uploads: send, look, put right, confirm, read the report; a marked file is kept apart."""

import io

import openpyxl
import pyarrow.parquet as pq
import pytest

from service.base import blobs, db
from service.base.http import settings as settings_of
from service.base.roles import Role
from service.catalogue import jobs, store
from service.catalogue.engine import loading, parked
from service.catalogue.rules.uploads import MOST_BY_FORM
from service.catalogue.tables import ImportRun
from tests.http.conftest import log_in, resume
from tests.store import granted

PLACE = f"/datasets/{granted.DATASET}/uploads"
NAMES = ("plate", "lot_id", "entry_time", "minutes", "vehicle_type")
HEADINGS = "停车场;车牌;进场时间;电话;时长;车型"
ROWS = [
    "L001;浙A00001;2026-09-01 08:00;13800000000;15;小型汽车",
    "L002;浙A00002;2026-09-01 09:00;13800000001;30;大型汽车",
]
MAPPING = {
    "column_lot_id": "0",
    "column_plate": "1",
    "column_entry_time": "2",
    "column_minutes": "4",
    "column_vehicle_type": "5",
}
CONFIRMED = MAPPING | {"mode": "replace", "most": "0"}


@pytest.fixture
def steward(app, tmp_path):
    with db.writing() as session:
        granted.settle(session)
        granted.publish(session, granted.records(20), tmp_path)
    return resume(app, "steward")


@pytest.fixture
def home(app):
    with app.app_context():
        return settings_of().home


@pytest.fixture
def work(home):
    """Return what runs the jobs once."""

    def go():
        jobs.read_uploads(home)
        jobs.load_uploads(home)

    return go


def text(*rows):
    return "\n".join([HEADINGS, *(rows or ROWS)]).encode("gb18030")


def send(client, data, name="records.csv"):
    return client.post(PLACE, data={"file": (io.BytesIO(data), name)}, content_type="multipart/form-data")


def sent(client, work, data=None, name="records.csv"):
    answer = send(client, text() if data is None else data, name)
    assert answer.status_code == 303, answer.text
    work()
    return answer.headers["Location"]


def run_of(page):
    with db.reading() as session:
        return session.get(ImportRun, page.rpartition("/")[2])


def files(home):
    return list(parked.folder(home).glob(f"{_newest()}*"))


def _newest():
    with db.reading() as session:
        return max(run.id for run in session.exec(db.select(ImportRun)).all())


def test_a_file_becomes_a_version_that_waits_for_its_review(steward, work, home):
    page = sent(steward, work)
    shown = steward.get(page).text
    for found in ("gb18030", "分号", "电话", "核对并导入"):
        assert found in shown
    assert "没有对应字段的列不导入" in shown
    assert "13800000000" not in shown
    assert steward.post(f"{page}/loading", data=CONFIRMED).status_code == 303
    work()
    run = run_of(page)
    assert (run.state, run.number) == ("done", 2)
    assert f"/datasets/{granted.DATASET}/versions/2" in steward.get(page).text
    assert not files(home)
    with db.reading() as session:
        version = store.version(session, granted.DATASET, 2)
        assert (version.rows, version.state, version.loaded_by) == (2, "loaded", "steward")
        [part] = store.parts(session, granted.DATASET, 2)
    with blobs.as_file(part.blob_key) as file:
        table = pq.read_table(file)
    assert table.column_names == list(NAMES)
    assert table.column("plate").to_pylist() == ["浙A00001", "浙A00002"]
    assert table.column("minutes").to_pylist() == [15, 30]


def test_rows_come_on_top_of_those_before(steward, work):
    page = sent(steward, work)
    steward.post(f"{page}/loading", data=CONFIRMED | {"mode": "append"})
    work()
    with db.reading() as session:
        assert store.version(session, granted.DATASET, 2).rows == 22


def test_a_bad_row_stops_a_strict_load_and_the_steward_decides(steward, work, home):
    page = sent(steward, work, text(*ROWS, "L003;浙A00003;not a time;1;15;x"))
    steward.post(f"{page}/loading", data=CONFIRMED)
    work()
    shown = steward.get(page).text
    assert "第 4 行 entry_time" in shown
    assert "not a time" not in shown
    assert run_of(page).state == "checked"
    report = steward.get(f"{page}/report.csv")
    assert report.mimetype == "text/csv"
    assert "4,1,entry_time" in report.text
    assert "not a time" not in report.text
    steward.post(f"{page}/loading", data=CONFIRMED | {"most": "50"})
    work()
    assert run_of(page).state == "done"
    assert run_of(page).report["rows_refused"] == 1
    assert "未收的行" in steward.get(page).text
    assert not files(home)


def test_a_reading_that_was_wrong_is_put_right(steward, work):
    page = sent(steward, work)
    answer = steward.post(f"{page}/reading", data={"encoding": "utf-16", "delimiter": ""})
    assert answer.status_code == 303
    work()
    assert run_of(page).faults
    assert "没有读成" in steward.get(page).text
    steward.post(f"{page}/reading", data={"encoding": "gb18030", "delimiter": ","})
    work()
    assert len(run_of(page).found["columns"]) == 1
    steward.post(f"{page}/reading", data={"encoding": "", "delimiter": ";"})
    work()
    assert len(run_of(page).found["columns"]) == 6


def test_headings_that_were_matched_once_are_matched_again(steward, work):
    page = sent(steward, work)
    steward.post(f"{page}/loading", data=CONFIRMED)
    work()
    page = sent(steward, work, text(*ROWS, ROWS[0]), "again.csv")
    mapping = run_of(page).found["mapping"]
    assert mapping["plate"] == "车牌"
    assert set(mapping) == set(NAMES)


def test_a_workbook_is_read_below_its_title(steward, work):
    book = openpyxl.Workbook()
    for row in (["停车记录汇总表"], HEADINGS.split(";"), ["L001", "浙A1", "2026-09-01 08:00", "1", 15, "x"]):
        book.active.append(row)
    book.create_sheet("说明").append(["a", "b"])
    out = io.BytesIO()
    book.save(out)
    page = sent(steward, work, out.getvalue(), "records.xlsx")
    assert [each["heading"] for each in run_of(page).found["columns"]] == HEADINGS.split(";")
    assert "说明" in steward.get(page).text
    steward.post(f"{page}/loading", data=CONFIRMED)
    work()
    assert run_of(page).number == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"column_plate": ""}, "column_plate"),
        ({"column_plate": "0"}, "column_"),
        ({"column_plate": "17"}, "column_plate"),
        ({"column_plate": "x"}, "column_plate"),
        ({"most": "100"}, "most"),
        ({"most": "many"}, "most"),
        ({"mode": "merge"}, "mode"),
    ],
)
def test_what_does_not_hold_is_shown_again_as_it_was_typed(steward, work, changes, field):
    page = sent(steward, work)
    answer = steward.post(f"{page}/loading", data=CONFIRMED | changes)
    assert answer.status_code == 422
    assert f'href="#{field}' in answer.text
    assert run_of(page).state == "checked"


def test_a_marked_file_is_kept_apart_until_a_second_person_purges_it(steward, work, home, app):
    page = sent(steward, work, "机密★一年\n".encode() + b"a,b\n1,2\n")
    assert run_of(page).state == "quarantined"
    assert files(home)
    assert run_of(page).found is None
    assert "已隔离" in steward.get(page).text
    assert "清除文件" not in steward.get(page).text
    assert steward.post(f"{page}/purge", data={"reason": "x"}).status_code == 403
    assert steward.post(f"{page}/loading", data=CONFIRMED).status_code == 422 or run_of(page).state == "quarantined"
    assert steward.post(f"{page}/ending").status_code == 409
    second = resume(app, "second")
    assert second.post(f"{page}/purge", data={"reason": ""}).status_code == 422
    assert second.post(f"{page}/purge", data={"reason": "已核实并报告"}).status_code == 303
    assert not files(home)
    assert run_of(page).state == "purged"
    assert "已核实并报告" in second.get(page).text


def test_the_authority_purges_where_a_unit_has_one_steward(steward, work, app):
    page = sent(steward, work, "机密★一年\n".encode() + b"a,b\n1,2\n")
    reviewer = resume(app, "reviewer")
    assert "清除文件" in reviewer.get(page).text
    assert reviewer.post(f"{page}/purge", data={"reason": "已核实"}).status_code == 303


@pytest.mark.parametrize("role", [Role.STEWARD, Role.MANAGER, Role.AUDITOR, Role.OPERATOR])
def test_others_see_nothing_of_a_unit_s_uploads(steward, work, app, role):
    page = sent(steward, work)
    other = log_in(app, role)
    for answer in (
        other.get(PLACE), other.get(page), other.get(f"{page}/report.csv"),
        other.post(f"{page}/loading", data=CONFIRMED),
        other.post(f"{page}/ending"), other.post(f"{page}/reading", data={}), send(other, text()),
    ):  # fmt: skip
        assert answer.status_code in (403, 404)
    assert run_of(page).state == "checked"


@pytest.mark.parametrize(
    ("name", "data"), [("", b"x"), ("records.exe", b"x"), ("records.csv", b""), ("内部资料.csv", b"x")]
)
def test_what_cannot_be_sent_is_said_at_the_field(steward, name, data):
    answer = send(steward, data, name)
    assert answer.status_code == 422
    assert 'href="#file"' in answer.text


def test_a_form_beyond_its_limit_is_too_large(steward):
    answer = send(steward, b"x" * (MOST_BY_FORM + (2 << 20)))
    assert answer.status_code == 413


@pytest.mark.parametrize("name", ["records.parquet", "records.xlsx"])
def test_a_file_that_is_none_is_refused_and_deleted(steward, work, home, name):
    page = sent(steward, work, b"PAR1 is not all there is to it", name)
    assert run_of(page).state == "refused"
    assert "这个文件不能导入" in steward.get(page).text
    assert not files(home)


def test_an_upload_is_given_up_once(steward, work, home):
    page = sent(steward, work)
    assert steward.post(f"{page}/ending").status_code == 303
    assert not files(home)
    assert steward.post(f"{page}/ending").status_code == 409
    assert steward.post(f"{page}/loading", data=CONFIRMED).status_code in (409, 422)


def test_a_reading_that_failed_by_a_fault_of_ours_is_tried_again_and_then_said(steward, work, home, monkeypatch):
    def broken(*_given, **_named):
        raise RuntimeError("浙A00001")

    monkeypatch.setattr(loading, "inspect", broken)
    page = send(steward, text()).headers["Location"]
    for _turn in range(3):
        with db.writing() as session:
            for run in session.exec(db.select(ImportRun)).all():
                run.beat_at = run.created_at.replace(year=2000) if run.beat_at else None
                session.add(run)
        try:
            jobs.read_uploads(home)
        except RuntimeError:
            continue
    assert run_of(page).state == "refused"
    assert "浙A00001" not in steward.get(page).text


def test_what_waits_for_a_steward_stands_in_the_inbox(steward, work, app):
    page = sent(steward, work)
    assert page in steward.get("/inbox").text
    assert page not in log_in(app, Role.STEWARD).get("/inbox").text
