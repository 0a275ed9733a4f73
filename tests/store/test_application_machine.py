"""The application machine: any order of acts by anybody leaves the case where a plain model says it is."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.applications import actions, store
from service.applications.actions import Wish
from service.applications.rules import Verb
from service.audit import store as audit
from service.base import db
from service.base.errors import Refusal
from service.grants import store as grants
from service.policy import engine as policy
from service.screening import actions as screening
from tests import cases
from tests.cases import ACTORS, COLUMNS, ENDS_ON, NOW

STEPS = ("steward", "authority")
ROLE = {
    "steward": {"steward"},
    "steward2": {"steward"},
    "both": {"steward", "authority"},
    "reviewer": {"authority"},
    "reviewer2": {"authority"},
}
FIRM = ("applicant", "manager")
ANYBODY = (*FIRM, "stranger", *ROLE, "outsider", "auditor")
DECIDERS = ("steward", "steward2", "both", "reviewer", "reviewer2", "outsider", "auditor", "applicant")


class Case(RuleBasedStateMachine):
    """One case.  The model is a handful of values; every act is tried on both."""

    @initialize()
    def draft(self):
        with db.writing() as session:
            self.id = cases.drafted(session).id
        self.state, self.step, self.version = "draft", 0, 0
        self.columns, self.ends_on = [], None
        self.drafted = list(COLUMNS)
        self.decided: list[tuple[int, str]] = []

    def attempt(self, act) -> bool:
        """Try an act in a transaction of its own; whether it was let through."""
        try:
            with db.writing() as session:
                act(session)
        except Refusal:
            return False
        return True

    @rule(who=st.sampled_from(ANYBODY), columns=st.sets(st.sampled_from(COLUMNS), min_size=1))
    def save(self, who, columns):
        form = cases.draft(columns=sorted(columns))
        done = self.attempt(lambda session: actions.save_draft(session, self.id, form, by=ACTORS[who], now=NOW))
        assert done == (who in FIRM and self.state in ("draft", "returned"))
        if done:
            self.drafted = [name for name in COLUMNS if name in columns]

    @rule(who=st.sampled_from(ANYBODY), back=st.integers(0, 1))
    def submit(self, who, back):
        seen = self.version - back
        done = self.attempt(lambda session: actions.submit(session, self.id, by=ACTORS[who], now=NOW, seen=seen))
        assert done == (who in FIRM and back == 0 and self.state in ("draft", "returned"))
        if done:
            self.moved("in_review", 0)
            self.columns, self.ends_on = self.drafted, ENDS_ON

    @rule(who=st.sampled_from(ANYBODY), back=st.integers(0, 1))
    def withdraw(self, who, back):
        seen = self.version - back
        done = self.attempt(lambda session: actions.withdraw(session, self.id, by=ACTORS[who], now=NOW, seen=seen))
        assert done == (who in FIRM and back == 0 and self.state in ("draft", "in_review", "returned", "approved"))
        if done:
            self.moved("withdrawn", self.step)

    @rule(
        who=st.sampled_from(DECIDERS), verb=st.sampled_from(["approve", "approve", "narrow", "return", "refuse"]),
        back=st.sampled_from([0, 0, 0, 1]), drop=st.integers(0, 2), days=st.sampled_from([0, 0, 10, -10]),
    )  # fmt: skip
    def decide(self, who, verb, back, drop, days):
        kept = self.columns[drop:]
        ends_on = (self.ends_on or date(2027, 1, 1)) - timedelta(days=days)
        wish = Wish(Verb(verb), "理由如下", kept, ends_on)
        seen = self.version - back
        done = self.attempt(lambda session: actions.decide(session, self.id, wish, seen=seen, by=ACTORS[who], now=NOW))
        assert done == (back == 0 and self.may_decide(who) and self.holds_together(verb, kept, days, drop))
        if not done:
            return
        self.decided.append((self.step, who))
        if verb in ("return", "refuse"):
            self.moved("returned" if verb == "return" else "refused", self.step)
            return
        self.columns, self.ends_on = kept, ends_on
        last = self.step + 1 == len(STEPS)
        self.moved("approved" if last else "in_review", self.step if last else self.step + 1)

    @rule(who=st.sampled_from(ANYBODY), forged=st.booleans())
    def sign(self, who, forged):
        def act(session):
            digest = "0" * 64 if forged else actions.agreement_of(session, store.application(session, self.id)).digest
            actions.sign(session, self.id, seen=self.version, digest=digest, by=ACTORS[who], now=NOW)

        done = self.attempt(act)
        assert done == (who == "manager" and self.state == "approved" and not forged)
        if done:
            self.moved("granted", self.step)

    @rule()
    def go_on(self):
        """Do what comes next, by a person whose turn it is: random acts alone seldom reach a grant."""
        if self.state in ("draft", "returned"):
            self.submit("applicant", 0)
        elif self.state == "in_review":
            who = next((who for who in DECIDERS if self.may_decide(who)), "steward")
            self.decide(who, "approve", 0, 0, 0)
        else:
            self.sign("manager", False)

    def moved(self, state, step):
        self.state, self.step, self.version = state, step, self.version + 1

    def may_decide(self, who) -> bool:
        if self.state != "in_review" or STEPS[self.step] not in ROLE.get(who, set()):
            return False
        return all(by != who or step == self.step for step, by in self.decided)

    def holds_together(self, verb, kept, days, drop) -> bool:
        if verb in ("return", "refuse"):
            return True
        narrower = (drop > 0 or days > 0) and bool(kept) and days >= 0
        return narrower if verb == "narrow" else (drop == 0 and days == 0)

    @invariant()
    def the_case_is_where_the_model_is(self):
        with db.reading() as session:
            case = store.application(session, self.id)
            assert (case.state, case.version) == (self.state, self.version)
            assert case.step == self.step or self.state == "withdrawn"
            assert case.columns == self.columns
            assert case.ends_on == self.ends_on
            assert (case.due_at is not None) == (self.state == "in_review") == (case.step_role is not None)

    @invariant()
    def every_version_was_told_once(self):
        with db.reading() as session:
            told = [event.version for event in audit.events_of(session, f"application:{self.id}")]
            assert told == [row.version for row in store.history(session, self.id)] == list(range(1, self.version + 1))

    @invariant()
    def only_a_signed_case_has_a_grant_of_just_what_was_left(self):
        with db.reading() as session:
            found = [grant for grant in grants.of_unit(session, "firm") if grant.application_id == self.id]
            assert len(found) == (self.state == "granted")
            assert all(grant.columns == self.columns for grant in found)
            if self.state == "granted":
                by_step = dict(self.decided)
                assert by_step[0] != by_step[1]

    def teardown(self):
        with db.writing() as session:
            store.release(session, getattr(self, "id", ""))


@pytest.mark.usefixtures("sqlite")
def test_any_order_of_acts_leaves_the_case_where_the_model_says():
    policy.use(cases.policies())
    with db.writing() as session:
        cases.settle(session)
        screening.publish_editions(session, now=NOW)
    run_state_machine_as_test(
        Case,
        settings=settings(
            max_examples=40,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
