"""Publishing a dataset (judged, its public view built, then shown), and judging again what was judged before."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from service.base import blobs, clock, db
from service.base.db import Session
from service.catalogue import actions as catalogue
from service.catalogue import store as datasets
from service.catalogue.actions import secrecy, versions
from service.catalogue.engine import profile
from service.catalogue.rules import Openness
from service.catalogue.rules.versions import VersionState
from service.catalogue.tables import DatasetVersion
from service.grants import jobs as views
from service.grants.actions import telling
from service.grants.tables import Grant
from service.policy.rules.models import NegativeList
from service.screening import actions, engine, store
from service.screening.rules import SEMANTICS, Ask, NotPublishable, canonical, for_everybody, standing_ids, tally
from service.screening.tables import Profile, Screening

SYSTEM = "system"
AT_TERMINAL = "由操作人员在终端声明：保密审查已在线下完成"


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: the columns of the public view, and those left out of it with the rules that say so."""

    dataset_id: str
    outcome: str
    columns: tuple[str, ...]
    dropped: dict[str, list[str]]


def publish_dataset(
    dataset_id: str, *, number: int | None = None, stated: str | None = None, by: str = SYSTEM
) -> Published:
    """Publish a dataset with one of its versions (None: the newest), in short transactions around the building of its
    public view and the measuring of its data.

    `stated` is the basis of a secrecy review that an operator at the terminal says took place; without it the version
    must have been reviewed here.

    An unconditional dataset is judged as a request of everybody: columns that a list prohibits are left out of its
    public view and named; what remains must come out clean.  Other datasets are judged for the record and have no
    public view.  Raises NotPublishable (by the lists), catalogue's NotPublishable (by the entry), ViewHeld.
    """
    with db.writing() as session:
        now = clock.now(session)
        dataset = catalogue.demand_publishable(session, dataset_id)
        version = datasets.version(session, dataset_id, number) if number else datasets.newest(session, dataset_id)
        if stated:
            secrecy.state_review(session, dataset_id, version.number, basis=stated, by=by, now=now)
        versions.demand_publishable(session, version, by=by)
        found = _judge(session, dataset_id, dataset.openness, now=now)
    if dataset.openness == Openness.UNCONDITIONAL:
        views.build_public_view(dataset_id, found.columns, version=version.number)
    profile_dataset(dataset_id, version.number)
    with db.writing() as session:
        now = clock.now(session)
        names = tuple(column.name for column in datasets.columns(session, dataset_id))
        verdicts = actions.column_verdicts(session, Ask(dataset_id, names), now=now)
        catalogue.mark_published(
            session, dataset_id, number=version.number, by=by, now=now, tally=tally(verdicts.values())
        )
        if version.state == VersionState.LOADED:  # as it was read before
            telling.tell_published(session, datasets.version(session, dataset_id, version.number), now=now)
    return found


def profile_dataset(dataset_id: str, number: int) -> None:
    """Measure a version of a dataset for its page, between two short transactions.

    While fewer rows have come than may be counted apart, the version is shown with the measures of the one before.
    """
    with db.reading() as session:
        terms = actions.standing(session, dataset_id, now=clock.now(session)).terms
        version = datasets.version(session, dataset_id, number)
        parts = datasets.parts(session, dataset_id, number)
        before = store.profile_before(session, dataset_id, version.number)
        held = before is not None and _too_few(session, before, version, terms)
    if held and before is not None:
        measured, body = before.measured, before.body
    else:
        with ExitStack() as open_files:
            files = [open_files.enter_context(blobs.as_file(part.blob_key)) for part in parts]
            measured, body = version.number, profile.measure(files, terms)
    with db.writing() as session:
        row = Profile(dataset_id=dataset_id, number=version.number, measured=measured, body=body, at=clock.now(session))
        store.keep_profile(session, row)


def _too_few(session: Session, before: Profile, version: DatasetVersion, terms: profile.Terms) -> bool:
    """Whether two versions of one table differ by so few rows that two measures would show them."""
    names = {column.name for column in datasets.columns(session, version.dataset_id)}
    known = names == set(before.body["columns"]) and before.body["smallest"] >= terms.smallest
    rows = datasets.version(session, version.dataset_id, before.measured).rows
    return known and abs(version.rows - rows) < terms.smallest


def profile_missing(*, limit: int = 10) -> int:
    """Measure published datasets whose version in use has not been since the lists changed; return how many."""
    with db.reading() as session:
        now = clock.now(session)
        since = store.lists_changed_at(session, now=now)
        wanted = store.unmeasured(session, since=since, now=now, limit=limit)
    for dataset_id, number in wanted:
        profile_dataset(dataset_id, number)
    return len(wanted)


def _judge(session: Session, dataset_id: str, openness: str, *, now: datetime) -> Published:
    names = datasets.public_columns(session, dataset_id)
    if openness != Openness.UNCONDITIONAL:
        judged = actions.screen(
            session, Ask(dataset_id, tuple(names)), subject=f"dataset:{dataset_id}", moment="publish", now=now
        )
        return Published(dataset_id, judged.verdict["outcome"], (), {})
    verdicts = actions.column_verdicts(session, for_everybody(dataset_id, names), now=now)
    kept, dropped = _sorted(names, verdicts)
    ask = for_everybody(dataset_id, kept)
    judged = actions.screen(session, ask, subject=f"dataset:{dataset_id}", moment="publish", now=now)
    if not kept or judged.verdict["outcome"] != "pass":
        raise NotPublishable(
            dataset=dataset_id,
            outcome=judged.verdict["outcome"],
            reasons="、".join(_reasons(judged.verdict) or sorted({rule for each in dropped.values() for rule in each})),
        )
    return Published(dataset_id, judged.verdict["outcome"], tuple(kept), dropped)


def _sorted(names: Sequence[str], verdicts: Mapping[str, dict[str, Any]]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the columns that may stay in order, and the prohibited ones with their rules."""
    dropped = {
        name: [str(rule["id"]) for rule in verdicts[name]["own"] if rule["outcome"] == "prohibit"]
        for name in names
        if verdicts[name]["own_outcome"] == "prohibit"
    }
    return [name for name in names if name not in dropped], dropped


def _reasons(verdict: Mapping[str, Any]) -> list[str]:
    return standing_ids(verdict) + [str(key) for key in verdict["missing"]]


# ---- judging again -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wrong:
    """A stored verdict that did not come out again, and why."""

    screening_id: str
    subject: str
    moment: str
    why: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A live grant whose request would be judged otherwise by a candidate list."""

    grant_id: str
    unit_id: str
    dataset_id: str
    before: str
    after: str
    rules: tuple[str, ...]


def replay() -> tuple[int, list[Wrong]]:
    """Judge every stored screening again by the editions stored then; return how many, and those that differ."""
    count, wrong, after = 0, [], ""
    with db.reading() as session:
        while page := store.screenings(session, after=after):
            for row in page:
                why = _replayed(session, row)
                wrong += [Wrong(row.id, row.subject, row.moment, why)] if why else []
            count, after = count + len(page), page[-1].id
    return count, wrong


def _replayed(session: Session, row: Screening) -> str | None:
    if row.semantics != SEMANTICS:
        return f"semantics {row.semantics} is not {SEMANTICS}"
    bodies = store.bodies(session, row.digests)
    if missing := sorted(set(row.digests) - set(bodies)):
        return f"no edition {', '.join(missing)}"
    try:
        again = engine.judge_by(row.facts, bodies.values())
    except ValueError as fault:
        return str(fault)
    return None if canonical(again) == canonical(row.verdict) else "the verdict differs"


def impact(path: Path) -> tuple[int, list[Shift]]:
    """Judge the requests behind live grants by a candidate list in the place of its earlier editions.

    Returns how many live grants there are and those whose outcome or rules would change.  Changes nothing: what
    happens to a live grant is a person's decision.
    """
    candidates = engine.read_candidates(path)
    ids = {candidate.id for candidate in candidates}
    lists = [*candidates, *(edition for edition in engine.editions() if edition.id not in ids)]
    with db.reading() as session:
        now = clock.now(session)
        rows = store.screenings_of_live_grants(session, now=now)
    day = max((candidate.effective.start.isoformat() for candidate in candidates), default="")
    shifts = (_shifted(grant, row, lists, day) for grant, row in rows)
    return len(rows), [shift for shift in shifts if shift]


def _shifted(grant: Grant, row: Screening, lists: Sequence[NegativeList], day: str) -> Shift | None:
    after = engine.judge_with({**row.facts, "date": max(day, row.facts["date"])}, lists)
    if after["outcome"] == row.verdict["outcome"] and _reasons(after) == _reasons(row.verdict):
        return None
    new = tuple(rule for rule in _reasons(after) if rule not in _reasons(row.verdict))
    return Shift(grant.id, grant.unit_id, grant.dataset_id, row.verdict["outcome"], after["outcome"], new)
