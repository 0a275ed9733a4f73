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
    """Find the dataset by two characters and open an empty form for it."""
    visit.go("/datasets")
    visit.page.fill("#q", "停车")
    visit.press("查找")
    visit.page.locator(f'main a[href="/datasets/{dataset}"]').click()
    visit.look()
    visit.follow("申请使用")
    visit.press("开始填写")


def fill(visit: Visit, columns: Iterable[str], ends_on: str, **changed: str) -> None:
    """Fill every step of the form."""
    page, texts = visit.page, TEXTS[visit.language]
    for name in columns:
        page.check(f'input[name="columns"][value="{name}"]')
    page.select_option("#purpose", "analytics.operations")
    page.fill("#ends_on", ends_on)
    for field in ("statement", "security_officer", "storage", "members"):
        page.fill(f"#{field}", texts[field])
    choices: Mapping[str, str] = CHOICES | changed
    for name, value in choices.items():
        page.check(f'input[name="{name}"][value="{value}"]')


def submit(visit: Visit) -> str:
    """Send the form that is ready, and return the number on its receipt."""
    visit.press("提交申请")
    assert visit.path.endswith("/receipt"), visit.text
    assert visit.says("申请已收到。")
    return visit.page.locator("dd strong").inner_text()
