"""What people see and may do while a new version is judged or held for a grant, and what the gate answers meanwhile."""

from service.base import db
from service.catalogue.store import history
from service.catalogue.tables import DatasetVersion, VersionPart
from service.grants import jobs as views
from service.notices import jobs as outbox
from service.screening import jobs
from tests.http.answers import problem

FILES = "/api/v1/datasets/parking-records/files"


def add_version(world, **retyped):
    """Publish the same parts as the next version; `retyped` columns have another type there."""
    with db.writing() as session:
        one = history.version(session, world.dataset, 1)
        columns = [each | ({"type": retyped[each["name"]]} if each["name"] in retyped else {}) for each in one.columns]
        session.add(DatasetVersion(**one.model_dump() | {"number": 2, "columns": columns, "sha256": "2" * 64}))
        for position, part in enumerate(history.parts(session, world.dataset, 1)):
            session.add(VersionPart(dataset_id=world.dataset, number=2, position=position, part_id=part.id))


def test_a_version_is_judged_built_and_served_in_this_order(world):
    add_version(world)
    browser, page = world.login("lake-manager"), f"/grants/{world.grant}"
    assert "第 2 版正在判定" in browser.get(page).text
    assert jobs.judge_versions() >= 1
    assert "第 2 版已判定可用" in browser.get(page).text
    token = world.token()
    assert world.get(f"{FILES}/data.csv", token).headers["Qiantang-Version"] == "1"  # never building by a move
    views.build_missing(pepper=world.settings.pepper())
    jobs.judge_versions()
    assert world.get(f"{FILES}/data.csv", token).headers["Qiantang-Version"] == "2"
    assert 'id="next"' not in browser.get(page).text


def test_a_held_version_is_told_with_why_and_what_to_do(world):
    add_version(world, lot_id="integer")
    jobs.judge_versions()
    outbox.deliver()
    page = f"/grants/{world.grant}"
    shown = world.login("lake-manager").get(page).text
    assert "第 2 版暂缓：" in shown and "字段与判定时不同：lot_id" in shown and "现在取到的仍是第 1 版" in shown
    assert "可以另行申请" in shown and "/judgement" not in shown
    english = world.login("lake-manager").get(f"{page}?lang=en").text
    assert "Version 2 is held back: " in english and "columns are not as they were judged: lot_id." in english
    for login in ("lake-manager", "transport-1"):
        assert "第 2 版暂缓提供" in world.login(login).get("/notices").text
    inbox = world.login("transport-1").get("/inbox").text
    assert "对授权暂缓的新版本" in inbox and f'href="{page}#next"' in inbox
    token = world.token()
    problem(world.get(f"{FILES}/data.csv?version=2", token), 503, "version-held")
    assert world.get(f"{FILES}/data.csv", token).headers["Qiantang-Version"] == "1"


def test_a_steward_has_it_judged_again_and_nobody_else_does(world):
    add_version(world, lot_id="integer")
    jobs.judge_versions()
    page, again = f"/grants/{world.grant}", f"/grants/{world.grant}/versions/2/judgement"
    steward = world.login("transport-1")
    assert f'action="{again}"' in steward.get(page).text
    assert world.login("lake-manager").post(again).status_code in (403, 404)
    with db.writing() as session:
        row = history.version(session, world.dataset, 2)
        row.columns = history.version(session, world.dataset, 1).columns
        session.add(row)
    answer = steward.post(again)
    assert (answer.status_code, answer.location) == (303, f"{page}#next")
    assert "第 2 版正在判定" in steward.get(page).text
    assert steward.post(again).status_code == 409
    assert jobs.judge_versions() >= 1
    assert "第 2 版已判定可用" in steward.get(page).text
