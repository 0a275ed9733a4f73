"""The officers' half through the real pages: preview, narrowing, a batch over one form, two who decide at once."""

import re
from datetime import timedelta

import pytest

from service.applications import store
from service.base import clock, db
from service.screening import actions as screening
from service.screening.tables import Screening
from tests import cases
from tests.cases import COLUMNS, PLATE
from tests.http.conftest import resume

OTHER = "bus-counts"


@pytest.fixture
def world(sqlite_app):
    """Two firms, their officers, the car park records, and a second dataset of the same source unit."""
    with db.writing() as session:
        now = clock.now(session)
        cases.settle(session, now)
        cases.publish(session, now, id=OTHER, title_zh="公交客流", title_en="Bus counts")
        screening.publish_editions(session, now=now)
    return sqlite_app


@pytest.fixture
def enter(world):
    def open_session(person: str, *, ago: timedelta = timedelta(0)):
        return resume(world, person, ago=ago)

    return open_session


def submitted(**changes):
    with db.writing() as session:
        now = clock.now(session)
        changes.setdefault("ends_on", day(120))
        return cases.submitted(session, now=now, **changes).id


def form_of(*datasets, **changes):
    """Return the ids of cases that were filled in on one form."""
    ids = []
    with db.writing() as session:
        now = clock.now(session)
        for dataset in datasets:
            case = cases.drafted(session, now=now, dataset_id=dataset, bundle_id="form1", ends_on=day(120), **changes)
            ids.append(cases.actions.submit(session, case.id, by=cases.ACTORS["applicant"], now=now).id)
    return ids


def day(days):
    with db.reading() as session:
        return clock.beijing_date(clock.now(session) + timedelta(days=days))


def found(id):
    with db.reading() as session:
        return store.application(session, id)


def decisions(id):
    with db.reading() as session:
        return store.decisions(session, id)


def fields(page):
    """Return what the decision form of a page sends besides what a person chooses."""
    hidden = r'<input type="hidden" name="(version|lists|drafted)" value="([^"]*)"'
    return dict(re.findall(hidden, page.split('id="decide"')[1]))


def preview(browser, id, **typed):
    page = browser.get(f"/applications/{id}").text
    return browser.post(f"/applications/{id}/preview", data={**fields(page), "columns": COLUMNS, **typed})


def closed(page, verb):
    """Return why a decision is closed on a page; None when it is open."""
    radio = re.search(rf'<input type="radio"[^>]* value="{verb}"([^>]*)><span>.*?<small>(.*?)</small>', page, re.DOTALL)
    return radio[2] if "disabled" in radio[1] else None


# ---- the review and its preview


def test_the_review_puts_request_clock_and_decisions_on_one_page(enter):
    page = enter("steward").get(f"/applications/{submitted()}").text
    assert "还剩 5 个工作日" in page
    assert "还没有收窄" in closed(page, "narrow")
    assert all(closed(page, verb) is None for verb in ("approve", "return", "refuse"))
    assert "分析停车场周转" in page


def test_a_preview_judges_what_would_remain_and_keeps_nothing(enter):
    id, steward = submitted(), enter("steward")
    with db.reading() as session:
        before = len(session.exec(store.select(Screening)).all())
    page = preview(steward, id, columns=["", *COLUMNS[1:]])
    assert page.status_code == 200
    assert '<del class="qt-cut">5</del> <b>4</b>' in page.text
    assert closed(page.text, "narrow") is None
    assert "已有收窄" in closed(page.text, "approve")
    assert "与所述用途没有必要的联系" in page.text
    with db.reading() as session:
        assert len(session.exec(store.select(Screening)).all()) == before
    assert (found(id).version, found(id).columns, decisions(id)) == (1, COLUMNS, [])


def test_a_preview_keeps_the_reason_that_an_officer_wrote_and_renews_the_one_nobody_touched(enter):
    id, steward = submitted(), enter("steward")
    written = preview(steward, id, columns=COLUMNS[1:], reason="我写的理由")
    assert '<textarea class="govuk-textarea" id="reason" name="reason" rows="4">我写的理由</textarea>' in written.text
    first = preview(steward, id, columns=COLUMNS[1:]).text
    drafted = fields(first)["drafted"]
    assert "停车场编号" in drafted
    again = preview(steward, id, columns=COLUMNS, reason=drafted.replace("\n", "\r\n"), drafted=drafted).text
    assert fields(again)["drafted"] == ""
    assert 'rows="4"></textarea>' in again


def test_a_prohibited_column_closes_agreement_until_it_is_left_out(enter):
    id = submitted(columns=[PLATE, "lot_id"], objections={PLATE: "号牌已作假名处理"})
    steward = enter("steward")
    page = steward.get(f"/applications/{id}").text
    assert "禁止" in closed(page, "approve")
    assert "号牌已作假名处理" in page
    assert "TR-001（《" in fields(page)["drafted"]
    mended = preview(steward, id, columns=[PLATE, "lot_id"], mend="prohibited").text
    assert closed(mended, "narrow") is None
    assert "TR-001" in fields(mended)["drafted"]
    asked = {"verb": "narrow", "reason": "号牌不提供", "columns": ["", "lot_id"], **fields(mended)}
    assert steward.post(f"/applications/{id}/decisions", data=asked).status_code == 303
    assert found(id).columns == ["lot_id"]


def test_the_days_of_data_can_be_shortened_and_never_widened(enter):
    id = submitted(period_from="2026-01-01", period_to="2026-06-30")
    steward = enter("steward")
    wider = preview(steward, id, period_from="2025-01-01")
    assert "数据期间只能缩短" in wider.text
    page = steward.get(f"/applications/{id}").text
    asked = {**fields(page), "columns": COLUMNS, "reason": "只需一个季度"}
    refused = steward.post(f"/applications/{id}/decisions", data={**asked, "verb": "narrow", "period_to": "2026-12-31"})
    assert refused.status_code == 422
    assert 'value="2026-12-31"' in refused.text
    taken = steward.post(f"/applications/{id}/decisions", data={**asked, "verb": "narrow", "period_to": "2026-03-31"})
    assert taken.status_code == 303
    case = found(id)
    assert (str(case.period_from), str(case.period_to)) == ("2026-01-01", "2026-03-31")


def test_a_program_shortens_the_days_of_data_too(enter):
    id = submitted()
    body = {
        "verb": "narrow",
        "version": 1,
        "reason": "只需一个季度",
        "period_from": "2026-01-01",
        "period_to": "2026-03-31",
    }
    assert enter("steward").post(f"/api/v1/applications/{id}/decisions", json=body).status_code == 201
    assert str(found(id).period_to) == "2026-03-31"


def test_a_decision_without_a_choice_is_refused_with_what_was_typed(enter):
    id, steward = submitted(), enter("steward")
    page = steward.get(f"/applications/{id}").text
    answer = steward.post(
        f"/applications/{id}/decisions", data={**fields(page), "columns": COLUMNS, "reason": "我写的理由"}
    )
    assert answer.status_code == 422
    assert "请填写此项" in answer.text
    assert "我写的理由" in answer.text


@pytest.mark.parametrize("who", ["applicant", "outsider", "auditor", "stranger"])
def test_only_those_who_may_decide_preview(enter, who):
    id = submitted()
    answer = enter(who).post(f"/applications/{id}/preview", data={"columns": COLUMNS})
    assert answer.status_code in (403, 404)


def test_a_preview_by_an_officer_whose_step_it_is_not_shows_the_case_and_no_form(enter):
    id = submitted()
    page = enter("reviewer").post(f"/applications/{id}/preview", data={"columns": COLUMNS}).text
    assert 'name="verb"' not in page


# ---- two officers at once


def test_who_comes_second_sees_what_changed_keeps_the_text_and_can_go_on(enter):
    id = submitted()
    second = enter("steward2")
    stale = fields(second.get(f"/applications/{id}").text)
    with db.writing() as session:
        now = clock.now(session)
        cases.actions.withdraw(session, id, by=cases.ACTORS["applicant"], now=now)
    late = second.post(
        f"/applications/{id}/decisions",
        data={**stale, "columns": COLUMNS, "verb": "approve", "reason": "我写了很久"},
    )
    assert late.status_code == 409
    assert "您填写时，别人改了这份申请" in late.text
    assert "我写了很久" in late.text
    assert re.search(r"状态</th>.*审核中</del>.*已撤回</td>", late.text, re.DOTALL)


def test_after_a_change_the_decision_is_taken_on_the_new_version(enter):
    id = submitted()
    first, second = enter("steward"), enter("steward2")
    stale = fields(second.get(f"/applications/{id}").text)
    reason = {"columns": COLUMNS, "reason": "请说明用途"}
    page = first.get(f"/applications/{id}").text
    assert first.post(f"/applications/{id}/decisions", data={**fields(page), **reason, "verb": "return"}).status_code
    with db.writing() as session:
        case = store.application(session, id)
        case.draft = {**case.draft, "statement": "分析停车场周转，为车位引导屏提供数据"}
        session.flush()
        cases.actions.submit(session, id, by=cases.ACTORS["applicant"], now=clock.now(session))
    late = second.post(f"/applications/{id}/decisions", data={**stale, **reason, "verb": "refuse"})
    assert late.status_code == 409
    assert "为车位引导屏提供数据</td>" in late.text
    fresh = fields(late.text)
    assert fresh["version"] == "3"
    again = second.post(f"/applications/{id}/decisions", data={**fresh, **reason, "verb": "refuse"})
    assert again.status_code == 303
    assert found(id).state == "refused"


# ---- the parts of one form


def parts(page):
    return re.findall(r'name="parts" value="([^"]+)"', page)


def test_the_parts_of_one_form_are_decided_together_each_with_its_own_decision(enter):
    ids = form_of(cases.DATASET, OTHER)
    steward = enter("steward")
    boxes = parts(steward.get(f"/applications/{ids[0]}").text)
    assert [box.split(":")[0] for box in boxes] == ids
    answer = steward.post(
        f"/applications/{ids[0]}/batch-decisions", data={"parts": boxes, "verb": "return", "reason": "请说明用途"}
    )
    assert answer.status_code == 303
    for id in ids:
        assert found(id).state == "returned"
        assert [decision.reason for decision in decisions(id)] == ["请说明用途"]


def test_when_one_part_has_moved_on_none_is_decided(enter):
    ids = form_of(cases.DATASET, OTHER)
    steward = enter("steward")
    boxes = parts(steward.get(f"/applications/{ids[0]}").text)
    with db.writing() as session:
        case = store.application(session, ids[1])
        number = case.number
        cases.actions.withdraw(session, ids[1], by=cases.ACTORS["applicant"], now=clock.now(session))
    answer = steward.post(
        f"/applications/{ids[0]}/batch-decisions", data={"parts": boxes, "verb": "refuse", "reason": "用途不符"}
    )
    assert answer.status_code == 409
    assert f"卡在 {number}" in answer.text
    assert "用途不符" in answer.text
    assert (found(ids[0]).state, decisions(ids[0])) == ("in_review", [])


def test_a_part_that_wants_an_officers_look_is_not_agreed_to_in_a_batch(enter):
    ids = form_of(cases.DATASET, OTHER, columns=[PLATE, "lot_id"], objections={PLATE: "号牌已作假名处理"})
    steward = enter("steward")
    page = steward.get(f"/applications/{ids[0]}").text
    assert "须单独审核，不能成批同意" in page
    assert not re.search(r'name="parts"[^>]* checked', page)
    answer = steward.post(
        f"/applications/{ids[0]}/batch-decisions", data={"parts": parts(page), "verb": "approve", "reason": "同意开放"}
    )
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (409, "decide-one-by-one")
    assert all(found(id).state == "in_review" and not decisions(id) for id in ids)


def test_a_case_of_another_form_is_no_part_of_the_batch(enter):
    ids = form_of(cases.DATASET, OTHER)
    alone = submitted(by="stranger")
    data = {"parts": [f"{ids[0]}:1:", f"{alone}:1:"], "verb": "refuse", "reason": "用途不符"}
    answer = enter("steward").post(f"/applications/{ids[0]}/batch-decisions", data=data)
    assert answer.status_code == 404
    assert (found(ids[0]).state, found(alone).state) == ("in_review", "in_review")


def test_a_batch_without_a_part_or_a_choice_is_refused_with_what_was_typed(enter):
    ids = form_of(cases.DATASET, OTHER)
    steward = enter("steward")
    for extra in ({}, {"parts": ["x"]}, {"parts": [f"{ids[0]}:1:"], "verb": "narrow"}):
        answer = steward.post(f"/applications/{ids[0]}/batch-decisions", data={"reason": "我写的理由", **extra})
        assert answer.status_code == 422
        assert "我写的理由" in answer.text
    assert enter("applicant").post(f"/applications/{ids[0]}/batch-decisions", data={}).status_code == 403
    assert enter("outsider").post(f"/applications/{ids[0]}/batch-decisions", data={}).status_code == 404
    stale = enter("steward", ago=timedelta(minutes=16))
    assert stale.post(f"/applications/{ids[0]}/batch-decisions", data={}).status_code == 401


# ---- how the case is followed


def test_a_unit_follows_its_case_step_by_step(enter):
    id, firm = submitted(), enter("applicant")
    page = firm.get(f"/applications/{id}").text
    assert "正在审核，您不用做什么" in page
    assert re.search(r'<li class="is-now" aria-current="step">.*?数源单位审核', page, re.DOTALL)
    assert re.search(r'<li class="is-next">.*?主管部门审定.*?不晚于', page, re.DOTALL)
    steward = enter("steward")
    asked = {**fields(steward.get(f"/applications/{id}").text), "columns": COLUMNS, "reason": "请补充用途"}
    steward.post(f"/applications/{id}/decisions", data={**asked, "verb": "return"})
    page = firm.get(f"/applications/{id}").text
    assert "请补正后再提交" in page
    assert "时钟已暂停" in page
    assert "当天办结，期限 5 个工作日" in page
    assert "steward Someone" not in page


def test_a_late_step_is_the_officers_matter_and_the_unit_is_told_so(enter):
    with db.writing() as session:
        past = clock.now(session) - timedelta(days=40)
        id = cases.submitted(session, now=past, ends_on=(past + timedelta(days=300)).date().isoformat()).id
    assert "个工作日，您不用做什么" in enter("applicant").get(f"/applications/{id}").text
    assert re.search(r"已逾期 \d+ 个工作日", enter("steward").get(f"/applications/{id}").text)


def test_a_refusal_prints_as_a_letter_with_clauses_and_the_draft_remedy(enter):
    id = submitted(columns=[PLATE, "lot_id"], objections={PLATE: "号牌已作假名处理"})
    steward = enter("steward")
    assert steward.get(f"/applications/{id}/decision-letter").status_code == 404
    asked = {**fields(steward.get(f"/applications/{id}").text), "columns": [PLATE, "lot_id"], "reason": "号牌不提供"}
    steward.post(f"/applications/{id}/decisions", data={**asked, "verb": "refuse"})
    for who in ("applicant", "steward", "auditor"):
        letter = enter(who).get(f"/applications/{id}/decision-letter").text
        for text in ("不予开放决定书", "号牌不提供", "TR-001", "待司法行政部门审定", "未盖章"):
            assert text in letter
        assert "steward Someone</" not in letter.split("<article")[1]
    assert enter("stranger").get(f"/applications/{id}/decision-letter").status_code == 404


def test_a_partial_agreement_prints_what_is_given_and_what_is_not(enter):
    id = submitted()
    with db.writing() as session:
        now = clock.now(session)
        case = store.application(session, id)
        cases.decided(session, case, "steward", "narrow", now=now, columns=COLUMNS[1:], reason="编号用不到")
        cases.decided(session, case, "reviewer", now=now)
    letter = enter("manager").get(f"/applications/{id}/decision-letter").text
    assert "部分开放决定书" in letter
    assert "编号用不到" in letter
    assert letter.index("同意提供") < letter.index("exit_time") < letter.index("不予提供") < letter.index("lot_id")
    assert "各步骤均已同意，请签署使用协议" in enter("manager").get(f"/applications/{id}").text


def test_a_case_taken_back_half_way_has_no_letter_of_agreement(enter):
    """One step's consent is nobody's decision: as a letter it would say that the data is opened."""
    id = submitted()
    with db.writing() as session:
        now = clock.now(session)
        cases.decided(session, store.application(session, id), "steward", now=now)
        cases.actions.withdraw(session, id, by=cases.ACTORS["applicant"], now=now)
    applicant = enter("applicant")
    assert applicant.get(f"/applications/{id}/decision-letter").status_code == 404
    assert "decision-letter" not in applicant.get(f"/applications/{id}").text
    whole = submitted()
    with db.writing() as session:
        case = store.application(session, whole)
        for officer in ("steward", "reviewer"):
            cases.decided(session, case, officer, now=now)
        cases.actions.withdraw(session, whole, by=cases.ACTORS["applicant"], now=now)
    assert "同意" in applicant.get(f"/applications/{whole}/decision-letter").text


# ---- the inbox


def test_a_case_to_review_stands_under_the_inbox_and_one_that_is_decided_under_all_applications(enter):
    id, current = submitted(), re.compile(r'href="(/\w+)" aria-current="true"')
    steward = enter("steward")
    assert current.findall(steward.get(f"/applications/{id}").text) == ["/inbox"]
    with db.writing() as session:
        cases.decided(session, store.application(session, id), "steward", now=clock.now(session))
    assert current.findall(steward.get(f"/applications/{id}").text) == ["/applications"]


def test_the_inbox_is_grouped_by_when_things_fall_due(enter):
    submitted()
    with db.writing() as session:
        past = clock.now(session) - timedelta(days=40)
        cases.submitted(session, by="stranger", now=past, ends_on=(past + timedelta(days=300)).date().isoformat())
    page = enter("steward").get("/inbox").text
    assert page.index("已逾期") < page.index("一周内")
    assert page.count('scope="rowgroup"') == 2
    assert "该我办 2" in page
    assert enter("outsider").get("/inbox").text.count("SQ-") == 0


def test_who_decided_another_step_sees_the_case_among_the_units_and_not_as_theirs(enter):
    id = submitted()
    with db.writing() as session:
        cases.decided(session, store.application(session, id), "both", now=clock.now(session))
    both = enter("both")
    assert "SQ-" not in both.get("/inbox").text
    assert "下一件" in both.get("/inbox").text
    whole = both.get("/inbox?view=unit").text
    assert "SQ-" in whole
    assert "您办过另一步，须由另一人办理" in whole
    assert "您已办理过本申请的另一步骤" in both.get(f"/applications/{id}").text


def test_what_waits_for_the_unit_is_in_the_whole_list_with_its_clock_stopped(enter):
    id = submitted()
    with db.writing() as session:
        cases.decided(session, store.application(session, id), "steward", "return", now=clock.now(session))
    steward = enter("steward")
    assert "SQ-" not in steward.get("/inbox").text
    whole = steward.get("/inbox?view=unit").text
    assert "时钟暂停" in whole
    assert "前一步：退回补正" in whole
