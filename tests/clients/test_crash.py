"""The service is killed at five seeded moments among 50 submissions: no half case, no lost receipt, nothing twice."""

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from click.testing import CliRunner

from service.applications.tables import Application, History, OpenCase
from service.audit.tables import Event
from service.base import db
from service.base.db import select
from service.cli import main
from service.notices.tables import Outbox
from service.screening.tables import Screening
from tests import running
from tests.clients.conftest import Place
from tests.clients.drafts import CHOICES, make_draft
from tests.visiting import Visitor

SUBMISSIONS, KILLS, SEED = 50, 5, 20260315
LOST = (OSError, http.client.HTTPException)  # the connection went away with the server, or there is none


@dataclass
class Firm(threading.Thread):
    """One firm's program: submits its drafts one after the other, and each again until it has an answer."""

    visitor: Visitor
    drafts: list[str]
    tally: "Tally"
    answers: dict[str, list[int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        for draft in self.drafts:
            while (status := self._submit(draft)) not in (201, 409):
                assert status is None, status
                time.sleep(0.1)

    def _submit(self, draft: str) -> int | None:
        """Return the answer's status, None when there was none."""
        self.tally.begin()
        try:
            status = self.visitor.post(f"/api/v1/applications/{draft}/submission", body={"version": 0}).status
        except LOST:
            status = None
        self.answers.setdefault(draft, []).append(status)
        self.tally.end(well=status is not None)
        return status


class Tally:
    """How far the submissions are; the killer waits for its moments here."""

    def __init__(self) -> None:
        self.done, self.under_way = 0, 0
        self.changed = threading.Condition()

    def begin(self) -> None:
        with self.changed:
            self.under_way += 1
            self.changed.notify_all()

    def end(self, *, well: bool) -> None:
        with self.changed:
            self.under_way -= 1
            self.done += well
            self.changed.notify_all()

    def wait_for(self, done: int) -> None:
        """Wait until `done` submissions are answered and the next is under way."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.done >= done and self.under_way > 0, timeout=60)


def test_no_half_case_whenever_the_server_is_killed(place: Place) -> None:
    port, chance, firms, tally = running.free_port(), random.Random(SEED), [], Tally()
    for moment in [*_moments(chance), None]:
        with running.serving(place.home, place.variables, command="run", port=port) as site:
            if not firms:
                firms = [_firm(site, number, tally) for number in range(2)]
                for firm in firms:
                    firm.start()
            if moment is None:
                for firm in firms:
                    firm.join(timeout=60)
                assert not any(firm.is_alive() for firm in firms)
            else:
                tally.wait_for(moment)
                time.sleep(chance.uniform(0, 0.03))
                running.kill(site.process)
        counted = _no_half_case(firms)
        assert moment is None or counted["draft"] > 0
    assert counted == {"whole": SUBMISSIONS}
    _each_once(firms)
    _verified(place)


def _firm(site: running.Running, number: int, tally: Tally) -> Firm:
    """Return a firm, logged in, with its half of the drafts; no two of its drafts ask for the same columns."""
    visitor = Visitor(site.base_url)
    visitor.login(site.account("applicant", number))
    drafts = [make_draft(visitor, columns) for columns in CHOICES[: SUBMISSIONS // 2]]
    return Firm(visitor, drafts, tally)


def _moments(chance: random.Random) -> list[int]:
    """Return after how many answers the server is killed: one moment in each fifth of the way."""
    part = SUBMISSIONS // KILLS
    return [part * number + chance.randrange(1, part - 1) for number in range(KILLS)]


def _no_half_case(firms: list[Firm]) -> Counter[str]:
    """Each case is a draft with nothing beside it or submitted with everything; what was answered is still there."""
    cases, parts, counted = _cases(), _parts(), Counter[str]()
    for firm in firms:
        for draft in firm.drafts:
            case = cases[draft]
            whole = case.state == "in_review"
            assert whole or case.state == "draft", case
            assert (case.version, case.step_role) == ((1, "steward") if whole else (0, None)), case
            for part in (case.number, case.submitted_at, case.screening_id, case.due_at):
                assert (part is not None) == whole, case
            assert {name: counts[draft] for name, counts in parts.items()} == dict.fromkeys(parts, int(whole)), case
            assert whole or 201 not in firm.answers.get(draft, []), case
            counted["whole" if whole else "draft"] += 1
    return counted


def _cases() -> dict[str, Application]:
    with db.reading() as session:
        return {case.id: case for case in session.exec(select(Application))}


def _parts() -> dict[str, Counter[str]]:
    """Return how many of each part of a submission there are, by application."""
    with db.reading() as session:
        screened = session.exec(select(Screening.subject).where(Screening.moment == "submit"))
        past = select(History.application_id).where(History.version == 1, History.verb == "submit")
        told = session.exec(select(Event.subject).where(Event.kind == "application:submit", Event.version == 1))
        outbox = session.exec(select(Outbox)).all()
        return {
            "screening": Counter(subject.removeprefix("application:") for subject in screened),
            "history": Counter(session.exec(past)),
            "event": Counter(subject.removeprefix("application:") for subject in told),
            "claim": Counter(session.exec(select(OpenCase.application_id))),
            **{
                kind: Counter(entry.facts["application"] for entry in outbox if entry.kind == kind)
                for kind in ("application-received", "application-submitted")
            },
        }


def _each_once(firms: list[Firm]) -> None:
    """Each submission was accepted once: a case that nobody was told of answers its retry with 409."""
    for firm in firms:
        for draft, answers in firm.answers.items():
            assert answers[-1] in (201, 409), (draft, answers)
            assert answers.count(201) <= 1, (draft, answers)
            assert 201 in answers or None in answers, (draft, answers)
    numbers = [case.number for case in _cases().values() if case.number]
    assert len(numbers) == len(set(numbers))
    assert any(None in answers for firm in firms for answers in firm.answers.values())


def _verified(place: Place) -> None:
    environment = {"QIANTANG_HOME": str(place.home), **place.variables}
    result = CliRunner().invoke(main, ["audit", "verify"], env=environment)
    assert result.exit_code == 0, result.output
