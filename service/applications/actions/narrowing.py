"""How far a case reaches, how far an officer would let it reach, and what stands in the way of agreeing to that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from service.applications import rules
from service.applications.actions.reading import ask_of
from service.applications.actions.treating import treatment
from service.applications.rules import Verb
from service.applications.tables import Application
from service.base.beijing import day_of
from service.base.db import Session
from service.base.errors import Refusal
from service.base.i18n import N_, gettext, pick
from service.catalogue.rules import DatasetState, Openness
from service.catalogue.tables import Dataset
from service.grants.rules import DELIVERIES
from service.people import store as people
from service.people.rules import UnitUnverified
from service.screening import engine as judging
from service.screening.rules import Ask, Judged, standing_ids

Errors = list[dict[str, str]]


class DatasetNotOpen(Refusal):
    """The dataset was closed, opened to all, or loaded anew and not yet published since the case began."""

    code = "dataset-not-open"
    title = N_("该数据集目前不在受限开放之列，不能授权")
    status = 409


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants: the verb, the reason, and for narrowing what is kept (None: as it is)."""

    verb: Verb
    reason: str
    columns: Sequence[str] | None = None
    ends_on: date | None = None
    period_from: date | None = None
    period_to: date | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What narrowing may shorten: columns in the case's order, the last day of use, the data's days (None: open)."""

    columns: tuple[str, ...]
    ends_on: date
    period_from: date | None
    period_to: date | None


def scope_of(application: Application) -> Scope:
    """Return how far a submitted case reaches now."""
    assert application.ends_on is not None  # set by every submission
    return Scope(tuple(application.columns), application.ends_on, application.period_from, application.period_to)


def shortened(scope: Scope, wish: Wish, dataset: Dataset, *, today: date) -> tuple[Scope, Errors]:
    """Return the scope that a wish leaves, and why it does not hold: nothing may reach further than before.

    Where a part does not hold, the scope keeps it as it was.
    """
    errors: Errors = []
    columns = rules.narrowed(scope.columns, scope.columns if wish.columns is None else wish.columns)
    if columns is None:
        errors.append({"field": "columns", "message": gettext("须保留至少一个字段，且不得超出申请的字段")})
    ends_on = wish.ends_on or scope.ends_on
    if ends_on > scope.ends_on or ends_on <= today:
        errors.append({"field": "ends_on", "message": gettext("期限只能缩短，且应在今天之后")})
        ends_on = scope.ends_on
    first, last = wish.period_from or scope.period_from, wish.period_to or scope.period_to
    if told := _period_fault(scope, first, last, dataset):
        errors.append({"field": "period_from", "message": told})
        first, last = scope.period_from, scope.period_to
    return Scope(columns or scope.columns, ends_on, first, last), errors


def _period_fault(scope: Scope, first: date | None, last: date | None, dataset: Dataset) -> str | None:
    if (first, last) == (scope.period_from, scope.period_to):
        return None
    if dataset.time_column is None:
        return gettext("该数据集没有时间字段，不能限定数据期间")
    wider = (scope.period_from and first and first < scope.period_from) or (
        scope.period_to and last and last > scope.period_to
    )
    if wider or (first and last and last < first):
        return gettext("数据期间只能缩短，且截止日期不得早于起始日期")
    return None


def ask_within(application: Application, dataset: Dataset, scope: Scope, *, now: datetime) -> Ask:
    """Return what a case would ask if it reached no further than `scope`; the case itself stays as it is."""
    ask = ask_of(application, dataset, now=now)
    filters = tuple(name for name in ask.filter_columns if name != dataset.time_column)
    if dataset.time_column and (scope.period_from or scope.period_to):
        filters = (dataset.time_column, *filters)
    days = max(0, (scope.ends_on - day_of(now)).days)
    return replace(ask, columns=scope.columns, filter_columns=filters, retention_days=days)


def obstacles(
    session: Session, application: Application, dataset: Dataset, judged: Judged, *, last: bool
) -> Iterator[Refusal]:
    """Yield what stands in the way of agreeing: verdict and delivery at every step, at the last one the rest too."""
    if dataset.state != DatasetState.PUBLISHED or dataset.openness != Openness.RESTRICTED:
        yield DatasetNotOpen()
    if judged.verdict["ceiling"] == "prohibit":
        yield rules.Prohibited(
            rules="、".join(standing_ids(judged.verdict)), missing=judged.verdict["missing"],
            outcome=judged.verdict["outcome"],
        )  # fmt: skip
    if application.delivery not in DELIVERIES:
        yield rules.NotBuilt(delivery=application.delivery)
    if not last:
        return
    if not people.verified(session, application.unit_id):
        yield UnitUnverified(unit=application.unit_id)
    met = treatment(session, application, dataset, judged).met
    if blocked := judging.blocked(judged.facts, judged.verdict, met):
        yield rules.Unenforceable(
            obligations=[each["obligation"] for each in blocked], listed="；".join(pick(each) for each in blocked)
        )
