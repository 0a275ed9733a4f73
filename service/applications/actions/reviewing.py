"""What an officer is shown before deciding: each column before and after, which decisions are open, a draft reason.

Nothing here changes a case; the verdict that counts is judged anew in the transaction of the decision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from service.applications import store
from service.applications.actions.narrowing import Errors, Scope, Wish, ask_within, obstacles, scope_of, shortened
from service.applications.actions.parts import steps
from service.applications.actions.reading import ask_of
from service.applications.rules import Verb
from service.applications.tables import Application
from service.base.beijing import day_of
from service.base.db import Session
from service.base.errors import Refusal
from service.base.i18n import N_, gettext, pick
from service.catalogue import store as catalogue
from service.catalogue.tables import Dataset, DatasetColumn
from service.screening import actions as screening
from service.screening import engine as judging
from service.screening.rules import CHANGING, Judged, standing_out

NOTHING_CUT = N_("还没有收窄：去掉字段，或者缩短期限")
SOMETHING_CUT = N_("已有收窄：请选“部分开放”，或者改回原样")


@dataclass(frozen=True, slots=True)
class Row:
    """One column: what was asked and how it was judged, whether it would be given, and how it is judged then.

    `coarser` are the conditions that would give it in a coarser form: shown, as this build cannot carry them out.
    """

    name: str
    column: DatasetColumn | None
    asked: dict[str, Any]
    given: dict[str, Any] | None
    objection: str
    coarser: list[dict[str, Any]]

    @property
    def prohibited(self) -> bool:
        return bool(self.asked["own_outcome"] == "prohibit")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the four decisions; a closed one has the refusal that a person would meet, or says what it takes."""

    verb: Verb
    closed: str = ""
    refusal: Refusal | None = None

    @property
    def open(self) -> bool:
        return not self.closed and self.refusal is None


@dataclass(frozen=True, slots=True)
class Review:
    """A case as it would be decided under one wish; `later` is what would stop it only at the last step."""

    before: Scope
    after: Scope
    errors: Errors
    asked: Judged
    left: Judged
    rows: list[Row]
    choices: list[Choice]
    last: bool
    later: list[Refusal]
    reason: str = ""
    whole: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cut(self) -> bool:
        return self.before != self.after


def review(session: Session, application: Application, dataset: Dataset, wish: Wish, *, now: datetime) -> Review:
    """Return what deciding on a case under review would rest on if it were narrowed as `wish` says."""
    before = scope_of(application)
    after, errors = shortened(before, wish, dataset, today=day_of(now))
    asked = screening.preview(session, ask_of(application, dataset, now=now), now=now)
    left = asked
    if after != before:
        left = screening.preview(session, ask_within(application, dataset, after, now=now), now=now)
    rows = _rows(session, application, dataset, after, now=now)
    last = application.step + 1 >= len(steps(application))
    stops = list(obstacles(session, application, dataset, left, last=last))
    ahead = [] if last or stops else list(obstacles(session, application, dataset, left, last=True))
    own = {rule["id"] for row in rows for rule in row.asked["own"]}
    found = Review(
        before, after, errors, asked, left, rows, list(_choices(before != after, stops)), last, ahead,
        whole=[rule for rule in standing_out(left.verdict) if rule["id"] not in own],
    )  # fmt: skip
    return replace(found, reason=_draft_reason(found, today=day_of(now)))


def prohibited(session: Session, application: Application, dataset: Dataset, *, now: datetime) -> list[str]:
    """Return the columns of a case that a negative list prohibits for themselves."""
    verdicts = screening.column_verdicts(session, ask_of(application, dataset, now=now), now=now)
    return [name for name, verdict in verdicts.items() if verdict["own_outcome"] == "prohibit"]


def _rows(session: Session, application: Application, dataset: Dataset, after: Scope, *, now: datetime) -> list[Row]:
    before = scope_of(application)
    asked = screening.column_verdicts(session, ask_of(application, dataset, now=now), now=now)
    given = asked  # a column alone is judged alike whatever else is given, unless the term or the days change
    if replace(after, columns=before.columns) != before:
        given = screening.column_verdicts(session, ask_within(application, dataset, after, now=now), now=now)
    known = {column.name: column for column in catalogue.columns(session, dataset.id)}
    return [
        Row(
            name,
            known.get(name),
            asked[name],
            given[name] if name in after.columns else None,
            application.objections.get(name, ""),
            _coarser(asked[name]["own"]),
        )
        for name in application.columns
    ]


def _coarser(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    duties = [duty for rule in rules for duty in rule.get("obligations") or ()]
    return [duty for duty in duties if duty["kind"] in CHANGING and duty["kind"] != "drop_columns"]


def _choices(cut: bool, stops: Sequence[Refusal]) -> Iterator[Choice]:
    stop = stops[0] if stops else None
    yield Choice(Verb.NARROW, "" if cut else gettext(NOTHING_CUT), stop if cut else None)
    yield Choice(Verb.APPROVE, gettext(SOMETHING_CUT) if cut else "", None if cut else stop)
    yield Choice(Verb.RETURN)
    yield Choice(Verb.REFUSE)


# ---- a reason to start from ----------------------------------------------------------------------------------------


def _draft_reason(found: Review, *, today: date) -> str:
    """Return a reason in the letter's words: for what is cut, or for a refusal where something is prohibited."""
    library = {reason.code: reason.text for verb in ("narrow", "refuse") for reason in judging.reasons(verb)}
    lines = list(_cut_lines(found, today=today) if found.cut else _refusal_lines(found))
    return "\n".join(pick({"zh": library[code].zh, "en": library[code].en}) % blanks for code, blanks in lines)


def _cut_lines(found: Review, *, today: date) -> Iterator[tuple[str, dict[str, str]]]:
    needless = []
    for row in (row for row in found.rows if row.given is None):
        title = pick(row.column.title) if row.column else row.name
        hits = [rule for rule in row.asked["own"] if rule["state"] == "hit" and rule["outcome"] == "prohibit"]
        if hits:
            yield "prohibited-column", _blanks(hits[0], title)
        elif f"columns.{row.name}" in row.asked["missing"]:
            rule = next(iter(row.asked["own"]), None)
            yield "unclassified-column", _blanks(rule, title)
        else:
            needless.append(title)
    if needless:
        yield "not-necessary", _blanks(None, _listed(needless))
    if found.after.ends_on != found.before.ends_on:
        yield "term-too-long", {"days": str((found.after.ends_on - today).days)}
    if (found.after.period_from, found.after.period_to) != (found.before.period_from, found.before.period_to):
        yield "period-too-long", {}


def _refusal_lines(found: Review) -> Iterator[tuple[str, dict[str, str]]]:
    titles = {row.name: pick(row.column.title) if row.column else row.name for row in found.rows}
    for rule in found.asked.verdict["rules"]:
        if rule["state"] == "hit" and rule["outcome"] == "prohibit":
            named = [titles[name] for name in rule["evidence"] if name in titles]
            yield "prohibited-column" if named else "prohibited-purpose", _blanks(rule, _listed(named))


def _listed(titles: Sequence[str]) -> str:
    return pick({"zh": "”、“", "en": "”, “"}).join(titles)


def _blanks(rule: Mapping[str, Any] | None, column: str) -> dict[str, str]:
    remedy = pick(rule["remedy"]) if rule and rule["remedy"] else "—"
    return {"column": column, "clause": clause_of(rule) if rule else "—", "remedy": remedy, "days": ""}


def clause_of(rule: Mapping[str, Any]) -> str:
    """Return a rule as a letter names it: its number and the articles that it rests on."""
    laws = "、".join(f"《{basis['law']}》{basis.get('article') or ''}" for basis in rule["basis"])
    return f"{rule['id']}（{laws}）" if laws else str(rule["id"])


# ---- the other parts of the form -----------------------------------------------------------------------------------


def library() -> list[dict[str, str]]:
    """Return the reasons that an officer may start from, without their blanks filled."""
    found = []
    for verb in ("narrow", "return", "refuse"):
        for reason in judging.reasons(verb):
            text = pick({"zh": reason.text.zh, "en": reason.text.en})
            for name in ("column", "clause", "remedy", "days"):
                text = text.replace(f"%({name})s", "……")
            found.append({"verb": verb, "text": text})
    return found


def other_parts(session: Session, application: Application) -> list[Application]:
    """Return the other submitted cases of the same form, in the order they were begun."""
    return [each for each in store.bundle(session, application) if each.id != application.id and each.number]
