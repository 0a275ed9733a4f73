"""What the tests of versions that reach grants stand on: rides by station and age band, a list that asks for groups of
ten, and grants that rest on stored screenings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from service.base import clock, db
from service.catalogue.tables import Dataset, DatasetColumn
from service.grants import actions, jobs
from service.grants.rules.transforms import document
from service.grants.store import following
from service.grants.tables import Grant, GrantVersion
from service.notices.tables import Outbox
from service.policy import engine as policy
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening.actions import versions
from service.screening.rules import Ask
from tests import cases
from tests.store import granted
from tests.store.granted import NOW

DATASET = "rides"
COLUMNS = {
    "day": ("date", "time.date"), "station": ("string", "transit.station_in"), "band": ("string", "person.age_band"),
    "minutes": ("integer", "measure.count"),
}  # fmt: skip
LIST = """format: negative-list/1
id: test.rides
edition: {edition}
domain: common
title: {{zh: 试用, en: Test}}
issued_by: {{zh: 试, en: Test}}
effective: {{from: 2026-01-01}}
rules:
- id: RI-001
  title: {{zh: 站点须有最小分组, en: Groups by station}}
  basis: [{{law: 测试, kind: law, mark: read}}]
  outcome: condition
  when: {{columns: {{any_of: [transit.station_in]}}}}
  obligations: [{{kind: min_group, k: 10}}]
  remedy: {{zh: 去掉, en: Drop}}
{more}"""
NO_TIMES = """- id: RI-002
  title: {zh: 时长须审核, en: Durations are reviewed}
  basis: [{law: 测试, kind: law, mark: read}]
  outcome: review
  when: {columns: {any_of: [measure.count]}}
  remedy: {zh: 去掉, en: Drop}
"""
FIRST = date(2026, 11, 1)


def use_list(folder: Path, edition: str = "2026-1", more: str = "") -> None:
    """Let this list be the only one in use, and publish it."""
    policy.use(cases.policies())
    file = folder / f"{edition}.yaml"
    file.write_text(LIST.format(edition=edition, more=more), encoding="utf-8")
    policy.use(replace(cases.policies(), lists=tuple(judging.read_candidates(file))))
    with db.writing() as session:
        screening.publish_editions(session, now=clock.now(session))


def settle(folder: Path) -> None:
    """Fill the database with the people and the dataset, without any version, at NOW."""
    with db.writing() as session:
        granted.settle(session)
        values: dict[str, Any] = {
            "id": DATASET, "title_zh": "乘车记录", "title_en": "Rides", "summary_zh": "", "summary_en": "",
            "source_unit_id": "source", "data_domain": "transport", "key_domain": "transport", "update_cycle": "day",
            "openness": "restricted", "level": 2, "tags": [], "subjects": [], "record_unit": "event", "licence": "none",
            "licence_url": "", "time_column": "day", "state": "published", "created_at": NOW, "updated_at": NOW,
        }  # fmt: skip
        session.add(Dataset(**values))
        for position, (name, (kind, semantic)) in enumerate(COLUMNS.items()):
            session.add(
                DatasetColumn(dataset_id=DATASET, name=name, position=position, title_zh=name, title_en=name,
                              type=kind, semantic=semantic, level=2)
            )  # fmt: skip
        session.flush()
        clock.set_shift(NOW - clock.database_now(session))
    use_list(folder)


def rides(counts: Mapping[str, int], *, day: int = 0, band: str = "30-39", minutes: int = 5) -> pa.Table:
    """Return so many rides from each station, all of one day and age band."""
    stations = [station for station, count in counts.items() for _ in range(count)]
    rows = len(stations)
    days = [FIRST + timedelta(days=day)] * rows
    values = {"day": days, "station": stations, "band": [band] * rows, "minutes": [minutes] * rows}
    schema = pa.schema([("day", pa.date32()), ("station", pa.string()), ("band", pa.string()), ("minutes", pa.int64())])
    return pa.table(values, schema=schema)


def version(number: int, tables: Sequence[pa.Table], folder: Path) -> None:
    with db.writing() as session:
        granted.version(session, DATASET, number, tables, folder)


def grant(
    columns: Sequence[str] = tuple(COLUMNS), row_filter: Mapping[str, Any] | None = None, *, number: int = 1,
    unit: str = "firm", application: str = "a1", apart: bool = False, **changes: Any,
) -> Grant:  # fmt: skip
    """Judge a request of a unit by the list in use, and grant it as its conditions have it compiled; `apart`, as when
    it is signed: not too close to the unit's other grants.
    """
    with db.writing() as session:
        now = clock.now(session)
        ask = Ask(DATASET, tuple(columns), ("day",) if row_filter else (), unit, "analytics.operations", "分析",
                  "download", 90, False, False, False)  # fmt: skip
        judged = screening.screen(session, ask, subject=f"application:{application}", moment="agreement", now=now)
        asked = [judging.Asked(name, *COLUMNS[name]) for name in columns]
        steps = judging.treatment(judged.facts, judged.verdict, asked).steps
        values: dict[str, Any] = {
            "unit_id": unit, "dataset_id": DATASET, "application_id": application, "columns": list(columns),
            "row_filter": dict(row_filter or {}), "delivery": ["download"], "purpose": "analytics.operations",
            "dataset_version": number, "ends_at": now + timedelta(days=90),
            "rests_on": {"screening": judged.id, "lists": list(judged.digests), "agreement": "1" * 64},
            "transforms": [document(step) for step in steps],
        }  # fmt: skip
        wanted = actions.NewGrant(**values | changes)
        if apart:
            versions.demand_apart(versions.apart(session, wanted, judged.verdict, now=now))
        return actions.issue(session, wanted, by="manager", now=now)


def build() -> None:
    jobs.build_missing(pepper=b"p" * 32)


def judged(found: Grant, number: int) -> GrantVersion | None:
    with db.reading() as session:
        return following.version_of(session, found.id, number)


def state(found: Grant, number: int) -> tuple[str | None, list[str]]:
    """Return how a version was judged for a grant, and the codes of the reasons."""
    row = judged(found, number)
    return (row.state, [reason["code"] for reason in row.reasons]) if row else (None, [])


def serves(found: Grant) -> int:
    with db.reading() as session:
        return session.get(Grant, found.id).dataset_version


def told(kind: str) -> list[Outbox]:
    with db.reading() as session:
        return list(session.exec(db.select(Outbox).where(Outbox.kind == kind)).all())
