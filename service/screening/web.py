"""The negative lists as pages, and the words of verdicts for every page that shows one."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.beijing import day_of, last_day
from service.base.errors import NotFound
from service.base.i18n import current, format_date, gettext
from service.screening import engine, store
from service.screening.rules import CHIPS, DOMAINS, FACTS, OUTCOMES, PROVENANCE_WORDS, chip, seal_of
from service.screening.tables import ListEdition

pages = Blueprint("screening", __name__)


@pages.app_context_processor
def words() -> dict[str, object]:
    """Give every template the words of verdicts in the reader's language."""
    return {
        "outcomes": OUTCOMES,
        "chip": chip,
        "chips": CHIPS,
        "word": word,
        "obligation_label": obligation_label,
        "rule_sentence": engine.rule_sentence,
        "fact_label": fact_label,
        "evidence_label": evidence_label,
        "rule_path": rule_path,
        "seal_of": seal_of,
        "deadline": deadline,
    }


def deadline(at: datetime) -> str:
    """Return a clock's end as people name it: 24:00 of its last Beijing day."""
    return f"{format_date(last_day(at))} 24:00"


def word(axis: str, name: str) -> str:
    """Return the name of a word of the vocabulary."""
    return engine.label(axis, name, current())


def obligation_label(obligation: Mapping[str, Any]) -> str:
    return engine.obligation_label(obligation, current())


def fact_label(key: str) -> str:
    """Return what a missing fact is called; `columns.<name>` is a column that nobody has classified."""
    if key.startswith("columns."):
        return gettext("字段 %(name)s 尚未分类", name=key.removeprefix("columns."))
    return gettext(FACTS.get(key, key))


def evidence_label(evidence: str) -> str:
    """Return evidence in words: `fact=value` by the names of both; a column, or a word of a statement, as it stands."""
    key, _equals, value = evidence.partition("=")
    if not value or key not in FACTS:
        return evidence
    return gettext("%(fact)s：%(value)s", fact=gettext(FACTS[key]), value=engine.fact_value(key, value, current()))


def rule_path(rule: Mapping[str, Any]) -> str:
    """Return where a rule of a verdict stands in its list; empty for one that stands in none."""
    domain = str(rule.get("list") or "").rpartition(".")[2]
    return f"/negative-lists/{domain}#{rule['id']}" if domain in DOMAINS else ""


@pages.get("/negative-lists")
@requires(Role.PUBLIC)
def index() -> ResponseReturnValue:
    """List the domains with the editions in force today."""
    with db.reading() as session:
        today = day_of(clock.now(session))
        editions = [edition for edition in store.editions(session) if _in_force(edition, today)]
    return http.page("screening/lists.html", editions=_by_domain(editions), domains=DOMAINS)


@pages.get("/negative-lists/<domain>")
@requires(Role.PUBLIC)
def show(domain: str) -> ResponseReturnValue:
    """Show a domain's list in force, rule by rule, and its other editions."""
    if domain not in DOMAINS:
        raise NotFound()
    with db.reading() as session:
        today = day_of(clock.now(session))
        editions = [edition for edition in store.editions(session) if edition.domain == domain]
    now = [edition for edition in editions if _in_force(edition, today)]
    others = [edition for edition in editions if edition not in now]
    return http.page(
        "screening/list.html", domain=DOMAINS[domain], editions=now, others=others, provenance=PROVENANCE_WORDS
    )


def _in_force(edition: ListEdition, today: date) -> bool:
    return edition.effective_from <= today and (edition.effective_until is None or today <= edition.effective_until)


def _by_domain(editions: list[ListEdition]) -> dict[str, list[ListEdition]]:
    return {domain: [edition for edition in editions if edition.domain == domain] for domain in DOMAINS}
