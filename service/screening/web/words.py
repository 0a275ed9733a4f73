"""The words of verdicts in the reader's language, for every page that shows one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint

from service.base.beijing import last_day
from service.base.i18n import current, format_date, gettext
from service.policy.rules.judging import LEVEL_DEFAULT_ID
from service.screening import engine
from service.screening.rules import CHIPS, DOMAINS, FACTS, OUTCOMES, chip, seal_of

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
    """Return where a rule of a verdict stands in its list, the default for high levels beside the lists; else empty."""
    if rule["id"] == LEVEL_DEFAULT_ID:
        return f"/negative-lists#{LEVEL_DEFAULT_ID}"
    domain = str(rule.get("list") or "").rpartition(".")[2]
    return f"/negative-lists/{domain}#{rule['id']}" if domain in DOMAINS else ""
