"""The negative lists for lawyers and everybody else: every edition, rule by rule, searched, compared, downloaded."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import Role, requires
from service.base.beijing import day_of
from service.base.db import Session
from service.base.errors import NotFound
from service.base.i18n import N_, current, gettext, pick
from service.policy.rules.editions import Cases, Change, changes, finds, history, is_verified, texts_of
from service.policy.rules.judging import LEVEL_DEFAULT, LEVEL_DEFAULT_ID
from service.screening import engine, store
from service.screening.rules import DOMAINS, FACTS, canonical
from service.screening.tables import ListEdition
from service.screening.web.words import pages

OUTCOME_WORDS = ("prohibit", "review", "condition")
MAX_QUERY = 100
# How the text of a rule may have changed between two editions.
PARTS = {
    "outcome": N_("判定结果"),
    "title": N_("标题"),
    "conditions": N_("适用条件"),
    "exceptions": N_("例外"),
    "obligations": N_("所附条件"),
    "basis": N_("依据"),
    "remedy": N_("改法"),
    "effective": N_("有效期间"),
    "live_grants": N_("对在用授权的影响"),
}
KINDS = {"added": N_("新增"), "removed": N_("删除"), "changed": N_("修改")}
STANDINGS = {"now": N_("现行"), "coming": N_("尚未生效"), "past": N_("已失效")}
LIVE_GRANTS = {
    "keep": N_("在用的数据使用授权不变"),
    "recheck": N_("在用的数据使用授权重新判定，由审核人决定"),
    "propose_narrow": N_("提请审核人缩小在用的数据使用授权"),
    "propose_suspend": N_("提请审核人暂停在用的数据使用授权"),
    "propose_end": N_("提请审核人终止在用的数据使用授权"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One rule as the page shows it."""

    rule: Mapping[str, Any]
    sentence: str
    cases: Cases
    history: tuple[tuple[str, Change], ...]
    hits: int
    datasets: Sequence[store.Hit]
    live_grants: str


@pages.get("/negative-lists")
@requires(Role.PUBLIC)
def index() -> ResponseReturnValue:
    """List the domains with the edition in force, what it says by outcome, and how far its bases are verified."""
    with db.reading() as session:
        today = day_of(clock.now(session))
        editions = store.editions(session)
    shown = [(domain, _of_domain(editions, domain, today)) for domain in DOMAINS]
    bases = {domain: _bases(now) for domain, (now, _others) in shown if now}
    default = LEVEL_DEFAULT.model_dump(mode="json", exclude_none=True, exclude={"when"}) | {"id": LEVEL_DEFAULT_ID}
    return http.page(
        "screening/lists.html", lists=shown, domains=DOMAINS, bases=bases, by_outcome=_by_outcome, default=default
    )


@pages.get("/negative-lists/<domain>")
@requires(Role.PUBLIC)
def show(domain: str) -> ResponseReturnValue:
    """Show a domain's list in force, rule by rule."""
    with db.reading() as session:
        editions, today = _editions(session, domain), day_of(clock.now(session))
        current_one = next((each for each in editions if standing(each, today) == "now"), None)
        if current_one is None:
            return http.page("screening/none.html", domain=DOMAINS[domain], editions=editions)
        return _page(session, current_one, editions, today)


@pages.get("/negative-lists/<domain>/<edition>")
@requires(Role.PUBLIC)
def show_edition(domain: str, edition: str) -> ResponseReturnValue:
    """Show one edition of a domain's list, whether it is in force or not."""
    with db.reading() as session:
        editions, today = _editions(session, domain), day_of(clock.now(session))
        return _page(session, _one(editions, edition), editions, today)


@pages.get("/negative-lists/<domain>/<edition>.json")
@requires(Role.PUBLIC)
def as_json(domain: str, edition: str) -> ResponseReturnValue:
    """Give an edition as RFC 8785 JSON: the bytes that its digest is taken over."""
    with db.reading() as session:
        found = _one(_editions(session, domain), edition)
    return _file(found, canonical(found.body), "application/json", "json")


@pages.get("/negative-lists/<domain>/<edition>.yaml")
@requires(Role.PUBLIC)
def as_yaml(domain: str, edition: str) -> ResponseReturnValue:
    """Give an edition as YAML, to be read."""
    with db.reading() as session:
        found = _one(_editions(session, domain), edition)
    return _file(found, engine.as_yaml(found.body), "application/yaml", "yaml")


def standing(edition: ListEdition, today: date) -> str:
    """Return whether an edition is in force (`now`), not yet (`coming`), or no more (`past`)."""
    if today < edition.effective_from:
        return "coming"
    return "past" if edition.effective_until and edition.effective_until < today else "now"


def _editions(session: Session, domain: str) -> list[ListEdition]:
    if domain not in DOMAINS:
        raise NotFound()
    return list(store.editions(session, domain))


def _one(editions: Sequence[ListEdition], name: str) -> ListEdition:
    found = next((each for each in editions if each.edition == name), None)
    if found is None:
        raise NotFound()
    return found


def _of_domain(
    editions: Sequence[ListEdition], domain: str, today: date
) -> tuple[ListEdition | None, list[tuple[ListEdition, str]]]:
    own = [(each, standing(each, today)) for each in editions if each.domain == domain]
    now = next((each for each, where in own if where == "now"), None)
    return now, [(each, where) for each, where in own if each is not now]


def _file(edition: ListEdition, body: bytes, kind: str, ending: str) -> Response:
    answer = Response(body, content_type=f"{kind}; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{edition.list_id}-{edition.edition}.{ending}"'
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.set_etag(f"{edition.digest[:32]}-{ending}")
    answer.make_conditional(request.environ)
    return answer


# ---- one edition ---------------------------------------------------------------------------------------------------


def _page(session: Session, edition: ListEdition, editions: Sequence[ListEdition], today: date) -> ResponseReturnValue:
    wanted = request.args.get("q", "").strip()[:MAX_QUERY]
    outcome = request.args.get("outcome", "")
    sample, hits = store.recent_hits(session)
    rules = list(_shown(session, edition, editions, hits))
    found = [each for each in rules if _matches(each, wanted)]
    since = next((each for each in editions if each.edition == request.args.get("since")), None)
    return http.page(
        "screening/list.html",
        edition=edition, standing=standing(edition, today), domain=edition.domain, domain_title=DOMAINS[edition.domain],
        editions=[(each, standing(each, today)) for each in editions], rules=rules,
        found=[each for each in found if outcome not in OUTCOME_WORDS or each.rule["outcome"] == outcome],
        counts=_counts(found), wanted=wanted, query=_query,
        outcome_wanted=outcome if outcome in OUTCOME_WORDS else "",
        since=since, difference=changes(since.body, edition.body) if since else (),
        unverified=_unverified(edition), sample=sample,
        standings=STANDINGS, kinds=KINDS, parts=PARTS, case_facts=case_facts,
    )  # fmt: skip


def _shown(
    session: Session, edition: ListEdition, editions: Sequence[ListEdition], hits: Counter[str]
) -> Iterator[Shown]:
    cases = engine.cases_of(edition.digest)
    datasets = store.published_hits(session, edition)
    oldest_first = [
        (each.edition, each.body)
        for each in sorted(editions, key=lambda one: one.effective_from)
        if each.list_id == edition.list_id
    ]
    for rule in edition.body["rules"]:
        yield Shown(
            rule=rule,
            sentence=pick(engine.rule_sentence(rule)),
            cases=cases.get(rule["id"], Cases()),
            history=history(oldest_first, rule["id"]),
            hits=hits[rule["id"]],
            datasets=datasets.get(rule["id"], []),
            live_grants=LIVE_GRANTS[rule.get("live_grants", "recheck")],
        )


def _query(**wanted: str) -> str:
    """Return a query string of what is given and not empty."""
    given = {name: value for name, value in wanted.items() if value}
    return f"?{urlencode(given)}" if given else ""


def _matches(shown: Shown, wanted: str) -> bool:
    return not wanted or finds(wanted, [*texts_of(shown.rule), shown.sentence])


def _counts(rules: Sequence[Shown]) -> dict[str, int]:
    return {word: sum(each.rule["outcome"] == word for each in rules) for word in OUTCOME_WORDS}


def _by_outcome(body: Mapping[str, Any]) -> list[str]:
    return [rule["outcome"] for rule in body["rules"]]


def _bases(edition: ListEdition) -> dict[str, int]:
    """Return how many bases of an edition's rules were read, and how many are still to be verified."""
    marks = [is_verified(basis) for rule in edition.body["rules"] for basis in rule["basis"]]
    return {"verified": sum(marks), "open": len(marks) - sum(marks)}


def _unverified(edition: ListEdition) -> list[tuple[str, Mapping[str, Any]]]:
    rules = edition.body["rules"]
    return [(rule["id"], basis) for rule in rules for basis in rule["basis"] if not is_verified(basis)]


def case_facts(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts that a case lays over the list's ordinary ones, in words."""
    return [(gettext(FACTS[key]), _value(key, value)) for key, value in given.items() if key in FACTS]


def _value(key: str, value: Any) -> str:
    if value is None:
        return gettext("未知")
    if isinstance(value, bool):
        return gettext("是") if value else gettext("否")
    if key == "columns":
        return _joint().join(str(each.get("title") or each["name"]) for each in value)
    words = [str(each) for each in (value if isinstance(value, list) else [value])]
    return _joint().join(engine.fact_value(key, word, current()) for word in words) or gettext("无")


def _joint() -> str:
    return "、" if current() == "zh" else ", "
