"""The page of a dataset: what it is, what a reader may have of it, who decides and how long that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import rjieba
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from service.base import blobs, clock, db, http
from service.base.access import Role, caller_or_none, requires
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import current, gettext, pick
from service.catalogue import store as catalogue
from service.catalogue.engine import trial
from service.catalogue.rules import DATA_DOMAINS, UPDATE_CYCLES, Openness
from service.catalogue.store import followers
from service.catalogue.tables import Dataset, DatasetColumn, DatasetVersion
from service.data import engine as data_engine
from service.grants import store as grants
from service.grants.tables import ReleasedView, ViewFile
from service.home import rules, store
from service.home.web import history, plots
from service.home.web.history import Told
from service.home.web.parts import pages
from service.people import store as people
from service.people.tables import Unit
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening import store as screenings
from service.screening.actions import Standing
from service.screening.rules import chip

FIRST_ROWS = 10
FIRST_VERSIONS = 5
TRIAL_ROWS = 6
OPENERS, CLOSERS = "（《“‘【(", "）》”’】)，、：；。-—·"


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of the dictionary: its verdict in one word, how it is provided, and the clauses that say so."""

    column: DatasetColumn
    word: str
    how: tuple[str, ...]
    clauses: tuple[dict[str, Any], ...]


@pages.get("/datasets/<dataset_id>")
@requires(Role.PUBLIC)
def dataset(dataset_id: str) -> ResponseReturnValue:
    """Show a dataset: dictionary with the verdict of each column, what its data looks like, conditions, who decides."""
    with db.reading() as session:
        now = clock.now(session)
        found = catalogue.dataset(session, dataset_id)
        if found.state != "published" and not _may_see_draft(found):
            raise NotFound()
        return http.page("home/dataset.html", **_page(session, found, now=now))


def _page(session: Session, found: Dataset, *, now: datetime) -> dict[str, Any]:
    standing = screening.standing(session, found.id, now=now)
    columns = catalogue.columns(session, found.id)
    view = grants.public_view(session, found.id) if found.openness == Openness.UNCONDITIONAL else None
    files = grants.files_of(session, view.id) if view else {}
    versions = _versions(session, found, now=now)
    source = people.unit(session, found.source_unit_id)
    told = history.told(session, found, versions, now=now)
    return {
        "dataset": found,
        "title": broken(pick(found.title)),
        "source": source,
        "data_domain": DATA_DOMAINS[found.data_domain],
        "update_cycle": UPDATE_CYCLES[found.update_cycle],
        "versions": versions,
        "version": versions[0] if versions else None,
        "told": told[:FIRST_VERSIONS],
        "held": (held := next((one for one in told if one.waits_until), None)),
        "beside": history.beside(versions[0], held.row) if held else [],
        "follows": followers.follows(session, who.person_id, found.id) if (who := caller_or_none()) else None,
        "rounded": found.openness != Openness.UNCONDITIONAL,
        "view": view,
        "files": files,
        "standing": standing,
        "days": sum(step["days"] for step in standing.steps),
        "derived": store.derived(session, found.id),
        "origin": catalogue.find(session, found.derived_from) if found.derived_from else None,
        **_dictionary(columns, standing, view, found),
        **_profile(session, found, columns, standing, versions),
        **_rows(view, files),
        **_cited(found, source, versions, files.get("parquet"), told, view, now=now),
    }


def _versions(session: Session, found: Dataset, *, now: datetime) -> list[DatasetVersion]:
    """Return what may be known of a dataset's versions, the one in use first and then the newest first."""
    public = catalogue.public_versions(session, found.id)
    if not public:
        return list(catalogue.versions(session, found.id)[:1])  # a draft, seen by those who may
    latest = catalogue.latest_or_none(session, found.id, now=now)
    return sorted(public, key=lambda one: one is not latest)


def _dictionary(
    columns: Sequence[DatasetColumn], standing: Standing, view: ReleasedView | None, found: Dataset
) -> dict[str, Any]:
    public = {column["name"] for column in view.columns} if view else set()
    closed = found.openness == Openness.PROHIBITED
    maybe: dict[str, dict[str, Any]] = {}
    lines: list[Shown] = []
    for column in columns:
        verdict = rules.column_shown(standing.verdicts[column.name])
        lines.append(_line(column, verdict, closed=closed, kept=column.name in public if view else None))
        if verdict["depends"] and found.openness == Openness.RESTRICTED:
            maybe |= {rule["id"]: rule for rule in verdict["rules"] if rule["state"] == "unknown"}
    named = {rule["id"]: rule for line in lines for rule in line.clauses} | maybe
    return {
        "lines": lines,
        "maybe": [maybe[id] for id in sorted(maybe)],
        "named": [*named.values(), *(rule for rule in standing.prohibiting if rule["id"] not in named)],
        "usable": sum(line.word in ("pass", "condition") for line in lines),
    }


def _line(column: DatasetColumn, verdict: Mapping[str, Any], *, closed: bool, kept: bool | None) -> Shown:
    """Return one line of the dictionary; `closed` is a dataset that nobody may have, `kept` as in `_how`."""
    hits = tuple(rule for rule in verdict["rules"] if rule["state"] == "hit")
    if closed or verdict["outcome"] == "prohibit":
        hits = tuple(rule for rule in hits if rule["outcome"] == "prohibit")
    word = "prohibit" if closed else chip(verdict["outcome"], hits)
    return Shown(column, word, _how(word, hits, depends=verdict["depends"], kept=kept), hits)


def _how(word: str, hits: Sequence[Mapping[str, Any]], *, depends: bool, kept: bool | None) -> tuple[str, ...]:
    """Return how a column is provided; `kept` says whether it is in the public view, None where there is none."""
    if word == "prohibit":
        return (gettext("禁止提供"),) if hits else (gettext("随整个数据集不予提供"),)
    if kept is not None:
        return (gettext("原样提供，可直接下载"),) if kept else (gettext("公开文件中不含"),)
    duties = [duty for rule in hits for duty in rule.get("obligations") or ()]
    said = [judging.obligation_label(duty, current()) for duty in duties]
    if word == "review":
        said.insert(0, gettext("须人工审核") if hits else gettext("尚未分类，须人工审核"))
    if not said:
        said.append(gettext("原样提供"))
    if depends:
        said.append(gettext("另视申请单位、用途等而定"))
    return tuple(dict.fromkeys(said))


# ---- what the data looks like ----------------------------------------------------------------------------------------


def _profile(
    session: Session,
    found: Dataset,
    columns: Sequence[DatasetColumn],
    standing: Standing,
    versions: Sequence[DatasetVersion],
) -> dict[str, Any]:
    """Return the cards of the newest version; what has been closed since it was measured is left out here too."""
    kept = screenings.profile(session, found.id, versions[0].number) if versions else None
    if kept is None or kept.body["smallest"] < standing.terms.smallest:
        return {"profile": None, "plots": [], "closed": [], "trial": [], "trial_columns": []}
    told = {column.name: _told(kept.body, column.name, standing) for column in columns}
    drawn = [plots.plot(each.name, each.title, each.type, told[each.name]) for each in columns]
    drawable = found.openness == Openness.RESTRICTED
    types = {column.name: column.type for column in columns}
    seed = f"{found.id}/{kept.measured}"
    return {
        "profile": kept,
        "plots": [card for card in drawn if card],
        "closed": [
            (column, plots.facts(told[column.name])) for column, card in zip(columns, drawn, strict=True) if not card
        ],
        "trial": trial.rows({"columns": told}, types, seed=seed, count=TRIAL_ROWS) if drawable else [],
        "trial_columns": [name for name in told if trial.drawable(told[name])],
    }


def _told(body: Mapping[str, Any], name: str, standing: Standing) -> dict[str, Any]:
    told: dict[str, Any] = body["columns"].get(name) or {"closed": True, "nulls": 0}
    return {"closed": True, "nulls": told["nulls"]} if name in standing.terms.closed else told


def _rows(view: ReleasedView | None, files: Mapping[str, ViewFile]) -> dict[str, Any]:
    shown = tuple(column["name"] for column in view.columns) if view else ()
    file = files.get("parquet")
    return {"shown": shown, "rows": _first_rows(file.key, file.sha256, shown) if file else ()}


@lru_cache(maxsize=128)
def _first_rows(key: str, _sha256: str, shown: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Return the first rows of a public file, kept by its content."""
    with blobs.as_file(key) as file:
        return tuple(data_engine.rows(file, shown, start=0, limit=FIRST_ROWS))


# ---- citing ----------------------------------------------------------------------------------------------------------


def _cited(
    found: Dataset, source: Unit, versions: Sequence[DatasetVersion], file: ViewFile | None, told: Sequence[Told],
    view: ReleasedView | None, *, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Return the checksums of the versions and the citation of the one in use.

    The version whose file everybody may have is checked by that file's own digest.
    """
    if not versions:
        return {"checksums": {}, "cited": None}
    checksums = {one.row.number: one.checksum for one in told}
    if view and file:
        checksums[view.dataset_version] = f"sha256:{file.sha256}"
    address, sum = f"/datasets/{found.id}", checksums[versions[0].number]
    return {
        "checksums": checksums,
        "cited": history.cited(found, source, versions[0], sum, address=address, now=now),
    }


# ---- words -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def broken(title: str) -> Markup:
    """Return a title with <wbr> between its words, so that none breaks in the middle; brackets stay with theirs."""
    pieces: list[str] = []
    for word in rjieba.cut(title):
        joins = pieces and (pieces[-1][-1:] in OPENERS or word[:1] in CLOSERS or not word.strip())
        pieces[-1:] = [pieces[-1] + word] if joins else [*pieces[-1:], word]
    return Markup("<wbr>").join(escape(piece) for piece in pieces)


def _may_see_draft(found: Dataset) -> bool:
    who = caller_or_none()
    return who is not None and (
        who.has(Role.AUTHORITY) or (who.has(Role.STEWARD) and who.unit_id == found.source_unit_id)
    )
