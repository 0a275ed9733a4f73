"""The catalogue for programs: public metadata, the dictionary included; never a value of the data."""

from datetime import datetime
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.db import Session
from service.base.forms import form_data, parse
from service.base.i18n import current
from service.catalogue import store
from service.catalogue.actions import versions
from service.catalogue.api.parts import api
from service.catalogue.engine import finding, words
from service.catalogue.engine.profile import SMALLEST
from service.catalogue.forms import SEARCH_LISTS, SearchForm, VersionForm
from service.catalogue.rules import Openness
from service.catalogue.tables import Dataset, DatasetColumn, DatasetVersion
from service.people import store as people
from service.people.tables import Unit

MOST = 100  # datasets in one answer


@api.get("/datasets")
@requires(Role.PUBLIC)
def datasets() -> ResponseReturnValue:
    """Answer a page of datasets: {"datasets", "more", "total", "total_is_least", "next", "facets"}.

    The parameters are those of the page.  `next` is the cursor of what comes after; `facets` counts each value without
    its own facet's choices, {"at_least", "values": {value: n}}.
    """
    asked = parse(SearchForm, form_data(request.args, lists=SEARCH_LISTS))
    with db.reading() as session:
        page = finding.find(
            session, words.asked(asked.q), asked.chosen, sort=asked.sort or "", cursor=asked.cursor, limit=MOST,
            lang=current(),
        )  # fmt: skip
        ids = [one.dataset_id for one in page.found]
        found = store.datasets_by_id(session, ids)
        units = people.units_by_id(session, [one.source_unit_id for one in found.values()])
        versions = store.latest_of(session, ids, now=clock.now(session))
    told = [_entry(one, units[one.source_unit_id], versions.get(one.id)) for one in map(found.__getitem__, ids)]
    facets = {kind: {"at_least": one.more, "values": one.values} for kind, one in page.facets.items()}
    return http.json_answer(
        {
            "datasets": told,
            "more": page.cursor is not None,
            "total": page.total,
            "total_is_least": page.more,
            "next": page.cursor,
            "facets": facets,
        }
    )


@api.get("/datasets/<dataset_id>")
@requires(Role.PUBLIC)
def dataset(dataset_id: str) -> ResponseReturnValue:
    """Answer one dataset's metadata with its columns and conditions.

    `version` names a version by its number; `as_of` does too, or is a day or an instant and names what was in use at
    its end or then.  One that was withdrawn is answered by 410 with its successor.
    """
    asked = parse(VersionForm, form_data(request.args))
    with db.reading() as session:
        found = store.published_dataset(session, dataset_id)
        unit = people.unit(session, found.source_unit_id)
        version = _asked_version(session, dataset_id, asked, now=clock.now(session))
        columns = store.columns(session, dataset_id)
    return http.json_answer(
        {
            **_entry(found, unit, version),
            "conditions": found.conditions,
            "requirements": found.requirements,
            "safeguards": found.safeguards,
            "basis": found.basis,
            "basis_note": found.basis_note,
            "assessment": found.assessment,
            "derivation": found.derivation,
            "columns": [_column(column, found) for column in columns],
            "schema": version.columns if version else [],
        }
    )


def _asked_version(session: Session, dataset_id: str, asked: VersionForm, *, now: datetime) -> DatasetVersion | None:
    if asked.number is not None:
        return versions.demand_served(store.version(session, dataset_id, asked.number))
    if asked.moment is None:
        return store.latest_or_none(session, dataset_id, now=now)
    return versions.demand_served(store.latest(session, dataset_id, now=min(asked.moment, now)))


def _entry(found: Dataset, unit: Unit, version: DatasetVersion | None) -> dict[str, Any]:
    plain = (
        "id", "title", "summary", "data_domain", "key_domain", "update_cycle", "openness", "level", "tags", "subjects",
        "record_unit", "spatial_m", "temporal_min", "synthetic", "derived_from",
    )  # fmt: skip
    return {
        **{name: getattr(found, name) for name in plain},
        "source_unit": {"id": unit.id, "name": {"zh": unit.name, "en": unit.name_en}},
        "licence": {"name": found.licence, "url": found.licence_url},
        "source": {"note": found.source_note, "url": found.source_url},
        "published_at": found.published_at.isoformat() if found.published_at else None,
        "version": _version(version, found) if version else None,
        "links": _links(found),
    }


def _version(version: DatasetVersion, found: Dataset) -> dict[str, Any]:
    """Return what may be known of a version; the digest of its raw rows would let somebody try guesses at them.

    Rows of data that is not open are counted by tens: two exact counts tell the remainder that a profile leaves out.
    """
    exact = found.openness == Openness.UNCONDITIONAL
    period = [day.isoformat() if day else None for day in (version.period_from, version.period_to)]
    return {
        "number": version.number,
        "rows": version.rows if exact else version.rows - version.rows % SMALLEST,
        "created_at": version.created_at.isoformat(),
        "period": {"from": period[0], "to": period[1]},
    }


def _column(column: DatasetColumn, found: Dataset) -> dict[str, Any]:
    open_to_all = found.openness == Openness.UNCONDITIONAL
    return {
        "name": column.name,
        "title": column.title,
        "type": column.type,
        "description": column.description,
        "level": column.level,
        "semantic": column.semantic,
        "public": open_to_all and (found.public_columns is None or column.name in found.public_columns),
    }


def _links(found: Dataset) -> dict[str, str]:
    base = http.settings().base_url
    links = {"page": f"{base}/datasets/{found.id}"}
    if found.openness == Openness.RESTRICTED:
        links["apply"] = f"{base}/applications/new?dataset={found.id}"
    if found.openness == Openness.UNCONDITIONAL:
        data = f"{base}/api/v1/datasets/{found.id}"
        links |= {"rows": f"{data}/rows", "csv": f"{data}/files/data.csv", "parquet": f"{data}/files/data.parquet"}
    return links
