"""Telling those who follow a dataset, and those who hold a live grant on it, what happened to a version."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.base.beijing import day_of
from service.base.db import Session
from service.base.i18n import Language, gettext, speaking
from service.catalogue import store as catalogue
from service.catalogue.engine.profile import SMALLEST
from service.catalogue.rules import Openness
from service.catalogue.rules.sayings import said
from service.catalogue.store import followers, history
from service.catalogue.tables import Dataset, DatasetVersion
from service.grants.store.holders import units_with_grants
from service.notices import actions as notices
from service.people import store as people

TOLD_CHANGES = 8  # of the columns, in one notice; the page has the rest


def tell_published(session: Session, row: DatasetVersion, *, now: datetime) -> None:
    """Tell that a version was published, and from when `latest` points at it where that is later."""
    found = catalogue.dataset(session, row.dataset_id)
    held = row.latest_from is not None and row.latest_from > now
    facts = _about(found, row) | {"what": _in_both(lambda: _what(session, found, row))}
    if held and row.latest_from:
        facts["day"] = day_of(row.latest_from).isoformat()
    _tell(session, found, "version-held" if held else "version-published", facts, now=now)


def tell_withdrawn(session: Session, row: DatasetVersion, *, now: datetime) -> None:
    """Tell that a version is served no more, why, and which one is to be taken instead."""
    found = catalogue.dataset(session, row.dataset_id)
    instead = _in_both(lambda: _instead(row))
    facts = _about(found, row) | {"cause": row.withdrawn_reason["zh"], "what": instead}
    _tell(session, found, "version-withdrawn", facts, now=now)


def _about(found: Dataset, row: DatasetVersion) -> dict[str, Any]:
    return {"id": found.id, "dataset": found.title, "version": row.number}


def _tell(session: Session, found: Dataset, kind: str, facts: Mapping[str, Any], *, now: datetime) -> None:
    """Tell each person who follows, and each unit with a grant; a person of such a unit reads the unit's notice."""
    units = units_with_grants(session, found.id, now=now)
    for unit_id in units:
        notices.put(session, kind=kind, to_unit=unit_id, facts=facts, now=now)
    for person_id in followers.followers(session, found.id):
        if people.person(session, person_id).unit_id not in units:
            notices.put(session, kind=kind, to_person=person_id, facts=facts, now=now)


def _in_both(text: Callable[[], str]) -> dict[str, str]:
    """Return what `text` says in each language: a notice is read in its reader's."""
    languages: tuple[Language, ...] = ("zh", "en")
    spoken: dict[str, str] = {}
    for language in languages:
        with speaking(language):
            spoken[language] = text()
    return spoken


def _what(session: Session, found: Dataset, row: DatasetVersion) -> str:
    before = _before(session, row)
    pieces = [] if before is None else rows_said(found, before, row) + _parts(session, before, row)
    pieces += [_one(change) for change in row.changes[:TOLD_CHANGES]]
    if len(row.changes) > TOLD_CHANGES:
        pieces.append(gettext("另有 %(n)s 处变化", n=len(row.changes) - TOLD_CHANGES))
    return gettext("；").join(pieces) if pieces else gettext("内容见数据集页面")


def _before(session: Session, row: DatasetVersion) -> DatasetVersion | None:
    earlier = (each for each in history.public_versions(session, row.dataset_id) if each.number < row.number)
    return next((each for each in earlier if each.withdrawn_at is None), None)


def rows_said(found: Dataset, before: DatasetVersion, row: DatasetVersion) -> list[str]:
    """Say how many rows came or went; of data that is not open by tens, as everywhere."""
    exact = found.openness == Openness.UNCONDITIONAL
    counts = [each.rows if exact else each.rows - each.rows % SMALLEST for each in (before, row)]
    more = counts[1] - counts[0]
    if more == 0:
        return []
    return [gettext("增加 %(n)s 行", n=f"{more:,}") if more > 0 else gettext("减少 %(n)s 行", n=f"{-more:,}")]


def _parts(session: Session, before: DatasetVersion, row: DatasetVersion) -> list[str]:
    had = {part.id for part in catalogue.parts(session, row.dataset_id, before.number)}
    have = {part.id for part in catalogue.parts(session, row.dataset_id, row.number)}
    came, kept = len(have - had), len(have & had)
    if not came or not kept:
        return []
    return [gettext("新增分段 %(n)s 个，原有分段不变", n=came)]


def _one(change: Mapping[str, Any]) -> str:
    message, blanks = said(change)
    return gettext(message, **{name: gettext(value) for name, value in blanks.items()})


def _instead(row: DatasetVersion) -> str:
    if row.successor is None:
        return gettext("没有替代版本")
    return gettext("请改用第 %(n)s 版", n=row.successor)


def lines(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every change in the current language."""
    return [_one(change) for change in changes]
