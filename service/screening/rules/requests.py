"""What is judged: a request becomes a facts document, and a verdict is read for people and for columns.  Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import rfc8785

from service.base.errors import Refusal
from service.base.i18n import N_
from service.catalogue.rules import KEY_DOMAINS, OTHER
from service.policy.rules.judging import SEMANTICS as SEMANTICS
from service.policy.rules.models import strictest as strictest
from service.policy.rules.models import strictness as strictness

OUTCOMES = {
    "prohibit": N_("禁止提供"),
    "review": N_("须人工审核"),
    "condition": N_("附条件"),
    "pass": N_("未命中负面清单（不代表同意）"),
}

# What a verdict says of one column, in one word.
CHIPS = {"prohibit": N_("禁止"), "review": N_("待定"), "condition": N_("需处理"), "pass": N_("可用")}
# Obligations that change the values that leave; the others bind the reader and leave the column as it is.
CHANGING = frozenset({"transform", "drop_columns", "coarsen_spatial", "coarsen_time", "min_group", "aggregate_only"})

# A unit's kind in the register → the vocabulary's word for an applicant, where the register has no closer one.
APPLICANT_KINDS = {
    "enterprise": "enterprise",
    "institute": "research_institute",
    "social": "social_org",
    "source": "government",
    "authority": "government",
}
# Mildest first: an incident that the applicant declares is weighed against what the register says, the worse holds.
CREDIT_ORDER = ("good", "repaired", "minor", "poor", "incident_3y", "blacklisted", "deregistered")

PROVENANCE = {
    "dataset_tags": "catalogue",
    "dataset_level": "catalogue",
    "dataset_subjects": "catalogue",
    "dataset_records": "computed",
    "columns": "catalogue",
    "quasi_identifiers": "computed",
    "record_unit": "catalogue",
    "spatial_m": "catalogue",
    "temporal_min": "catalogue",
    "min_group": "computed",
    "purpose": "declared",
    "purpose_statement": "declared",
    "applicant_kind": "register",
    "applicant_foreign_share": "register",
    "applicant_certs": "register",
    "applicant_credit": "register",
    "delivery": "declared",
    "retention_days": "declared",
    "cross_border": "declared",
    "onward_sharing": "declared",
    "linked_columns": "computed",
    "linked_tags": "computed",
}


class UnknownColumn(Refusal):
    """Facts: `columns`, the names that the dataset does not have, as one text."""

    code = "no-such-column"
    title = N_("数据集没有这些字段")
    status = 422
    detail = N_("没有这些字段：%(columns)s")


class NotPublishable(Refusal):
    """The screening of a dataset's public view did not come out clean.  Facts: `dataset`, `outcome`, `reasons`."""

    code = "not-publishable"
    title = N_("数据集经发布前审查不能发布")
    status = 409
    detail = N_("判定结果：%(outcome)s；涉及规则：%(reasons)s")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as far as the lists can see it.  None means not said, which is unknown and never harmless.

    `filter_columns` are the columns of the row filter: they count as requested.  `incident` is the declared security
    incident of the last three years.  `applicant` stands in where the asker is no unit.
    """

    dataset_id: str
    columns: tuple[str, ...]
    filter_columns: tuple[str, ...] = ()
    unit_id: str | None = None
    purpose: str | None = None
    statement: str | None = None
    delivery: str | None = None
    retention_days: int | None = None
    cross_border: bool | None = None
    onward_sharing: bool | None = None
    incident: bool | None = None
    applicant: "Applicant | None" = None

    def alone(self, column: str) -> "Ask":
        """Return the same request for one column."""
        return replace(self, columns=(column,), filter_columns=())


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    semantic: str | None
    title: str
    level: int | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A dataset as the catalogue records it; `columns` are all of its columns in order."""

    tags: tuple[str, ...]
    level: int
    subjects: tuple[str, ...] | None
    records: int | None
    record_unit: str | None
    spatial_m: float | None
    temporal_min: float | None
    key_domain: str
    columns: tuple[Column, ...]

    def chosen(self, names: Iterable[str]) -> tuple[Column, ...]:
        """Return the named columns in the dataset's order; UnknownColumn for names that it does not have."""
        wanted = set(names)
        if unknown := wanted - {column.name for column in self.columns}:
            raise UnknownColumn(columns="、".join(sorted(unknown)))
        return tuple(column for column in self.columns if column.name in wanted)


@dataclass(frozen=True, slots=True)
class Applicant:
    """A unit as the register records it; `kind` is the vocabulary's word."""

    kind: str | None
    foreign_share: float | None
    certs: tuple[str, ...] | None
    credit: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """What the unit's live grants give already; None where a granted column is not classified."""

    semantics: frozenset[str] | None = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement: `id` is the stored screening's, empty for a preview."""

    id: str
    facts: dict[str, Any]
    verdict: dict[str, Any]
    digests: tuple[str, ...]


def gather(
    ask: Ask,
    dataset: Subject,
    applicant: Applicant | None,
    held: Held,
    *,
    quasi: frozenset[str],
    domains: Sequence[str],
    day: str,
) -> dict[str, Any]:
    """Return the facts document of a request; `quasi` are the semantic types in the role of quasi-identifier.

    The level is the highest among the requested and the filtering columns, the dataset's own where one is ungraded.
    """
    columns = dataset.chosen((*ask.columns, *ask.filter_columns))
    return {
        "dataset_tags": list(dataset.tags),
        "dataset_level": level_of(columns, dataset.level),
        "dataset_subjects": None if dataset.subjects is None else list(dataset.subjects),
        "dataset_records": dataset.records,
        "columns": [{"name": c.name, "semantic": c.semantic, "title": c.title} for c in columns],
        "quasi_identifiers": sum(1 for column in columns if column.semantic in quasi),
        "record_unit": dataset.record_unit,
        "spatial_m": dataset.spatial_m,
        "temporal_min": dataset.temporal_min,
        "min_group": None,
        "purpose": ask.purpose,
        "purpose_statement": ask.statement,
        **_of_applicant(applicant, ask.incident),
        "delivery": ask.delivery,
        "retention_days": ask.retention_days,
        "cross_border": ask.cross_border,
        "onward_sharing": ask.onward_sharing,
        **_linked(columns, dataset.tags, held),
        "date": day,
        "domains": list(domains),
        "provenance": _provenance(ask),
    }


def level_of(columns: Iterable[Column], recorded: int) -> int:
    """Return the highest level among `columns`; an ungraded column counts as the dataset's recorded level."""
    return max((column.level or recorded for column in columns), default=1)


def _of_applicant(applicant: Applicant | None, incident: bool | None) -> dict[str, Any]:
    if applicant is None:
        return dict.fromkeys(("applicant_kind", "applicant_foreign_share", "applicant_certs", "applicant_credit"))
    return {
        "applicant_kind": applicant.kind,
        "applicant_foreign_share": applicant.foreign_share,
        "applicant_certs": None if applicant.certs is None else sorted(applicant.certs),
        "applicant_credit": worse_credit(applicant.credit, incident),
    }


def worse_credit(registered: str | None, incident: bool | None) -> str | None:
    """Return the worse of what the register says and what the applicant declares."""
    if not incident:
        return registered
    words = [word for word in (registered, "incident_3y") if word in CREDIT_ORDER]
    return max(words, key=CREDIT_ORDER.index)


def _provenance(ask: Ask) -> dict[str, str]:
    if ask.incident:
        return {**PROVENANCE, "applicant_credit": "declared"}
    return dict(PROVENANCE)


def _linked(columns: Iterable[Column], tags: Iterable[str], held: Held) -> dict[str, Any]:
    own = {column.semantic for column in columns}
    known = None if None in own or held.semantics is None else sorted({s for s in own if s} | held.semantics)
    return {"linked_columns": known, "linked_tags": sorted(set(tags) | held.tags)}


def for_everybody(dataset_id: str, columns: Iterable[str]) -> Ask:
    """Return what standing public data amounts to: anybody, from anywhere, keeping it, passing it on.

    The widest reading of every fact that an applicant would declare.  Its purpose is public use: no list can forbid a
    purpose to the unknown reader of data that is open to all, which is why only data that is clean at level 1 is.
    """
    return Ask(
        dataset_id=dataset_id,
        columns=tuple(columns),
        purpose="product.public_app",
        statement="向社会公开",
        delivery="download",
        retention_days=36_500,
        cross_border=True,
        onward_sharing=True,
        incident=False,
        applicant=Applicant(kind="individual", foreign_share=100, certs=(), credit="good"),
    )


# ---- reading a verdict ---------------------------------------------------------------------------------------------


def canonical(document: Any) -> bytes:
    """Return a JSON document's RFC 8785 bytes: two are the same when these are."""
    return rfc8785.dumps(document)


def digests_of(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the digests of the lists that a verdict was judged by, sorted."""
    return tuple(sorted(str(entry["digest"]) for entry in verdict["lists"]))


def seal_of(digests: Iterable[str]) -> str:
    """Return one short digest for a set of list digests, to be carried by a form."""
    return sha256("\n".join(sorted(digests)).encode()).hexdigest()[:32]


def standing_out(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules of a verdict that hit or might hit."""
    return [dict(rule) for rule in verdict["rules"] if rule["state"] in ("hit", "unknown")]


def standing_ids(verdict: Mapping[str, Any]) -> list[str]:
    """Return the ids of those rules, for naming them in a sentence."""
    return [str(rule["id"]) for rule in standing_out(verdict)]


def own_rules(alone: Mapping[str, Any], without: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that a column brings: those of the verdict on it alone which the empty request does not have."""
    there = {(rule["id"], rule["state"]) for rule in without["rules"]}
    return [rule for rule in standing_out(alone) if (rule["id"], rule["state"]) not in there]


def column_shown(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of one column before anybody has applied.

    Nobody knows yet who will ask and for what, so nearly every rule about that is open.  `outcome` is what holds for
    everybody, `depends` whether it may become stricter; an unclassified column stays as it was judged.
    """
    certain = strictest(rule["outcome"] for rule in verdict["own"] if rule["state"] == "hit")
    unclassified = any(str(key).startswith("columns.") for key in verdict["missing"])
    outcome = verdict["own_outcome"] if unclassified else certain
    depends = outcome != "prohibit" and any(rule["state"] == "unknown" for rule in verdict["own"])
    return {"outcome": outcome, "rules": verdict["own"], "depends": depends}


def tally(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many columns have each word of CHIPS before anybody has applied."""
    shown = map(column_shown, verdicts)
    return dict(Counter(chip(column["outcome"], column["rules"]) for column in shown))


def chip(outcome: str, rules: Iterable[Mapping[str, Any]] | None = None) -> str:
    """Return the word of CHIPS for one column of that outcome; `rules` are those it rests on, None: already a chip.

    A condition that changes no value leaves the column 可用: the obligation is named beside it.
    """
    if outcome != "condition" or rules is None:
        return outcome
    duties = {duty["kind"] for rule in rules if rule["state"] == "hit" for duty in rule.get("obligations") or ()}
    return "condition" if duties & CHANGING else "pass"


# ---- words ---------------------------------------------------------------------------------------------------------

# The domains that have lists.
DOMAINS = {"common": N_("通用"), **{word: title for word, title in KEY_DOMAINS.items() if word != OTHER}}

FACTS = {
    "dataset_tags": N_("数据集标签"),
    "dataset_level": N_("数据级别"),
    "dataset_subjects": N_("数据主体"),
    "dataset_records": N_("涉及主体或记录数"),
    "columns": N_("申请字段"),
    "quasi_identifiers": N_("准标识符个数"),
    "record_unit": N_("记录粒度"),
    "spatial_m": N_("空间精度"),
    "temporal_min": N_("时间粒度"),
    "min_group": N_("最小分组人数（尚未测算）"),
    "purpose": N_("用途"),
    "purpose_statement": N_("用途说明"),
    "applicant_kind": N_("申请单位类型"),
    "applicant_foreign_share": N_("外资比例"),
    "applicant_certs": N_("申请单位资质"),
    "applicant_credit": N_("申请单位信用状态"),
    "delivery": N_("提供方式"),
    "retention_days": N_("保存天数"),
    "cross_border": N_("是否出境或境外访问"),
    "onward_sharing": N_("是否向他人提供"),
    "linked_columns": N_("与在用数据使用授权合并后的字段类型"),
    "linked_tags": N_("与在用数据使用授权合并后的标签"),
}
