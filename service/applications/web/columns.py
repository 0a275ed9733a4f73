"""The column picker: every column with its verdict, how it would be provided, and the ways out of a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.applications import store
from service.applications.actions.reading import draft_ask
from service.applications.tables import Application
from service.applications.web.sheet import Part, Sheet
from service.base.db import Session
from service.base.i18n import gettext, pick
from service.catalogue import store as catalogue
from service.catalogue.tables import DatasetColumn
from service.screening import actions as screening
from service.screening.rules import CHANGING, chip

DROP, INSTEAD = "drop:", "instead:"  # what a button named `mend` says: drop a column, ask a derived dataset instead


@dataclass(frozen=True, slots=True)
class Mend:
    """One way out of a refusal, as a button: what it sends and what it says."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One column of the picker."""

    column: DatasetColumn
    verdict: Mapping[str, Any]
    ticked: bool
    objection: str
    mends: tuple[Mend, ...]

    @property
    def refused(self) -> bool:
        return bool(self.verdict["own_outcome"] == "prohibit")

    @property
    def word(self) -> str:
        """The column's verdict in one word."""
        return chip(self.verdict["own_outcome"], self.verdict["own"])

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What would be done to the column's values: the obligations that change them."""
        found: list[dict[str, Any]] = []
        for rule in self.verdict["own"]:
            duties = [duty for duty in rule.get("obligations") or () if duty["kind"] in CHANGING]
            found += [duty for duty in duties if duty not in found] if rule["state"] == "hit" else []
        return found

    @property
    def bans(self) -> list[Mapping[str, Any]]:
        return [rule for rule in self.verdict["own"] if rule["state"] == "hit" and rule["outcome"] == "prohibit"]

    @property
    def unknown(self) -> list[str]:
        """The facts that are not known yet and could make the verdict on this column stricter."""
        keys = (key for rule in self.verdict["own"] if rule["state"] == "unknown" for key in rule["missing"])
        return list(dict.fromkeys(keys))


def picked(session: Session, sheet: Sheet, part: Part, draft: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return what the picker shows for a draft as typed: its rows, and the verdict on all that is ticked."""
    asked = Application(**{**part.application.model_dump(), "draft": dict(draft)})
    every = Application(**{**asked.model_dump(), "draft": {**draft, "columns": list(part.frame.columns)}})
    verdicts = screening.column_verdicts(session, draft_ask(every, part.dataset, part.frame, now=now), now=now)
    ask = draft_ask(asked, part.dataset, part.frame, now=now)
    others = _instead(session, sheet, part)
    objections = draft.get("objections") or {}
    rows = [
        Row(column, verdicts[column.name], column.name in ask.columns, str(objections.get(column.name) or ""),
            _mends(column, others))
        for column in catalogue.columns(session, part.dataset.id)
    ]  # fmt: skip
    return {"rows": rows, "verdict": screening.preview(session, ask, now=now).verdict if ask.columns else None}


def _mends(column: DatasetColumn, others: Sequence[Mend]) -> tuple[Mend, ...]:
    return (Mend(DROP + column.name, gettext("去掉这一列")), *others)


def _instead(session: Session, sheet: Sheet, part: Part) -> list[Mend]:
    asked = {each.dataset.id for each in sheet.parts}
    found = store.derived_from(session, part.dataset.id) if part.application.state == "draft" else ()
    return [
        Mend(INSTEAD + each.id, gettext("改用“%(title)s”", title=pick(each.title)))
        for each in found
        if each.openness == "restricted" and each.id not in asked
    ]
