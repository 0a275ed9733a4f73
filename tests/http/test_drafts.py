"""The applicant's form page by page: saved as typed, judged as typed, checked, submitted; alone and for several."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from service.applications import actions, store
from service.applications.rules import StepName
from service.base import clock, db
from service.screening import actions as screening
from tests import cases, steps
from tests.cases import COLUMNS, DATASET, PLATE
from tests.http.conftest import resume

SECOND = "charging-records"


@pytest.fixture
def world(app):
    """The application with two firms, two datasets that may be applied for, and one derived from the first."""
    with db.writing() as session:
        now = clock.now(session)
        cases.settle(session, now)
        cases.publish(session, now, id=SECOND, title_zh="充电记录", time_column=None, area_column=None)
        screening.publish_editions(session, now=now)
    return app


@pytest.fixture
def firm(world):
    return resume(world, "applicant")


@pytest.fixture
def colleague(world):
    return resume(world, "manager")


def typed(**changes):
    """Return a form that can be submitted."""
    with db.reading() as session:
        end = clock.beijing_date(clock.now(session) + timedelta(days=120))
    return {**cases.draft(**changes), "ends_on": changes.get("ends_on", end)}


def begun(browser):
    page = browser.post("/applications", data={"dataset": DATASET})
    return re.fullmatch(r"/applications/(\w+)/draft", page.location)[1]


def kept(id):
    with db.reading() as session:
        return store.application(session, id)


def was(page):
    return re.search(r'name="was" value="(\w+)"', page.text)[1]


def send(browser, id, step, go="next", **fields):
    return browser.post(f"/applications/{id}/draft/{step}", data={"go": go, **fields})


# ---- the tasks and their pages


def test_a_form_begins_with_its_tasks_and_every_page_of_it_opens(firm):
    id = begun(firm)
    tasks = firm.get(f"/applications/{id}/draft").text
    for step in ("columns", "range", "purpose", "delivery", "security", "members"):
        assert f'href="/applications/{id}/draft/{step}"' in tasks
        page = firm.get(f"/applications/{id}/draft/{step}").text
        assert "第 " in page and "共 7 步" in page and "本系统为非涉密系统" in page
    assert tasks.count(">未填<") == 5 and "选填" in tasks
    assert firm.get(f"/applications/{id}/draft/nothing").status_code == 404


def test_each_column_stands_with_its_verdict_clause_and_remedy(firm):
    page = firm.get(f"/applications/{begun(firm)}/draft/columns").text
    for text in ("禁止", "TR-001", "个人信息保护法", "可以这样改"):
        assert text in page
    assert "objection-" not in page, "an objection is asked for once the column is ticked"


def test_what_is_done_leads_on_and_what_is_missing_is_named(firm):
    id = begun(firm)
    empty = send(firm, id, "purpose", purpose="", statement="")
    assert empty.status_code == 422
    assert "<title>错误：" in empty.text and 'href="#purpose"' in empty.text and 'href="#statement"' in empty.text
    done = send(firm, id, "purpose", purpose="research", statement="研究停车周转")
    assert done.location == f"/applications/{id}/draft/delivery"
    tasks = firm.get(f"/applications/{id}/draft").text
    assert "已填" in tasks and tasks.count(">未填<") == 4


def test_a_step_left_for_later_is_kept_whatever_it_holds(firm):
    id = begun(firm)
    left = send(firm, id, "delivery", "later", delivery="", ends_on="2020-01-01")
    assert left.location == f"/applications/{id}/draft"
    assert "1 处要改" in firm.get(left.location).text
    assert kept(id).draft["ends_on"] == "2020-01-01"
    assert kept(id).version == 0, "saving is no act"


def test_a_draft_is_shown_again_as_it_was_typed(firm):
    id = begun(firm)
    page = send(firm, id, "security", storage="<b>机房</b>", mlps="mlps9", cross_border="no")
    assert page.status_code == 422
    assert "&lt;b&gt;机房&lt;/b&gt;" in page.text and "不在可选范围内" in page.text
    late = send(firm, id, "delivery", delivery="api", ends_on="2020-01-01")
    assert late.status_code == 422 and "使用期限应在今天之后" in late.text and "2020-01-01" in late.text
    assert "&lt;b&gt;机房&lt;/b&gt;" in firm.get(f"/applications/{id}/draft/security").text


@pytest.mark.parametrize(
    "forged",
    [
        {"state": "approved"},
        {"unit_id": "rival"},
        {"version": "7"},
        {"purpose": "research"},
        {"incidents_note": "长" * 60_000},
    ],
)
def test_fields_that_a_step_does_not_have_are_refused_and_nothing_is_lost(firm, forged):
    id = begun(firm)
    page = send(firm, id, "security", storage="我填的机房", **forged)
    assert page.status_code == 422
    assert "我填的机房" in page.text
    assert (kept(id).state, kept(id).unit_id, kept(id).draft["storage"]) == ("draft", "firm", "")


@pytest.mark.parametrize("columns", [["lot_id", "salary"], ["x" * 100]])
def test_a_column_that_does_not_exist_is_refused_and_the_others_stay_ticked(firm, columns):
    id = begun(firm)
    page = send(firm, id, "columns", columns=[*columns, "exit_time"])
    assert page.status_code == 422
    assert re.search(r'value="exit_time"[^>]* checked', page.text)


# ---- the picker


def test_judging_shows_the_verdict_on_what_is_ticked_and_keeps_nothing(firm):
    id = begun(firm)
    page = send(firm, id, "columns", "judge", columns=["lot_id", PLATE])
    assert page.status_code == 200
    assert "有 1 列被负面清单禁止" in page.text and "已选 2 列" in page.text
    assert f'name="objection-{PLATE}"' in page.text and f'value="drop:{PLATE}"' in page.text
    assert kept(id).draft["columns"] == [] and kept(id).draft_revision == 0


def test_a_refused_column_never_stops_the_form(firm):
    id = begun(firm)
    answer = send(firm, id, "columns", columns=["lot_id", PLATE])
    assert answer.location == f"/applications/{id}/draft/range"
    assert "1 处要改" in firm.get(f"/applications/{id}/draft").text, "it still needs its objection"
    told = send(firm, id, "columns", columns=["lot_id", PLATE], **{f"objection-{PLATE}": "号牌已作假名处理"})
    assert told.status_code == 303
    assert "处要改" not in firm.get(f"/applications/{id}/draft").text


def test_a_refused_column_is_dropped_by_its_button(firm):
    id = begun(firm)
    fields = {"columns": ["lot_id", PLATE], f"objection-{PLATE}": "理由", "mend": f"drop:{PLATE}"}
    answer = firm.post(f"/applications/{id}/draft/columns", data=fields)
    assert answer.location == f"/applications/{id}/draft/columns#pick"
    assert kept(id).draft["columns"] == ["lot_id"]


def test_a_derived_dataset_is_asked_instead(firm):
    with db.writing() as session:
        now = clock.now(session)
        cases.publish(session, now, id="parking-turnover", title_zh="停车周转统计", derived_from=DATASET)
    id = begun(firm)
    judged = send(firm, id, "columns", "judge", columns=[PLATE])
    assert "改用“停车周转统计”" in judged.text
    fields = {"columns": ["lot_id", PLATE], "mend": "instead:parking-turnover"}
    answer = firm.post(f"/applications/{id}/draft/columns", data=fields)
    added = re.fullmatch(r"/applications/(\w+)/draft/columns", answer.location)[1]
    assert kept(added).dataset_id == "parking-turnover" and kept(added).bundle_id == kept(id).bundle_id


# ---- two persons, one draft


def test_a_step_saved_by_another_meanwhile_shows_both_versions_and_loses_neither(firm, colleague):
    id = begun(firm)
    mark = was(firm.get(f"/applications/{id}/draft/purpose"))
    assert send(colleague, id, "purpose", purpose="research", statement="同事写的", was=mark).status_code == 422
    page = send(firm, id, "purpose", purpose="research", statement="我写的用途", was=mark)
    assert (page.status_code, page.headers["Qiantang-Problem"]) == (409, "draft-changed")
    assert "同事写的" in page.text and "我写的用途" in page.text
    assert kept(id).draft["statement"] == "同事写的"
    again = send(firm, id, "purpose", purpose="research", statement="我写的用途", was=was(page))
    assert again.status_code == 303 and kept(id).draft["statement"] == "我写的用途"


def test_steps_that_two_persons_save_side_by_side_do_not_collide(firm, colleague):
    id = begun(firm)
    mark = was(firm.get(f"/applications/{id}/draft/purpose"))
    send(colleague, id, "members", members="甲", was=was(colleague.get(f"/applications/{id}/draft/members")))
    assert send(firm, id, "purpose", purpose="research", statement="统计停车周转", was=mark).status_code == 303
    assert (kept(id).draft["members"], kept(id).draft["statement"]) == ("甲", "统计停车周转")
    assert kept(id).draft_revision == 2


def test_saving_by_itself_says_when_and_goes_on_from_there(firm, colleague):
    id = begun(firm)
    page = send(firm, id, "members", "autosave", members="甲", was=was(firm.get(f"/applications/{id}/draft/members")))
    assert page.status_code == 200 and re.search(r"已保存 \d\d:\d\d", page.text)
    second = send(firm, id, "members", "autosave", members="甲\n乙", was=was(page))
    assert second.status_code == 200 and kept(id).draft["members"] == "甲\n乙"
    send(colleague, id, "members", members="丙")
    late = send(firm, id, "members", "autosave", members="甲\n丁", was=was(second))
    assert late.status_code == 409 and "没有保存" in late.text
    assert was(late) == was(second), "until both versions were shown, what was seen stays what was seen"
    assert send(firm, id, "members", members="甲\n丁", was=was(late)).status_code == 409
    assert kept(id).draft["members"] == "丙"


# ---- checking and submitting


def test_a_submission_names_everything_that_is_missing_with_the_page_that_mends_it(firm):
    id = begun(firm)
    page = firm.post(f"/applications/{id}/submission", data={"version": 0})
    assert page.status_code == 422
    for text in (
        "请至少勾选一个字段",
        "写一句：",
        "选一种提供方式",
        f'href="/applications/{id}/draft/purpose#statement"',
    ):
        assert text in page.text


def test_a_prohibited_column_needs_an_objection_and_is_then_submitted(world, firm):
    id = begun(firm)
    whole = typed(columns=[PLATE, "lot_id"])
    steps.fill(firm, id, whole)
    missing = firm.post(f"/applications/{id}/submission", data={"version": 0})
    assert missing.status_code == 422
    assert "写明异议理由" in missing.text
    steps.fill(firm, id, whole | {"objections": {PLATE: "号牌已作假名处理"}})
    assert "号牌已作假名处理" in firm.get(f"/applications/{id}/check").text
    assert firm.post(f"/applications/{id}/submission", data={"version": 0}).status_code == 303
    assert "号牌已作假名处理" in resume(world, "steward").get(f"/applications/{id}").text


def test_what_was_changed_after_it_was_checked_is_not_submitted_unseen(firm, colleague):
    id = begun(firm)
    steps.fill(firm, id, typed())
    seen = re.search(r'name="seen" value="(\w+)"', firm.get(f"/applications/{id}/check").text)[1]
    send(colleague, id, "members", members="别人")
    page = firm.post(f"/applications/{id}/submission", data={"version": 0, "seen": seen})
    assert (page.status_code, page.headers["Qiantang-Problem"]) == (409, "changed")
    assert "别人" in page.text and kept(id).state == "draft"


def test_the_same_request_again_leads_to_the_first(firm):
    ids = [begun(firm), begun(firm)]
    for id in ids:
        steps.fill(firm, id, typed())
        answer = firm.post(f"/applications/{id}/submission", data={"version": 0})
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (409, "duplicate")
    assert "尚未办结" in answer.text and f'href="/applications/{ids[0]}"' in answer.text
    assert kept(ids[1]).state == "draft" and "更改" in answer.text


def test_a_returned_case_is_mended_on_the_same_pages(world, firm):
    id = begun(firm)
    steps.fill(firm, id, typed())
    firm.post(f"/applications/{id}/submission", data={"version": 0})
    assert firm.get(f"/applications/{id}/draft/purpose").location == f"/applications/{id}"
    assert send(firm, id, "purpose", purpose="research", statement="不该存下").status_code == 409
    with db.writing() as session:
        cases.decided(session, kept(id), "steward", "return", now=clock.now(session))
    assert "退回补正" in firm.get(f"/applications/{id}/draft").text
    assert send(firm, id, "purpose", purpose="research", statement="补正后的用途").status_code == 303
    assert firm.post(f"/applications/{id}/submission", data={"version": 2}).status_code == 303
    assert kept(id).statement == "补正后的用途"


# ---- several datasets on one form


def both(browser):
    """Return the two drafts of a form for both datasets."""
    id = begun(browser)
    answer = browser.post(f"/applications/{id}/datasets", data={"dataset": SECOND})
    return id, re.fullmatch(r"/applications/(\w+)/draft/columns", answer.location)[1]


def test_one_form_asks_for_two_datasets_and_what_is_common_is_answered_once(firm):
    first, second = both(firm)
    assert kept(first).bundle_id == kept(second).bundle_id
    send(firm, second, "purpose", purpose="research", statement="两个数据集都用")
    assert kept(first).draft["statement"] == kept(second).draft["statement"] == "两个数据集都用"
    send(firm, first, "columns", columns=["lot_id"])
    assert kept(second).draft["columns"] == []
    tasks = firm.get(f"/applications/{first}/draft").text
    assert "充电记录" in tasks and f"/applications/{second}/draft/columns" in tasks
    assert f"/applications/{second}/draft/range" not in tasks, "it has neither time nor area"


def test_a_form_for_two_is_submitted_at_once_or_not_at_all(firm):
    first, second = both(firm)
    steps.fill(firm, first, typed())
    missing = firm.post(f"/applications/{first}/submission", data={"version": 0})
    assert missing.status_code == 422 and "充电记录，字段：请至少勾选一个字段" in missing.text
    assert {kept(id).state for id in (first, second)} == {"draft"}
    send(firm, second, "columns", columns=COLUMNS)
    answer = firm.post(f"/applications/{second}/submission", data={"version": 0})
    assert answer.location == f"/applications/{second}/receipt"
    receipt = firm.get(answer.location).text
    assert all(kept(id).number in receipt for id in (first, second))
    with db.reading() as session:
        assert [each.id for each in store.bundle(session, kept(second))] == [first, second]


def test_what_a_form_has_already_is_not_added_again(firm):
    first, _second = both(firm)
    page = firm.post(f"/applications/{first}/datasets", data={"dataset": SECOND})
    assert page.status_code == 409 and "已包含该数据集" in page.text
    assert firm.post(f"/applications/{first}/datasets", data={"dataset": "nothing"}).status_code == 404


def test_a_dataset_taken_off_the_form_takes_its_draft_with_it(firm, colleague):
    first, second = both(firm)
    assert colleague.post(f"/applications/{first}/removal").location == f"/applications/{second}/draft"
    assert firm.get(f"/applications/{first}/draft").status_code == 404
    steps.fill(firm, second, typed())
    assert firm.post(f"/applications/{second}/submission", data={"version": 0}).status_code == 303
    assert firm.post(f"/applications/{second}/removal").status_code == 409, "what was submitted stays"


def test_both_persons_of_a_unit_can_save_a_form_for_two_at_the_same_time(firm):
    """The drafts of a form are locked in one order, so that two savings wait for each other and neither is lost."""
    first, second = both(firm)

    def save(id, name):
        with db.writing() as session:
            now = clock.now(session)
            actions.save_step(session, id, StepName.MEMBERS, {"members": name}, by=cases.ACTORS["applicant"], now=now)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: save((first, second)[n % 2], f"第{n}人"), range(12)))
    assert kept(first).draft["members"] == kept(second).draft["members"]
    assert (kept(first).draft_revision, kept(second).draft_revision) == (13, 12), "and one for making the bundle"


def test_another_unit_can_neither_add_to_a_form_nor_take_from_it(world, firm):
    first, second = both(firm)
    stranger = resume(world, "stranger")
    assert stranger.post(f"/applications/{first}/datasets", data={"dataset": SECOND}).status_code == 404
    assert stranger.post(f"/applications/{second}/removal").status_code == 404
    assert send(stranger, second, "purpose", purpose="research", statement="别家的").status_code == 404
    theirs = begun(stranger)
    assert kept(theirs).bundle_id is None and kept(second).draft["statement"] == ""
