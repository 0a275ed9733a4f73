"""What was read: the log of a grant, the use of a dataset, and a signed address made by hand."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import FIRM, READERS, Role, caller, requires
from service.base.beijing import BEIJING, day_of
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import N_
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.data import store as usage
from service.data.api.links import signed
from service.data.api.parts import admitted, asked_of
from service.data.rules import links
from service.data.rules.files import FORMATS
from service.grants import rules as grant_rules
from service.home import rules, store
from service.home.store import Granted, Read
from service.home.web.grants import DAYS, standings
from service.home.web.parts import pages, units_of

PAGE = 50
FILE = 50_000  # lines of the log in one file, the newest
FACES = {
    "rows": N_("按页读取"), "aggregate": N_("汇总"), "part": N_("分段"), "links": N_("签名地址"),
    "manifest": N_("清单"), "changes": N_("变更"), "schema": N_("字段说明"), "excel": "CSV (Excel)",
}  # fmt: skip
MEANS = {"token": N_("令牌"), "link": N_("签名地址"), "session": N_("网页")}
FIELDS = ("at", "system", "person", "means", "network", "face", "rows", "bytes", "whole")


@pages.get("/grants/<grant_id>/reads")
@requires(*READERS)
def reads(grant_id: str) -> ResponseReturnValue:
    """Show what was read under a grant: when, by whom, from where, how much, whole or cut."""
    before = request.args.get("before", "")[:32]
    with db.reading() as session:
        one = _known(session, grant_id)
        found = store.reads(session, grant_id, before=before, limit=PAGE + 1)
        return http.page(
            "home/reads.html", grant=one.grant, dataset=one.dataset, unit=one.unit, reads=found[:PAGE], before=before,
            next=found[PAGE - 1].event.id if len(found) > PAGE else "", faces=FACES, means=MEANS,
            totals=usage.totals_of_grant(session, grant_id), own=_own(one),
        )  # fmt: skip


@pages.get("/grants/<grant_id>/reads.csv")
@requires(*READERS)
def reads_csv(grant_id: str) -> ResponseReturnValue:
    """Give the log of a grant as CSV (UTF-8 with its mark, as spreadsheets want it), newest first."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS)
    table.writeheader()
    with db.reading() as session:
        one = _known(session, grant_id)
        for each in store.reads(session, grant_id, limit=FILE):
            table.writerow({name: rules.cell(value) for name, value in _line(each, own=_own(one)).items()})
    answer = Response(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="reads-{grant_id}.csv"'
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _line(one: Read, *, own: bool) -> dict[str, Any]:
    event = one.event
    return {
        "at": event.at.astimezone(BEIJING).isoformat(timespec="seconds"), "system": one.system,
        "person": one.person if own else None, "means": event.credential, "network": event.network,
        "face": event.face, "rows": event.rows, "bytes": event.size, "whole": "yes" if event.whole else "no",
    }  # fmt: skip


def _known(session: Session, grant_id: str) -> Granted:
    one = store.granted(session, grant_id)
    if one is None or not grant_rules.may_see(caller().roles, **units_of(one)):
        raise NotFound()
    return one


def _own(one: Granted) -> bool:
    """Whether the names of persons may be shown: to their own unit, to nobody else."""
    return caller().unit_id == one.grant.unit_id


# ---- of a dataset ----------------------------------------------------------------------------------------------------


@pages.get("/datasets/<dataset_id>/usage")
@requires(Role.STEWARD, Role.AUTHORITY, Role.AUDITOR)
def dataset_usage(dataset_id: str) -> ResponseReturnValue:
    """Show its use to its own stewards and those who oversee: by day, grant and way, and what stood out."""
    with db.reading() as session:
        dataset = _overseen(session, dataset_id)
        now = clock.now(session)
        since = day_of(now) - timedelta(days=DAYS - 1)
        daily = _daily(usage.dataset_by_day(session, dataset_id, since=since), since)
        return http.page(
            "home/usage.html", dataset=dataset, daily=daily, bars=rules.bars([read.rows for _day, read in daily]),
            grants=_by_grant(session, dataset_id, since, now=now), faces=FACES, days=DAYS,
            public=usage.dataset_by_grant(session, dataset_id, since=since).get("", usage.Usage()),
            by_face=usage.dataset_by_face(session, dataset_id, since=since),
            flags=usage.flags_of_dataset(session, dataset_id), total=_summed([read for _day, read in daily]),
        )  # fmt: skip


def may_see_usage(dataset: Dataset) -> bool:
    """Whether the caller may see who read a dataset how much."""
    who = caller()
    return who.has(Role.AUTHORITY, Role.AUDITOR) or (who.has(Role.STEWARD) and who.unit_id == dataset.source_unit_id)


def _overseen(session: Session, dataset_id: str) -> Dataset:
    dataset = catalogue.dataset(session, dataset_id)
    if not may_see_usage(dataset):
        raise NotFound()
    return dataset


def _daily(found: dict[date, usage.Usage], since: date) -> list[tuple[date, usage.Usage]]:
    days = [since + timedelta(days=place) for place in range(DAYS)]
    return [(day, found.get(day, usage.Usage())) for day in days]


def _by_grant(session: Session, dataset_id: str, since: date, *, now: datetime) -> list[dict[str, Any]]:
    """Return the grants that run or were read under, the one that took the most bytes first."""
    read = usage.dataset_by_grant(session, dataset_id, since=since)
    found = standings(session, store.granted_of(session, dataset_id), now=now)
    shown = [
        {"grant": one.grant, "unit": one.unit, "standing": standing, "usage": read.get(one.grant.id, usage.Usage())}
        for one, standing in found
        if one.grant.id in read or standing == "live"
    ]
    return sorted(shown, key=lambda line: -line["usage"].size)


def _summed(found: Sequence[usage.Usage]) -> usage.Usage:
    return usage.Usage(
        sum(one.answers for one in found), sum(one.rows for one in found), sum(one.size for one in found)
    )


# ---- a signed address ------------------------------------------------------------------------------------------------


@pages.post("/grants/<grant_id>/links")
@requires(*FIRM)
def make_link(grant_id: str) -> ResponseReturnValue:
    """Make a signed address of one file for a person of the grant's unit, and show it."""
    format = FORMATS.get(request.form.get("format", ""))
    with db.reading() as session:
        one = store.granted(session, grant_id)
    if one is None or format is None or not _own(one):
        raise NotFound()
    name = f"files/data.{format.suffix}"
    asked = replace(asked_of(one.dataset.id, "download", "links", name=name, format=format.name), grant_id=grant_id)
    document = signed(admitted(asked), name, format.name, lasting=links.LONGEST)
    answer = http.page(
        "home/link.html", grant=one.grant, dataset=one.dataset, format=format, url=document["url"],
        until=datetime.fromisoformat(str(document["expires_at"])),
    )  # fmt: skip
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
