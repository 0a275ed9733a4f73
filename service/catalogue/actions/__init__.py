"""Entering data into the catalogue and publishing it.  Each changes one dataset and tells the log."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from service.audit.actions import record
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.i18n import N_, gettext
from service.catalogue import rules, store
from service.catalogue.actions import versions
from service.catalogue.actions.versions import StoredData
from service.catalogue.engine import words
from service.catalogue.forms import Manifest
from service.catalogue.rules import DatasetState, Fault, GradeLowered, NotPublishable
from service.catalogue.tables import Dataset, DatasetColumn
from service.people import store as people
from service.policy.rules.vocabulary import Vocabulary


def import_dataset(
    session: Session, manifest: Manifest, data: StoredData, *, vocabulary: Vocabulary, by: str, now: datetime,
    append: bool = False,
) -> Dataset:  # fmt: skip
    """Enter a dataset as a draft, or load a new version of one; the same manifest and data again change nothing.

    New data under an unchanged entry is a version that waits to be published; nothing that the public has is touched.
    A published dataset whose entry changes is a draft again: it is screened anew before the public sees it; grants keep
    the version that they were judged for.  Raises Invalid for unknown words, units and origins, GradeLowered for a
    grade or classification below the one on record, NotAppendable.
    """
    _demand_known(session, manifest, vocabulary)
    columns = _columns(manifest)
    found, values = store.find(session, manifest.id), _values(manifest)
    if found is None:
        records = data.rows if manifest.records is None else manifest.records
        found = Dataset(id=manifest.id, created_at=now, updated_at=now, records=records, **values)
        session.add(found)
        session.flush()
        _enter_as_draft(session, found, columns, by=by, now=now)
    elif not _same_entry(session, found, manifest, values, columns):
        _refuse_lowering(session, found, manifest, columns)
        store.move(session, found, now=now, state=DatasetState.DRAFT.value, **values)
        store.leave(session, found.id)
        _enter_as_draft(session, found, columns, by=by, now=now)
    renamed = {column.name: column.renamed_from for column in manifest.columns if column.renamed_from}
    versions.add_version(session, found.id, [data], append=append, renamed=renamed, report=data.report, by=by, now=now)
    return found


def _enter_as_draft(session: Session, found: Dataset, columns: list[DatasetColumn], *, by: str, now: datetime) -> None:
    store.replace_columns(session, found.id, columns)
    facts = {"level": found.level, "columns": len(columns)}
    subject = f"dataset:{found.id}"
    record(session, subject=subject, version=found.version, kind="dataset:import", by=by, now=now, facts=facts)


def demand_publishable(session: Session, dataset_id: str) -> Dataset:
    """Return the dataset when its entry may be published; NotPublishable with every reason at once when not."""
    found = store.dataset(session, dataset_id)
    errors = told(rules.faults(store.entry(found, store.columns(session, dataset_id))))
    if store.newest_or_none(session, dataset_id) is None:
        errors.append({"field": "data", "message": gettext(NO_DATA)})
    if errors:
        raise NotPublishable(errors=errors)
    return found


def mark_published(
    session: Session, dataset_id: str, *, by: str, now: datetime, number: int | None = None,
    tally: Mapping[str, int] | None = None,
) -> Dataset:  # fmt: skip
    """Show a dataset to the public with one of its versions (None: the newest) and let it be found.

    A dataset that is shown already stays as it is but for that version.  `tally` says how many of its columns have each
    outcome; whoever screens knows.  Raises NotPublishable with every reason, and what publish_version raises.  The
    screening and the public view come before this (screening.jobs).
    """
    found = demand_publishable(session, dataset_id)
    shown = store.newest(session, dataset_id).number if number is None else number
    versions.publish_version(session, dataset_id, shown, by=by, now=now)
    if found.state == DatasetState.PUBLISHED:
        return found
    store.move(session, found, now=now, state=DatasetState.PUBLISHED.value, published_at=now)
    _enter(session, found, tally)
    facts = {"number": shown, "openness": found.openness, "level": found.level}
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


def _same_entry(
    session: Session, found: Dataset, manifest: Manifest, values: Mapping[str, Any], columns: list[DatasetColumn]
) -> bool:
    """Whether a manifest says what is on record; how many records there are is the data's to say unless it says so."""
    same = all(getattr(found, name) == value for name, value in values.items())
    counted = manifest.records is None or manifest.records == found.records
    before = [column.model_dump() for column in store.columns(session, found.id)]
    return same and counted and before == [column.model_dump() for column in columns]


def _columns(manifest: Manifest) -> list[DatasetColumn]:
    return [
        DatasetColumn(
            dataset_id=manifest.id, name=column.name, position=position, title_zh=column.title.zh,
            title_en=column.title.en, type=column.type.value, description_zh=column.description.zh,
            description_en=column.description.en, level=column.level, semantic=column.semantic,
        )
        for position, column in enumerate(manifest.columns)
    ]  # fmt: skip


def _values(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as values of the dataset's row, all but the number of its records."""
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
