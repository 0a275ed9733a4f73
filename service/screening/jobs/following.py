"""New versions are judged for the grants that follow them, and the grants move once their views are ready."""

from service.base import clock, db, log
from service.grants.jobs import move_ready
from service.grants.store import following as rows
from service.screening.actions import versions
from service.screening.rules.versions import Code, Reason

TRIES = 3  # to measure a version, before it is held and people are told
SKIP = 20  # turns of the job between two tries, for one more at each

_failed: dict[tuple[str, int], tuple[int, int]] = {}  # (grant, version) → how often, and turns still to be skipped


def judge_versions(limit: int = 20) -> int:
    """Judge versions for grants, then let grants move to what is ready; return how many versions were judged.

    Safe to run twice, late or at once.  What cannot be measured holds nothing else up: it is tried again later, and
    held for people to look at when it goes wrong again and again.
    """
    with db.reading() as session:
        waiting = rows.unjudged(session, now=clock.now(session), limit=limit + len(_failed))
    _forget(waiting)
    judged = sum(_judged(grant_id, number) for grant_id, number in waiting if not _skipped(grant_id, number))
    move_ready()
    return judged


def _judged(grant_id: str, number: int) -> bool:
    try:
        return _judge(grant_id, number)
    except Exception as fault:
        times = _failed.get((grant_id, number), (0, 0))[0] + 1
        log.info("screening", "version not judged", grant=grant_id, version=number, times=times,
                 fault=type(fault).__name__)  # fmt: skip
        _failed[grant_id, number] = (times, SKIP * times)
        return times >= TRIES and _hold(grant_id, number)


def _judge(grant_id: str, number: int) -> bool:
    with db.reading() as session:
        case = versions.open_case(session, grant_id, number, now=clock.now(session))
    return _settle(case, versions.measured(case))


def _hold(grant_id: str, number: int) -> bool:
    """Hold a version that cannot be measured; False when not even that can be done."""
    try:
        with db.reading() as session:
            case = versions.open_case(session, grant_id, number, now=clock.now(session))
        return _settle(case, [{"code": Code.UNMEASURED.value}])
    except Exception as fault:
        log.info("screening", "version not held", grant=grant_id, version=number, fault=type(fault).__name__)
        return False


def _settle(case: versions.Case, reasons: list[Reason]) -> bool:
    with db.writing() as session:
        return versions.settle(session, case, reasons, now=clock.now(session))


def _skipped(grant_id: str, number: int) -> bool:
    times, turns = _failed.get((grant_id, number), (0, 0))
    if turns:
        _failed[grant_id, number] = (times, turns - 1)
    return turns > 0


def _forget(waiting: list[tuple[str, int]]) -> None:
    for gone in set(_failed) - set(waiting):
        del _failed[gone]
