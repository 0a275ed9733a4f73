"""A steward uploads in the browser: in pieces with a script, cut off and resumed, and whole without one."""

import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DATASET = "car-park-directory"
PAGE = f"/datasets/{DATASET}/uploads"
HEADING = "停车场名称;停车场编号;所在区;泊位数;充电桩数;收费标准;开放时间\n"
LINE = "第{n}停车场;P{n:06d};西湖区;{n};3;5.5;全天\n"


@pytest.fixture
def file(tmp_path, language, screen):
    """A file of a few pieces, another on each walk, as an office program of Hangzhou writes it."""
    found = tmp_path / f"lots-{language}-{screen}.csv"
    rows = "".join(LINE.format(n=n) for n in range(130_000, 130_000 + (150_000 if screen == "phone" else 140_000)))
    found.write_bytes((HEADING + rows).encode("gb18030"))
    assert found.stat().st_size > 3 * (2 << 20)
    return found


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_steward_sends_a_file_checks_it_and_has_it_loaded(enter, file, script):
    steward = enter("transport-1", script=script)
    steward.go(f"/datasets/{DATASET}/versions")
    steward.follow("上传数据")
    if script:
        cut_off(steward, file)
    steward.page.set_input_files("#file", file)
    press(steward, "上传")
    steward.page.wait_for_url(f"**{PAGE}/0*", timeout=60_000)
    until(steward, "核对并导入", script)
    steward.look()
    assert "gb18030" in steward.text
    assert steward.page.locator("#column_lot_id").input_value() == "1"
    steward.press("确认导入")
    until(steward, "去送保密审查", script)
    steward.look()
    steward.follow("去送保密审查")
    assert steward.says("送保密审查")


def cut_off(steward, file):
    """Send two pieces, lose the page, and find the file listed as one that can go on."""
    sent = []

    def some(route):
        sent.append(route.request.url)
        if route.request.method == "PATCH" and len(sent) > 3:
            route.abort()
        else:
            route.continue_()

    steward.page.route("**/api/v1/uploads/*", some)
    steward.page.set_input_files("#file", file)
    press(steward, "上传")
    deadline = time.monotonic() + 30
    while len(sent) < 4 and time.monotonic() < deadline:
        steward.page.wait_for_timeout(100)
    steward.go(PAGE)
    steward.page.unroute("**/api/v1/uploads/*")
    steward.faults = [fault for fault in steward.faults if "net::ERR_FAILED" not in fault]  # that was us
    listed = steward.page.locator(f'[data-fingerprint^="{file.name}:"]')
    assert listed.count() == 1
    assert not listed.inner_text().strip().startswith("0 /")


def press(steward, message):
    steward.page.locator("form.qt-upload").get_by_role("button", name=steward.word(message), exact=True).click()


def until(steward, message, script):
    """Wait for what the jobs do to show: the page updates itself, or its reader asks again."""
    deadline = time.monotonic() + 90
    while not steward.says(message):
        assert time.monotonic() < deadline, steward.text
        steward.page.wait_for_timeout(1000)
        if not script:
            steward.follow("刷新")
