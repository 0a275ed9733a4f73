"""The officers' part, as every journey walks it: from the inbox to a decision that is taken."""

from tests.journeys.visit import Visit

REASONS = {"zh": "用途明确，范围与用途相当。", "en": "The purpose is plain and the scope fits it."}


def open_case(officer: Visit, number: str) -> None:
    """Open a case from the inbox by its number."""
    officer.go("/inbox")
    officer.page.get_by_role("link", name=number).click()
    officer.look()


def leave_out(officer: Visit, column: str) -> None:
    """Give nothing of one column, and wait until the page has judged what remains."""
    officer.page.select_option(f"#give-{column}", "")
    judged_again(officer)


def judged_again(officer: Visit) -> None:
    """Press the button that a browser without script has, or wait for what a script does by itself."""
    button = officer.page.get_by_role("button", name=officer.word("重新判断"), exact=True)
    if button.is_visible():
        button.click()
        officer.look()
    officer.page.locator('input[name="verb"][value="narrow"]:enabled').wait_for()


def choose(officer: Visit, verb: str, reason: str = "") -> None:
    """Take a decision on the review that is open; without a reason the one that the page has drafted goes out."""
    officer.page.check(f'#decide input[name="verb"][value="{verb}"]')
    if reason:
        officer.page.fill("#reason", reason)
    officer.press("提交决定")


def decide(officer: Visit, number: str, verb: str, *, drop: str = "", ends_on: str = "") -> None:
    """Open a case, narrow it as told, and take the decision; the page must not have anything against it."""
    open_case(officer, number)
    if drop:
        leave_out(officer, drop)
    if ends_on:
        officer.page.fill("#ends_on", ends_on)
        officer.page.locator("#ends_on").blur()
        judged_again(officer)
    choose(officer, verb, REASONS[officer.language])
    assert officer.page.locator(".govuk-error-summary").count() == 0, officer.text
