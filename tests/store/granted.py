"""What the tests of grants stand on: a firm, another firm, a source unit, the authority, and car park records."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.base import blobs, db
from service.base.beijing import end_of_day
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue.actions import versions as catalogue
from service.catalogue.rules.versions import manifest_digest
from service.catalogue.store import history
from service.catalogue.tables import Dataset, DatasetColumn, DatasetPart, DatasetVersion
from service.grants import actions, engine
from service.grants.tables import Grant
from service.people.tables import Person, PersonRole, Unit

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)  # a Monday, 10:00 in Beijing
DATASET = "parking-records"
COLUMNS = ("lot_id", "entry_time", "minutes", "vehicle_type")
TYPES = {
    "plate": ("string", "vehicle.plate"), "lot_id": ("string", "place.id"), "entry_time": ("datetime", "time.event"),
    "minutes": ("integer", "time.duration"), "vehicle_type": ("string", "vehicle.type"),
}  # fmt: skip
UNITS = (
    ("firm", "enterprise"), ("stranger", "enterprise"), ("source", "source"), ("other", "source"),
    ("bureau", "authority"),
)  # fmt: skip
PERSONS = (
    ("manager", "firm", Role.MANAGER), ("rival", "stranger", Role.MANAGER), ("steward", "source", Role.STEWARD),
    ("second", "source", Role.STEWARD), ("outsider", "other", Role.STEWARD), ("reviewer", "bureau", Role.AUTHORITY),
    ("operator", "bureau", Role.OPERATOR), ("auditor", "bureau", Role.AUDITOR),
)  # fmt: skip


def settle(session: db.Session, now: datetime = NOW) -> None:
    """Add the units and the persons; their ids are their names."""
    for name, kind in UNITS:
        session.add(Unit(id=name, kind=kind, name=f"{name}单位", name_en=f"Unit {name}", created_at=now))
    for name, unit, role in PERSONS:
        session.add(Person(id=name, login=name, name=name, password_hash="-", unit_id=unit, created_at=now))
        session.add(PersonRole(person_id=name, role=role))


def records(rows: int = 2_000, seed: int = 7, plates: bool = True) -> pa.Table:
    """Return car park records in no order, with empty values, quotes and line ends among them."""
    chance = random.Random(seed)
    start = datetime(2026, 9, 1)  # noqa: DTZ001 - local time, as the column has it
    kinds = ["小型汽车", "大型汽车", None, "", '带"引号"', "两\n行", "a,b"]
    return pa.table(
        {
            "plate": [f"浙A{chance.randrange(10**5):05d}" if plates else None for _ in range(rows)],
            "lot_id": [f"L{chance.randrange(20):03d}" for _ in range(rows)],
            "entry_time": [start + timedelta(minutes=15 * chance.randrange(96 * 30)) for _ in range(rows)],
            "minutes": [chance.choice([None, 15, 30, 45, 60]) for _ in range(rows)],
            "vehicle_type": [chance.choice(kinds) for _ in range(rows)],
        },
        schema=pa.schema(
            [
                ("plate", pa.string()), ("lot_id", pa.string()), ("entry_time", pa.timestamp("us")),
                ("minutes", pa.int64()), ("vehicle_type", pa.string()),
            ]
        ),
    )  # fmt: skip


def write(table: pa.Table, path: Path) -> Path:
    """Write a table as a source would: with metadata of its own."""
    pq.write_table(table.replace_schema_metadata({"source": "plate of the traffic bureau"}), path)
    return path


def publish(session: db.Session, table: pa.Table, folder: Path, **changes: Any) -> Dataset:
    """Add the dataset with its columns and one stored version."""
    values: dict[str, Any] = {
        "id": DATASET, "title_zh": "停车场进出记录", "title_en": "Car park records", "summary_zh": "", "summary_en": "",
        "source_unit_id": "source", "data_domain": "transport", "key_domain": "transport", "update_cycle": "day",
        "openness": "restricted", "level": 3, "tags": [], "subjects": [], "record_unit": "record", "licence": "none",
        "licence_url": "", "time_column": "entry_time", "area_column": "lot_id", "state": "published",
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    dataset = Dataset(**values | changes)
    session.add(dataset)
    for position, name in enumerate(table.column_names):
        kind, semantic = TYPES[name]
        session.add(
            DatasetColumn(
                dataset_id=dataset.id, name=name, position=position, title_zh=name, title_en=name, type=kind,
                semantic=semantic,
            )
        )  # fmt: skip
    session.flush()
    version(session, dataset.id, 1, [table], folder)
    return dataset


def version(
    session: db.Session, dataset_id: str, number: int, tables: Sequence[pa.Table], folder: Path
) -> DatasetVersion:
    """Store tables as the parts of one published version of a dataset; a table that is a part already is it again."""
    held = [part(session, dataset_id, table, folder) for table in tables]
    columns = catalogue.schema(session, dataset_id)
    row = DatasetVersion(
        dataset_id=dataset_id, number=number, sha256=manifest_digest(columns, [(one.sha256, one.rows) for one in held]),
        rows=sum(one.rows for one in held), bytes=sum(one.bytes for one in held), created_at=NOW, columns=columns,
        state="published", published_at=NOW, latest_from=NOW,
    )  # fmt: skip
    session.add(row)
    history.hold_parts(session, dataset_id, number, held)
    session.flush()
    return row


def part(session: db.Session, dataset_id: str, table: pa.Table, folder: Path) -> DatasetPart:
    """Store a table as one part of a dataset."""
    path = write(table, folder / f"{dataset_id}-{new_id(NOW)}.parquet")
    digest = engine.sha256(path)
    if there := history.part_with(session, dataset_id, digest):
        return there
    blobs.put(f"raw/{digest}.parquet", path)
    row = DatasetPart(
        id=new_id(NOW), dataset_id=dataset_id, blob_key=f"raw/{digest}.parquet", sha256=digest, rows=table.num_rows,
        bytes=path.stat().st_size, created_at=NOW,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def issue(
    session: db.Session, *, days: int = 90, now: datetime = NOW, columns: Sequence[str] = COLUMNS,
    application: str = "a1", **changes: Any,
) -> Grant:  # fmt: skip
    """Grant the firm the records for `days` days, today included."""
    values: dict[str, Any] = {
        "unit_id": "firm", "dataset_id": DATASET, "application_id": application, "columns": columns, "row_filter": {},
        "delivery": ["download", "api"], "purpose": "analysis", "dataset_version": 1,
        "rests_on": {"screening": "s1", "lists": ["0" * 64], "agreement": "1" * 64},
        "ends_at": end_of_day((now + timedelta(hours=8)).date() + timedelta(days=days - 1)),
    }  # fmt: skip
    return actions.issue(session, actions.NewGrant(**values | changes), by="manager", now=now)
