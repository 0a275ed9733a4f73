"""The applicant's part, as every journey walks it: the form from the dataset's page to its last page before sending."""

from collections.abc import Iterable, Mapping

from tests.journeys.visit import Visit

TEXTS = {
    "zh": {
        "statement": "统计停车场周转率，不训练模型，成果用于本单位的停车诱导。",
        "security_officer": "钱安",
        "storage": "杭州某机房",
        "members": "王潮\n李汐",
        "objection": "需要识别重复停放的车辆，请人工复核。",
    },
    "en": {
        "statement": "Turnover of car parks for our own guidance signs; no model is trained.",
        "security_officer": "A. Officer",
        "storage": "A machine room in Hangzhou",
        "members": "B. Reader\nC. Reader",
        "objection": "Repeated stays of one vehicle must be told apart; please review.",
    },
}
CHOICES = {"delivery": "api", "cross_border": "no", "onward_sharing": "no", "mlps": "mlps3", "incidents": "no"}


def start(visit: Visit, dataset: str) -> None:
    """Find the dataset by a word or two and open an empty form for it."""
    visit.go("/datasets")
    visit.page.fill("#q", "停车" if visit.language == "zh" else "car park")
    visit.press("查找")
    visit.page.wait_for_url("**/datasets?q=*")  # what is clicked before the answer is there moves away under the hand
    visit.page.locator(f'main a[href="/datasets/{dataset}"]').click()
    visit.look()
    visit.follow("开始申请")
    visit.press("开始填写")


def fill(visit: Visit, columns: Iterable[str], ends_on: str, **changed: str) -> None:
    """Fill every page of the form, from its tasks to the one that checks all."""
    page, texts = visit.page, TEXTS[visit.language]
    choices: Mapping[str, str] = CHOICES | changed
    visit.follow("数据与字段")
    for name in columns:
        page.check(f'input[name="columns"][value="{name}"]')
    visit.press("保存并继续")
    assert visit.path.endswith("/range"), visit.text
    visit.press("保存并继续")
    page.select_option("#purpose", "analytics.operations")
    page.fill("#statement", texts["statement"])
    visit.press("保存并继续")
    page.fill("#ends_on", ends_on)
    _choose(visit, choices, "delivery")
    visit.press("保存并继续")
    _choose(visit, choices, "cross_border", "onward_sharing", "mlps", "incidents")
    for field in ("security_officer", "storage"):
        page.fill(f"#{field}", texts[field])
    visit.press("保存并继续")
    page.fill("#members", texts["members"])
    visit.press("保存并继续")
    assert visit.path.endswith("/check"), visit.text


def _choose(visit: Visit, choices: Mapping[str, str], *names: str) -> None:
    for name in names:
        visit.page.check(f'input[name="{name}"][value="{choices[name]}"]')


def submit(visit: Visit) -> str:
    """Send the form that is ready, and return the number on its receipt."""
    visit.press("提交申请")
    assert visit.path.endswith("/receipt"), visit.text
    assert visit.says("申请已收到。")
    return visit.page.locator("dd strong").inner_text()
