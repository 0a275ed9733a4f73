"""Versions are loaded, reviewed, published, held and withdrawn, by more than one person; on both engines."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from service.audit.tables import Event
from service.base import db
from service.base.errors import Duplicate, NotFound, SecondPersonRequired, WrongState
from service.catalogue import store
from service.catalogue.actions import secrecy, versions
from service.catalogue.actions.versions import StoredData
from service.catalogue.rules.versions import (
    OVERLAP,
    NotAppendable,
    SecrecyReviewMissing,
    VersionOvertaken,
    VersionWithdrawn,
)
from service.catalogue.store import followers, history
from service.catalogue.tables import DatasetColumn
from service.grants.actions import telling
from service.notices import rules as notices
from service.notices.tables import Outbox
from service.policy import engine as policy
from service.screening import actions as screening
from tests import cases

DATASET, NOW = cases.DATASET, cases.NOW
DAY = timedelta(days=1)
REASON = {"zh": "时段有误", "en": "Wrong period"}


@pytest.fixture(autouse=True)
def world(database):
    """The car park records with one published version, their unit's three stewards, and the authority."""
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        screening.publish_editions(session, now=NOW)


def data(letter, rows=100):
    return StoredData(f"raw/{letter * 64}.parquet", letter * 64, rows, 1000, None, None)


def load(letter, *, append=False, by="steward", now=NOW, **more):
    with db.writing() as session:
        return versions.add_version(session, DATASET, [data(letter)], append=append, by=by, now=now, **more).number


def clear(number, now=NOW):
    """Take a version through its review: three persons."""
    with db.writing() as session:
        found = secrecy.file_review(session, DATASET, number, opinion="无涉密内容", by="steward", now=now)
        secrecy.review(session, found.id, opinion="同意", by="steward2", now=now)
        secrecy.approve(session, found.id, opinion="同意公开", by="reviewer", now=now)


def publish(number, *, by="steward2", now=NOW):
    with db.writing() as session:
        return versions.publish_version(session, DATASET, number, by=by, now=now)


def withdraw(number, *, successor=None, now=NOW):
    with db.writing() as session:
        return versions.withdraw_version(
            session, DATASET, number, reason=REASON, successor=successor, by="steward", now=now
        )


def latest(now=NOW):
    with db.reading() as session:
        found = store.latest_or_none(session, DATASET, now=now)
        return found.number if found else None


def retype(name="duration_min", kind="string"):
    with db.writing() as session:
        session.get(DatasetColumn, (DATASET, name)).type = kind


def told(number):
    with db.reading() as session:
        subject = f"version:{DATASET}:{number}"
        return [row.kind for row in session.exec(select(Event).where(Event.subject == subject).order_by(Event.version))]


# ---- loading --------------------------------------------------------------------------------------------------------


def test_what_is_appended_comes_after_the_parts_that_were_there_and_shares_them():
    assert load("a", append=True) == 2
    assert load("b", append=True) == 3
    with db.reading() as session:
        first, second, third = (store.parts(session, DATASET, number) for number in (1, 2, 3))
        assert [part.id for part in third] == [first[0].id, second[1].id, third[2].id]
        row = store.version(session, DATASET, 3)
        assert (row.rows, row.bytes, row.state, row.loaded_by) == (201, 2001, "loaded", "steward")
        assert store.part_counts(session, DATASET, [1, 2, 3]) == {1: 1, 2: 2, 3: 3}
    assert told(3) == ["version:load"]


def test_what_replaces_holds_itself_alone_and_the_same_again_is_no_version():
    assert load("a") == 2
    assert load("a") == 2
    assert load("a", append=True) == 2, "a part that is there is not there twice"
    with db.reading() as session:
        assert [part.sha256[0] for part in store.parts(session, DATASET, 2)] == ["a"]


def test_what_has_other_columns_is_not_appended():
    retype()
    with pytest.raises(NotAppendable) as fault:
        load("a", append=True)
    assert [error["field"] for error in fault.value.facts["errors"]] == ["duration_min"]
    assert load("a") == 2


def test_a_version_keeps_the_columns_that_it_came_with():
    retype()
    load("a")
    with db.reading() as session:
        types = [
            {each["name"]: each["type"] for each in store.version(session, DATASET, number).columns}["duration_min"]
            for number in (1, 2)
        ]
        [change] = store.version(session, DATASET, 2).changes
    assert types == ["integer", "string"]
    assert (change["kind"], change["breaking"]) == ("retyped", True)


# ---- the secrecy review ---------------------------------------------------------------------------------------------


def test_nothing_is_published_before_three_persons_have_reviewed_it():
    number = load("a", by="command")
    with pytest.raises(SecrecyReviewMissing):
        publish(number)
    with db.writing() as session:
        found = secrecy.file_review(session, DATASET, number, opinion="", by="steward", now=NOW)
        review = found.id
    for act, by in ((secrecy.review, "steward"), (secrecy.review, "reviewer")):
        with pytest.raises(SecondPersonRequired), db.writing() as session:
            act(session, review, opinion="", by=by, now=NOW)
    with pytest.raises(WrongState), db.writing() as session:
        secrecy.approve(session, review, opinion="", by="reviewer", now=NOW)
    with db.writing() as session:
        secrecy.review(session, review, opinion="", by="steward2", now=NOW)
    with pytest.raises(SecrecyReviewMissing):
        publish(number)
    for by in ("steward", "steward2"):
        with pytest.raises(SecondPersonRequired), db.writing() as session:
            secrecy.approve(session, review, opinion="", by=by, now=NOW)
    with db.writing() as session:
        secrecy.approve(session, review, opinion="", by="reviewer", now=NOW)
    assert publish(number).state == "published"
    assert told(number) == [
        "version:load", "secrecy:file", "secrecy:review", "secrecy:approve", "version:publish",
    ]  # fmt: skip


def test_strangers_and_firms_know_of_no_review():
    number = load("a")
    for by in ("outsider", "applicant", "reviewer"):
        with pytest.raises(NotFound), db.writing() as session:
            secrecy.file_review(session, DATASET, number, opinion="", by=by, now=NOW)
    with db.writing() as session:
        review = secrecy.file_review(session, DATASET, number, opinion="", by="steward", now=NOW).id
    for by in ("outsider", "applicant"):
        with pytest.raises(NotFound), db.writing() as session:
            secrecy.review(session, review, opinion="", by=by, now=NOW)


def test_a_refused_version_may_be_filed_again_and_a_version_under_review_may_not():
    number = load("a")
    with db.writing() as session:
        review = secrecy.file_review(session, DATASET, number, opinion="", by="steward", now=NOW).id
    with pytest.raises(Duplicate), db.writing() as session:
        secrecy.file_review(session, DATASET, number, opinion="", by="steward2", now=NOW)
    with db.writing() as session:
        secrecy.refuse(session, review, opinion="含内部批注", by="steward2", now=NOW)
    with pytest.raises(SecrecyReviewMissing):
        publish(number)
    clear(number)
    assert publish(number).state == "published"


def test_what_an_operator_states_at_the_terminal_is_a_review_with_its_basis():
    number = load("a", by="command")
    with pytest.raises(ValueError), db.writing() as session:
        secrecy.state_review(session, DATASET, number, basis=" ", by="command", now=NOW)
    for _ in range(2):
        with db.writing() as session:
            row = secrecy.state_review(session, DATASET, number, basis="线下审查单 12 号", by="command", now=NOW)
    assert (row.place, row.outcome, row.basis) == ("terminal", "cleared", "线下审查单 12 号")
    assert publish(number, by="command").state == "published"
    assert told(number) == ["version:load", "secrecy:file", "version:publish"]


# ---- publishing -----------------------------------------------------------------------------------------------------


def test_who_loaded_a_version_does_not_publish_it():
    number = load("a", by="steward2")
    clear(number)
    with pytest.raises(SecondPersonRequired):
        publish(number, by="steward2")
    assert publish(number, by="steward").state == "published"


def test_a_version_that_breaks_nothing_is_latest_at_once_and_publishing_again_changes_nothing():
    number = load("a")
    clear(number)
    publish(number)
    publish(number, now=NOW + DAY)
    assert latest() == 2
    assert told(number).count("version:publish") == 1


def test_a_version_that_breaks_waits_ninety_days_and_what_fits_it_comes_with_it():
    retype()
    for number, letter in ((2, "a"), (3, "b")):
        assert load(letter, append=number == 3) == number
        clear(number)
        publish(number, now=NOW + number * DAY)
    assert latest(NOW + 4 * DAY) == 1
    assert latest(NOW + 2 * DAY + OVERLAP) == 3
    with db.reading() as session:
        assert [row.number for row in history.held(session, DATASET, now=NOW + 4 * DAY)] == [3, 2]


def test_an_older_version_is_not_published_after_a_newer_one():
    for letter in "ab":
        clear(load(letter))
    publish(3)
    with pytest.raises(VersionOvertaken):
        publish(2)
    with db.reading() as session:
        [change] = [*store.version(session, DATASET, 3).changes, None]
        assert change is None


def test_two_who_load_or_publish_at_once_take_turns():
    """Each of them gets a number of its own; one publication is told once."""
    made, barrier = [], threading.Barrier(2)

    def at_once(act):
        barrier.wait()
        made.append(act())

    for acts in ([lambda: load("a"), lambda: load("b")], None):
        if acts is None:
            clear(3)
            made.clear()
            acts = [lambda: publish(3).number] * 2
        threads = [threading.Thread(target=at_once, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(made) in ([2, 3], [3, 3])
    assert told(3).count("version:publish") == 1


# ---- withdrawing ----------------------------------------------------------------------------------------------------


def test_a_withdrawn_version_is_served_no_more_and_names_its_successor():
    number = load("a")
    clear(number)
    publish(number)
    withdraw(1, successor=2, now=NOW + DAY)
    with db.reading() as session, pytest.raises(VersionWithdrawn) as gone:
        versions.demand_served(store.version(session, DATASET, 1))
    assert (gone.value.status, gone.value.facts["successor"], gone.value.facts["reason"]) == (410, 2, REASON)
    with pytest.raises(WrongState):
        withdraw(1)
    assert latest(NOW + DAY) == 2


def test_a_successor_is_a_published_version_and_not_itself():
    load("a")
    for successor in (1, 2, 9):
        with pytest.raises(NotFound):
            withdraw(1, successor=successor)


def test_when_nothing_else_is_left_nobody_waits_for_the_overlap():
    retype()
    number = load("a")
    clear(number)
    publish(number)
    assert latest() == 1
    withdraw(1, successor=2, now=NOW + DAY)
    assert (latest(NOW), latest(NOW + DAY)) == (1, 2), "what was latest yesterday stays what it was"


def test_a_withdrawn_version_is_not_what_the_next_one_goes_on_from():
    load("a", append=True)
    withdraw(2)
    assert load("b", append=True) == 3
    with db.reading() as session:
        assert [part.sha256[0] for part in store.parts(session, DATASET, 3)] == ["0", "b"]


# ---- being told -----------------------------------------------------------------------------------------------------


def put(kind):
    with db.reading() as session:
        return session.exec(select(Outbox).where(Outbox.kind == kind)).all()


def test_followers_are_told_what_changed_in_their_language():
    with db.writing() as session:
        for person in ("applicant", "stranger"):
            assert followers.follow(session, person, DATASET, now=NOW)
        assert not followers.follow(session, "applicant", DATASET, now=NOW)
        followers.unfollow(session, "stranger", DATASET)
        session.get(DatasetColumn, (DATASET, "plate")).level = 4
    number = load("a", append=True)
    clear(number)
    row = publish(number)
    with db.writing() as session:
        telling.tell_published(session, row, now=NOW)
    [entry] = put("version-published")
    assert entry.to_person == "applicant"
    assert notices.text(entry.kind, entry.facts) == (
        "停车场进出记录（合成数据） 发布了第 2 版：增加 100 行；新增分段 1 个，原有分段不变；"
        "字段 plate 的级别由 L3 改为 L4。"
    )
    assert "100 rows more" in entry.facts["what"]["en"]
    assert notices.path(entry.kind, entry.facts) == f"/datasets/{DATASET}#h-versions"


def test_a_unit_with_a_grant_is_told_of_a_version_that_waits_and_of_one_that_is_withdrawn():
    with db.writing() as session:
        grant = cases.signed(session, cases.approved(session))
        assert grant.unit_id == "firm"
        followers.follow(session, "applicant", DATASET, now=NOW)
    retype()
    number = load("a")
    clear(number)
    row = publish(number, now=NOW + DAY)
    with db.writing() as session:
        telling.tell_published(session, row, now=NOW + DAY)
        telling.tell_withdrawn(session, withdraw_in(session, 1), now=NOW + DAY)
    [held], [gone] = put("version-held"), put("version-withdrawn")
    assert (held.to_unit, held.to_person, gone.to_unit) == ("firm", None, "firm")
    assert "由整数改为文字" in notices.text(held.kind, held.facts)
    assert "请改用第 2 版" in notices.text(gone.kind, gone.facts)


def withdraw_in(session, number):
    return versions.withdraw_version(session, DATASET, number, reason=REASON, successor=2, by="steward", now=NOW + DAY)


def test_the_versions_that_wait_are_the_newest_loaded_ones_of_a_unit():
    load("a")
    load("b")
    with db.reading() as session:
        for unit, expected in (("transport-bureau", [3]), (None, [3]), ("other-bureau", [])):
            assert [row.number for row, _dataset in history.waiting(session, source_unit_id=unit)] == expected


def test_a_version_under_review_waits_beside_a_newer_one_until_that_is_published():
    older = load("a")
    with db.writing() as session:
        secrecy.file_review(session, DATASET, older, opinion="", by="steward", now=NOW)
    newer = load("b")
    with db.reading() as session:
        waiting = [row.number for row, _dataset in history.waiting(session, source_unit_id=None)]
    assert waiting == [older, newer]
    clear(newer)
    publish(newer)
    with db.reading() as session:
        assert history.waiting(session, source_unit_id=None) == []


def test_rows_of_data_that_is_not_open_are_told_by_tens():
    with db.reading() as session:
        found = store.dataset(session, DATASET)
        row = store.version(session, DATASET, 1)
    more = replace_rows(row, 1007)
    assert telling.rows_said(found, row, more) == ["增加 1,000 行"]


def replace_rows(row, rows):
    return type(row)(**row.model_dump() | {"rows": rows})
