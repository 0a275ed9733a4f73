"""The demo's cases, played through the same acts as everybody's, each at its own moment and by whose step it is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from service.applications import actions as applications
from service.applications import store as cases
from service.applications.actions import Wish
from service.applications.rules import StepName, Verb
from service.base import db
from service.base.beijing import beijing_date
from service.base.db import Session
from service.base.roles import Role
from service.catalogue import store as datasets
from service.grants import actions as grants
from service.grants import store as grant_store
from service.grants.tables import Grant
from service.home.jobs.cast import actor, cast, moment

TERM = timedelta(days=120)

Step = Mapping[str, Any]


def play(at: datetime) -> None:
    """Take every case of the cast as far as it goes, seen from `at`.

    A case that an earlier start left half way is taken up where it stands.
    """
    for case in cast()["cases"]:
        with db.writing() as session:
            case_id, done = _begun(session, case, at)
        for order, step in enumerate(case["steps"]):
            if order >= done:
                with db.writing() as session:
                    now = moment(at, step["days"], order + 1)
                    ACTS[step["act"]](session, case_id, step, now)


def grant_of(session: Session, case: Mapping[str, Any]) -> Grant:
    """Return the grant that a case of the cast ended in."""
    mine = _case_id(session, case)
    grant = grant_store.of_application(session, mine, case["dataset"]) if mine else None
    if grant is None:
        raise RuntimeError("the demo's case did not end in a grant")
    return grant


def _begun(session: Session, case: Mapping[str, Any], at: datetime) -> tuple[str, int]:
    """Return a case's id and how many of its steps are done; begin it when it is not there."""
    if found := _case_id(session, case):
        return found, _done(session, found, case)
    firm = actor(session, Role.APPLICANT, unit=case["unit"])
    now = moment(at, case["steps"][0]["days"] if case["steps"] else 0, 0)
    draft = cast()["common"] | cast()["firms"][case["unit"]] | case["draft"] | {"ends_on": beijing_date(at + TERM)}
    begun = applications.create_draft(session, dataset_id=case["dataset"], by=firm, now=now, draft=draft)
    for other in case.get("more", ()):
        added = applications.add_dataset(session, begun.id, other["dataset"], by=firm, now=now)
        columns = {"columns": other["columns"]}
        applications.save_step(session, added.id, StepName.COLUMNS, columns, by=firm, now=now)
    return begun.id, 0


def _case_id(session: Session, case: Mapping[str, Any]) -> str | None:
    mine = [each.id for each in cases.of_unit(session, case["unit"]) if each.dataset_id == case["dataset"]]
    return min(mine, default=None)


def _done(session: Session, case_id: str, case: Mapping[str, Any]) -> int:
    """Return how many steps are done: the acts on the case, and on its grant."""
    done = len(cases.history(session, case_id))
    grant = grant_store.of_application(session, case_id, case["dataset"])
    suspension = grant_store.open_suspension(session, grant.id) if grant else None
    return done + (0 if suspension is None else 1 if suspension.confirmed_at is None else 2)


# ---- acts -----------------------------------------------------------------------------------------------------------


def _submit(session: Session, case_id: str, _step: Step, now: datetime) -> None:
    case = cases.application(session, case_id)
    firm = actor(session, Role.APPLICANT, unit=case.unit_id)
    applications.submit_form(session, case_id, by=firm, now=now, version=case.version)


def _withdraw(session: Session, case_id: str, _step: Step, now: datetime) -> None:
    unit_id = cases.application(session, case_id).unit_id
    applications.withdraw(session, case_id, by=actor(session, Role.APPLICANT, unit=unit_id), now=now)


def _decide(session: Session, case_id: str, step: Step, now: datetime) -> None:
    case = cases.application(session, case_id)
    role = Role(str(case.step_role))
    unit = datasets.dataset(session, case.dataset_id).source_unit_id if role is Role.STEWARD else None
    columns: Sequence[str] | None = step.get("columns")
    wish = Wish(Verb(step["act"]), step["reason"], columns=columns)
    applications.decide(session, case_id, wish, seen=case.version, by=actor(session, role, unit=unit), now=now)


def _sign(session: Session, case_id: str, _step: Step, now: datetime) -> None:
    case = cases.application(session, case_id)
    digest = applications.agreement_of(session, case).digest
    manager = actor(session, Role.MANAGER, unit=case.unit_id)
    applications.sign(session, case_id, seen=case.version, digest=digest, by=manager, now=now)


def _suspend(session: Session, case_id: str, step: Step, now: datetime) -> None:
    grant = _grant(session, case_id)
    unit = datasets.dataset(session, grant.dataset_id).source_unit_id
    steward = actor(session, Role.STEWARD, unit=unit)
    grants.suspend(session, grant.id, cause=step["reason"], by=steward.person_id, now=now)


def _confirm(session: Session, case_id: str, _step: Step, now: datetime) -> None:
    officer = actor(session, Role.AUTHORITY)
    grants.confirm_suspension(session, _grant(session, case_id).id, by=officer.person_id, now=now)


def _grant(session: Session, case_id: str) -> Grant:
    case = cases.application(session, case_id)
    grant = grant_store.of_application(session, case_id, case.dataset_id)
    assert grant is not None  # a case of the cast is signed before its grant is suspended
    return grant


ACTS: dict[str, Callable[[Session, str, Step, datetime], None]] = {
    "submit": _submit,
    "withdraw": _withdraw,
    "approve": _decide,
    "narrow": _decide,
    "return": _decide,
    "refuse": _decide,
    "sign": _sign,
    "suspend": _suspend,
    "confirm": _confirm,
}
