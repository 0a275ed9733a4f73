"""What may happen to grants and their views: one change and its audit event each; no commit, no Flask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from service.audit.actions import record
from service.base.beijing import last_day
from service.base.db import Session
from service.base.errors import Duplicate, NotFound, SecondPersonRequired, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.grants import rules, store
from service.grants.engine import BuiltView
from service.grants.rules import GrantStanding, NotEnforceable, Recipe, ViewState
from service.grants.tables import Grant, GrantTask, Handback, ReleasedView, Suspension
from service.notices import actions as notices
from service.people import store as people

SYSTEM = "system"
SAME_PERSON = N_("暂停由一人提出、另一人确认，两人不得为同一人。")

# ---- issuing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What is to be granted, from `starts_at` (None: from now) up to but not including `ends_at`.

    `rests_on` names the screening and the list digests of the verdict that allowed it; `tasks` are the dated duties
    that come with it, each an obligation and the Beijing day by whose end it is due.
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


def issue(session: Session, wanted: NewGrant, *, by: str, now: datetime) -> Grant:
    """Issue a grant and return it.

    Raises Duplicate when the application has won this dataset already, NotEnforceable when a way out or a transform is
    not built, ValueError (BadRecipe) when the grant could not be turned into a view: such a grant must not come into
    being.
    """
    begin = wanted.starts_at or now
    _demand_issuable(wanted, begin, now)
    if store.of_application(session, wanted.application_id, wanted.dataset_id):
        raise Duplicate()
    recipe = _recipe(session, wanted.dataset_id, wanted.dataset_version, wanted.columns, wanted.row_filter)
    grant = Grant(
        id=new_id(now), unit_id=wanted.unit_id, dataset_id=wanted.dataset_id, application_id=wanted.application_id,
        columns=list(wanted.columns), semantics=dict(zip(recipe.columns, recipe.semantics, strict=True)),
        row_filter=dict(wanted.row_filter), transforms=[dict(step) for step in wanted.transforms],
        delivery=list(wanted.delivery), purpose=wanted.purpose, starts_at=begin, ends_at=wanted.ends_at,
        dataset_version=wanted.dataset_version, rests_on=dict(wanted.rests_on), created_at=now,
    )  # fmt: skip
    session.add(grant)
    session.add_all(
        GrantTask(
            id=new_id(now), grant_id=grant.id, kind=str(obligation["kind"]), obligation=dict(obligation),
            due_on=due_on, created_at=now,
        )
        for obligation, due_on in wanted.tasks
    )  # fmt: skip
    _record(
        session, grant, "grant:issue", by=by, now=now, application=grant.application_id, dataset=grant.dataset_id,
        dataset_version=grant.dataset_version, recipe=recipe.digest(), screening=wanted.rests_on["screening"],
        unit=grant.unit_id, delivery=grant.delivery, ends_at=wanted.ends_at.astimezone(UTC).isoformat(),
    )  # fmt: skip
    _tell_unit(session, grant, "grant-issued", now=now, day=last_day(wanted.ends_at).isoformat())
    return grant


def _demand_issuable(wanted: NewGrant, begin: datetime, now: datetime) -> None:
    if not wanted.rests_on.get("screening") or "lists" not in wanted.rests_on:
        raise ValueError("a grant rests on a stored screening and its lists")
    if missing := rules.unenforceable(wanted.delivery, wanted.transforms):
        raise NotEnforceable(what=", ".join(missing))
    if not wanted.delivery or wanted.ends_at <= begin or wanted.ends_at <= now:
        raise ValueError("a grant has a way out, and an end that lies ahead and after its beginning")


def recipe_of(session: Session, grant: Grant) -> Recipe:
    """Return what the view of a grant holds.

    Its columns are measured as what they were judged as: a column that is recorded as something worse later does not
    make worse values fit for a grant that was won before.
    """
    found = _recipe(session, grant.dataset_id, grant.dataset_version, grant.columns, grant.row_filter)
    return replace(found, semantics=tuple(grant.semantics.get(name) for name in found.columns))


# ---- suspension -----------------------------------------------------------------------------------------------------


def suspend(
    session: Session, grant_id: str, *, cause: str, by: str, now: datetime, works: Callable[[date], bool] | None = None
) -> Suspension:
    """Stop a grant at once, for the time being; a second officer confirms it or somebody lifts it.

    `works` (the calendar) dates the officers' notice.  NotFound for whoever may not oversee the grant; WrongState when
    it has ended or is suspended already.
    """
    grant = overseen(session, grant_id, by)
    here = standing_of(session, grant, now=now)
    if here in (GrantStanding.ENDED, GrantStanding.RETURNED, GrantStanding.SUSPENDED):
        raise WrongState(state=str(here))
    version = store.move(session, grant)
    suspension = Suspension(id=new_id(now), grant_id=grant_id, cause=cause, by=by, at=now)
    session.add(suspension)
    _record(session, grant, "grant:suspend", by=by, now=now, version=version, suspension=suspension.id)
    _tell_unit(session, grant, "grant-suspended", now=now, at=now.isoformat(), cause=cause)
    due = rules.confirmation_due(now, works=works or _weekday)
    _tell_officers(session, grant, "suspension-to-confirm", now=now, due=due.isoformat())
    return suspension


def confirm_suspension(session: Session, grant_id: str, *, by: str, now: datetime) -> Suspension:
    """Confirm the open suspension of a grant, as the second person.

    Raises SecondPersonRequired for the one who suspended, WrongState when there is nothing to confirm.
    """
    grant = overseen(session, grant_id, by)
    suspension = store.open_suspension(session, grant_id)
    if suspension is None or suspension.confirmed_at is not None:
        raise WrongState(state="confirmed" if suspension else "not_suspended")
    if suspension.by == by:
        raise SecondPersonRequired(SAME_PERSON)
    version = store.move(session, grant)
    suspension.confirmed_by, suspension.confirmed_at = by, now
    session.add(suspension)
    _record(session, grant, "grant:confirm", by=by, now=now, version=version, suspension=suspension.id)
    _tell_unit(session, grant, "suspension-confirmed", now=now)
    return suspension


def lift(session: Session, grant_id: str, *, by: str, now: datetime, reason: str | None = None) -> Suspension:
    """End the open suspension of a grant; WrongState when there is none."""
    grant = overseen(session, grant_id, by)
    if (suspension := store.open_suspension(session, grant_id)) is None:
        raise WrongState(state="not_suspended")
    version = store.move(session, grant)
    suspension.lifted_by, suspension.lifted_at, suspension.lift_reason = by, now, reason
    session.add(suspension)
    _record(session, grant, "grant:lift", by=by, now=now, version=version, suspension=suspension.id)
    _tell_unit(session, grant, "suspension-lifted", now=now)
    return suspension


def hand_back(session: Session, grant_id: str, *, by: str, now: datetime, reason: str | None = None) -> Handback:
    """Give a grant back before its end, for its unit; what it asks of the unit afterwards stays due.

    A grant that is suspended or has not begun may be given back too.  NotFound for whoever is no manager of the unit;
    WrongState when the grant has ended or was given back.
    """
    grant, person = store.grant(session, grant_id), people.person(session, by)
    held_by = {"unit_id": person.unit_id, "holder_unit_id": grant.unit_id}
    if not rules.may_hand_back(people.roles_of(session, by), **held_by):
        raise NotFound()
    here = standing_of(session, grant, now=now)
    if here in (GrantStanding.ENDED, GrantStanding.RETURNED):
        raise WrongState(state=str(here))
    version = store.move(session, grant)
    store.note_handback(session, grant_id, by=by, reason=reason, now=now)
    _record(session, grant, "grant:handback", by=by, now=now, version=version)
    _tell_unit(session, grant, "grant-returned", now=now, at=now.isoformat())
    _tell_officers(session, grant, "grant-returned", now=now, at=now.isoformat())
    return Handback(grant_id=grant_id, by=by, at=now, reason=reason)


def standing_of(session: Session, grant: Grant, *, now: datetime) -> GrantStanding:
    """Return what a grant is at `now`, by its row and by what was done to it."""
    given_back = store.handback(session, grant.id)
    return rules.standing(
        grant, suspended=store.open_suspension(session, grant.id) is not None,
        returned_at=given_back.at if given_back else None, now=now,
    )  # fmt: skip


def flag(session: Session, grant: Grant, suspension: Suspension, *, due: datetime, now: datetime) -> bool:
    """Tell the authority that nobody has confirmed a suspension in time; decides nothing.

    False when another replica has told it, or when it was confirmed or lifted meanwhile.
    """
    if not store.claim_flag(session, suspension.id, now=now):
        return False
    facts = _about(session, grant, due=due.isoformat())
    notices.put(session, kind="suspension-unconfirmed", to_role=Role.AUTHORITY, facts=facts, now=now)
    return True


def remind(session: Session, grant: Grant, *, days: int, now: datetime) -> bool:
    """Tell the unit that its grant ends within `days` days; False when another replica has done so."""
    if not store.claim_reminder(session, grant.id, days=days, now=now):
        return False
    _tell_unit(session, grant, "grant-ends", now=now, days=days, day=last_day(grant.ends_at).isoformat())
    return True


# ---- views ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """A build that this worker holds: what to make, of which object, and the mark by which it may settle it."""

    view_id: str
    claimed_at: datetime
    tries: int
    recipe: Recipe
    source_key: str


def claim_grant_view(session: Session, grant_id: str, *, now: datetime) -> Claimed | None:
    """Take on building the view of a grant; None when it is made or another worker is at it."""
    grant = store.grant(session, grant_id)
    return _claim(session, recipe_of(session, grant), subject=f"grant:{grant_id}", grant=grant, now=now)


def claim_public_view(
    session: Session, dataset_id: str, columns: Sequence[str], *, version: int | None, now: datetime
) -> Claimed | ReleasedView:
    """Take on building the standing public view of a dataset (`version` None: the latest).

    A view of the same recipe that is already made is returned instead, and made the one that serves.
    """
    number = version if version is not None else catalogue.latest(session, dataset_id).number
    recipe = _recipe(session, dataset_id, number, columns, {})
    if claimed := _claim(session, recipe, subject=f"public:{dataset_id}", grant=None, now=now):
        return claimed
    there = store.same_view(session, _values(recipe, f"public:{dataset_id}", None, now=now))
    if there is None:
        raise NotFound()
    if there.state == ViewState.READY:
        store.serve_from(session, there.id, now=now)
    return there


def settle_ready(session: Session, claimed: Claimed, built: BuiltView, *, now: datetime) -> bool:
    """Release a measured view whose files are in the store; False when the claim was lost to another worker."""
    settled = store.settle_view(
        session, claimed.view_id, claimed_at=claimed.claimed_at, state=ViewState.READY.value, rows=built.rows,
        columns=[{"name": name, "type": kind} for name, kind in built.columns], built_at=now, serves_from=now,
        note=None, parquet_key=built.parquet.key, parquet_sha256=built.parquet.sha256, parquet_bytes=built.parquet.size,
        csv_key=built.csv.key, csv_sha256=built.csv.sha256, csv_bytes=built.csv.size,
    )  # fmt: skip
    if settled:
        facts = {"parquet": built.parquet.sha256, "csv": built.csv.sha256}
        _record_view(session, claimed, "view:ready", now=now, **facts)
    return settled


def settle_quarantined(session: Session, claimed: Claimed, reasons: Sequence[str], *, now: datetime) -> bool:
    """Hold back a view that measured worse than its verdict, and tell the stewards; its bytes are not kept."""
    note = ", ".join(reasons)[:500]
    settled = store.settle_view(
        session, claimed.view_id, claimed_at=claimed.claimed_at, state=ViewState.QUARANTINED.value, note=note,
        built_at=now,
    )  # fmt: skip
    if settled:
        codes = sorted({reason.split(":")[0] for reason in reasons})
        _record_view(session, claimed, "view:quarantine", now=now, reasons=codes)
        _tell_stewards(session, claimed, "view-quarantined", now=now, reasons=note)
    return settled


def note_failed_build(session: Session, claimed: Claimed, fault: str, *, now: datetime) -> None:
    """Write down why a build failed; it is retaken later.  After the third time the operators are told, once."""
    there = store.view(session, claimed.view_id)
    if there.state != ViewState.BUILDING or there.claimed_at != claimed.claimed_at:
        return
    there.note = fault[:500]
    session.add(there)
    if claimed.tries >= rules.TOLD_AFTER:
        facts = _about_dataset(session, claimed.recipe, fault=fault[:200])
        key = f"view-failed:{claimed.view_id}"
        notices.put(session, kind="view-failed", to_role=Role.OPERATOR, facts=facts, now=now, key=key)


def _record_view(session: Session, claimed: Claimed, kind: str, *, now: datetime, **facts: object) -> None:
    subject, told = f"view:{claimed.view_id}", {"recipe": claimed.recipe.digest(), **facts}
    record(session, subject=subject, kind=kind, by=SYSTEM, now=now, facts=told)


def _claim(session: Session, recipe: Recipe, *, subject: str, grant: Grant | None, now: datetime) -> Claimed | None:
    values = _values(recipe, subject, grant, now=now)
    # Publishing is a person's act after a screening of its own: it looks at a quarantined view again.
    retake_before = now - rules.RETAKE_AFTER
    row = store.claim_view(session, values, retake_before=retake_before, quarantined=grant is None)
    if row is None:
        return None
    source = catalogue.version(session, recipe.dataset_id, recipe.dataset_version)
    return Claimed(row.id, row.claimed_at, row.tries, recipe, source.blob_key)


def _values(recipe: Recipe, subject: str, grant: Grant | None, *, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(now), "subject": subject, "grant_id": grant.id if grant else None, "dataset_id": recipe.dataset_id,
        "dataset_version": recipe.dataset_version, "epoch": grant.epoch if grant else 1, "recipe": recipe.document(),
        "recipe_digest": recipe.digest(), "state": ViewState.BUILDING.value, "claimed_at": now, "tries": 1, "rows": 0,
        "columns": [], "parquet_key": "", "parquet_sha256": "", "parquet_bytes": 0, "csv_key": "", "csv_sha256": "",
        "csv_bytes": 0,
    }  # fmt: skip


def _recipe(
    session: Session, dataset_id: str, version: int, columns: Sequence[str], row_filter: Mapping[str, Any]
) -> Recipe:
    dataset = catalogue.dataset(session, dataset_id)
    known = [rules.Described(row.name, row.type, row.semantic) for row in catalogue.columns(session, dataset_id)]
    return rules.recipe(
        dataset_id=dataset_id, dataset_version=version, described=known, columns=columns, row_filter=row_filter,
        time_column=dataset.time_column, area_column=dataset.area_column,
    )  # fmt: skip


# ---- parts ----------------------------------------------------------------------------------------------------------


def overseen(session: Session, grant_id: str, by: str) -> Grant:
    """Return a grant that the person `by` may oversee; NotFound for all others, as if it did not exist."""
    grant, person = store.grant(session, grant_id), people.person(session, by)
    allowed = rules.may_oversee(
        people.roles_of(session, by), unit_id=person.unit_id, holder_unit_id=grant.unit_id,
        source_unit_id=catalogue.dataset(session, grant.dataset_id).source_unit_id,
    )  # fmt: skip
    if not allowed:
        raise NotFound()
    return grant


def _record(
    session: Session, grant: Grant, kind: str, *, by: str, now: datetime, version: int = 1, **facts: object
) -> None:
    record(session, subject=f"grant:{grant.id}", version=version, kind=kind, by=by, now=now, facts=facts)


def _tell_unit(session: Session, grant: Grant, kind: str, *, now: datetime, **facts: object) -> None:
    notices.put(session, kind=kind, to_unit=grant.unit_id, facts=_about(session, grant, **facts), now=now)


def _tell_officers(session: Session, grant: Grant, kind: str, *, now: datetime, **facts: object) -> None:
    source = catalogue.dataset(session, grant.dataset_id).source_unit_id
    about = _about(session, grant, **facts)
    notices.put(session, kind=kind, to_role=Role.AUTHORITY, facts=about, now=now)
    notices.put(session, kind=kind, to_unit=source, to_role=Role.STEWARD, facts=about, now=now)


def _tell_stewards(session: Session, claimed: Claimed, kind: str, *, now: datetime, **facts: object) -> None:
    source = catalogue.dataset(session, claimed.recipe.dataset_id).source_unit_id
    about, key = _about_dataset(session, claimed.recipe, **facts), f"{kind}:{claimed.view_id}"
    notices.put(session, kind=kind, to_unit=source, to_role=Role.STEWARD, facts=about, now=now, key=key)


def _about(session: Session, grant: Grant, **facts: object) -> dict[str, object]:
    return {"grant": grant.id, "dataset": catalogue.dataset(session, grant.dataset_id).title, **facts}


def _about_dataset(session: Session, recipe: Recipe, **facts: object) -> dict[str, object]:
    title = catalogue.dataset(session, recipe.dataset_id).title
    return {"id": recipe.dataset_id, "dataset": title, "version": recipe.dataset_version, **facts}


def _weekday(day: date) -> bool:
    return day.weekday() < 5
