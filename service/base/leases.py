"""Leases: one holder at a time for a name, the same on both databases, each term with a higher fencing number."""

from datetime import datetime, timedelta

from sqlalchemy import case, or_, update
from sqlmodel import Field, SQLModel, col, select

from service.base.db import Session, UTCDateTime, insert_or_ignore


class Lease(SQLModel, table=True):
    """Who holds `name` until when.  `fence` grows with every change of holder and every lapse."""

    name: str = Field(primary_key=True, max_length=40)
    holder: str = Field(max_length=64)
    fence: int
    until: datetime = Field(sa_type=UTCDateTime)


def claim(session: Session, name: str, *, holder: str, now: datetime, seconds: float) -> int | None:
    """Take or prolong the lease until `now` + `seconds`; return its fencing number, None when another holds it.

    The conditional update decides: of two claims at once the second waits for the first and then finds it held.
    """
    until = now + timedelta(seconds=seconds)
    if insert_or_ignore(session, Lease, name=name, holder=holder, fence=1, until=until):
        return 1
    same_term = (col(Lease.holder) == holder) & (col(Lease.until) > now)
    session.execute(
        update(Lease)
        .where(col(Lease.name) == name, or_(col(Lease.holder) == holder, col(Lease.until) <= now))
        .values(holder=holder, until=until, fence=case((same_term, Lease.fence), else_=col(Lease.fence) + 1)),
        execution_options={"synchronize_session": False},
    )
    return held(session, name, holder=holder, now=now)


def held(session: Session, name: str, *, holder: str, now: datetime) -> int | None:
    """Return the fencing number under which `holder` has the lease at `now`, None when it has not."""
    query = select(Lease.fence).where(Lease.name == name, Lease.holder == holder, Lease.until > now)
    return session.exec(query).first()


def release(session: Session, name: str, *, holder: str, now: datetime) -> None:
    """Give the lease back at once, so that the next holder need not wait for it to lapse."""
    session.execute(update(Lease).where(col(Lease.name) == name, col(Lease.holder) == holder).values(until=now))
