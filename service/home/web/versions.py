"""The versions of a dataset: what changed, how each is cited; for its stewards, reviews, publication, withdrawal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import PERSONS, Role, caller, caller_or_none, requires
from service.base.db import Session
from service.base.errors import Invalid, NotFound
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import N_, gettext
from service.catalogue import store as catalogue
from service.catalogue.actions import secrecy
from service.catalogue.actions import versions as actions
from service.catalogue.forms import FollowingForm, OpinionForm, WithdrawalForm
from service.catalogue.rules import secrecy as rules
from service.catalogue.rules.secrecy import Act
from service.catalogue.rules.versions import VersionState
from service.catalogue.store import followers
from service.catalogue.store import secrecy as reviews
from service.catalogue.tables import Dataset, DatasetVersion, SecrecyReview
from service.grants.actions import telling
from service.home.web import feed, history
from service.home.web.parts import pages
from service.notices import jobs as outbox
from service.people import store as people
from service.screening import jobs as publishing

FED = 30  # versions in the feed
TO_FILE, TO_PUBLISH = N_("待送保密审查"), N_("待发布")


@pages.get("/datasets/<dataset_id>/versions")
@requires(Role.PUBLIC)
def versions(dataset_id: str) -> ResponseReturnValue:
    """List the versions: to everybody those that were published, to its officers all of them."""
    with db.reading() as session:
        now = clock.now(session)
        found = _dataset(session, dataset_id)
        rows = catalogue.versions(session, dataset_id) if _oversees(found) else None
        rows = catalogue.public_versions(session, dataset_id) if rows is None else rows
        return http.page(
            "home/versions.html",
            dataset=found,
            versions=history.told(session, found, rows, now=now),
            rounded=found.openness != "unconditional",
            follows=_follows(session, dataset_id),
        )


@pages.get("/datasets/<dataset_id>/versions/<int:number>")
@requires(Role.PUBLIC)
def version(dataset_id: str, number: int) -> ResponseReturnValue:
    """Show one version: its columns, what changed, its citation; to its officers, its reviews and what may be done."""
    with db.reading() as session:
        return _page(session, dataset_id, number, now=clock.now(session))


@pages.get("/api/v1/datasets/<dataset_id>/versions")
@requires(Role.PUBLIC)
def dataset_versions(dataset_id: str) -> ResponseReturnValue:
    """Answer the versions that everybody may know of, the newest first: {"latest": number or null, "versions"}.

    A version that was withdrawn stays in the list, with why and which one to take instead.
    """
    with db.reading() as session:
        now = clock.now(session)
        found = catalogue.published_dataset(session, dataset_id)
        rows = catalogue.public_versions(session, dataset_id)
        told = history.told(session, found, rows, now=now)
        latest = catalogue.latest_or_none(session, dataset_id, now=now)
    return http.json_answer(
        {"latest": latest.number if latest else None, "versions": [history.document(one, found) for one in told]}
    )


@pages.get("/datasets/<dataset_id>/versions.atom")
@requires(Role.PUBLIC)
def versions_feed(dataset_id: str) -> ResponseReturnValue:
    """Answer the versions as an Atom feed, for readers and programs that follow without an account."""
    with db.reading() as session:
        now = clock.now(session)
        found = catalogue.published_dataset(session, dataset_id)
        source = people.unit(session, found.source_unit_id)
        rows = catalogue.public_versions(session, dataset_id, limit=FED)
        body = feed.atom(found, source, history.told(session, found, rows, now=now), base=http.settings().base_url)
    return Response(body, mimetype="application/atom+xml")


# ---- acts -----------------------------------------------------------------------------------------------------------


@pages.post("/datasets/<dataset_id>/versions/<int:number>/reviews")
@requires(Role.STEWARD, fresh=True)
def file_review(dataset_id: str, number: int) -> ResponseReturnValue:
    """File a version for its secrecy review."""
    values = form_data(request.form)
    try:
        form = parse(OpinionForm, values)
    except Invalid as fault:
        return _again(dataset_id, number, "review", values, fault)
    with db.writing() as session:
        by, now = caller().person_id, clock.now(session)
        secrecy.file_review(session, dataset_id, number, opinion=form.opinion, by=by, now=now)
    return http.see_other(f"/datasets/{dataset_id}/versions/{number}#h-review")


@pages.post("/datasets/<dataset_id>/versions/<int:number>/opinions")
@requires(Role.STEWARD, Role.AUTHORITY, fresh=True)
def give_opinion(dataset_id: str, number: int) -> ResponseReturnValue:
    """Review, approve or refuse: whichever the open review of this version waits for."""
    values = form_data(request.form)
    try:
        form = parse(OpinionForm, values)
    except Invalid as fault:
        return _again(dataset_id, number, "opinion", values, fault)
    with db.writing() as session:
        by, now = caller().person_id, clock.now(session)
        found = reviews.standing_review(session, dataset_id, number)
        if found is None:
            raise NotFound()
        act = secrecy.refuse if form.act == "refuse" else _next_act(found)
        act(session, found.id, opinion=form.opinion, by=by, now=now)
    return http.see_other(f"/datasets/{dataset_id}/versions/{number}#h-review")


@pages.post("/datasets/<dataset_id>/versions/<int:number>/publication")
@requires(Role.STEWARD, fresh=True)
def publish(dataset_id: str, number: int) -> ResponseReturnValue:
    """Publish a version that was reviewed, as somebody else than the one who loaded it."""
    with db.reading() as session:
        _demand_steward(catalogue.dataset(session, dataset_id))
    publishing.publish_dataset(dataset_id, number=number, by=caller().person_id)
    outbox.deliver()
    return http.see_other(f"/datasets/{dataset_id}/versions/{number}")


@pages.post("/datasets/<dataset_id>/versions/<int:number>/withdrawal")
@requires(Role.STEWARD, fresh=True)
def withdraw(dataset_id: str, number: int) -> ResponseReturnValue:
    """Withdraw a version for good, saying why and what to take instead."""
    values = form_data(request.form)
    try:
        form = parse(WithdrawalForm, values)
    except Invalid as fault:
        return _again(dataset_id, number, "withdrawal", values, fault)
    with db.writing() as session:
        _demand_steward(catalogue.dataset(session, dataset_id))
        now, reason = clock.now(session), {"zh": form.reason_zh, "en": form.reason_en}
        row = actions.withdraw_version(
            session, dataset_id, number, reason=reason, successor=form.successor, by=caller().person_id, now=now
        )
        if row.published_at is not None:
            telling.tell_withdrawn(session, row, now=now)
    outbox.deliver()
    return http.see_other(f"/datasets/{dataset_id}/versions/{number}")


@pages.post("/datasets/<dataset_id>/following")
@requires(*PERSONS)
def follow(dataset_id: str) -> ResponseReturnValue:
    """Follow a dataset, or follow it no longer."""
    form = parse(FollowingForm, form_data(request.form))
    with db.writing() as session:
        _dataset(session, dataset_id)
        if form.follow == "yes":
            followers.follow(session, caller().person_id, dataset_id, now=clock.now(session))
        else:
            followers.unfollow(session, caller().person_id, dataset_id)
    return http.see_other(f"/datasets/{dataset_id}#h-versions")


# ---- the page of one ------------------------------------------------------------------------------------------------


def _page(
    session: Session, dataset_id: str, number: int, *, now: datetime, form: str = "",
    values: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    found = _dataset(session, dataset_id)
    row = catalogue.version(session, dataset_id, number)
    if row.published_at is None and not _oversees(found):
        raise NotFound()
    earlier = [each for each in catalogue.public_versions(session, dataset_id) if each.number < number]
    one = history.told(session, found, [row, *earlier[:1]], now=now)[0]
    source, before = people.unit(session, found.source_unit_id), _before(session, row)
    address = f"/datasets/{dataset_id}/versions/{number}"
    titles = {column.name: column.title for column in catalogue.columns(session, dataset_id)}
    return http.page(
        "home/version.html",
        status=422 if errors else 200,
        dataset=found,
        one=one,
        titles=titles,
        before=before,
        beside=history.beside(before, row) if before else [],
        rounded=found.openness != "unconditional",
        cited=history.cited(found, source, row, one.checksum, address=address, now=now),
        office=_office(session, found, row) if _oversees(found) else None,
        form=form,
        values=values or {},
        errors=errors or {},
    )


def _before(session: Session, row: DatasetVersion) -> DatasetVersion | None:
    """Return the version whose columns are shown beside: the published one before, where a change breaks with it."""
    if not any(change["breaking"] for change in row.changes):
        return None
    earlier = catalogue.public_versions(session, row.dataset_id)
    return next((each for each in earlier if each.number < row.number), None)


def _office(session: Session, found: Dataset, row: DatasetVersion) -> dict[str, Any]:
    """Return what only the officers of a dataset see of a version, and what this one may do now."""
    held = reviews.reviews(session, found.id, row.number)
    standing = next((each for each in held if each.outcome != rules.Outcome.REFUSED), None)
    reader = secrecy.reader(session, found.id, caller().person_id)
    newest = catalogue.newest_published(session, found.id)
    overtaken = row.state == VersionState.LOADED and newest is not None and newest.number > row.number
    loaded, steward = row.state == VersionState.LOADED and not overtaken, _is_steward(found)
    due = rules.due(standing) if standing else None
    cleared = standing is not None and standing.outcome == rules.Outcome.CLEARED
    return {
        "overtaken": newest.number if overtaken and newest else None,
        "reviews": held,
        "names": people.names_of(session, _persons(held, row)),
        "outcomes": rules.OUTCOME_TITLES,
        "due": due,
        "due_title": rules.ACT_TITLES[due] if due else "",
        "may_file": loaded and standing is None and rules.may_file(reader),
        "may_give": not overtaken and due is not None and standing is not None and rules.may(reader, due, standing),
        "may_publish": loaded and cleared and steward and _second(row, standing),
        "waits_for_another": loaded and cleared and steward and not _second(row, standing),
        "may_withdraw": row.state != VersionState.WITHDRAWN and steward,
        "successors": [
            (str(each.number), gettext("第 %(n)s 版", n=each.number))
            for each in catalogue.public_versions(session, found.id)
            if each.state == VersionState.PUBLISHED and each.number != row.number
        ],
    }


def _second(row: DatasetVersion, standing: SecrecyReview | None) -> bool:
    return standing is not None and (standing.place == "terminal" or row.loaded_by != caller().person_id)


def _persons(held: Sequence[SecrecyReview], row: DatasetVersion) -> set[str]:
    found = {row.loaded_by}
    for each in held:
        found |= {each.filed_by, each.reviewed_by or "", each.approved_by or ""}
    return found - {""}


def _next_act(found: SecrecyReview) -> Any:
    return secrecy.approve if rules.due(found) is Act.APPROVE else secrecy.review


def _again(dataset_id: str, number: int, form: str, values: Mapping[str, Any], fault: Invalid) -> Response:
    with db.reading() as session:
        now, errors = clock.now(session), errors_by_field(fault)
        _demand_overseer(catalogue.dataset(session, dataset_id))
        return _page(session, dataset_id, number, now=now, form=form, values=values, errors=errors)


def step_of(session: Session, found: Dataset, row: DatasetVersion) -> str:
    """Return what the reader is to do about a loaded version, as a message; empty when nothing is theirs to do."""
    standing = reviews.standing_review(session, found.id, row.number)
    reader = secrecy.reader(session, found.id, caller().person_id)
    if standing is None:
        return TO_FILE if rules.may_file(reader) else ""
    due = rules.due(standing)
    if due is None:
        return TO_PUBLISH if _is_steward(found) and _second(row, standing) else ""
    return rules.ACT_TITLES[due] if rules.may(reader, due, standing) else ""


# ---- who ------------------------------------------------------------------------------------------------------------


def _dataset(session: Session, dataset_id: str) -> Dataset:
    """Return a dataset that the reader may know of."""
    found = catalogue.dataset(session, dataset_id)
    if found.state != "published" and not _oversees(found):
        raise NotFound()
    return found


def _oversees(found: Dataset) -> bool:
    who = caller_or_none()
    return who is not None and (who.has(Role.AUTHORITY) or _is_steward(found))


def _is_steward(found: Dataset) -> bool:
    who = caller_or_none()
    return who is not None and who.has(Role.STEWARD) and who.unit_id == found.source_unit_id


def _demand_steward(found: Dataset) -> None:
    if not _is_steward(found):
        raise NotFound()


def _demand_overseer(found: Dataset) -> None:
    if not _oversees(found):
        raise NotFound()


def _follows(session: Session, dataset_id: str) -> bool | None:
    """Whether the reader follows the dataset; None for a visitor."""
    who = caller_or_none()
    return followers.follows(session, who.person_id, dataset_id) if who else None
