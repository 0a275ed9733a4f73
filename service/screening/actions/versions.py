"""Judging a version of a dataset for a grant that follows it, and holding the rows of one unit's grants apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from service.base.beijing import day_of, last_day
from service.base.db import Session
from service.base.i18n import Language, gettext, speaking
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset, DatasetVersion
from service.grants import actions as grants
from service.grants import store as granted
from service.grants.actions import NewGrant, Source, following
from service.grants.actions.comparing import Comparison, Rows, compare
from service.grants.engine import Failed, Smallest
from service.grants.rules import Recipe, VersionState
from service.grants.rules.groups import released, same_rows, shared
from service.grants.store import following as rows
from service.grants.tables import Grant
from service.people import store as people
from service.screening import engine, store
from service.screening.actions.judging import judge, keep
from service.screening.rules import Ask, Judged
from service.screening.rules import versions as rules
from service.screening.rules.versions import Known, Reason, RowsNotMeasured, RowsTooClose
from service.screening.tables import Screening

EARLIER = 12  # versions at most that a grant has already and that a new one is held against


@dataclass(frozen=True, slots=True)
class Check:
    """Rows to be measured against version `base`: of the same grant, or of another `grant` of the unit."""

    comparison: Comparison
    base: int
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A version as it is judged for a grant: the reasons found so far, the verdict, and what is still to be measured.

    `seen` counts what had happened to the grant.
    """

    grant_id: str
    number: int
    seen: int
    reasons: tuple[Reason, ...]
    judged: Judged | None = None
    checks: tuple[Check, ...] = ()


def open_case(session: Session, grant_id: str, number: int, *, now: datetime) -> Case:
    """Judge a version for a grant, as far as no row has to be looked at.  Changes nothing."""
    grant = granted.grant(session, grant_id)
    dataset = catalogue.dataset(session, grant.dataset_id)
    version = catalogue.version(session, dataset.id, number)
    basis = store.find_screening(session, str(grant.rests_on.get("screening")))
    if basis is None:
        return Case(grant_id, number, grant.version, ({"code": rules.Code.BASIS.value},))
    if not catalogue.parts(session, dataset.id, number):
        return Case(grant_id, number, grant.version, ({"code": rules.Code.EMPTY.value},))
    if changed := _schema(session, grant, dataset, version, basis):
        return Case(grant_id, number, grant.version, tuple(changed))
    judged = judge(session, _ask(grant, dataset, basis, now=now), store.subject_of_version(session, version), now=now)
    reasons = [
        *rules.level_reasons(basis.facts["dataset_level"], judged.facts["dataset_level"]),
        *rules.verdict_reasons(basis.verdict, judged.verdict),
    ]
    checks = () if reasons else tuple(_checks(session, grant, number, (basis.verdict, judged.verdict), now=now))
    return Case(grant_id, number, grant.version, tuple(reasons), judged, checks)


def measured(case: Case) -> list[Reason]:
    """Return why a version is held, after its rows were measured; the first shortage of each kind is enough.

    Raises what `compare` raises.  It may take long: no transaction is open meanwhile.
    """
    reasons = [*case.reasons]
    for check in case.checks:
        reasons += [reason for reason in _told(check, _compared(check.comparison)) if reason not in reasons]
    return reasons


def settle(session: Session, case: Case, reasons: Sequence[Reason], *, now: datetime) -> bool:
    """Write down how a version was judged; False when something has changed meanwhile, or another worker has done so.

    Then it is judged again at the next turn, where that is still to be done.
    """
    grant = granted.grant(session, case.grant_id)
    people.lock_unit(session, grant.unit_id)
    if open_case(session, case.grant_id, case.number, now=now) != case:
        return False
    if not following.settle_version(session, grant, case.number, reasons=reasons, now=now):
        return False
    if case.judged is not None:
        kept = keep(session, case.judged, subject=f"grant:{grant.id}", moment="version", now=now)
        rows.note_screening(session, grant.id, case.number, kept.id)
    if reasons:
        what, advice = _in_both(reasons)
        following.tell_held(session, grant, case.number, what=what, advice=advice, now=now)
    return True


def apart(session: Session, wanted: NewGrant, verdict: Mapping[str, Any], *, now: datetime) -> tuple[Check, ...]:
    """Return what is to be measured before a grant is issued that rests on `verdict`: its rows against those of the
    unit's other grants on the dataset.
    """
    recipe = grants.recipe_for(
        session, wanted.dataset_id, wanted.dataset_version, wanted.columns, wanted.row_filter, steps=wanted.transforms,
        namespace=wanted.namespace or "",
    )  # fmt: skip
    after = Rows(recipe, _sources(session, wanted.dataset_id, wanted.dataset_version))
    k = rules.smallest_group([verdict], released(recipe.transforms))
    there = rows.others(session, wanted.unit_id, wanted.dataset_id, besides="", now=now)
    return tuple(_beside(session, after, k, there))


def measure(checks: Iterable[Check]) -> list[tuple[Check, Smallest]]:
    """Return what was found; what was measured in this process a moment ago is not measured again.

    Raises RowsNotMeasured when it cannot be done now.
    """
    try:
        return [(check, _compared(check.comparison)) for check in checks]
    except Failed as fault:
        raise RowsNotMeasured(fault=str(fault)) from None


def demand_apart(checks: Iterable[Check]) -> None:
    """Raise RowsTooClose when a grant and another of its unit would differ by fewer rows than the smallest group."""
    for check, found in measure(checks):
        if found.came is not None or found.gone is not None:
            raise RowsTooClose(grant=check.grant, k=check.comparison.k)


@lru_cache(maxsize=64)
def _compared(comparison: Comparison) -> Smallest:
    """Parts never change, so that what was measured of them stays true."""
    return compare(comparison)


# ---- the request --------------------------------------------------------------------------------------------------


def _filters(grant: Grant, dataset: Dataset) -> tuple[str | None, ...]:
    """Return the columns of a grant's row filter; None for one that the dataset has no more."""
    period = bool(grant.row_filter.get("from") or grant.row_filter.get("to"))
    wanted = ((period, dataset.time_column), (bool(grant.row_filter.get("areas")), dataset.area_column))
    return tuple(name for filtered, name in wanted if filtered)


def _schema(
    session: Session, grant: Grant, dataset: Dataset, version: DatasetVersion, basis: Screening
) -> list[Reason]:
    served = catalogue.version(session, dataset.id, grant.dataset_version)
    types = {str(each["name"]): str(each["type"]) for each in served.columns}
    meant = {str(each["name"]): each["semantic"] for each in basis.facts["columns"]} | grant.semantics
    names = dict.fromkeys([*grant.columns, *(name or "row_filter" for name in _filters(grant, dataset))])
    judged = [Known(name, types.get(name, ""), meant.get(name)) for name in names]
    now_typed = {str(each["name"]): str(each["type"]) for each in version.columns}
    there = store.subject_of_version(session, version).columns
    return rules.schema_reasons(judged, [Known(each.name, now_typed[each.name], each.semantic) for each in there])


def _ask(grant: Grant, dataset: Dataset, basis: Screening, *, now: datetime) -> Ask:
    """Return the request behind a grant, as it is today; what the unit declared is what it declared then."""
    facts = basis.facts
    delivery = facts["delivery"] if facts["delivery"] in grant.delivery else next(iter(grant.delivery), None)
    return Ask(
        dataset_id=dataset.id,
        columns=tuple(grant.columns),
        filter_columns=tuple(name for name in _filters(grant, dataset) if name),
        unit_id=grant.unit_id,
        purpose=grant.purpose,
        statement=facts["purpose_statement"],
        delivery=delivery,
        retention_days=max(0, (last_day(grant.ends_at) - day_of(now)).days),
        cross_border=facts["cross_border"],
        onward_sharing=facts["onward_sharing"],
        incident=facts["provenance"].get("applicant_credit") == "declared",
    )


# ---- rows -----------------------------------------------------------------------------------------------------------


def _checks(
    session: Session, grant: Grant, number: int, verdicts: Sequence[Mapping[str, Any]], *, now: datetime
) -> Iterator[Check]:
    yield from _since(session, grant, number, verdicts)
    after = _rows(session, grant, number)
    k = rules.smallest_group(verdicts, released(after.recipe.transforms))
    there = rows.others(session, grant.unit_id, grant.dataset_id, besides=grant.id, now=now)
    yield from _beside(session, after, k, there)


def _since(session: Session, grant: Grant, number: int, verdicts: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Yield what is measured against the versions that the grant has already."""
    after = _rows(session, grant, number)
    k = rules.smallest_group(verdicts, released(after.recipe.transforms))
    if k is None:
        return
    had = {base: _rows(session, grant, base) for base in _judged_for(session, grant, before=number)}
    older = [(base, _parts(each)) for base, each in had.items() if each.parts]
    for base in rules.needed(older, _parts(after)):
        common = after.recipe.columns
        yield Check(_comparison(after, had[base], common, k, alike=True), base)


def _beside(session: Session, after: Rows, own: int | None, there: Iterable[Grant]) -> Iterator[Check]:
    """Yield what is measured against other grants of the unit on the dataset, where their rows are not the same."""
    for other in there:
        base = max(_judged_for(session, other), default=other.dataset_version)
        before = _rows(session, other, base)
        alike = same_rows(after.recipe, before.recipe)
        k = max(filter(None, (own, _binding(session, other, before.recipe))), default=None)
        if k is None or not before.parts or (alike and base == after.recipe.dataset_version):
            continue
        common = shared(after.recipe, before.recipe)
        yield Check(_comparison(after, before, common, k, alike=alike), base, other.id)


def _comparison(after: Rows, before: Rows, common: Sequence[str], k: int, *, alike: bool) -> Comparison:
    """Return what is measured; whose tokens somebody sees makes no difference to groups."""
    sides = [Rows(replace(each.recipe, namespace=""), each.parts) for each in (after, before)]
    return Comparison(sides[0], sides[1], tuple(common), _telling(after.recipe, common), k, alike)


def _rows(session: Session, grant: Grant, number: int) -> Rows:
    recipe = grants.recipe_of(session, grant, number)
    return Rows(recipe, _sources(session, grant.dataset_id, number))


def _sources(session: Session, dataset_id: str, number: int) -> tuple[Source, ...]:
    return tuple(Source(part.id, part.blob_key) for part in catalogue.parts(session, dataset_id, number))


def _parts(held: Rows) -> frozenset[str]:
    return frozenset(part.part_id for part in held.parts)


def _judged_for(session: Session, grant: Grant, before: int | None = None) -> list[int]:
    """Return the versions that were judged for a grant, the oldest of the last EARLIER first."""
    found = granted.grant_versions(session, grant.id)
    numbers = [each.number for each in found if each.state == VersionState.JUDGED]
    return sorted(number for number in numbers if before is None or number < before)[-EARLIER:]


def _binding(session: Session, grant: Grant, recipe: Recipe) -> int | None:
    basis = store.find_screening(session, str(grant.rests_on.get("screening")))
    return rules.smallest_group([basis.verdict] if basis else [], released(recipe.transforms))


def _telling(recipe: Recipe, among: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell people apart in combination: those that groups go out by, or those of that role."""
    step = released(recipe.transforms)
    meant = dict(zip(recipe.columns, recipe.semantics, strict=True))
    quasi = engine.quasi(meant.values())
    chosen = step[0] if step else tuple(name for name in recipe.columns if meant[name] in quasi)
    return tuple(name for name in chosen if name in among)


def _told(check: Check, found: Smallest) -> list[Reason]:
    k = check.comparison.k
    whole = None if check.grant else found.whole
    return [
        *rules.group_reasons(k, whole=whole),
        *rules.difference_reasons(k, came=found.came, gone=found.gone, base=check.base, grant=check.grant),
    ]


# ---- words ----------------------------------------------------------------------------------------------------------


def _in_both(reasons: Sequence[Reason]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the reasons, and what to do about them, in each language."""
    what: dict[str, str] = {}
    advice: dict[str, str] = {}
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        with speaking(language):
            what[language], advice[language] = said(reasons), gettext(rules.advice(reasons))
    return what, advice


def said(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Return reasons in the current language."""
    joint = gettext("、")
    return gettext("；").join(rules.said(reason, gettext, joint) for reason in reasons)
