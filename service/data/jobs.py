"""What the data plane does by itself: settles answers of dead workers, looks for what stands out."""

from datetime import timedelta

from service.base import clock, db
from service.base.beijing import day_of
from service.data import actions, gate

LOOK_BACK = timedelta(hours=1)  # events of slow transactions come in late; what is known is not told twice


def settle_lapsed() -> int:
    """Write down what dead workers sent and free what they held; return how many answers."""
    with db.writing() as session:
        return gate.settle_lapsed(session, now=clock.now(session))


def watch_usage() -> int:
    """Flag sudden volumes of the day, and of the day before while it is young, and new networks; return how many."""
    flagged = 0
    with db.writing() as session:
        now = clock.now(session)
        for day in sorted({day_of(now - LOOK_BACK), day_of(now)}):
            flagged += actions.flag_sudden(session, day, now=now)
        return flagged + actions.flag_networks(session, day_of(now), since=now - LOOK_BACK, now=now)
