"""Several people at one served process at once: nothing is lost, nothing happens twice, nobody gets a 5xx."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from service.applications.tables import Application
from service.base import db
from service.base.db import select
from service.home.jobs.cast import cast
from tests import running
from tests.clients.conftest import Place
from tests.clients.drafts import CHOICES, DRAFT, make_draft
from tests.visiting import Visitor

THREADS, ROUNDS = 4, 5


def test_many_save_and_submit_at_once_without_an_error(place: Place) -> None:
    with running.serving(place.home, place.variables, command="run") as site:
        people = [_person(site, number) for number in range(THREADS)]
        contested = make_draft(people[0], CHOICES[-1])
        together = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            work = [pool.submit(_work, who, number, contested, together) for number, who in enumerate(people)]
            answers = [status for each in work for status in each.result(timeout=120)]
        log = [json.loads(line) for line in site.log.read_text().splitlines()]
    # Own drafts are all made, saved twice and submitted; the contested one is submitted once, by one of its unit.
    expected = {201: THREADS * ROUNDS + 1, 303: THREADS * ROUNDS * 2, 409: THREADS // 2 - 1, 404: THREADS // 2}
    assert Counter(answers) == expected
    assert [line for line in log if line["level"] in ("error", "critical")] == []
    _numbered_without_a_gap()


def _person(site: running.Running, number: int) -> Visitor:
    """Return somebody who is logged in; every other one belongs to the other firm."""
    who = Visitor(site.base_url)
    who.login(site.account("applicant", number % 2))
    return who


def _work(who: Visitor, number: int, contested: str, together: threading.Barrier) -> list[int]:
    answers = []
    for turn in range(ROUNDS):
        draft = make_draft(who, CHOICES[number // 2 * ROUNDS + turn])
        together.wait(timeout=60)
        for statement in ("第一稿说明。", "分析停车场分时段周转率，改进诱导。"):
            form = {"purpose": DRAFT["purpose"], "statement": statement, "go": "next"}
            answers.append(who.post(f"/applications/{draft}/draft/purpose", form=form).status)
        answers.append(_submit(who, draft))
    together.wait(timeout=60)
    return [*answers, _submit(who, contested)]


def _submit(who: Visitor, draft: str) -> int:
    return who.post(f"/api/v1/applications/{draft}/submission", body={"version": 0}).status


def _numbered_without_a_gap() -> None:
    with db.reading() as session:
        cases = session.exec(select(Application)).all()
    numbers = sorted(int(case.number.rpartition("-")[2]) for case in cases if case.number)
    assert numbers == list(range(1, len(numbers) + 1))
    of_the_demo = sum(1 + len(case.get("more", ())) for case in cast()["cases"] if case["steps"])
    assert len(numbers) == THREADS * ROUNDS + 1 + of_the_demo  # with the contested one
