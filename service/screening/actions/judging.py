"""Judging requests, keeping what was judged, and publishing the lists' editions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.audit.actions import record
from service.base.beijing import beijing_date, day_of
from service.base.db import Session, insert_or_ignore
from service.base.ids import new_id
from service.catalogue.engine import profile
from service.screening import engine, store
from service.screening.rules import (
    SEMANTICS,
    Applicant,
    Ask,
    Held,
    Judged,
    Subject,
    digests_of,
    gather,
    own_rules,
    standing_out,
    strictest,
)
from service.screening.tables import ListEdition, Screening

SYSTEM = "system"
Gathered = tuple[Subject, Applicant | None, Held]


def screen(session: Session, ask: Ask, *, subject: str, moment: str, now: datetime) -> Judged:
    """Judge a request and keep facts, verdict and list digests, so that it can be judged again for ever.

    No audit event of its own: it belongs to the act of the case that called for it.
    """
    judged = preview(session, ask, now=now)
    return keep(session, judged, subject=subject, moment=moment, now=now)


def keep(session: Session, judged: Judged, *, subject: str, moment: str, now: datetime) -> Judged:
    """Keep a judgement that was made in this transaction."""
    row = Screening(
        id=new_id(now), subject=subject, moment=moment, facts=judged.facts, verdict=judged.verdict,
        digests=list(judged.digests), semantics=SEMANTICS, at=now,
    )  # fmt: skip
    session.add(row)
    return Judged(row.id, judged.facts, judged.verdict, judged.digests)


def preview(session: Session, ask: Ask, *, now: datetime) -> Judged:
    """Judge a request without keeping anything.  Raises UnknownColumn, and NotFound for an unknown dataset or unit."""
    return judge(session, ask, store.subject(session, ask.dataset_id), now=now)


def judge(session: Session, ask: Ask, dataset: Subject, *, now: datetime) -> Judged:
    """Judge a request for a dataset as it is described here: one of its versions may be otherwise than the entry."""
    return _judged(_facts(ask, dataset, *_asker(session, ask, now=now), now=now))


def column_verdicts(session: Session, ask: Ask, *, now: datetime) -> dict[str, dict[str, Any]]:
    """Return for each requested column the verdict on it alone, by name.

    Besides the verdict's own keys it has `own`: the rules that this column brings (those that the same request without
    any column would not meet), and `own_outcome`, the strictest of them.
    """
    return _column_verdicts(ask, _gathered(session, ask, now=now), now=now)


def _column_verdicts(ask: Ask, known: Gathered, *, now: datetime) -> dict[str, dict[str, Any]]:
    without = engine.judge_now(_facts(replace(ask, columns=(), filter_columns=()), *known, now=now))
    found = {}
    for name in ask.columns:
        alone = engine.judge_now(_facts(ask.alone(name), *known, now=now))
        own = own_rules(alone, without)
        found[name] = {**alone, "own": own, "own_outcome": _strictest(own)}
    return found


def publish_editions(session: Session, *, now: datetime, by: str = SYSTEM) -> int:
    """Make rows of the lists in use that have none yet; return how many.  Every replica may run it at its start."""
    new = 0
    for edition in engine.editions():
        added = insert_or_ignore(
            session, ListEdition, digest=edition.digest, list_id=edition.id, edition=edition.edition,
            domain=edition.domain, body=engine.body_of(edition), effective_from=edition.effective.start,
            effective_until=edition.effective.until, published_at=now, published_by=by,
        )  # fmt: skip
        if added:
            new += 1
            record(session, subject=f"edition:{edition.digest}", version=1, kind="edition:publish", by=by, now=now,
                   facts={"list": edition.id, "edition": edition.edition, "digest": edition.digest})  # fmt: skip
    return new


def _gathered(session: Session, ask: Ask, *, now: datetime) -> Gathered:
    return store.subject(session, ask.dataset_id), *_asker(session, ask, now=now)


def _asker(session: Session, ask: Ask, *, now: datetime) -> tuple[Applicant | None, Held]:
    if ask.unit_id is None:
        return ask.applicant, Held()
    return store.applicant(session, ask.unit_id), store.held(session, ask.unit_id, now=now)


def _facts(ask: Ask, dataset: Subject, applicant: Applicant | None, held: Held, *, now: datetime) -> dict[str, Any]:
    return gather(
        ask, dataset, applicant, held,
        quasi=engine.quasi(column.semantic for column in dataset.columns),
        domains=engine.domains(dataset.key_domain, dataset.tags),
        day=beijing_date(now),
    )  # fmt: skip


def _judged(facts: dict[str, Any]) -> Judged:
    verdict = engine.judge_now(facts)
    return Judged("", facts, verdict, digests_of(verdict))


def _strictest(rules: list[dict[str, Any]]) -> str:
    floor = strictest(rule["outcome"] for rule in rules if rule["state"] == "hit")
    ceiling = strictest(rule["outcome"] for rule in rules)
    return floor if floor in (ceiling, "prohibit") else "review"


def usual_route(session: Session, dataset_id: str, *, now: datetime) -> dict[str, Any]:
    """Return who usually decides on a dataset and in how many working days, for its page.

    `steps` are {"role", "days", "kind"}; `kind` says what the clock rests on: law, rule, analogy or assumption.
    """
    dataset = store.subject(session, dataset_id)
    ask = Ask(dataset_id, tuple(column.name for column in dataset.columns))
    judged = preview(session, ask, now=now)
    frozen = engine.route(judged.facts, judged.verdict)
    return {**frozen, "steps": _steps(frozen)}


def _steps(frozen: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"role": step["role"], "days": step["working_days"], "kind": step["basis"]["kind"]} for step in frozen["steps"]
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the lists say of a dataset before anybody asks.

    `verdicts` are those of `column_verdicts`, `prohibiting` the rules that prohibit it as a whole, `lists` those that
    judged it, `steps` those of `usual_route`, `terms` how its data may be measured for the public.

    Shared between requests: nobody changes it.
    """

    verdicts: Mapping[str, dict[str, Any]]
    prohibiting: tuple[dict[str, Any], ...]
    lists: tuple[dict[str, Any], ...]
    steps: tuple[dict[str, Any], ...]
    terms: profile.Terms


MOST_STANDING = 256
_standings: dict[tuple[object, ...], Standing] = {}


def standing(session: Session, dataset_id: str, *, now: datetime) -> Standing:
    """Return what the lists say of a dataset before anybody asks.

    Kept in the process under everything that it follows from: the entry as it is now, the policies in use, the day.
    """
    subject, public = store.subject(session, dataset_id), store.public(session, dataset_id)
    key = (dataset_id, subject, public, day_of(now), engine.in_use())
    if (found := _standings.get(key)) is None:
        found = _standing(dataset_id, subject, public, now=now)
        if len(_standings) >= MOST_STANDING:
            _standings.clear()
        _standings[key] = found
    return found


def _standing(dataset_id: str, subject: Subject, public: tuple[str, ...] | None, *, now: datetime) -> Standing:
    ask, known = Ask(dataset_id, tuple(column.name for column in subject.columns)), (subject, None, Held())
    verdicts = _column_verdicts(ask, known, now=now)
    whole = _judged(_facts(ask, *known, now=now))
    graded = [profile.Graded(c.name, c.level, c.semantic, engine.roles(c.semantic)) for c in subject.columns]
    prohibited = [name for name, verdict in verdicts.items() if verdict["own_outcome"] == "prohibit"]
    terms = profile.Terms(
        closed=profile.closed_columns(graded, prohibited=prohibited, public=public),
        holders=tuple(column.name for column in graded if profile.identifies(column)),
        smallest=max([profile.SMALLEST, *_groups(verdicts)]),
    )
    return Standing(
        verdicts=verdicts,
        prohibiting=tuple(
            rule for rule in whole.verdict["rules"] if (rule["state"], rule["outcome"]) == ("hit", "prohibit")
        ),
        lists=tuple(whole.verdict["lists"]),
        steps=tuple(_steps(engine.route(whole.facts, whole.verdict))),
        terms=terms,
    )


def _groups(verdicts: Mapping[str, dict[str, Any]]) -> Iterator[int]:
    """Yield the smallest groups that any rule asks for, or may ask for."""
    for verdict in verdicts.values():
        for rule in standing_out(verdict):
            yield from (duty["k"] for duty in rule["obligations"] if duty["kind"] == "min_group")
