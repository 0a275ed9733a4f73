"""Entering data into the catalogue and publishing it.  Each changes one dataset and tells the log."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.i18n import N_, gettext
from service.catalogue import rules, store
from service.catalogue.engine import words
from service.catalogue.forms import Manifest
from service.catalogue.rules import DatasetState, Fault, GradeLowered, NotPublishable
from service.catalogue.tables import Dataset, DatasetColumn, DatasetVersion
from service.people import store as people
from service.policy.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class StoredData:
    """Data that lies in the blob store already; its rows are typed as the manifest says."""

    blob_key: str
    sha256: str
    rows: int
    bytes: int
    period_from: date | None
    period_to: date | None


def import_dataset(
    session: Session, manifest: Manifest, data: StoredData, *, vocabulary: Vocabulary, by: str, now: datetime
) -> Dataset:
    """Enter a dataset as a draft, or load a new version of one; the same manifest and data again change nothing.

    A published dataset whose entry or data changes is a draft again: it is screened anew before the public sees it;
    grants keep the version that they were judged for.  Raises Invalid for unknown words, units and origins,
    GradeLowered for a grade or classification below the one on record.
    """
    _demand_known(session, manifest, vocabulary)
    columns = _columns(manifest)
    found = store.find(session, manifest.id)
    if found is None:
        found = Dataset(id=manifest.id, created_at=now, updated_at=now, **_values(manifest, data))
        session.add(found)
        session.flush()
    elif _unchanged(session, found, manifest, columns, data):
        return found
    else:
        _refuse_lowering(session, found, manifest, columns)
        store.move(session, found, now=now, state=DatasetState.DRAFT.value, **_values(manifest, data))
        store.leave(session, found.id)
    store.replace_columns(session, found.id, columns)
    number = _add_version(session, found.id, data, now=now)
    facts = {"number": number, "sha256": data.sha256, "rows": data.rows, "level": found.level}
    subject = f"dataset:{found.id}"
    record(session, subject=subject, version=found.version, kind="dataset:import", by=by, now=now, facts=facts)
    return found


def demand_publishable(session: Session, dataset_id: str) -> Dataset:
    """Return the dataset when its entry may be published; NotPublishable with every reason at once when not."""
    found = store.dataset(session, dataset_id)
    errors = told(rules.faults(store.entry(found, store.columns(session, dataset_id))))
    if store.latest_or_none(session, dataset_id) is None:
        errors.append({"field": "data", "message": gettext(NO_DATA)})
    if errors:
        raise NotPublishable(errors=errors)
    return found


def mark_published(
    session: Session, dataset_id: str, *, by: str, now: datetime, tally: Mapping[str, int] | None = None
) -> Dataset:
    """Show a dataset to the public and let it be found; one that is published already stays as it is.

    `tally` says how many of its columns have each outcome; whoever screens knows.  Raises NotPublishable with every
    reason.  The screening and the public view come before this (screening.jobs).
    """
    found = demand_publishable(session, dataset_id)
    if found.state == DatasetState.PUBLISHED:
        return found
    store.move(session, found, now=now, state=DatasetState.PUBLISHED.value, published_at=now)
    _enter(session, found, tally)
    facts = {"number": store.latest(session, dataset_id).number, "openness": found.openness, "level": found.level}
    subject = f"dataset:{dataset_id}"
    record(session, subject=subject, version=found.version, kind="dataset:publish", by=by, now=now, facts=facts)
    return found


NO_DATA = N_("尚未导入数据")
NO_UNIT = N_("没有标识为 %(id)s 的数源单位")
NO_ORIGIN = N_("来源数据集 %(id)s 不在目录中")
UNKNOWN_WORD = N_("词表中没有 %(word)s")


def told(faults: Iterable[Fault]) -> list[dict[str, str]]:
    """Return faults as {"field", "message"} in the reader's language."""
    return [{"field": fault.field, "message": gettext(fault.message, **fault.facts)} for fault in faults]


def _demand_known(session: Session, manifest: Manifest, vocabulary: Vocabulary) -> None:
    faults = list(_unknown_words(manifest, vocabulary))
    try:
        people.unit(session, manifest.source_unit)
    except NotFound:
        faults.append(Fault("source_unit", NO_UNIT, {"id": manifest.source_unit}))
    if manifest.derived and store.find(session, manifest.derived.dataset) is None:
        faults.append(Fault("derived.dataset", NO_ORIGIN, {"id": manifest.derived.dataset}))
    if faults:
        raise Invalid(errors=told(faults))


def _unknown_words(manifest: Manifest, vocabulary: Vocabulary) -> Iterator[Fault]:
    """Yield a fault per word that is neither in the vocabulary nor below a word of it."""
    semantics = [(f"columns.{column.name}", column.semantic) for column in manifest.columns if column.semantic]
    used = {
        "tags": [("tags", tag) for tag in manifest.tags],
        "subjects": [("subjects", subject) for subject in manifest.subjects],
        "record_units": [("record_unit", manifest.record_unit)],
        "semantics": semantics,
    }
    for axis, pairs in used.items():
        for field, word in pairs:
            if vocabulary.word(axis, word) is None:
                yield Fault(field, UNKNOWN_WORD, {"word": word})


def _refuse_lowering(session: Session, found: Dataset, manifest: Manifest, columns: list[DatasetColumn]) -> None:
    before = store.graded(store.columns(session, found.id))
    faults = list(rules.lowered(before, store.graded(columns)))
    if manifest.level < found.level:
        faults.append(Fault("level", N_("数据集级别由 L%(before)s 降低"), {"before": found.level}))
    if faults:
        raise GradeLowered(errors=told(faults))


def _unchanged(
    session: Session, found: Dataset, manifest: Manifest, columns: list[DatasetColumn], data: StoredData
) -> bool:
    newest = store.latest_or_none(session, found.id)
    same_data = newest is not None and newest.sha256 == data.sha256
    same_entry = all(getattr(found, name) == value for name, value in _values(manifest, data).items())
    before = [column.model_dump() for column in store.columns(session, found.id)]
    return same_data and same_entry and before == [column.model_dump() for column in columns]


def _add_version(session: Session, dataset_id: str, data: StoredData, *, now: datetime) -> int:
    """Add the data as the next version unless it is the newest version's; return the newest number."""
    newest = store.latest_or_none(session, dataset_id)
    if newest is not None and newest.sha256 == data.sha256:
        return newest.number
    number = newest.number + 1 if newest else 1
    session.add(
        DatasetVersion(
            dataset_id=dataset_id, number=number, blob_key=data.blob_key, sha256=data.sha256, rows=data.rows,
            bytes=data.bytes, created_at=now, period_from=data.period_from, period_to=data.period_to,
        )
    )  # fmt: skip
    session.flush()
    return number


def _columns(manifest: Manifest) -> list[DatasetColumn]:
    return [
        DatasetColumn(
            dataset_id=manifest.id, name=column.name, position=position, title_zh=column.title.zh,
            title_en=column.title.en, type=column.type.value, description_zh=column.description.zh,
            description_en=column.description.en, level=column.level, semantic=column.semantic,
        )
        for position, column in enumerate(manifest.columns)
    ]  # fmt: skip


def _values(manifest: Manifest, data: StoredData) -> dict[str, Any]:
    """Return the manifest as values of the dataset's row; a row is a record unless the manifest counts otherwise."""
    basis = manifest.basis
    plain = (
        "data_domain", "key_domain", "update_cycle", "level", "tags", "subjects", "record_unit", "spatial_m",
        "temporal_min", "time_column", "area_column", "public_columns", "synthetic",
    )  # fmt: skip
    texts = {
        "title": manifest.title, "summary": manifest.summary, "source_note": manifest.source.note,
        "conditions": manifest.conditions, "requirements": manifest.requirements, "safeguards": manifest.safeguards,
        "basis_note": basis.note if basis else None,
    }  # fmt: skip
    return {
        **{name: getattr(manifest, name) for name in plain},
        **{f"{name}_zh": text.zh if text else "" for name, text in texts.items()},
        **{f"{name}_en": text.en if text else "" for name, text in texts.items()},
        "records": data.rows if manifest.records is None else manifest.records,
        "openness": manifest.openness.value,
        "source_unit_id": manifest.source_unit,
        "licence": manifest.licence.name,
        "licence_url": manifest.licence.url,
        "source_url": manifest.source.url,
        "basis": basis.code.value if basis else None,
        "assessment": basis.assessment.model_dump(mode="json") if basis and basis.assessment else None,
        "derived_from": manifest.derived.dataset if manifest.derived else None,
        "derivation": manifest.derived.model_dump(mode="json", exclude={"dataset"}) if manifest.derived else None,
    }


def _enter(session: Session, found: Dataset, tally: Mapping[str, int] | None) -> None:
    """Let a dataset be found by its texts and those of its columns, and counted by its facets."""
    unit = people.unit(session, found.source_unit_id)
    columns = [(column.title_zh, column.title_en, column.name) for column in store.columns(session, found.id)]
    facets = rules.facets_of(
        key_domain=found.key_domain, data_domain=found.data_domain, unit_id=unit.id, openness=found.openness,
        level=found.level, update_cycle=found.update_cycle, synthetic=found.synthetic, loaded=True,
    )  # fmt: skip
    domains = (rules.KEY_DOMAINS[found.key_domain], rules.DATA_DOMAINS[found.data_domain], found.key_domain)
    rest = (found.summary_zh, found.summary_en, found.id, unit.name, unit.name_en, *domains, *chain(*columns))
    indexed = words.index(found.title_zh, found.title_en, rest, facets)
    values = {
        "dataset_id": found.id, "title": indexed.title, "words": indexed.words, "initials": indexed.initials,
        "facets": rules.packed(facets), "sort_zh": indexed.sort_zh, "sort_en": indexed.sort_en,
        "used": 0, "tally": dict(tally) if tally else None,
    }  # fmt: skip
    store.enter(session, values, terms=indexed.terms, facets=facets)
