"""A database as each earlier landing left it comes up to this version, on both engines, and nothing of it is lost.

`python -m tests.store.landings.make` writes the file of the landing at hand.
"""

import json
from collections import Counter

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from service import migrations
from service.audit import actions as audit
from service.audit import store as events
from service.base import archive, db
from service.catalogue import store as catalogue
from service.catalogue.engine import finding, words
from service.catalogue.rules.versions import manifest_digest
from tests.house.scan import ROOT
from tests.store import rows

FILES = sorted((ROOT / "tests" / "store" / "landings").glob("*.jsonl.gz"))
# What a later migration moved on purpose: "table" or "table.column", with the reason.
MOVED: dict[str, str] = {
    "datasetword": "0002 has an index of another kind",
    "datasetentry": "0002 makes it from the datasets",
    "datasetterms": "0002 makes it from the datasets",
    "facetcount": "0002 makes it from the datasets",
    "datasetversion.blob_key": "0007 has it in the version's only part",
    "datasetversion.sha256": "0007 has it in the version's only part; a version's own digest is that of its manifest",
    "datasetpart": "0007 makes one of each version",
    "versionpart": "0007 makes one of each version",
    **{
        f"releasedview.{file}_{name}": "0008 keeps the files of a view in view_file"
        for file in ("parquet", "csv")
        for name in ("key", "sha256", "bytes")
    },
    "grant_version": "0008 makes it from the grants",
    "view_part": "0008 makes it from the views",
    "view_file": "0008 makes it from the views",
    "usage_day": "0010 adds it up from the usage",
}


def _kept(before: rows.Rows, after: rows.Rows) -> None:
    """Every row is there with every value that it had; columns and tables may have come on top."""
    for table, lines in before.items():
        if table in MOVED:
            continue
        names = [name for name in lines[0] if f"{table}.{name}" not in MOVED]
        assert len(after[table]) == len(lines), table
        assert _projected(after[table], names) == _projected(lines, names), table


def _projected(lines, names):
    return sorted(json.dumps([line[name] for name in names], sort_keys=True) for line in lines)


def test_there_is_a_landing_and_each_is_one_of_our_revisions():
    folder = ScriptDirectory(str(next(iter(migrations.__path__))))
    known = {revision.revision for revision in folder.walk_revisions()}
    assert FILES
    assert {file.name.removesuffix(".jsonl.gz") for file in FILES} <= known


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".jsonl.gz"))
def test_a_filled_database_of_an_earlier_landing_is_upgraded_without_loss(empty_database, file):
    before = rows.load(file)
    assert all(before.values())
    migrations.upgrade(file.name.removesuffix(".jsonl.gz"))
    rows.write(before)
    _kept(before, rows.read())
    migrations.upgrade()
    assert not migrations.behind()
    _kept(before, rows.read())
    _works_with_the_code_of_today(before)


def _works_with_the_code_of_today(before: rows.Rows) -> None:
    """The code's own tables read every row, the log verifies, and the known case is where it was."""
    with db.reading() as session:
        for table in archive.tables():
            counted = len(session.connection().execute(table.select()).all())
            assert counted == len(before.get(table.name, [])) or table.name in MOVED, table.name
        keys = frozenset(head["key"] for head in before["treehead"])
        report = audit.verify(session, keys=keys)
        assert report.fault is None
        assert report.size == len(before["leaf"])
        assert events.unsealed(session)[0] == len(before["unsealed"])
        assert "parking-records" in {one.dataset_id for one in finding.find(session, words.asked("停車"), {}).found}
        _has_its_parts(session, before)
        states = session.connection().execute(text("select state, count(*) from application group by state")).all()
    held = Counter(line["state"] for line in before["application"])
    assert dict(map(tuple, states)) == held and held["granted"] and held["in_review"]


def _has_its_parts(session: db.Session, before: rows.Rows) -> None:
    """Each version is published if its dataset is, and holds the bytes that it held, as its only part."""
    published = {line["id"] for line in before["dataset"] if line["state"] == "published"}
    assert published
    for line in before["datasetversion"]:
        [part] = catalogue.parts(session, line["dataset_id"], line["number"])
        assert [getattr(part, name) for name in ("blob_key", "sha256", "rows", "bytes")] == [
            line[name] for name in ("blob_key", "sha256", "rows", "bytes")
        ]
        version = catalogue.version(session, line["dataset_id"], line["number"])
        assert version.sha256 == manifest_digest(version.columns, [(part.sha256, part.rows)])
        names = [row.name for row in catalogue.columns(session, version.dataset_id)]
        assert [column["name"] for column in version.columns] == names
        assert (version.state == "published") == (version.dataset_id in published)
