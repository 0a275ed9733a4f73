"""The judge, as the rest of the house calls it: plain documents in, plain documents out, by the policies in use."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from service.catalogue.rules import OTHER
from service.grants.rules import DELIVERIES
from service.grants.rules.obliging import Asked, Compiled, Setting, compiled
from service.policy import engine as policy
from service.policy.engine.folder import read_lists, yaml_files
from service.policy.rules.calendar import Clock, read_clock, working_days_between
from service.policy.rules.calendar import due as count_due
from service.policy.rules.duties import Grantable, blocking
from service.policy.rules.duties import tasks as tasks_of
from service.policy.rules.editions import Cases, cases_by_rule
from service.policy.rules.facts import read_facts
from service.policy.rules.judging import LEVEL_DEFAULT, LEVEL_DEFAULT_ID, judge
from service.policy.rules.merging import plain
from service.policy.rules.models import NegativeList, Obligation, Rule
from service.policy.rules.papers import Reason, Terms, fill
from service.policy.rules.papers import agreement_text as write_agreement
from service.policy.rules.routes import route_for
from service.policy.rules.sentences import sentence
from service.policy.rules.vocabulary import AXES


def judge_now(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict on `facts` by the lists in use, those in force on the facts' own date.

    A verdict depends on nothing else, and a page asks for the same ones again and again: they are remembered.  What is
    returned is shared; nobody changes the inside of a verdict.
    """
    return {**_remembered(policy.current(), json.dumps(facts, sort_keys=True))}


@lru_cache(maxsize=2048)
def _remembered(policies: policy.Policies, facts: str) -> dict[str, Any]:
    return _judge(json.loads(facts), policies.lists)


def judge_by(facts: Mapping[str, Any], bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the verdict on `facts` by lists given whole, as they were stored."""
    return _judge(facts, [NegativeList.of(body) for body in bodies])


def judge_with(facts: Mapping[str, Any], lists: Sequence[NegativeList]) -> dict[str, Any]:
    """Return the verdict on `facts` by given lists."""
    return _judge(facts, lists)


def read_candidates(path: Path) -> list[NegativeList]:
    """Return the lists in a file or folder; raises PolicyError with every fault."""
    files, faults = read_lists(yaml_files(path) if path.is_dir() else [path], policy.current().vocabulary)
    if faults:
        raise policy.PolicyError(faults)
    return [file.list for file in files]


def editions() -> tuple[NegativeList, ...]:
    """Return the lists of the policies in use."""
    return tuple(policy.current().lists)


def in_use() -> object:
    """Return what stands for the policies in use: equal to itself only, whatever they have in common with others."""
    return policy.current()


def body_of(edition: NegativeList) -> dict[str, Any]:
    """Return what is kept of an edition: all of it but its tests, which its digest leaves out too."""
    body = edition.written()
    body.pop("tests", None)
    return body


def as_yaml(body: Mapping[str, Any]) -> bytes:
    """Return an edition's text as YAML, keys in the order in which they were written."""
    text = StringIO()
    YAML(typ="rt", pure=True).dump(dict(body), text)
    return text.getvalue().encode()


@lru_cache(maxsize=64)
def cases_of(digest: str) -> dict[str, Cases]:
    """Return the cases that stand beside the rules of an edition in the policies in use, by rule; none for others."""
    found = next((each for each in policy.current().lists if each.digest == digest), None)
    return cases_by_rule([case.written() for case in found.tests]) if found else {}


def quasi(semantics: Iterable[str | None]) -> frozenset[str]:
    """Return those semantic types that identify in combination; a child of a known type has its parent's role."""
    vocabulary = policy.current().vocabulary
    found = ((semantic, vocabulary.word("semantics", semantic)) for semantic in semantics if semantic)
    return frozenset(semantic for semantic, word in found if word and "quasi" in word.roles)


def roles(semantic: str | None) -> frozenset[str] | None:
    """Return the roles of a semantic type (direct, quasi, sensitive, confidential); None for none that is known."""
    word = policy.current().vocabulary.word("semantics", semantic) if semantic else None
    return frozenset(word.roles) if word else None


def domains(key_domain: str, tags: Iterable[str]) -> list[str]:
    """Return the domains whose lists judge a dataset: common always, its key domain if any, and those of its tags."""
    return ["common", *sorted({key_domain, *policy.current().vocabulary.domains_of(tags)} - {"common", OTHER})]


def label(axis: str, word: str, language: str) -> str:
    """Return a vocabulary word's name in a language."""
    return policy.current().vocabulary.label(axis, word, language)


def fact_value(key: str, value: str, language: str) -> str:
    """Return a fact's value in words where its values are words of the vocabulary."""
    if key == "dataset_level":
        return f"L{value}"
    return label(AXES[key], value, language) if key in AXES else value


def _judge(facts: Mapping[str, Any], lists: Sequence[NegativeList]) -> dict[str, Any]:
    vocabulary = policy.current().vocabulary
    parsed = read_facts(facts, vocabulary)
    return judge(parsed, lists, date=date.fromisoformat(facts["date"])).as_json()


# ---- what follows from a verdict -----------------------------------------------------------------------------------


def route(facts: Mapping[str, Any], verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the route of a request as it is frozen on the case."""
    chosen = route_for(
        policy.current().routes,
        outcome=verdict["outcome"],
        domains=facts["domains"],
        level=facts["dataset_level"],
        delivery=facts["delivery"],
    )
    return chosen.frozen()


def due(at: datetime, working_days: int) -> datetime:
    """Return 24:00 Beijing time of the last of so many working days after `at`."""
    return count_due(at, working_days=working_days, works=policy.current().calendar.works)


def clock_to(due_at: datetime | None, working_days: int, *, now: datetime) -> Clock:
    """Return how the clock of a step of so many working days reads at `now`; paused when it has no end."""
    return read_clock(due_at, total=working_days, now=now, calendar=policy.current().calendar)


def working_days(start: datetime, end: datetime) -> int:
    """Return how many working days something took: those after the day of `start` up to and with that of `end`."""
    return working_days_between(start, end, works=policy.current().calendar.works)


def treatment(facts: Mapping[str, Any], verdict: Mapping[str, Any], columns: Sequence[Asked]) -> Compiled:
    """Return the steps and the quota that see to a verdict's conditions on the columns that would be granted."""
    setting = Setting(columns, facts["spatial_m"], facts["temporal_min"], quasi(each.semantic for each in columns))
    return compiled([plain(each) for each in obligations_of(verdict)], setting)


def blocked(
    facts: Mapping[str, Any], verdict: Mapping[str, Any], met: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the obligations that nothing would enforce on this request: {"obligation", "zh", "en"} each.

    `met` are those that the view would be compiled to see to (`treatment`).
    """
    parsed = read_facts(facts, policy.current().vocabulary)
    asked = Grantable(
        columns=parsed.columns or (),
        delivery=parsed.delivery or "",
        served=DELIVERIES,
        days=parsed.retention_days or 0,
        spatial_m=parsed.spatial_m,
        temporal_min=parsed.temporal_min,
        met=_OBLIGATIONS.validate_json(json.dumps([dict(each) for each in met])),
    )
    found = blocking(obligations_of(verdict), asked, policy.current().vocabulary.enforcers)
    return [{"obligation": plain(each.obligation), "zh": each.zh, "en": each.en} for each in found]


def agreement_text(terms: Terms, verdict: Mapping[str, Any]) -> str:
    """Return the agreement of one case, in Chinese: the language it binds in."""
    policies = policy.current()
    return write_agreement(policies.agreements["use"], terms, obligations_of(verdict), policies.vocabulary)


def reasons(verb: str) -> tuple[Reason, ...]:
    """Return the reasons that an officer may start from for a verb."""
    return policy.current().reasons.for_verb(verb)


def remedy(body: str, body_en: str) -> dict[str, Any]:
    """Return the remedy block of adverse letters: {"text": {zh, en}, "signed_off"}; `body` is asked for a review.

    Which body reconsiders is for the legal office to say: until the block is signed off it stays general.
    """
    block = policy.current().remedies["default"]
    above = {"zh": "有权的行政复议机关", "en": "the competent body"}
    text = {
        "zh": fill(block.text, {"authority": body, "reconsideration_body": above["zh"]}, "zh"),
        "en": fill(block.text, {"authority": body_en, "reconsideration_body": above["en"]}, "en"),
    }
    return {"text": text, "signed_off": block.signed_off is not None}


def obligations_of(verdict: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """Return a stored verdict's obligations."""
    return _OBLIGATIONS.validate_json(json.dumps(verdict["obligations"]))


def tasks(verdict: Mapping[str, Any], *, starts_on: date, ends_on: date) -> list[tuple[dict[str, Any], date]]:
    """Return what falls due by a verdict's conditions under a grant of those days (both included), with its day."""
    vocabulary = policy.current().vocabulary
    found = tasks_of(obligations_of(verdict), starts_on=starts_on, ends_on=ends_on, vocabulary=vocabulary)
    return [(plain(task.obligation), task.due_on) for task in found]


def obligation_label(obligation: Mapping[str, Any], language: str) -> str:
    """Return one obligation in words: its kind, and what it says of days, metres, modes and so on."""
    vocabulary = policy.current().vocabulary
    kinds = {kind.kind: kind for kind in vocabulary.obligations}
    kind = kinds[str(obligation["kind"])]
    values = [
        _parameter(name, value, language)
        for name, value in sorted(obligation.items())
        if name != "kind" and value is not None
    ]
    head = kind.zh if language == "zh" else kind.en
    if not values:
        return head
    return f"{head}（{'，'.join(values)}）" if language == "zh" else f"{head} ({', '.join(values)})"


def rule_sentence(rule: Mapping[str, Any]) -> dict[str, str] | None:
    """Return what a rule says, {"zh", "en"}: a rule of an edition's body, or an entry of a verdict by list and id.

    None for an entry whose list no longer has the rule; the edition that was judged by still does.
    """
    if "when" in rule or "when_any" in rule:
        return _said(json.dumps(rule, ensure_ascii=False, sort_keys=True), policy.current().vocabulary.edition)
    found = _rule_of(rule.get("list"), str(rule["id"]))
    return None if found is None else sentence(found, policy.current().vocabulary)


def _rule_of(list_id: object, id: str) -> Rule | None:
    if list_id is None:
        return LEVEL_DEFAULT if id == LEVEL_DEFAULT_ID else None
    lists = (each for each in policy.current().lists if each.id == list_id)
    return next((rule for each in lists for rule in each.rules if rule.id == id), None)


@lru_cache(maxsize=2048)
def _said(rule: str, _vocabulary: str) -> dict[str, str]:
    """Kept by the rule's text and the vocabulary's edition: a page shows every rule of a list."""
    return sentence(Rule.model_validate_json(rule), policy.current().vocabulary)


def words(axis: str) -> frozenset[str]:
    """Return the words of one axis of the vocabulary."""
    return frozenset(word.word for word in getattr(policy.current().vocabulary, axis))


def purposes() -> list[tuple[str, str]]:
    """Return (word, status) of every purpose, in the vocabulary's order."""
    return [(word.word, word.status or "allowed") for word in policy.current().vocabulary.purposes]


_OBLIGATIONS: TypeAdapter[tuple[Obligation, ...]] = TypeAdapter(tuple[Obligation, ...])
_UNITS = {
    "days": ("天", "days"),
    "minutes": ("分钟", "minutes"),
    "metres": ("米", "metres"),
    "k": ("人", "people"),
    "every_days": ("天一次", "days apart"),
    "within_days": ("天内", "days"),
    "rows_per_day": ("行/天", "rows a day"),
}
_AXES = {"semantics": "semantics", "modes": "delivery", "name": "documents", "role": "roles"}


def _parameter(name: str, value: Any, language: str) -> str:
    if name in _UNITS:
        return f"{value} {_UNITS[name][language != 'zh']}"
    values = value if isinstance(value, list) else [value]
    axis = _AXES.get(name)
    joint = "、" if language == "zh" else ", "
    return joint.join(label(axis, str(each), language) if axis else str(each) for each in values)
