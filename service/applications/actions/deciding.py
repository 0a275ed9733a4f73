"""The officers' decisions, the agreement and its signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from service.applications import rules, store
from service.applications.actions.narrowing import DatasetNotOpen, obstacles, scope_of, shortened
from service.applications.actions.narrowing import Wish as Wish
from service.applications.actions.parts import (
    enter,
    expect,
    note,
    own_case,
    position,
    steps,
    take,
    tell_holder,
    tell_unit,
)
from service.applications.actions.reading import agreement_of, ask_of, iso, subject, visible
from service.applications.actions.treating import agreed, bracket, told, treatment
from service.applications.rules import Actor, State, Verb
from service.applications.tables import Agreement, Application, Decision
from service.audit.actions import record
from service.audit.rules import salted
from service.base.beijing import day_of, end_of_day
from service.base.db import Session
from service.base.errors import Invalid, NotAllowed, NotFound, Refusal
from service.base.forms import one_line
from service.base.i18n import N_, gettext
from service.base.ids import new_id
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.catalogue.rules import DatasetState, Openness
from service.catalogue.tables import Dataset
from service.grants import actions as grants
from service.grants.rules.transforms import Transform, document
from service.grants.tables import Grant
from service.people import store as people
from service.people.rules import UnitUnverified
from service.policy.rules.papers import Terms
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening import store as screenings
from service.screening.actions import versions
from service.screening.rules import Ask, Judged, digests_of, seal_of, standing_ids


class TermOver(Refusal):
    code = "term-over"
    title = N_("申请的使用期限已过，请撤回后重新申请")
    status = 409


class OneByOne(Refusal):
    """A part of a batch that wants an officer's own look.  Facts: `part`, its number."""

    code = "decide-one-by-one"
    title = N_("须人工审核的申请不能成批同意")
    status = 409
    detail = N_("%(part)s 的判定为须人工审核或禁止提供，请单独办理。")


@dataclass(frozen=True, slots=True)
class Part:
    """One case of a batch, at the version and under the lists that the officer was shown."""

    id: str
    seen: int
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What a case asked when it was decided on, and the clauses that it met."""

    columns: list[str]
    clauses: list[dict[str, Any]]


def decide(
    session: Session, id: str, wish: Wish, *, seen: int, by: Actor, now: datetime, shown: str | None = None
) -> Decision:
    """Take one decision on what the person saw, and return it.

    `shown` is the seal of the lists the person was shown; without it, of those of the case's last screening.  The
    verdict is judged anew in this transaction, on what would remain.  Of two persons who decide on one version at
    once, exactly one wins; the other gets Changed with the difference.

    Raises NotFound, Changed, WrongState, OwnUnit, NotYourStep, SecondPerson, Invalid, ListsChanged, DatasetNotOpen,
    Prohibited, WrongDelivery, UnitUnverified, Unenforceable.
    """
    application = visible(session, id, by)
    dataset = catalogue.dataset(session, application.dataset_id)
    expect(session, application, seen)
    there = rules.advance(position(application), wish.verb, steps=len(steps(application)))
    _admit(session, application, dataset, by)
    take(session, application)
    before = Before(list(application.columns), _hits(session, ask_of(application, dataset, now=now), now=now))
    _narrow(application, dataset, wish, now=now)
    ask = ask_of(application, dataset, now=now)
    judged = screening.screen(session, ask, subject=subject(id), moment="decision", now=now)
    _same_lists(session, application, judged, shown)
    if wish.verb in (Verb.APPROVE, Verb.NARROW):
        _grantable(session, application, dataset, judged, last=there.state is State.APPROVED)
    decision = _decision(application, wish, before, judged, seen=seen, by=by, now=now)
    session.add(decision)
    application.screening_id = judged.id
    enter(application, there, now=now)
    if there.state is State.REFUSED:
        store.release(session, id)
    # Salted by the decision's own id, which the log does not hold: erasing the row leaves a meaningless number.
    reason = salted(decision.reason, decision.id)
    outcome = judged.verdict["outcome"]
    note(session, application, wish.verb, by=by, now=now, screening=judged.id, outcome=outcome, reason=reason)
    if there.state is State.APPROVED:
        offer_agreement(session, application, dataset, judged, by=by, now=now)
    _tell_decision(session, application, dataset, now=now)
    return decision


def decide_together(
    session: Session, id: str, parts: Sequence[Part], wish: Wish, *, by: Actor, now: datetime
) -> list[Decision]:
    """Decide cases of the form of `id` alike: each on its seen version, each a decision of its own, all or none.

    A case that wants a human look is not agreed to in a batch, and none is narrowed.  What `decide` raises for one
    part is raised here with its number as the fact `part`; OneByOne besides, and NotFound for a part of another form.
    The caller's transaction undoes the others.
    """
    assert wish.verb is not Verb.NARROW
    together = {each.id for each in store.bundle(session, visible(session, id, by))}
    if not {part.id for part in parts} <= together:
        raise NotFound()
    decisions = []
    for part in sorted(parts, key=lambda each: each.id):  # two batches wait for each other in one order
        application = visible(session, part.id, by)
        try:
            if wish.verb is Verb.APPROVE:
                _plain_enough(session, application, now=now)
            decisions.append(decide(session, part.id, wish, seen=part.seen, shown=part.shown, by=by, now=now))
        except Refusal as refusal:
            refusal.facts["part"] = application.number
            raise
    return decisions


def needs_a_look(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict leaves something to a person: it says so, forbids, or might once a missing fact is known."""
    return verdict["outcome"] in ("review", "prohibit") or verdict["ceiling"] in ("review", "prohibit")


def _plain_enough(session: Session, application: Application, *, now: datetime) -> None:
    dataset = catalogue.dataset(session, application.dataset_id)
    judged = screening.preview(session, ask_of(application, dataset, now=now), now=now)
    if needs_a_look(judged.verdict):
        raise OneByOne()


def offer_agreement(
    session: Session, application: Application, dataset: Dataset, judged: Judged, *, by: Actor, now: datetime
) -> Agreement:
    """Lay down the agreement's text; the grant is issued when the unit signs, never by the approval alone."""
    steps = treatment(session, application, dataset, judged).steps
    text = judging.agreement_text(_terms(session, application, dataset, steps), judged.verdict)
    agreement = Agreement(
        application_id=application.id, text=text, digest=sha256(text.encode()).hexdigest(),
        screening_id=judged.id, offered_at=now,
    )  # fmt: skip
    session.add(agreement)
    record(session, subject=f"agreement:{application.id}", version=1, kind="agreement:offer", by=by.person_id, now=now,
           facts={"application": application.id, "digest": agreement.digest, "screening": judged.id})  # fmt: skip
    return agreement


def sign(session: Session, id: str, *, seen: int, digest: str, by: Actor, now: datetime) -> Grant:
    """Sign the agreement for the unit and return the grant that it makes; the verdict is judged once more before.

    Raises NotAllowed unless a manager of the unit signs, Invalid for another text's digest, DatasetNotOpen,
    UnitUnverified, TermOver,
    and VerdictChanged when the request has come to be judged more strictly than it was decided.
    """
    application = own_case(session, id, seen, by)
    if Role.MANAGER not in by.roles:
        raise NotAllowed()
    there = rules.advance(position(application), Verb.SIGN, steps=1)
    agreement = agreement_of(session, application)
    if agreement.digest != digest:
        raise Invalid(errors=[{"field": "digest", "message": gettext("所签文本与现行协议文本不一致")}])
    dataset = catalogue.dataset(session, application.dataset_id)
    take(session, application)
    judged = _judged_again(session, application, dataset, agreement, now=now)
    grant = _issue(session, application, dataset, agreement, judged, by=by, now=now)
    agreement.signed_by, agreement.signed_at = by.person_id, now
    application.screening_id = judged.id
    store.release(session, id)
    enter(application, there, now=now)
    note(session, application, Verb.SIGN, by=by, now=now, screening=judged.id, grant=grant.id, digest=digest)
    record(session, subject=f"agreement:{id}", version=2, kind="agreement:sign", by=by.person_id, now=now,
           facts={"application": id, "digest": digest, "grant": grant.id})  # fmt: skip
    return grant


def _admit(session: Session, application: Application, dataset: Dataset, by: Actor) -> None:
    step = store.current_step(application)
    assert step is not None  # `advance` let only cases in review through
    rules.may_decide(
        by, step.role, unit_id=application.unit_id, source_unit_id=dataset.source_unit_id,
        elsewhere=store.deciders_elsewhere(session, application),
    )  # fmt: skip


def _narrow(application: Application, dataset: Dataset, wish: Wish, *, now: datetime) -> None:
    """Shorten what the case asks, or make sure that nobody meant to; Invalid when it would reach further."""
    if wish.verb in (Verb.RETURN, Verb.REFUSE):
        return
    before = scope_of(application)
    after, errors = shortened(before, wish, dataset, today=day_of(now))
    if not errors and (after != before) != (wish.verb is Verb.NARROW):
        told = N_("请去掉字段或缩短期限") if wish.verb is Verb.NARROW else N_("有字段或期限变动，请选“部分开放”")
        errors = [{"field": "verb", "message": gettext(told)}]
    if errors:
        raise Invalid(errors=errors)
    application.columns, application.ends_on = list(after.columns), after.ends_on
    application.period_from, application.period_to = after.period_from, after.period_to


def _same_lists(session: Session, application: Application, judged: Judged, shown: str | None) -> None:
    if shown is None and application.screening_id:
        shown = seal_of(digests_of(screenings.screening(session, application.screening_id).verdict))
    if shown != seal_of(judged.digests):
        raise rules.ListsChanged(lists=seal_of(judged.digests))


def _grantable(session: Session, application: Application, dataset: Dataset, judged: Judged, *, last: bool) -> None:
    """Raise the first of what stands in the way of agreeing to the case."""
    for refusal in obstacles(session, application, dataset, judged, last=last):
        raise refusal


def _demand_open(dataset: Dataset) -> None:
    """Raise DatasetNotOpen unless the dataset is published as it stands now, and open under conditions."""
    if dataset.state != DatasetState.PUBLISHED or dataset.openness != Openness.RESTRICTED:
        raise DatasetNotOpen()


def _hits(session: Session, ask: Ask, *, now: datetime) -> list[dict[str, Any]]:
    """Return the clauses that a request meets before a decision narrows it: what was dropped is named by its clause."""
    verdict = screening.preview(session, ask, now=now).verdict
    hits = [rule for rule in verdict["rules"] if rule["state"] == "hit"]
    return [{key: rule[key] for key in ("id", "list", "outcome", "basis", "title")} for rule in hits]


def _decision(
    application: Application, wish: Wish, before: Before, judged: Judged, *, seen: int, by: Actor, now: datetime
) -> Decision:
    assert application.ends_on is not None
    return Decision(
        id=new_id(now), application_id=application.id, step=application.step, verb=wish.verb.value, reason=wish.reason,
        clauses=before.clauses, columns=list(application.columns),
        dropped=[name for name in before.columns if name not in application.columns], ends_on=application.ends_on,
        by=by.person_id, unit_id=by.unit_id, screening_id=judged.id, seen_version=seen, at=now,
    )  # fmt: skip


def _judged_again(
    session: Session, application: Application, dataset: Dataset, agreement: Agreement, *, now: datetime
) -> Judged:
    """Judge the case for its signature; the stricter of this verdict and the decided one governs."""
    _demand_open(dataset)
    # Two signatures of one unit take turns: what the first one grants is linked with what the second one asks.
    people.lock_unit(session, application.unit_id)
    if not people.verified(session, application.unit_id):
        raise UnitUnverified(unit=application.unit_id)
    if application.ends_on is None or application.ends_on <= day_of(now):
        raise TermOver()
    ask = ask_of(application, dataset, now=now)
    judged = screening.screen(session, ask, subject=subject(application.id), moment="agreement", now=now)
    decided = screenings.screening(session, agreement.screening_id).verdict
    if rules.worse(judged.verdict, decided):
        raise rules.VerdictChanged(rules="、".join(standing_ids(judged.verdict)), outcome=judged.verdict["outcome"])
    return judged


def _issue(
    session: Session, application: Application, dataset: Dataset, agreement: Agreement, judged: Judged, *, by: Actor,
    now: datetime,
) -> Grant:  # fmt: skip
    """Issue the grant that was agreed on; VerdictChanged when what would be done to the data is not what it says, and
    RowsTooClose when together with another grant of the unit it would single out a few.
    """
    wanted = _wanted(session, application, dataset, agreement, judged, now=now)
    versions.demand_apart(versions.apart(session, wanted, judged.verdict, now=now))
    return grants.issue(session, wanted, by=by.person_id, now=now)


def foreseen(session: Session, id: str, *, now: datetime) -> tuple[versions.Check, ...]:
    """Return what will be measured when a case is signed, so that it can be measured before its transaction begins.

    Nothing where the signing will be refused for other reasons: it says so itself.
    """
    application, agreement = store.application(session, id), store.agreement(session, id)
    if agreement is None or application.ends_on is None or application.state != State.APPROVED:
        return ()
    dataset = catalogue.dataset(session, application.dataset_id)
    try:
        judged = screening.preview(session, ask_of(application, dataset, now=now), now=now)
        wanted = _wanted(session, application, dataset, agreement, judged, now=now)
        return versions.apart(session, wanted, judged.verdict, now=now)
    except Refusal:
        return ()


def _wanted(
    session: Session, application: Application, dataset: Dataset, agreement: Agreement, judged: Judged, *,
    now: datetime,
) -> grants.NewGrant:  # fmt: skip
    """Return the grant that a case has won; VerdictChanged as in `_issue`."""
    assert application.ends_on is not None
    seen_to = treatment(session, application, dataset, judged)
    if not agreed(agreement.text, application.columns, seen_to.steps):
        raise rules.VerdictChanged(rules="、".join(standing_ids(judged.verdict)), outcome=judged.verdict["outcome"])
    return grants.NewGrant(
        unit_id=application.unit_id,
        dataset_id=application.dataset_id,
        application_id=application.id,
        columns=application.columns,
        row_filter=_row_filter(application),
        delivery=[application.delivery],
        purpose=application.purpose,
        ends_at=end_of_day(application.ends_on),
        dataset_version=catalogue.latest(session, application.dataset_id, now=now).number,
        rests_on={"screening": judged.id, "lists": list(judged.digests), "agreement": agreement.digest},
        transforms=[document(step) for step in seen_to.steps],
        quota=seen_to.quota,
        tasks=judging.tasks(judged.verdict, starts_on=day_of(now), ends_on=application.ends_on),
    )


def _row_filter(application: Application) -> dict[str, Any]:
    found: dict[str, Any] = {"from": iso(application.period_from), "to": iso(application.period_to)}
    found["areas"] = list(application.areas)
    return {name: value for name, value in found.items() if value}


def _terms(session: Session, application: Application, dataset: Dataset, steps: Sequence[Transform]) -> Terms:
    """Return what an agreement says of its case; the term begins when the unit signs.

    What the unit wrote stays on one line, inside its clause: a line of their own would read as one more clause.
    """
    unit = people.unit(session, application.unit_id)
    authority = next(iter(people.units_of_kind(session, "authority")), None)
    titles = {column.name: column.title_zh for column in catalogue.columns(session, dataset.id)}
    return Terms(
        number=application.number or "",
        applicant=one_line(unit.name),
        applicant_uscc=unit.uscc or "",
        source_unit=people.unit(session, dataset.source_unit_id).name,
        authority=authority.name if authority else "",
        dataset=dataset.title_zh,
        columns=tuple(f"{titles.get(name, name)}{bracket(name, steps)}" for name in application.columns),
        rows="；".join(filter(None, (_rows(application), told(steps).get(None)))),
        purpose=application.purpose,
        statement=one_line(application.statement).rstrip("。.；;"),  # the clause sets its own stop
        delivery=application.delivery,
        starts_on="签署之日",
        ends_on=iso(application.ends_on) or "",
        security_contact=one_line(str(application.security.get("officer", ""))),
        members=tuple(one_line(member) for member in application.members),
    )


def _rows(application: Application) -> str:
    """Return which rows are asked, for the agreement's text, which is Chinese."""
    parts = []
    if application.period_from or application.period_to:
        first, last = iso(application.period_from) or "最早", iso(application.period_to) or "最新"
        parts.append(f"{first} 至 {last}")
    if application.areas:
        parts.append(f"区域：{'、'.join(one_line(area) for area in application.areas)}")
    return "；".join(parts) or "全部"


def _tell_decision(session: Session, application: Application, dataset: Dataset, *, now: datetime) -> None:
    kinds = {
        State.RETURNED: "application-returned",
        State.APPROVED: "application-approved",
        State.REFUSED: "application-refused",
    }
    if kind := kinds.get(State(application.state)):
        tell_unit(session, application, dataset, kind, now=now)
    else:
        tell_holder(session, application, dataset, "application-forwarded", now=now)
