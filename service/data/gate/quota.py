"""Limits of a grant, and the writing down of answers: a byte goes out only after it was charged to its day.

What an answer may take is reserved in the database before its first byte and settled after its last: so many answers at
once cannot take more than is left, whichever workers serve them.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from service.base import cache, clock, db
from service.base.beijing import day_of
from service.base.db import Session
from service.base.ids import new_id
from service.data import store
from service.data.gate.admission import Door, admit
from service.data.gate.asking import Admitted, Asked
from service.data.rules import quota as rules
from service.data.rules.quota import Amount, Left, Quota
from service.data.rules.refusals import QuotaSpent
from service.data.tables import Reservation
from service.grants.tables import Grant

LAPSE = timedelta(minutes=10)  # after this without a word from its worker a reservation is settled by somebody else
STEP = Amount(rows=50_000, size=8 << 20)  # reserved ahead where nobody knows how long an answer will be
LEAST = Amount(rows=1, size=1)  # reserved where not even a step is left


def enter(session: Session, asked: Asked, *, now: datetime) -> Admitted:
    """Admit a request and count it against its grant's minute; QuotaSpent when the minute or the day is used up."""
    return admit(session, asked, now=now, door=_door(asked, now))


def _door(asked: Asked, now: datetime) -> Door:
    def door(session: Session, grant: Grant, quota: Quota) -> None:
        limit = quota.requests_per_minute
        minute = cache.spend(limit, "requests", grant.id) if limit is not None else None
        used = store.charged_on(session, grant.id, day_of(now)) if quota.daily else Amount()
        left, wait = (minute.left, minute.wait) if minute else (0, 0)
        asked.known.left = Left(quota, left, wait, used, rules.until_midnight(now))
        if minute and not minute.allowed:
            raise rules.over_minute(quota, wait, page=_page(grant.id))
        if which := rules.spent(quota, used, Amount()):
            raise rules.over_day(which, quota, now=now, page=_page(grant.id))

    return door


def _page(grant_id: str) -> str:
    return f"/grants/{grant_id}"


# ---- answers that lie whole in memory -------------------------------------------------------------------------------


def charge(admitted: Admitted, asked: Asked, face: str, amount: Amount, *, whole: bool = True) -> None:
    """Charge and write down an answer before it goes out; QuotaSpent when there is not enough left for it."""
    with db.writing() as session:
        now = clock.now(session)
        _take(session, admitted, asked, amount, now=now)
        _note(session, admitted.answer(face), amount, whole=whole, day=_day(admitted, now), now=now)


def _take(session: Session, admitted: Admitted, asked: Asked, amount: Amount, *, now: datetime) -> None:
    """Demand that `amount` is left of the day, while no other worker charges the grant; nothing is always left."""
    grant = admitted.grant
    if grant is None or not admitted.quota.daily or amount == Amount():
        return
    store.lock_grant(session, grant.id)
    settle_lapsed(session, now=now, grant_id=grant.id)
    used = store.charged_on(session, grant.id, _day(admitted, now))
    if which := rules.spent(admitted.quota, used, amount):
        raise rules.over_day(which, admitted.quota, now=now, page=_page(grant.id))
    if (left := asked.known.left) is not None:
        asked.known.left = replace(left, used=used + amount)


def _day(admitted: Admitted, now: datetime) -> date:
    """Return the day that an answer counts on: that on which it was admitted."""
    return day_of(admitted.at or now)


def _note(
    session: Session, answer: dict[str, str | None], amount: Amount, *, whole: bool, day: date, now: datetime
) -> None:
    store.note_usage(session, now=now, day=day, rows=amount.rows, size=amount.size, whole=whole, **answer)


# ---- answers on their way -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Meter:
    """Counts one long answer: reserves before its first byte, says now and then how far it is, settles at its end.

    `total` is what the whole answer will be, where that is known.  One thread at a time uses it.
    """

    admitted: Admitted
    asked: Asked
    face: str
    total: Amount | None = None
    sent: Amount = field(default_factory=Amount)
    whole: bool = False
    _id: str | None = None
    _held: Amount = field(default_factory=Amount)
    _kept: Amount = field(default_factory=Amount)

    @property
    def reservation(self) -> str:
        """What the answer is reserved as; empty where nothing was."""
        return self._id or ""

    def reserve(self) -> None:
        """Reserve what the answer will take, or its first step; QuotaSpent when that is not left."""
        if self.admitted.grant is None or not self.admitted.quota.daily:
            return
        if self.total is not None:
            self._reserve(self.total)
            return
        try:
            self._reserve(STEP)
        except QuotaSpent:
            self._reserve(LEAST)

    def _reserve(self, wanted: Amount) -> None:
        with db.writing() as session:
            now = clock.now(session)
            _take(session, self.admitted, self.asked, wanted, now=now)
            store.reserve(session, self._reservation(wanted, now=now))
        self._held = wanted

    def _reservation(self, wanted: Amount, *, now: datetime) -> Reservation:
        self._id = new_id(now)
        answer = self.admitted.answer(self.face)
        return Reservation(
            id=self._id, grant_id=str(answer["grant_id"]), day=_day(self.admitted, now), rows=wanted.rows,
            size=wanted.size, answer=answer, lapses_at=now + LAPSE,
        )  # fmt: skip

    def send(self, more: Amount) -> bool:
        """Count what goes out next; False when the day has no room for it, or the reservation has lapsed: cut."""
        after = self.sent + more
        if self._id is not None and not _within(after, self._held) and not self._enlarge(after):
            return False
        self.sent = after
        return True

    def keep(self) -> bool:
        """Say how much was sent so far; False when somebody else has settled the answer: cut."""
        if self._id is None:
            return True
        with db.writing() as session:
            kept = store.keep(session, self._id, self.sent, lapses_at=clock.now(session) + LAPSE)
        if kept:
            self._kept = self.sent
        return kept

    def end(self) -> None:
        """Settle: one row of usage with what was sent; the rest of the reservation is free again."""
        sent = self.sent
        with db.writing() as session:
            now = clock.now(session)
            if self._id is not None and not store.release(session, self._id):
                sent = Amount(sent.rows - self._kept.rows, sent.size - self._kept.size)  # the rest stands already
            done = self.whole or (self.total is not None and self.sent == self.total)
            day = _day(self.admitted, now)
            _note(session, self.admitted.answer(self.face), sent, whole=done, day=day, now=now)

    def _enlarge(self, after: Amount) -> bool:
        """Reserve one step beyond what goes out next, of what is short, or only just that where a step is not left."""
        need = Amount(max(0, after.rows - self._held.rows), max(0, after.size - self._held.size))
        step = Amount(STEP.rows if need.rows else 0, STEP.size if need.size else 0)
        return any(self._take_more(more) for more in (need + step, need))

    def _take_more(self, more: Amount) -> bool:
        try:
            with db.writing() as session:
                now = clock.now(session)
                _take(session, self.admitted, self.asked, more, now=now)
                if not store.enlarge(session, self._id or "", more, lapses_at=now + LAPSE):
                    return False
        except QuotaSpent:
            return False
        self._held = self._held + more
        return True


def _within(amount: Amount, held: Amount) -> bool:
    return amount.rows <= held.rows and amount.size <= held.size


def settle_lapsed(session: Session, *, now: datetime, grant_id: str | None = None) -> int:
    """Write down, as cut, what dead workers are known to have sent, and free what they held; return how many."""
    settled = 0
    for one in store.lapsed(session, now=now, grant_id=grant_id):
        if store.release(session, one.id, unheard_since=one.lapses_at):
            _note(session, one.answer, Amount(one.sent_rows, one.sent_size), whole=False, day=one.day, now=now)
            settled += 1
    return settled
