"""The pages of what was read: for the unit that read, for the stewards of the data, for nobody else."""

import csv
import io

import pytest

OVERSEERS = ("transport-1", "authority-1", "auditor-1")


def test_the_unit_sees_every_read_of_its_own_with_who_it_was(world):
    assert world.file(world.token()).data
    browser = world.login("lake-manager")
    assert browser.get(f"/api/v1/datasets/{world.dataset}/files/data.csv", headers={"Sec-Fetch-Site": "none"}).data
    page = browser.get(f"/grants/{world.grant}/reads").text
    assert "127.0.0.0/24" in page and "网页" in page and "令牌" in page
    assert world.account("lake-manager")["login"] and "20,000" in page
    name = world.found("select name from person where login = 'lake-manager'")[0][0]
    assert name in page.partition("<main")[2]
    officer = world.login("transport-1").get(f"/grants/{world.grant}/reads").text
    assert name not in officer and "本单位人员" in officer


@pytest.mark.parametrize("path", ["reads", "reads.csv"])
def test_another_unit_and_another_source_know_nothing_of_it(world, path):
    for who in ("tide-manager", "health-1"):
        assert world.login(who).get(f"/grants/{world.grant}/{path}").status_code == 404
    assert world.visitor().get(f"/grants/{world.grant}/{path}").status_code == 303
    assert world.login("lake-manager").get(f"/grants/no-such-grant/{path}").status_code == 404


def test_the_log_comes_as_csv_that_no_spreadsheet_computes(world):
    world.change("update client set name = '=1+1' where id = :id", id=world.client_id)
    world.rows(world.token(), "?limit=3")
    answer = world.login("lake-manager").get(f"/grants/{world.grant}/reads.csv")
    assert answer.headers["Cache-Control"] == "private, no-store"
    (line,) = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert (line["system"], line["face"], line["rows"], line["whole"]) == ("'=1+1", "rows", "3", "yes")
    assert line["at"].endswith("+08:00")


def test_a_long_log_is_read_page_by_page(world):
    for number in range(120):
        world.change(
            "insert into usageevent (id, dataset_id, grant_id, view_id, face, rows, size, whole, at) values "
            "(:id, 'parking-records', :grant, 'v', 'rows', :rows, 1, 1, '2026-11-24 00:00:00.000000')",
            id=f"0{number:025}", grant=world.grant, rows=700_000 + number,
        )  # fmt: skip
    browser, path, seen = world.login("lake-manager"), f"/grants/{world.grant}/reads", []
    for _ in range(3):
        page = browser.get(path).text
        seen += [number for number in range(120) if f"{700_000 + number:,}" in page]
        path = f"/grants/{world.grant}/reads?before=" + page.partition('href="?before=')[2].partition('"')[0]
    assert seen == [*range(70, 120), *range(20, 70), *range(20)]


def test_a_steward_sees_the_use_of_the_own_data_by_day_grant_and_way(world):
    world.rows(world.token(), "?limit=77")
    for who in OVERSEERS:
        page = world.login(who).get(f"/datasets/{world.dataset}/usage")
        assert page.status_code == 200 and "77" in page.text and "按页读取" in page.text
        assert f"/grants/{world.grant}" in page.text
        assert f"/datasets/{world.dataset}/usage" in world.login(who).get(f"/datasets/{world.dataset}").text
    for who in ("health-1", "lake-manager"):
        assert world.login(who).get(f"/datasets/{world.dataset}/usage").status_code in (403, 404)
        assert f"/datasets/{world.dataset}/usage" not in world.login(who).get(f"/datasets/{world.dataset}").text


def test_open_data_s_use_is_counted_without_a_grant(world):
    world.rows(None, "?limit=9", dataset="exchange-rates")
    page = world.login("authority-1").get("/datasets/exchange-rates/usage").text
    assert "不需要授权的读取" in page


def test_the_grant_s_page_offers_files_and_says_what_is_used_of_the_day(world):
    world.change('update "grant" set quota = \'{"rows_per_day": 5000}\' where id = :grant', grant=world.grant)
    world.rows(world.token(), "?limit=250")
    page = world.login("lake-manager").get(f"/grants/{world.grant}").text
    assert "今天已用 250，上限 5,000" in page
    assert f"/files/data.csv?grant={world.grant}" in page and f'action="/grants/{world.grant}/links"' in page
    world.suspend()
    page = world.login("lake-manager").get(f"/grants/{world.grant}").text
    assert "/links" not in page.partition("<main")[2]
