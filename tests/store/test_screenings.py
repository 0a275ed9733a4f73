"""Screenings are kept whole, and come out the same when they are judged again."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from service.base import db
from service.base.errors import NotFound
from service.policy import engine as policy
from service.screening import actions, commands, engine, jobs, store
from service.screening.rules import Ask, NotPublishable, canonical, for_everybody
from service.screening.tables import Screening
from tests import cases
from tests.cases import COLUMNS, DATASET, NOW, PLATE

ASK = Ask(DATASET, tuple(COLUMNS), (), "firm", "analytics.operations", "分析周转", "download", 90, False, False, False)


@pytest.fixture(autouse=True)
def world(database):
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        actions.publish_editions(session, now=NOW)


def test_what_is_judged_is_kept_with_facts_verdict_and_digests():
    with db.writing() as session:
        judged = actions.screen(session, ASK, subject="application:a1", moment="submit", now=NOW)
    with db.reading() as session:
        kept = store.screening(session, judged.id)
        assert kept.verdict["outcome"] == "condition"
        assert canonical(kept.facts) == canonical(judged.facts)
        assert canonical(kept.verdict) == canonical(judged.verdict)
        assert set(kept.digests) == {each["digest"] for each in kept.verdict["lists"]}
        assert set(store.bodies(session, kept.digests)) == set(kept.digests)


def test_the_plate_is_prohibited_with_its_clause_and_no_other_column_is():
    with db.reading() as session:
        verdicts = actions.column_verdicts(session, Ask(DATASET, (PLATE, *COLUMNS), unit_id="firm"), now=NOW)
    assert verdicts[PLATE]["own_outcome"] == "prohibit"
    rule = next(rule for rule in verdicts[PLATE]["own"] if rule["outcome"] == "prohibit")
    assert rule["id"] == "TR-001"
    assert rule["basis"]
    assert rule["remedy"]
    assert all(verdicts[name]["own_outcome"] != "prohibit" for name in COLUMNS)


def test_a_preview_keeps_nothing():
    with db.writing() as session:
        actions.preview(session, ASK, now=NOW)
    with db.reading() as session:
        assert not store.screenings(session)


def test_a_verdict_of_other_lists_is_never_remembered():
    with db.reading() as session:
        before = actions.preview(session, ASK, now=NOW).verdict
        again = actions.preview(session, ASK, now=NOW).verdict
        policy.use(replace(cases.policies(), lists=()))
        without = actions.preview(session, ASK, now=NOW).verdict
        policy.use(cases.policies())
        after = actions.preview(session, ASK, now=NOW).verdict
    assert without["lists"] == [] and before["lists"]
    assert canonical(before) == canonical(again) == canonical(after)


def test_what_stands_before_anybody_asks_is_found_anew_under_other_policies():
    """The same lists with another vocabulary or other routes close other columns and name other officers."""
    with db.reading() as session:
        before = actions.standing(session, DATASET, now=NOW)
        assert actions.standing(session, DATASET, now=NOW) is before
        policy.use(replace(cases.policies(), routes=cases.policies().routes))
        assert actions.standing(session, DATASET, now=NOW) is not before


def test_an_unknown_dataset_or_unit_is_not_found():
    with db.reading() as session:
        for ask in (Ask("nothing", ("a",)), Ask(DATASET, ("lot_id",), unit_id="nobody")):
            with pytest.raises(NotFound):
                actions.preview(session, ask, now=NOW)


def test_editions_are_published_once():
    with db.writing() as session:
        assert actions.publish_editions(session, now=NOW) == 0
    with db.reading() as session:
        assert {edition.digest for edition in store.editions(session)} == {each.digest for each in engine.editions()}


def test_every_stored_screening_comes_out_the_same_again():
    with db.writing() as session:
        for columns in (COLUMNS, [PLATE], [PLATE, *COLUMNS]):
            actions.screen(session, Ask(DATASET, tuple(columns), unit_id="firm"), subject="application:a1",
                           moment="submit", now=NOW)  # fmt: skip
    assert jobs.replay() == (3, [])


def test_replay_names_a_verdict_that_was_changed_and_an_edition_that_is_gone():
    with db.writing() as session:
        judged = [actions.screen(session, ASK, subject=f"application:a{n}", moment="submit", now=NOW) for n in range(3)]
    with db.writing() as session:
        forged = session.get(Screening, judged[0].id)
        forged.verdict = {**forged.verdict, "outcome": "pass"}
        lost = session.get(Screening, judged[1].id)
        lost.digests = ["f" * 64]
    count, wrong = jobs.replay()
    assert count == 3
    assert {each.screening_id for each in wrong} == {judged[0].id, judged[1].id}


def test_replay_says_so_at_the_terminal(database, tmp_path, monkeypatch):
    monkeypatch.setenv("QIANTANG_DATABASE_URL", database.url)
    monkeypatch.setenv("QIANTANG_HOME", str(tmp_path))
    with db.writing() as session:
        actions.screen(session, ASK, subject="application:a1", moment="submit", now=NOW)
    result = CliRunner().invoke(commands.replay)
    assert (result.exit_code, result.output) == (0, "1 same, 0 different\n")


def test_a_candidate_list_shows_which_live_grants_it_would_change(tmp_path):
    with db.writing() as session:
        application = cases.approved(session)
        cases.signed(session, application)
    stricter = tmp_path / "2026-2.yaml"
    stricter.write_text(
        """format: negative-list/1
id: hz.candidate
edition: 2026-2
domain: transport
title: {zh: 试用, en: Candidate}
issued_by: {zh: 试, en: Test}
effective: {from: 2026-01-01}
rules:
- id: TR-901
  title: {zh: 进出时间不得提供, en: No times}
  basis: [{law: 测试, kind: law, mark: read}]
  outcome: prohibit
  when: {columns: {any_of: [time.event]}}
  remedy: {zh: 去掉, en: Drop}
""",
        encoding="utf-8",
    )
    count, shifts = jobs.impact(stricter)
    assert count == 1
    assert [(shift.before, shift.after, shift.rules) for shift in shifts] == [("condition", "prohibit", ("TR-901",))]


def test_a_dataset_that_everybody_may_not_have_is_not_published():
    with db.writing() as session:
        verdicts = actions.column_verdicts(session, for_everybody(DATASET, [PLATE, "lot_id"]), now=NOW)
        assert verdicts["lot_id"]["own_outcome"] == "pass"
        with pytest.raises(NotPublishable):
            jobs.publishing._judge(session, DATASET, "unconditional", now=NOW)
