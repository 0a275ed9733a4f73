"""The negative lists as a lawyer reads them: editions, rules, search, comparison, files."""

import json
import re
from datetime import timedelta
from hashlib import sha256
from html import unescape

import pytest
from ruamel.yaml import YAML

from service.base import clock, db
from service.base.beijing import day_of
from service.policy.rules.models import NegativeList
from service.screening import actions as screening
from service.screening import store
from service.screening.tables import ListEdition
from service.screening.web.words import rule_path
from tests import cases
from tests.http.conftest import open_browser

TRANSPORT = "/negative-lists/transport/2026-1"


@pytest.fixture
def lists(sqlite_app):
    with db.writing() as session:
        now = clock.now(session)
        cases.settle(session, now)
        screening.publish_editions(session, now=now)
    return sqlite_app


@pytest.fixture
def reader(lists):
    return open_browser(lists)


def add_edition(edition: str, *, days: int, change) -> None:
    """Publish one more edition of the transport list, in force `days` from today on."""
    with db.writing() as session:
        now = clock.now(session)
        old = next(each for each in store.editions(session) if each.domain == "transport")
        body = json.loads(json.dumps(old.body)) | {"edition": edition}
        body["effective"] = {"from": (day_of(now) + timedelta(days=days)).isoformat()}
        change(body)
        found = NegativeList.of(body)
        session.add(
            ListEdition(
                digest=found.digest,
                list_id=old.list_id,
                edition=edition,
                domain="transport",
                body=body,
                effective_from=found.effective.start,
                published_at=now,
                published_by="tests",
            )
        )


def rules_on(page) -> list[str]:
    return re.findall(r'<li class="qt-rule" id="([A-Z]{2}-\d{3})"', page.text)


def test_an_edition_has_its_own_address_and_each_rule_an_anchor_there(reader):
    page = reader.get(TRANSPORT)
    assert rules_on(page)[0] == "TR-001"
    assert f'href="{TRANSPORT}#TR-001"' in page.text
    assert rules_on(reader.get("/negative-lists/transport")) == rules_on(page)
    assert reader.get("/negative-lists/transport/1999-1").status_code == 404
    assert reader.get("/negative-lists/weapons/2026-1").status_code == 404


def test_a_rule_is_told_in_a_sentence_with_its_bases_and_how_far_they_are_verified(reader):
    page = unescape(reader.get(TRANSPORT).text)
    for text in ("申请的字段含号牌号码的，禁止提供。", "已核对原文", "参照适用", "号牌归属地不是号牌", "应当命中"):
        assert text in page, text


def test_the_sentences_are_english_on_the_english_page(lists):
    page = unescape(open_browser(lists, "en").get(TRANSPORT).text)
    assert "Not provided when the columns asked for include “licence plate”." in page


def test_a_word_or_a_law_finds_its_rules_and_the_outcome_narrows_them(reader):
    assert "TR-001" in rules_on(reader.get(f"{TRANSPORT}?q=号牌"))
    assert rules_on(reader.get(f"{TRANSPORT}?q=TR-019")) == ["TR-019"]
    assert rules_on(reader.get(f"{TRANSPORT}?q=居民身份证法"))
    conditions = reader.get(f"{TRANSPORT}?outcome=condition")
    assert set(rules_on(conditions)) < set(rules_on(reader.get(TRANSPORT)))
    assert rules_on(reader.get(f"{TRANSPORT}?outcome=nonsense")) == rules_on(reader.get(TRANSPORT))


def test_a_word_that_no_rule_has_is_told_from_leave(reader):
    page = reader.get(f"{TRANSPORT}?q=恐龙")
    assert rules_on(page) == []
    assert "没有条目不等于可以提供" in page.text


def test_what_is_typed_comes_back_as_text(reader):
    page = reader.get(f"{TRANSPORT}?q=<b>%22")
    assert "<b>&#34;" not in page.text
    assert "&lt;b&gt;&#34;" in page.text


def test_the_downloaded_json_has_the_digest_that_the_page_names(reader):
    file = reader.get(f"{TRANSPORT}.json")
    assert sha256(file.data).hexdigest() in reader.get(TRANSPORT).text
    assert NegativeList.of(file.json).digest == sha256(file.data).hexdigest()
    assert reader.get(f"{TRANSPORT}.json", headers={"If-None-Match": file.headers["ETag"]}).status_code == 304


def test_the_downloaded_yaml_says_the_same(reader):
    text = reader.get(f"{TRANSPORT}.yaml").get_data(as_text=True)
    assert NegativeList.of(YAML(typ="safe", pure=True).load(text)) == NegativeList.of(
        reader.get(f"{TRANSPORT}.json").json
    )


def test_a_coming_edition_is_shown_as_coming_and_compared_with_the_one_in_force(reader):
    def change(body):
        body["rules"][0]["outcome"] = "review"
        body["rules"].pop(1)

    add_edition("2026-9", days=30, change=change)
    assert "尚未生效" in reader.get("/negative-lists/transport/2026-9").text
    page = unescape(reader.get("/negative-lists/transport/2026-9?since=2026-1").text)
    assert "与 2026-1 版的差别" in page
    assert "<del>申请的字段含号牌号码的，禁止提供。</del>" in page
    assert "<ins>申请的字段含号牌号码的，须人工审核。</ins>" in page
    assert re.search(r"TR-002</span> 删除", page)
    assert rules_on(reader.get("/negative-lists/transport"))[0] == "TR-001", "what is in force stays what it was"


def test_an_edition_that_changes_nothing_says_so(reader):
    add_edition("2026-9", days=30, change=lambda body: None)
    assert "两个版次的条目相同" in reader.get("/negative-lists/transport/2026-9?since=2026-1").text


def test_a_domain_whose_list_is_not_yet_in_force_says_so_and_names_what_comes(reader):
    with db.writing() as session:
        for edition in store.editions(session):
            if edition.domain == "transport":
                edition.effective_from = day_of(clock.now(session)) + timedelta(days=9)
                session.add(edition)
    page = reader.get("/negative-lists/transport")
    assert "本领域目前没有有效的清单" in page.text
    assert TRANSPORT in page.text
    assert reader.get("/negative-lists").status_code == 200


def test_the_bases_that_nobody_has_verified_stand_together(reader):
    page = reader.get(TRANSPORT).text
    section = page[page.index('id="unverified"') :]
    assert section.count("<li>") >= 10
    assert "已核对原文" not in section
    assert "/negative-lists/transport#unverified" in reader.get("/negative-lists").text


def test_the_default_for_high_levels_stands_beside_the_lists_and_is_linked_from_verdicts(lists, reader):
    page = unescape(reader.get("/negative-lists").text)
    assert 'id="DEFAULT-L3"' in page
    assert "数据级别为L3及以上的，须人工审核。" in page
    assert "本系统设定，非法律规定" in page
    with lists.test_request_context("/"):
        assert rule_path({"id": "DEFAULT-L3", "list": None}) == "/negative-lists#DEFAULT-L3"
        assert rule_path({"id": "TR-001", "list": "hz.transport"}) == "/negative-lists/transport#TR-001"
        assert rule_path({"id": "XX-001", "list": None}) == ""
