"""How versions of a dataset reach the grants that follow it: judged or held, looked at again, moved to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.base.db import Session
from service.base.errors import WrongState
from service.base.roles import Role
from service.catalogue import store as catalogue
from service.grants import store as grants
from service.grants.actions.parts import SYSTEM, about, overseen, record
from service.grants.rules import VersionState
from service.grants.store import following as rows
from service.grants.tables import Grant
from service.notices import actions as notices

Words = Mapping[str, str]


def settle_version(
    session: Session, grant: Grant, number: int, *, reasons: Sequence[Mapping[str, Any]], now: datetime
) -> bool:
    """Write down that a version was judged for a grant, or held for reasons; False when another worker has done so."""
    state = VersionState.HELD if reasons else VersionState.JUDGED
    if not rows.settle_version(session, grant.id, number, state=state, reasons=reasons, now=now):
        return False
    codes = sorted({str(reason["code"]) for reason in reasons})
    kind = "grant:hold" if reasons else "grant:judge"
    version = grants.move(session, grant)
    record(session, grant, kind, by=SYSTEM, now=now, version=version, dataset_version=number, reasons=codes)
    return True


def tell_held(session: Session, grant: Grant, number: int, *, what: Words, advice: Words, now: datetime) -> None:
    """Tell the unit and the data's stewards, once, that a version is held for a grant, why and what to do."""
    facts = about(
        session, grant, version=number, served=grant.dataset_version, what=dict(what), advice=dict(advice)
    )  # fmt: skip
    kind, key = "grant-version-held", f"grant-version-held:{grant.id}:{number}"
    source = catalogue.dataset(session, grant.dataset_id).source_unit_id
    notices.put(session, kind=kind, to_unit=grant.unit_id, facts=facts, now=now, key=f"{key}:unit")
    notices.put(session, kind=kind, to_unit=source, to_role=Role.STEWARD, facts=facts, now=now, key=f"{key}:source")


def look_again(session: Session, grant_id: str, number: int, *, by: str, now: datetime) -> None:
    """Have a version that is held for a grant judged again; the judge decides, nobody overrides it.

    NotFound for whoever may not oversee the grant; WrongState when the version is not held, or the grant is past it.
    """
    grant = overseen(session, grant_id, by)
    if number <= grant.dataset_version or not rows.want_again(session, grant_id, number, now=now):
        raise WrongState(state="not_held")
    version = grants.move(session, grant)
    record(session, grant, "grant:look-again", by=by, now=now, version=version, dataset_version=number)
