"""What a case is and asks, for acts and for pages; nothing here changes it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from service.applications import forms, rules, store
from service.applications.forms import Checked
from service.applications.rules import Actor, Frame, Snapshot, State
from service.applications.tables import Agreement, Application
from service.base.beijing import day_of
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import gettext
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening.rules import Ask


def visible(session: Session, id: str, who: Actor) -> Application:
    """Return a case that the person may know of; NotFound for every other."""
    application = store.application(session, id)
    source = catalogue.dataset(session, application.dataset_id).source_unit_id
    if not rules.may_see(who, state=State(application.state), unit_id=application.unit_id, source_unit_id=source):
        raise NotFound()
    return application


def agreement_of(session: Session, application: Application) -> Agreement:
    """Return a case's agreement; NotFound before it is offered."""
    found = store.agreement(session, application.id)
    if found is None:
        raise NotFound()
    return found


def frame_of(session: Session, dataset: Dataset, *, now: datetime) -> Frame:
    """Return what drafts for a dataset are checked against on that day."""
    return Frame(
        columns=tuple(column.name for column in catalogue.columns(session, dataset.id)),
        has_time=dataset.time_column is not None,
        has_area=dataset.area_column is not None,
        purposes=judging.words("purposes"),
        deliveries=tuple(sorted(judging.words("delivery"))),
        today=day_of(now),
    )


def checked(session: Session, application: Application, *, now: datetime, contested: bool = True) -> Checked:
    """Check a draft as its submission would be; `contested` demands an objection for each prohibited column kept."""
    dataset = catalogue.dataset(session, application.dataset_id)
    frame = frame_of(session, dataset, now=now)
    columns = prohibited_columns(session, application, dataset, frame, now=now) if contested else ()
    return forms.check(application.draft, frame, contested=columns)


def prohibited_columns(
    session: Session, application: Application, dataset: Dataset, frame: Frame, *, now: datetime
) -> tuple[str, ...]:
    """Return the ticked columns that a negative list prohibits for themselves."""
    ask = draft_ask(application, dataset, frame, now=now)
    verdicts = screening.column_verdicts(session, ask, now=now)
    return tuple(name for name, verdict in verdicts.items() if verdict["own_outcome"] == "prohibit")


def draft_ask(application: Application, dataset: Dataset, frame: Frame, *, now: datetime) -> Ask:
    """Return what an unfinished draft asks, as far as it can be read: the rest is unknown."""
    draft = application.draft
    yes_or_no = {"yes": True, "no": False}
    period = bool(draft.get("period_from") or draft.get("period_to"))
    ends_on = forms.as_day(draft.get("ends_on"))
    return Ask(
        dataset_id=dataset.id,
        columns=tuple(name for name in frame.columns if name in set(draft.get("columns") or ())),
        filter_columns=_filters(dataset, period=period, areas=bool(draft.get("areas"))),
        unit_id=application.unit_id,
        purpose=draft["purpose"] if draft.get("purpose") in frame.purposes else None,
        statement=draft.get("statement") or None,
        delivery=draft["delivery"] if draft.get("delivery") in frame.deliveries else None,
        retention_days=max(0, (ends_on - frame.today).days) if ends_on else None,
        cross_border=yes_or_no.get(draft.get("cross_border", "")),
        onward_sharing=yes_or_no.get(draft.get("onward_sharing", "")),
        incident=yes_or_no.get(draft.get("incidents", "")),
    )


def ask_of(application: Application, dataset: Dataset, *, now: datetime) -> Ask:
    """Return what a submitted case asks now, after whatever was narrowed."""
    days = ((application.ends_on or day_of(now)) - day_of(now)).days
    return Ask(
        dataset_id=application.dataset_id,
        columns=tuple(application.columns),
        filter_columns=_filters(
            dataset, period=bool(application.period_from or application.period_to), areas=bool(application.areas)
        ),
        unit_id=application.unit_id,
        purpose=application.purpose,
        statement=application.statement,
        delivery=application.delivery,
        retention_days=max(0, days),
        cross_border=application.cross_border,
        onward_sharing=application.onward_sharing,
        incident=bool(application.security.get("incidents")),
    )


def describe(changes: Sequence[rules.Change]) -> list[str]:
    """Return one sentence per change, in the reader's language."""
    return [gettext("%(field)s：%(before)s → %(after)s", **each) for each in differences(changes)]


def differences(changes: Sequence[rules.Change]) -> list[dict[str, str]]:
    """Return {"field", "before", "after"} per change, in the reader's language."""
    return [
        {"field": gettext(rules.FIELDS[change.field]), "before": _shown(change.field, change.before),
         "after": _shown(change.field, change.after)}
        for change in changes
    ]  # fmt: skip


def subject(id: str) -> str:
    """Return a case's name in the log and in its screenings."""
    return f"application:{id}"


def snapshot_of(application: Application) -> Snapshot:
    """Return what a person sees of the case now."""
    return Snapshot(
        state=application.state, step=application.step, columns=tuple(application.columns),
        ends_on=iso(application.ends_on), purpose=application.purpose, statement=application.statement,
        delivery=application.delivery, period_from=iso(application.period_from), period_to=iso(application.period_to),
        areas=tuple(application.areas),
    )  # fmt: skip


def _filters(dataset: Dataset, *, period: bool, areas: bool) -> tuple[str, ...]:
    names = (dataset.time_column if period else None, dataset.area_column if areas else None)
    return tuple(name for name in names if name)


def _shown(field: str, value: Any) -> str:
    if field == "state":
        return gettext(rules.STATES[State(value)])
    if field == "step":
        return str(int(value) + 1)
    if isinstance(value, tuple):
        return "、".join(value) or "—"
    return str(value) if value else "—"


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
