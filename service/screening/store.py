"""The only SQL of screenings, and the reading of what other slices record about a dataset and a unit."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import and_, func, literal, or_

from service.base.beijing import end_of_day
from service.base.db import Session, col, select
from service.base.errors import NotFound
from service.catalogue import store as catalogue
from service.catalogue.rules import DatasetState, Openness
from service.catalogue.rules.versions import VersionState
from service.catalogue.tables import Dataset, DatasetVersion
from service.grants import store as grants
from service.grants.tables import Grant
from service.people import store as people
from service.screening.rules import APPLICANT_KINDS, Applicant, Column, Held, Subject
from service.screening.tables import ListEdition, Profile, Screening


def subject(session: Session, dataset_id: str) -> Subject:
    """Return a dataset as the judge sees it; NotFound when there is none."""
    dataset = catalogue.dataset(session, dataset_id)
    return Subject(
        tags=tuple(dataset.tags),
        level=dataset.level,
        subjects=None if dataset.subjects is None else tuple(dataset.subjects),
        records=dataset.records,
        record_unit=dataset.record_unit,
        spatial_m=dataset.spatial_m,
        temporal_min=dataset.temporal_min,
        key_domain=dataset.key_domain,
        columns=tuple(
            Column(column.name, column.semantic, column.title_zh, column.level)
            for column in catalogue.columns(session, dataset_id)
        ),
    )


def subject_of_version(session: Session, version: DatasetVersion) -> Subject:
    """Return a dataset as the judge sees it in one of its versions: the columns that the version has, and its rows.

    What the newest version's columns mean, and their levels, is what the entry says today.  The rows are the number of
    records where the entry counts by rows.
    """
    entry = subject(session, version.dataset_id)
    today = {column.name: column for column in entry.columns}
    known = catalogue.versions(session, version.dataset_id)
    newest = version.number == max(each.number for each in known)
    columns = []
    for each in version.columns:
        name, here = str(each["name"]), today.get(str(each["name"]))
        if newest and here is not None:
            columns.append(here)
            continue
        columns.append(Column(name, each.get("semantic"), here.title if here else name, each.get("level")))
    by_rows = entry.records in {each.rows for each in known}
    return replace(entry, columns=tuple(columns), records=version.rows if by_rows else entry.records)


def public(session: Session, dataset_id: str) -> tuple[str, ...] | None:
    """Return the columns that everybody may read: those of the public view, none of what is prohibited.

    None for restricted data: which of its columns may be told of is not decided by a view.
    """
    openness = catalogue.dataset(session, dataset_id).openness
    if openness != Openness.UNCONDITIONAL:
        return () if openness == Openness.PROHIBITED else None
    if view := grants.public_view(session, dataset_id):
        return tuple(str(column["name"]) for column in view.columns)
    return tuple(catalogue.public_columns(session, dataset_id))


def applicant(session: Session, unit_id: str) -> Applicant:
    """Return a unit as the judge sees it."""
    unit = people.unit(session, unit_id)
    return Applicant(
        kind=unit.applicant_kind or APPLICANT_KINDS.get(unit.kind),
        foreign_share=unit.foreign_share,
        certs=None if unit.certs is None else tuple(unit.certs),
        credit=unit.credit,
    )


def held(session: Session, unit_id: str, *, now: datetime) -> Held:
    """Return the semantic types and tags that the unit's grants give it already.

    All whose last day is not over: a suspended one may be lifted, and what was read before a suspension or a handing
    back stays read.
    """
    semantics: set[str] = set()
    tags: set[str] = set()
    classified = True
    for grant in grants.unended(session, unit_id, now=now):
        tags.update(catalogue.dataset(session, grant.dataset_id).tags)
        known = {column.name: column.semantic for column in catalogue.columns(session, grant.dataset_id)}
        for name in grant.columns:
            classified = classified and known.get(name) is not None
            semantics.update(filter(None, [known.get(name)]))
    return Held(frozenset(semantics) if classified else None, frozenset(tags))


def screening(session: Session, id: str) -> Screening:
    """Return a stored screening; NotFound when there is none."""
    found = session.get(Screening, id)
    if found is None:
        raise NotFound()
    return found


def find_screening(session: Session, id: str) -> Screening | None:
    """Return a stored screening; None when there is none."""
    return session.get(Screening, id)


def outcomes(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Return how stored screenings came out, by their ids."""
    rows = session.exec(select(Screening.id, Screening.verdict).where(col(Screening.id).in_(ids))).all()
    return {str(id): str(verdict["outcome"]) for id, verdict in rows}


def screenings(session: Session, *, after: str = "", limit: int = 500) -> Sequence[Screening]:
    """Return stored screenings in the order of their ids, from the one after `after`."""
    return session.exec(select(Screening).where(Screening.id > after).order_by(col(Screening.id)).limit(limit)).all()


def screenings_of_live_grants(session: Session, *, now: datetime) -> list[tuple[Grant, Screening]]:
    """Return the grants in force at `now`, suspended ones too, each with the screening that it rests on."""
    found = session.exec(select(Grant).where(Grant.starts_at <= now, Grant.ends_at > now).order_by(col(Grant.id))).all()
    pairs = ((grant, session.get(Screening, str(grant.rests_on["screening"]))) for grant in found)
    return [(grant, row) for grant, row in pairs if row is not None]


def editions(session: Session, domain: str = "") -> Sequence[ListEdition]:
    """Return the published editions, of one domain or of all: domain by domain, the newest edition first."""
    newest = col(ListEdition.effective_from).desc()
    asked = select(ListEdition).order_by(col(ListEdition.domain), newest, ListEdition.digest)
    return session.exec(asked.where(ListEdition.domain == domain) if domain else asked).all()


def bodies(session: Session, digests: Collection[str]) -> dict[str, dict[str, object]]:
    """Return the text of editions by digest; a digest that was never published is absent."""
    found = session.exec(select(ListEdition).where(col(ListEdition.digest).in_(digests))).all()
    return {edition.digest: edition.body for edition in found}


def profile(session: Session, dataset_id: str, number: int) -> Profile | None:
    """Return the profile that is shown with a version; None while it has not been measured."""
    return session.get(Profile, (dataset_id, number))


def profile_before(session: Session, dataset_id: str, number: int) -> Profile | None:
    """Return the newest profile of a version before `number`."""
    asked = select(Profile).where(Profile.dataset_id == dataset_id, Profile.number < number)
    return session.exec(asked.order_by(col(Profile.number).desc()).limit(1)).first()


def keep_profile(session: Session, row: Profile) -> None:
    """Keep a profile in the place of one that its version may have."""
    session.merge(row)


def lists_changed_at(session: Session, *, now: datetime) -> datetime | None:
    """Return the last moment until `now` at which a list was published or came into force; None without lists."""
    found = session.exec(select(ListEdition)).all()
    moments = [max(each.published_at, end_of_day(each.effective_from - timedelta(days=1))) for each in found]
    return max((moment for moment in moments if moment <= now), default=None)


def unmeasured(session: Session, *, since: datetime | None, now: datetime, limit: int) -> list[tuple[str, int]]:
    """Return published datasets, each with the version in use, where that has no profile or none made after `since`."""
    unmade = col(Profile.number).is_(None)
    wanted = unmade if since is None else or_(unmade, col(Profile.at) < since)
    newest = (
        select(DatasetVersion.dataset_id, func.max(col(DatasetVersion.number)).label("number"))
        .where(DatasetVersion.state == VersionState.PUBLISHED, col(DatasetVersion.latest_from) <= now)
        .group_by(col(DatasetVersion.dataset_id))
        .subquery()
    )
    there = and_(col(Profile.dataset_id) == newest.c.dataset_id, col(Profile.number) == newest.c.number)
    asked = (
        select(Dataset.id, newest.c.number)
        .join(newest, newest.c.dataset_id == col(Dataset.id))
        .outerjoin(Profile, there)
        .where(Dataset.state == DatasetState.PUBLISHED, wanted)
        .order_by(col(Dataset.id))
        .limit(limit)
    )
    return [(dataset_id, number) for dataset_id, number in session.exec(asked).all()]


SAMPLE = 200  # applications that the figures beside a rule are taken from, newest first
PAGE = 500


@dataclass(frozen=True, slots=True)
class Hit:
    """A published dataset that a rule hits whoever asks."""

    dataset_id: str
    zh: str
    en: str


def recent_hits(session: Session) -> tuple[int, Counter[str]]:
    """Return how many submitted applications were looked at (the newest SAMPLE at most), and how many each rule hit."""
    newest = (
        select(Screening.verdict).where(Screening.moment == "submit").order_by(col(Screening.id).desc()).limit(SAMPLE)
    )
    verdicts = session.exec(newest).all()
    hit = (str(rule["id"]) for verdict in verdicts for rule in verdict["rules"] if rule["state"] == "hit")
    return len(verdicts), Counter(hit)


def published_hits(session: Session, edition: ListEdition) -> dict[str, list[Hit]]:
    """Return rule → the published datasets (at most PAGE are looked at) that it hit when they were last judged by
    this edition, before anybody asked for them."""
    rows = session.exec(
        select(Dataset.id, Dataset.title_zh, Dataset.title_en, Screening.verdict)
        .join(Screening, col(Screening.subject) == literal("dataset:") + col(Dataset.id))
        .where(Screening.moment == "publish", Dataset.state == "published")
        .order_by(col(Screening.id).desc())
        .limit(PAGE)
    ).all()
    found: dict[str, list[Hit]] = {}
    seen: set[str] = set()
    for id, zh, en, verdict in rows:
        if id in seen or edition.digest not in {each["digest"] for each in verdict["lists"]}:
            continue
        seen.add(id)
        for rule in verdict["rules"]:
            if rule["state"] == "hit" and rule["list"] == edition.list_id:
                found.setdefault(str(rule["id"]), []).append(Hit(id, zh, en))
    return found
