"""`qiantang datasets import` takes any format, is corrected by options, and says what it left out; on both engines."""

import json

import pytest
from click.testing import CliRunner

from service.base import blobs, clock, db
from service.base.settings import resource_dir
from service.catalogue import store
from service.catalogue.commands import datasets
from service.people import actions as people
from service.policy import engine as policy

SAID = {"zh": "说明", "en": "Said"}
PRIVATE = "三墩路9号"


@pytest.fixture
def run(database, tmp_path, monkeypatch):
    """Return a function that writes a data file with its manifest and runs the command on it."""
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    blobs.connect(f"file://{tmp_path / 'store'}")
    monkeypatch.setenv("QIANTANG_STORE_URL", f"file://{tmp_path / 'store'}")
    policy.use(policy.load(resource_dir("policies")))
    with db.writing() as session:
        now = clock.now(session)
        people.add_unit(session, people.NewUnit("source", "某局", "A bureau", id="bureau"), by="x", now=now)

    def go(name, data, *options):
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        manifest = tmp_path / "lots.yaml"
        manifest.write_text(json.dumps(a_manifest(name)), encoding="utf-8")
        return CliRunner().invoke(datasets, ["import", str(manifest), *options])

    return go


def a_manifest(path):
    columns = [("lot", "string"), ("spaces", "integer")]
    return {
        "format": "dataset/1", "id": "lots", "title": SAID, "summary": SAID, "source_unit": "bureau",
        "data_domain": "transport", "key_domain": "transport", "update_cycle": "daily", "openness": "restricted",
        "level": 1, "tags": ["parking.static"], "record_unit": "facility",
        "licence": {"name": "CC0-1.0", "url": "https://example.org/licence"}, "source": {"note": SAID},
        "conditions": SAID, "requirements": SAID, "safeguards": SAID, "data": {"path": path},
        "columns": [
            {"name": name, "title": SAID, "type": kind, "description": SAID, "level": 1} for name, kind in columns
        ],
    }  # fmt: skip


def newest():
    with db.reading() as session:
        return store.newest(session, "lots")


def test_a_file_is_imported_by_what_it_is_found_to_be_and_that_is_said(run):
    told = run("lots.txt", f"lot;spaces\n{PRIVATE};5\n文一;6\n".encode("gb18030"))
    assert told.exit_code == 0
    assert "读作 csv gb18030 分号：2 行，收入 2 行，略去 0 行" in told.output
    assert "lots: draft v1" in told.output


def test_a_wrong_finding_is_corrected_by_options(run):
    data = "lot|spaces\n停車場|5\n".encode("big5")
    assert "读作 csv gb18030 竖线" in run("lots.csv", data).output
    told = run("lots.csv", data, "--encoding", "big5", "--delimiter", "|")
    assert "读作 csv big5 竖线：1 行" in told.output


def test_a_strict_import_prints_what_does_not_hold_and_enters_nothing(run):
    told = run("lots.jsonl", json.dumps({"lot": "a", "spaces": PRIVATE}))
    assert told.exit_code == 1
    assert "第 1 行 spaces：与字段类型不符（5 个字符：数字 汉字）" in told.output
    assert PRIVATE not in told.output
    with db.reading() as session:
        assert store.find(session, "lots") is None


@pytest.mark.parametrize("option", ["1", "50%"])
def test_a_tolerant_import_takes_the_rest_and_keeps_the_report_with_the_version(run, option):
    told = run("lots.csv", "lot,spaces\na,5\nb,x\n", "--tolerant", option)
    assert told.exit_code == 0
    assert "2 行，收入 1 行，略去 1 行" in told.output
    version = newest()
    assert (version.rows, version.report["rows_refused"], version.report["refused"][0]["row"]) == (1, 1, 3)


def test_a_tolerance_is_a_number_or_a_share(run):
    assert run("lots.csv", "lot,spaces\na,5\n", "--tolerant", "many").exit_code == 2
    assert run("lots.csv", "lot,spaces\na,x\nb,5\n", "--tolerant", "10%").exit_code == 1


@pytest.mark.parametrize("data", ["内部资料\nlot,spaces\na,5\n", "lot,spaces\n秘密★a,5\n"])
def test_a_file_with_a_secrecy_mark_is_not_taken_in(run, tmp_path, data):
    told = run("lots.csv", data)
    assert told.exit_code == 1
    assert "数据文件带有密级或内部标志" in told.output
    assert not [one for one in (tmp_path / "store").rglob("*") if one.is_file()]


def test_a_format_that_is_none_of_ours_is_refused_by_name(run):
    assert ".parquet .zip" in run("lots.docx", "x").output
