"""What the tests of screenings and applications stand on: two firms, officers, and the car park records.

Ids of units and persons are their names; the dataset's columns are read from the manifest that ships.
"""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from service.applications import actions
from service.applications.actions import Wish
from service.applications.rules import Person as Actor
from service.applications.rules import Verb
from service.applications.tables import Application, Decision
from service.base.db import Session
from service.base.roles import Role
from service.base.settings import resource_dir
from service.catalogue.tables import Dataset, DatasetColumn, DatasetPart, DatasetVersion, VersionPart
from service.grants.tables import Grant
from service.people.tables import Person, PersonRole, Unit, UnitConfirmation
from service.policy import engine as policy

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)  # a Monday, 10:00 in Beijing
DATASET, PLATE = "parking-records", "plate"
COLUMNS = ["lot_id", "entry_time", "exit_time", "duration_min", "vehicle_type"]
ENDS_ON = date(2027, 3, 31)
UNITS = (
    ("firm", "enterprise"), ("rival", "enterprise"), ("newcomer", "enterprise"), ("transport-bureau", "source"),
    ("other-bureau", "source"), ("bureau", "authority"),
)  # fmt: skip
PERSONS: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("applicant", "firm", (Role.APPLICANT,)),
    ("manager", "firm", (Role.APPLICANT, Role.MANAGER)),
    ("stranger", "rival", (Role.APPLICANT, Role.MANAGER)),
    ("beginner", "newcomer", (Role.APPLICANT, Role.MANAGER)),
    ("steward", "transport-bureau", (Role.STEWARD,)),
    ("steward2", "transport-bureau", (Role.STEWARD,)),
    ("insider", "transport-bureau", (Role.STEWARD, Role.APPLICANT)),
    ("outsider", "other-bureau", (Role.STEWARD,)),
    ("reviewer", "bureau", (Role.AUTHORITY,)),
    ("reviewer2", "bureau", (Role.AUTHORITY,)),
    ("both", "transport-bureau", (Role.STEWARD, Role.AUTHORITY)),
    ("auditor", "bureau", (Role.AUDITOR,)),
)
ACTORS = {id: Actor(id, unit, frozenset(roles)) for id, unit, roles in PERSONS}


@cache
def policies() -> policy.Policies:
    """Return the policies that ship, read once."""
    return policy.load(resource_dir("policies"))


def settle(session: Session, now: datetime = NOW, *, password_hash: str = "-") -> None:
    """Add units, persons and the dataset; every firm but the newcomer is verified."""
    for name, kind in UNITS:
        session.add(
            Unit(id=name, kind=kind, name=f"{name}单位", name_en=f"Unit {name}", foreign_share=0, certs=["mlps3"],
                 credit="good", created_at=now)
        )  # fmt: skip
    for name in ("firm", "rival"):
        session.add(UnitConfirmation(unit_id=name, evidence="执照", by="reviewer", at=now))
    for name, unit, roles in PERSONS:
        session.add(
            Person(
                id=name, login=name, name=f"{name} Someone", password_hash=password_hash, unit_id=unit, created_at=now
            )
        )
        for role in roles:
            session.add(PersonRole(person_id=name, role=role.value))
    publish(session, now)


def publish(session: Session, now: datetime = NOW, **changes: Any) -> Dataset:
    """Add the car park records as a published dataset, without their bytes."""
    manifest = _manifest()
    values: dict[str, Any] = {
        "id": DATASET, "source_unit_id": "transport-bureau", "licence": "CC0-1.0", "licence_url": "",
        "state": "published", "created_at": now, "updated_at": now, "published_at": now,
        **{name: manifest[name] for name in ("data_domain", "key_domain", "update_cycle", "openness", "level", "tags",
           "subjects", "record_unit", "spatial_m", "temporal_min", "time_column", "area_column", "synthetic")},
        **{f"{name}_{side}": manifest[name][side] for name in ("title", "summary", "conditions", "requirements",
           "safeguards") for side in ("zh", "en")},
    }  # fmt: skip
    dataset = Dataset(**values | changes)
    session.add(dataset)
    for position, column in enumerate(manifest["columns"]):
        session.add(
            DatasetColumn(
                dataset_id=dataset.id, name=column["name"], position=position, title_zh=column["title"]["zh"],
                title_en=column["title"]["en"], type=column["type"], level=column["level"], semantic=column["semantic"],
            )
        )  # fmt: skip
    session.add(
        DatasetVersion(
            dataset_id=dataset.id, number=1, sha256="0" * 64, rows=1, bytes=1, created_at=now, state="published",
            published_at=now, latest_from=now,
            columns=[{name: column[name] for name in ("name", "type", "semantic", "level")} for column in
                     manifest["columns"]],
        )
    )  # fmt: skip
    session.add(DatasetPart(id=f"{dataset.id}-1", dataset_id=dataset.id, blob_key="raw/none", sha256="0" * 64, rows=1,
                            bytes=1, created_at=now))  # fmt: skip
    session.add(VersionPart(dataset_id=dataset.id, number=1, position=0, part_id=f"{dataset.id}-1"))
    session.flush()
    return dataset


@cache
def _manifest() -> dict[str, Any]:
    file = resource_dir("policies").parent / "service" / "catalogue" / "samples" / "parking-records.yaml"
    found: dict[str, Any] = YAML(typ="safe").load(file)
    return found


def draft(**changes: Any) -> dict[str, Any]:
    """Return a form that can be submitted."""
    whole = {
        "columns": list(COLUMNS), "objections": {}, "purpose": "analytics.operations",
        "statement": "分析停车场周转，优化车位引导", "delivery": "download", "ends_on": ENDS_ON.isoformat(),
        "cross_border": "no", "onward_sharing": "no", "security_officer": "安全负责人", "mlps": "mlps3",
        "storage": "本市机房", "incidents": "no", "members": "甲\n乙",
    }  # fmt: skip
    return whole | changes


def drafted(
    session: Session, by: str = "applicant", now: datetime = NOW, *, dataset_id: str = DATASET,
    bundle_id: str | None = None, **changes: Any,
) -> Application:  # fmt: skip
    return actions.create_draft(
        session, dataset_id=dataset_id, by=ACTORS[by], now=now, draft=draft(**changes), bundle_id=bundle_id
    )


def submitted(session: Session, by: str = "applicant", now: datetime = NOW, **changes: Any) -> Application:
    """Return a case at the steward's step."""
    application = drafted(session, by, now, **changes)
    return actions.submit(session, application.id, by=ACTORS[by], now=now)


def decided(
    session: Session, application: Application, by: str, verb: str = "approve", now: datetime = NOW, **wish: Any
) -> Decision:
    """Take one decision at the case's present version."""
    wanted = Wish(Verb(verb), wish.pop("reason", "符合开放条件"), **wish)
    return actions.decide(session, application.id, wanted, seen=application.version, by=ACTORS[by], now=now)


def approved(session: Session, by: str = "applicant", now: datetime = NOW, **changes: Any) -> Application:
    """Return a case that both steps have agreed to."""
    application = submitted(session, by, now, **changes)
    decided(session, application, "steward", now=now)
    decided(session, application, "reviewer", now=now)
    return application


def signed(session: Session, application: Application, by: str = "manager", now: datetime = NOW) -> Grant:
    """Sign a case's agreement for its unit."""
    digest = actions.agreement_of(session, application).digest
    return actions.sign(session, application.id, seen=application.version, digest=digest, by=ACTORS[by], now=now)
