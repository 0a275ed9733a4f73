"""The page of a grant in the browser: code to paste, the chart and its table, and why a program was refused."""

import pytest
import requests

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_firm_finds_its_script_and_what_was_read(enter, site, script):
    client = site.demo["client"]
    read = _ask(site, f"/api/v1/datasets/{client['dataset']}/rows?limit=5&grant={client['grant']}")
    assert read.status_code == 200
    manager = enter("lake-manager", script=script)
    manager.go(f"/grants/{client['grant']}")
    assert manager.page.locator("#script").inner_text().startswith("# install: apt-get install -y curl")
    manager.page.locator("#get").get_by_role("link", name="pandas").click()
    manager.page.locator('#get a[aria-current="true"]', has_text="pandas").wait_for()
    assert "pip install pandas" in manager.page.locator("#script").inner_text()
    assert client["client_id"] in manager.page.locator("#script").inner_text()
    assert manager.page.locator('[data-copy="#script"]').is_visible() is script
    assert manager.page.locator("#usage-chart .qt-chart__box svg").count() == (1 if script else 0)
    assert manager.page.locator('table[data-chart="bar"] tbody tr').count() == 30
    manager.look()


def test_a_person_of_the_unit_reads_why_its_program_was_refused(enter, site):
    client = site.demo["client"]
    refused = _ask(site, f"/api/v1/datasets/{client['dataset']}/rows?select=plate&grant={client['grant']}")
    assert refused.status_code == 403
    applicant = enter("lake-apply")
    applicant.go("/requests")
    applicant.page.fill("#id", refused.headers["X-Request-Id"])
    applicant.press("查原因")
    assert applicant.path == f"/requests/{refused.headers['X-Request-Id']}"
    assert applicant.says("怎么办") and "column-not-granted" in applicant.text and client["grant"] in applicant.text

    stranger = enter("tide-apply")
    stranger.go(f"/requests/{refused.headers['X-Request-Id']}")
    assert stranger.says("没有找到这个请求号：")


def _ask(site, path: str) -> requests.Response:
    """Ask the data plane with a new token of the demo's client."""
    client = site.demo["client"]
    token = requests.post(
        f"{site.base_url}/oauth/token", data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]), timeout=30,
    ).json()["access_token"]  # fmt: skip
    return requests.get(f"{site.base_url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
