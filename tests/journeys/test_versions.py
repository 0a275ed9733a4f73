"""A version under secrecy review in the browser: refused with a reason, filed again; and a dataset that is followed."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAITS = "/datasets/bus-ridership-15min/versions/2"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_version_is_refused_with_a_reason_and_filed_again(enter, script):
    reviewer = enter("transport-2", script=script)
    reviewer.go("/inbox")
    reviewer.page.locator(f'a[href="{WAITS}"]').click()
    assert reviewer.path == WAITS
    reviewer.page.locator('input[name="act"][value="refuse"]').check()
    reviewer.press("提交意见")
    assert reviewer.says("不予公开须写明理由")
    assert reviewer.page.locator('input[name="act"][value="refuse"]').is_checked()
    reviewer.page.fill("#opinion", "一列含内部批注")
    reviewer.press("提交意见")
    assert reviewer.says("不得公开")
    assert "一列含内部批注" in reviewer.text
    reviewer.look()

    officer = enter("transport-1", script=script)
    officer.go(WAITS)
    officer.page.fill("#opinion", "批注已删去，逐列核对")
    officer.press("送保密审查")
    assert officer.says("待审核")
    assert "批注已删去，逐列核对" in officer.text
    officer.look()


def test_a_reader_follows_a_dataset_and_stops(enter):
    reader = enter("cloud-apply")
    reader.go("/datasets/weather-observations")
    reader.press("关注新版本")
    reader.page.get_by_role("button", name=reader.word("不再关注")).wait_for()
    reader.page.locator("#h-versions").scroll_into_view_if_needed()
    reader.look()
    reader.press("不再关注")
    reader.page.get_by_role("button", name=reader.word("关注新版本")).wait_for()
    reader.page.get_by_role("link", name=reader.word("全部版本")).click()
    assert reader.path == "/datasets/weather-observations/versions"
    reader.look()
