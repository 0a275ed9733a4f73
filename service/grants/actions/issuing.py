"""Issuing grants, and what the view of each holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Duplicate
from service.base.ids import new_id
from service.catalogue import store as catalogue
from service.grants import rules, store
from service.grants.actions.parts import record, tell_unit
from service.grants.rules import NotEnforceable, Recipe, VersionState
from service.grants.tables import Grant, GrantTask


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What is to be granted, from `starts_at` (None: from now) up to but not including `ends_at`.

    `rests_on` names the screening and the list digests of the verdict that allowed it; `tasks` are the dated duties
    that come with it, each an obligation and the Beijing day by whose end it is due.  A renewal names the `namespace`
    of the grant that it goes on from, so that its keyed tokens stay the same.
    """

    unit_id: str
    dataset_id: str
    application_id: str
    columns: Sequence[str]
    row_filter: Mapping[str, Any]
    delivery: Sequence[str]
    purpose: str
    ends_at: datetime
    dataset_version: int
    rests_on: Mapping[str, Any]
    starts_at: datetime | None = None
    transforms: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[tuple[Mapping[str, Any], date]] = ()
    follows: bool = True
    quota: Mapping[str, int] = field(default_factory=dict)
    namespace: str | None = None


def issue(session: Session, wanted: NewGrant, *, by: str, now: datetime) -> Grant:
    """Issue a grant and return it.

    Raises Duplicate when the application has won this dataset already, NotEnforceable when a way out or a transform is
    not built, BadTransform (a ValueError) when the grant could not be turned into a view: such a grant must not come
    into being.
    """
    begin = wanted.starts_at or now
    _demand_issuable(wanted, begin, now)
    if store.of_application(session, wanted.application_id, wanted.dataset_id):
        raise Duplicate()
    grant_id = new_id(now)
    namespace = wanted.namespace or grant_id
    recipe = recipe_for(
        session, wanted.dataset_id, wanted.dataset_version, wanted.columns, wanted.row_filter, steps=wanted.transforms,
        namespace=namespace,
    )  # fmt: skip
    grant = Grant(
        id=grant_id, unit_id=wanted.unit_id, dataset_id=wanted.dataset_id, application_id=wanted.application_id,
        columns=list(wanted.columns), semantics=dict(zip(recipe.columns, recipe.semantics, strict=True)),
        row_filter=dict(wanted.row_filter), transforms=[dict(step) for step in wanted.transforms],
        delivery=list(wanted.delivery), purpose=wanted.purpose, starts_at=begin, ends_at=wanted.ends_at,
        dataset_version=wanted.dataset_version, follows=wanted.follows, quota=dict(wanted.quota),
        namespace=namespace, rests_on=dict(wanted.rests_on), created_at=now,
    )  # fmt: skip
    session.add(grant)
    screening_id = str(wanted.rests_on["screening"])
    store.note_version(
        session, grant_id, grant.dataset_version, state=VersionState.JUDGED, now=now, screening_id=screening_id
    )
    session.add_all(
        GrantTask(
            id=new_id(now), grant_id=grant.id, kind=str(obligation["kind"]), obligation=dict(obligation),
            due_on=due_on, created_at=now,
        )
        for obligation, due_on in wanted.tasks
    )  # fmt: skip
    record(
        session, grant, "grant:issue", by=by, now=now, application=grant.application_id, dataset=grant.dataset_id,
        dataset_version=grant.dataset_version, recipe=recipe.digest(), screening=wanted.rests_on["screening"],
        unit=grant.unit_id, delivery=grant.delivery, ends_at=wanted.ends_at.astimezone(UTC).isoformat(),
    )  # fmt: skip
    tell_unit(session, grant, "grant-issued", now=now, day=last_day(wanted.ends_at).isoformat())
    return grant


def _demand_issuable(wanted: NewGrant, begin: datetime, now: datetime) -> None:
    if not wanted.rests_on.get("screening") or "lists" not in wanted.rests_on:
        raise ValueError("a grant rests on a stored screening and its lists")
    if missing := rules.unenforceable(wanted.delivery, wanted.transforms):
        raise NotEnforceable(what=", ".join(missing))
    if not wanted.delivery or wanted.ends_at <= begin or wanted.ends_at <= now:
        raise ValueError("a grant has a way out, and an end that lies ahead and after its beginning")


def recipe_of(session: Session, grant: Grant, number: int | None = None) -> Recipe:
    """Return what the view of a grant holds of a version (None: the one that it serves).

    Its columns are measured as what they were judged as: a column that is recorded as something worse later does not
    make worse values fit for a grant that was won before.
    """
    version = grant.dataset_version if number is None else number
    found = recipe_for(
        session, grant.dataset_id, version, grant.columns, grant.row_filter, steps=grant.transforms,
        namespace=grant.namespace,
    )  # fmt: skip
    return replace(found, semantics=tuple(grant.semantics.get(name) for name in found.columns))


def recipe_for(
    session: Session, dataset_id: str, version: int, columns: Sequence[str], row_filter: Mapping[str, Any], *,
    steps: Sequence[Mapping[str, Any]] = (), namespace: str = "",
) -> Recipe:  # fmt: skip
    """Return the recipe for columns and rows of a version; BadTransform when it has no such, or steps do not fit.

    Types are those of the version.  What a column means is what the entry says today, which is what was judged.
    """
    dataset = catalogue.dataset(session, dataset_id)
    meant = {row.name: row.semantic for row in catalogue.columns(session, dataset_id)}
    schema = catalogue.version(session, dataset_id, version).columns
    known = [rules.Described(row["name"], row["type"], meant.get(row["name"], row["semantic"])) for row in schema]
    return rules.recipe(
        dataset_id=dataset_id, dataset_version=version, described=known, columns=columns, row_filter=row_filter,
        time_column=dataset.time_column, area_column=dataset.area_column, steps=steps, namespace=namespace,
    )  # fmt: skip
