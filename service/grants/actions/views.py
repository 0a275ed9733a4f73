"""Claiming, settling and wanting the bytes of released views, and moving grants to what was judged for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.audit import actions as audit
from service.base import derived
from service.base.db import Session
from service.base.errors import NotFound, WrongState
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.grants import rules, store
from service.grants.actions.issuing import recipe_for, recipe_of
from service.grants.actions.parts import SYSTEM, record
from service.grants.engine import BuiltFile, Keys
from service.grants.rules import BadRecipe, FileState, Format, Promise, Recipe, ViewState
from service.grants.rules.transforms import KEY_ID
from service.grants.tables import Grant, ReleasedView, ViewFile, ViewPart
from service.notices import actions as notices


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a dataset version: its id, and its object in the store."""

    part_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A build that this worker holds: what to make, of which parts, with which keys, and the mark to settle it by."""

    view_id: str
    claimed_at: datetime
    tries: int
    recipe: Recipe
    sources: tuple[Source, ...]
    keys: Keys = field(default=Keys(), repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that this worker holds the claim on, with the view that it is of and what it must show."""

    file: ViewFile
    view: ReleasedView
    promise: Promise
    parts: tuple[ViewPart, ...]


# ---- building -------------------------------------------------------------------------------------------------------


def claim_grant_view(
    session: Session, grant_id: str, *, now: datetime, number: int | None = None, pepper: bytes | None = None
) -> Claimed | None:
    """Take on building the view of a grant on a version (None: the one that it serves).

    None when it is made, when another worker is at it, or when it needs keys and there is no `pepper` to make them of.
    """
    grant = store.grant(session, grant_id)
    recipe = recipe_of(session, grant, number)
    if recipe.keyed and pepper is None:
        return None
    claimed = _claim(session, recipe, subject=f"grant:{grant_id}", grant=grant, now=now)
    return replace(claimed, keys=_keys(recipe, pepper)) if claimed and pepper else claimed


def _keys(recipe: Recipe, pepper: bytes) -> Keys:
    """Return the keys that enter a view: one for the grant's namespace, and one for the dataset whoever asks."""
    return Keys(
        namespace=derived.key(pepper, "token", KEY_ID, recipe.namespace),
        cells=derived.key(pepper, "cells", KEY_ID, recipe.dataset_id),
    )


def claim_public_view(
    session: Session, dataset_id: str, columns: Sequence[str], *, version: int | None, now: datetime
) -> Claimed | ReleasedView:
    """Take on building the standing public view of a dataset (`version` None: the latest).

    A view of the same recipe that is already made is returned instead, and made the one that serves.
    """
    number = version if version is not None else catalogue.latest(session, dataset_id, now=now).number
    recipe = recipe_for(session, dataset_id, number, columns, {})
    if claimed := _claim(session, recipe, subject=f"public:{dataset_id}", grant=None, now=now):
        return claimed
    there = store.same_view(session, _values(recipe, f"public:{dataset_id}", None, 0, now=now))
    if there is None:
        raise NotFound()
    if there.state == ViewState.READY:
        store.serve_from(session, there.id, now=now)
    return there


def cuts_of(claimed: Claimed) -> list[tuple[tuple[Source, ...], str]]:
    """Return the parts that a view is to have: what each is cut from, and what the cut is called.

    A view that looks at all rows at once has one part, cut from all.
    """
    if claimed.recipe.over_all:
        return [(claimed.sources, claimed.recipe.cut([source.part_id for source in claimed.sources]))]
    return [((source,), claimed.recipe.cut([source.part_id])) for source in claimed.sources]


def keep_part(session: Session, claimed: Claimed, part: ViewPart, *, rows: int, now: datetime) -> bool:
    """Write down a part that was measured and is in the store; False when the claim was lost to another worker."""
    done = {"parts_done": part.position + 1, "rows": rows}
    if not store.beat(session, claimed.view_id, claimed_at=claimed.claimed_at, now=now, **done):
        return False
    store.keep_part(session, part)
    return True


def settle_ready(session: Session, claimed: Claimed, files: Mapping[Format, BuiltFile], *, now: datetime) -> bool:
    """Release a measured view whose files are in the store; False when the claim was lost to another worker."""
    promise = claimed.recipe.promise
    names = zip(promise.columns, promise.types, strict=True)
    settled = store.settle_view(
        session, claimed.view_id, claimed_at=claimed.claimed_at, state=ViewState.READY.value, built_at=now,
        rows=files[Format.PARQUET].rows, columns=[{"name": name, "type": kind} for name, kind in names],
        serves_from=now, note=None,
    )  # fmt: skip
    if not settled:
        return False
    for format, built in files.items():
        store.keep_file(session, _settled(claimed, format, built, now=now))
    digests = {str(format): built.sha256 for format, built in files.items()}
    _record_view(session, claimed, "view:ready", now=now, **digests)
    return True


def _settled(claimed: Claimed, format: Format, built: BuiltFile, *, now: datetime) -> ViewFile:
    return ViewFile(
        view_id=claimed.view_id, format=format.value, state=FileState.READY.value, key=built.key, sha256=built.sha256,
        bytes=built.size, rows=built.rows, wanted_at=claimed.claimed_at, claimed_at=claimed.claimed_at, beat_at=now,
        tries=claimed.tries, built_at=now,
    )  # fmt: skip


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


def _claim(session: Session, recipe: Recipe, *, subject: str, grant: Grant | None, now: datetime) -> Claimed | None:
    sources = _sources(session, recipe)
    values = _values(recipe, subject, grant, 1 if recipe.over_all else len(sources), now=now)
    # Publishing is a person's act after a screening of its own: it looks at a quarantined view again.
    again = (ViewState.COLLECTED,) if grant else (ViewState.COLLECTED, ViewState.QUARANTINED)
    row = store.claim_view(session, values, retake_before=now - rules.RETAKE_AFTER, again=again)
    return Claimed(row.id, row.claimed_at, row.tries, recipe, sources) if row else None


def _sources(session: Session, recipe: Recipe) -> tuple[Source, ...]:
    """Return the parts of the version that a recipe is of, in their order; BadRecipe when nothing is left of it."""
    parts = catalogue.parts(session, recipe.dataset_id, recipe.dataset_version)
    if not parts:
        raise BadRecipe("the version holds no data")
    return tuple(Source(part.id, part.blob_key) for part in parts)


def _values(recipe: Recipe, subject: str, grant: Grant | None, parts: int, *, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(now), "subject": subject, "grant_id": grant.id if grant else None, "dataset_id": recipe.dataset_id,
        "dataset_version": recipe.dataset_version, "epoch": grant.epoch if grant else 1, "recipe": recipe.document(),
        "recipe_digest": recipe.digest(), "state": ViewState.BUILDING.value, "claimed_at": now, "beat_at": now,
        "tries": 1, "columns": [], "rows": 0, "parts_done": 0, "parts_total": parts,
    }  # fmt: skip


# ---- files ----------------------------------------------------------------------------------------------------------


def want_file(session: Session, view_id: str, format: str, *, now: datetime) -> ViewFile:
    """Note that a view is wanted in one format, and return its file as it is now: ready, or to be waited for.

    One that could not be made is tried again.  NotFound for a format or a view that there is not; WrongState when the
    view is not ready.
    """
    if format not in set(Format):
        raise NotFound()
    view = store.view(session, view_id)
    if view.state != ViewState.READY:
        raise WrongState(state=view.state)
    store.want_file(session, view_id, format, now=now)
    store.want_again(session, view_id, format, now=now, failed_before=now - rules.RETAKE_AFTER)
    found = store.file_of(session, view_id, format)
    assert found is not None  # just inserted, if it was not there
    return found


def claim_file(session: Session, view_id: str, format: str, *, now: datetime) -> Wanted | None:
    """Take on making a file that is wanted; None when it is made or another worker is at it."""
    file = store.claim_file(session, view_id, format, now=now, retake_before=now - rules.RETAKE_AFTER)
    if file is None:
        return None
    view = store.view(session, view_id)
    names = tuple(column["name"] for column in view.columns)
    known = (column["name"] for column in catalogue.version(session, view.dataset_id, view.dataset_version).columns)
    promise = Promise(
        names, tuple(column["type"] for column in view.columns), tuple(name for name in known if name not in names)
    )
    return Wanted(file, view, promise, tuple(store.parts_of(session, view_id)))


def settle_file(session: Session, wanted: Wanted, built: BuiltFile, *, now: datetime) -> bool:
    """Release a measured file that is in the store; False when the claim was lost to another worker."""
    settled = store.settle_file(
        session, wanted.file, state=FileState.READY.value, key=built.key, sha256=built.sha256, bytes=built.size,
        rows=built.rows, built_at=now, beat_at=now, note=None,
    )  # fmt: skip
    if settled:
        facts = {"format": wanted.file.format, "sha256": built.sha256}
        audit.record(session, subject=f"view:{wanted.view.id}", kind="view:file", by=SYSTEM, now=now, facts=facts)
    return settled


def note_failed_file(session: Session, wanted: Wanted, fault: str, *, now: datetime) -> None:
    """Write down why a file could not be made; it is tried again, and after the third time left."""
    over = wanted.file.tries >= rules.TOLD_AFTER
    state = FileState.FAILED if over else FileState.BUILDING
    store.settle_file(session, wanted.file, state=state.value, beat_at=now, note=fault[:500])


# ---- moving ---------------------------------------------------------------------------------------------------------


def move_to(session: Session, grant: Grant, number: int, *, now: datetime) -> None:
    """Let a grant serve another version as its latest; WrongState when that one was not judged for it."""
    if not store.judged(session, grant.id, number):
        raise WrongState(state="not_judged")
    if grant.dataset_version == number:
        return
    before = grant.dataset_version
    version = store.move(session, grant)
    grant.dataset_version = number
    session.add(grant)
    record(session, grant, "grant:move", by=SYSTEM, now=now, version=version, before=before, dataset_version=number)


# ---- parts ----------------------------------------------------------------------------------------------------------


def _record_view(session: Session, claimed: Claimed, kind: str, *, now: datetime, **facts: object) -> None:
    subject, told = f"view:{claimed.view_id}", {"recipe": claimed.recipe.digest(), **facts}
    audit.record(session, subject=subject, kind=kind, by=SYSTEM, now=now, facts=told)


def _tell_stewards(session: Session, claimed: Claimed, kind: str, *, now: datetime, **facts: object) -> None:
    source = catalogue.dataset(session, claimed.recipe.dataset_id).source_unit_id
    about, key = _about_dataset(session, claimed.recipe, **facts), f"{kind}:{claimed.view_id}"
    notices.put(session, kind=kind, to_unit=source, to_role=Role.STEWARD, facts=about, now=now, key=key)


def _about_dataset(session: Session, recipe: Recipe, **facts: object) -> dict[str, object]:
    title = catalogue.dataset(session, recipe.dataset_id).title
    return {"id": recipe.dataset_id, "dataset": title, "version": recipe.dataset_version, **facts}
