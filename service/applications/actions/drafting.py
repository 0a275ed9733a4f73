"""The applicant's acts before a decision: draft, save, submit, withdraw."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from service.applications import forms, rules, store
from service.applications.actions.parts import enter, note, own_case, position, take, tell, tell_holder, tell_unit
from service.applications.actions.reading import ask_of, checked, subject
from service.applications.rules import Actor, Position, Request, State, StepName, Verb
from service.applications.tables import Application
from service.base.beijing import day_of
from service.base.db import Session
from service.base.errors import Changed, Duplicate, Invalid, Refusal, WrongState
from service.base.i18n import N_
from service.base.ids import new_id
from service.catalogue import store as catalogue
from service.catalogue.rules import Openness
from service.catalogue.tables import Dataset
from service.screening import actions as screening
from service.screening import engine as judging


class NoApplicationNeeded(Refusal):
    """Unconditional data is there for everybody."""

    code = "no-application-needed"
    title = N_("该数据集无条件开放，不需要申请")
    status = 409


class NotOpen(Refusal):
    """The catalogue records the whole dataset as closed; its columns are not asked one by one."""

    code = "not-open"
    title = N_("该数据集禁止开放，不能申请")
    status = 409


def create_draft(
    session: Session, *, dataset_id: str, by: Actor, now: datetime, draft: Mapping[str, Any] | None = None,
    bundle_id: str | None = None,
) -> Application:  # fmt: skip
    """Begin a request for one published dataset; nothing of it is logged before it is submitted.

    Raises NotFound for an unknown or unpublished dataset, NoApplicationNeeded for an unconditional
    one, NotOpen for one that is closed.
    """
    dataset = catalogue.published_dataset(session, dataset_id)
    if dataset.openness == Openness.UNCONDITIONAL:
        raise NoApplicationNeeded()
    if dataset.openness == Openness.PROHIBITED:
        raise NotOpen()
    beginning = {**forms.empty_draft(), "ends_on": rules.default_end(day_of(now)).isoformat()}
    application = Application(
        id=new_id(now), unit_id=by.unit_id, dataset_id=dataset_id, drafted_by=by.person_id, state=State.DRAFT.value,
        draft={**beginning, **(draft or {})}, bundle_id=bundle_id, created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(application)
    session.flush()
    return application


def save_draft(session: Session, id: str, draft: Mapping[str, Any], *, by: Actor, now: datetime) -> Application:
    """Keep the form as typed; raises WrongState once it is under review or at an end."""
    application = _opened(session, own_case(session, id, None, by), now=now)
    application.draft = {**forms.empty_draft(), **draft}
    session.flush()
    return application


def on_form(session: Session, application: Application) -> list[Application]:
    """Return the cases that one form fills in together: the drafts of a bundle; a returned case stands alone."""
    if application.state != State.DRAFT:
        return [application]
    return [each for each in store.bundle(session, application) if each.state == State.DRAFT]


def save_step(
    session: Session, id: str, step: StepName, typed: Mapping[str, Any], *, by: Actor, now: datetime,
    was: str | None = None,
) -> Application:  # fmt: skip
    """Keep one step as typed; what a form asks once goes into every draft of it.

    `was` is the mark of the answers that the person's page showed; without it the save is unconditional.

    Raises NotFound, WrongState, and Overtaken when somebody else has saved other answers to this step meanwhile.
    """
    application = own_case(session, id, None, by)
    together = [application] if step in rules.OWN_STEPS else on_form(session, application)
    for each in together:  # in the order of their ids, so that two savings do not wait for each other
        opened = _opened(session, each, now=now)
        if each.id == id and was is not None:
            _same_as_seen(opened, step, typed, was)
        opened.draft = {**forms.empty_draft(), **opened.draft, **typed}
    session.flush()
    return store.application(session, id)


def add_dataset(session: Session, id: str, dataset_id: str, *, by: Actor, now: datetime) -> Application:
    """Add a dataset to a form that is being filled in and return its draft, which takes over the common answers.

    Raises AlreadyOnForm, SeveralCases, WrongState, and whatever `create_draft` does.
    """
    first = on_form(session, own_case(session, id, None, by))[0]
    application = _opened(session, first, now=now)
    if application.state != State.DRAFT:
        raise WrongState(state=application.state, verb="save")
    application.bundle_id = application.bundle_id or application.id
    session.flush()
    together = on_form(session, application)
    if any(each.dataset_id == dataset_id for each in together):
        raise rules.AlreadyOnForm()
    if len(together) >= rules.MOST_DATASETS:
        raise rules.SeveralCases()
    common = {name: value for step in StepName if step not in rules.OWN_STEPS
              for name, value in forms.answers(application.draft, step).items()}  # fmt: skip
    return create_draft(session, dataset_id=dataset_id, by=by, now=now, draft=common, bundle_id=application.bundle_id)


def remove_draft(session: Session, id: str, *, by: Actor) -> Application | None:
    """Remove a draft that was never submitted; return another draft of its form, None when it was the last one."""
    application = own_case(session, id, None, by)
    others = [each for each in on_form(session, application) if each.id != id]
    if not store.remove_draft(session, id):
        raise WrongState(state=application.state, verb="remove")
    return others[0] if others else None


def submit_form(
    session: Session, id: str, *, by: Actor, now: datetime, version: int, seen: str | None = None
) -> list[Application]:
    """Submit every case of a form, all or none, and return them.

    `version` is that of the case named; `seen` what the check page showed (see `standing`).

    Raises Invalid with everything that is missing or malformed in any of them, Changed when anything was saved since.
    """
    application = own_case(session, id, version, by)
    together = on_form(session, application)
    if seen is not None and seen != standing(together):
        raise Changed(N_("您核对之后，申请又有改动。看过改动再提交。"))
    faults = [fault for each in together for fault in checked(session, each, now=now).errors()]
    if faults:
        raise Invalid(errors=faults)
    return [submit(session, each.id, by=by, now=now) for each in together]


def standing(together: Sequence[Application]) -> str:
    """Return one word for the drafts as they are: it changes with every saving, adding and removing."""
    parts = (f"{each.id}.{each.version}.{each.draft_revision}" for each in together)
    return sha256(" ".join(parts).encode()).hexdigest()[:32]


def submit(session: Session, id: str, *, by: Actor, now: datetime, seen: int | None = None) -> Application:
    """Submit a draft, or a returned request again: judge it, keep the screening, freeze the route, give a receipt.

    Raises Invalid with everything that is missing or malformed (never for a verdict), Duplicate with the other case,
    Changed when somebody else moved the case since version `seen`.
    """
    application = own_case(session, id, seen, by)
    rules.advance(position(application), Verb.SUBMIT, steps=1)
    dataset = catalogue.dataset(session, application.dataset_id)
    request = _complete(session, application, dataset, now=now)
    take(session, application)
    _claim(session, application, request)
    _write(application, request)
    ask = ask_of(application, dataset, now=now)
    judged = screening.screen(session, ask, subject=subject(id), moment="submit", now=now)
    if application.number is None:
        year = day_of(now).year
        application.number = f"SQ-{year}-{store.next_number(session, year):06d}"
    application.submitted_at, application.screening_id = now, judged.id
    application.route = judging.route(judged.facts, judged.verdict)
    enter(application, Position(State.IN_REVIEW), now=now)
    note(session, application, Verb.SUBMIT, by=by, now=now, screening=judged.id, outcome=judged.verdict["outcome"])
    tell_unit(session, application, dataset, "application-received", now=now)
    tell_holder(session, application, dataset, "application-submitted", now=now)
    return application


def withdraw(session: Session, id: str, *, by: Actor, now: datetime, seen: int | None = None) -> Application:
    """Take a request back before it has ended; an approved one too, as long as its agreement is not signed."""
    application = own_case(session, id, seen, by)
    there = rules.advance(position(application), Verb.WITHDRAW, steps=1)
    was = application.state
    take(session, application)
    store.release(session, id)
    enter(application, there, now=now)
    note(session, application, Verb.WITHDRAW, by=by, now=now)
    if was != State.DRAFT:
        dataset = catalogue.dataset(session, application.dataset_id)
        tell(session, application, dataset, "application-withdrawn", now=now, to_unit=dataset.source_unit_id)
    return application


def _opened(session: Session, application: Application, *, now: datetime) -> Application:
    opened = store.open_draft(session, application.id, now=now)
    if opened is None:
        raise WrongState(state=application.state, verb="save")
    return opened


def _same_as_seen(application: Application, step: StepName, typed: Mapping[str, Any], was: str) -> None:
    """Raise Overtaken when the step holds neither what the person saw nor what the person now sends."""
    if forms.mark(application.draft, step) == was:
        return
    kept = forms.answers(application.draft, step)
    if differing := [name for name in kept if kept[name] != typed.get(name, kept[name])]:
        raise rules.Overtaken(fields=differing)


def _complete(session: Session, application: Application, dataset: Dataset, *, now: datetime) -> Request:
    found = checked(session, application, now=now)
    if found.request is None:
        raise Invalid(errors=found.errors())
    return found.request


def _claim(session: Session, application: Application, request: Request) -> None:
    parts = (application.unit_id, application.dataset_id, *sorted(request.columns))
    holder = store.claim(session, application.id, sha256("\n".join(parts).encode()).hexdigest())
    if holder is not None:
        raise Duplicate(
            N_("本单位已就同一数据集、同样的字段提出申请，尚未办结。"),
            application=holder, href=f"/applications/{holder}",
        )  # fmt: skip


def _write(application: Application, request: Request) -> None:
    application.columns, application.objections = list(request.columns), request.objections
    application.verdict_objection = request.verdict_objection
    application.period_from, application.period_to = request.period_from, request.period_to
    application.areas, application.delivery = list(request.areas), request.delivery
    application.ends_on = request.ends_on
    application.purpose, application.statement = request.purpose, request.statement
    application.cross_border, application.onward_sharing = request.cross_border, request.onward_sharing
    application.security, application.members = request.security, list(request.members)
