"""A dataset's page: who decides and how soon, every column's verdict, how the data looks and not one row of it."""

import re

import pytest

from service.home.web import plots
from tests.http.test_forbidden_column import Searched, raw

SVG = re.compile(r"<svg[^>]*>.*?</svg>", re.DOTALL)


def page(world, dataset, language="zh", account=None):
    reader = world.login(account) if account else world.visitor()
    answer = reader.get(f"/datasets/{dataset}", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.text


def figure(text, column):
    start = text.index(f'id="profile-{column}"')
    return text[start : text.index("</figure>", start)]


def row(text, column):
    start = text.index(f'id="column-{column}"')
    return text[start : text.index("</tr>", start)]


def test_restricted_data_says_who_decides_how_soon_and_what_comes_next(world):
    text = page(world, "parking-records")
    assert 'href="/applications/new?dataset=parking-records"' in text
    assert "约 15 个工作日，由市交通运输局" in text
    for said in ("5 个工作日内", "10 个工作日内", "本系统设定，非法律规定", "同意后签署协议"):
        assert said in text
    english = page(world, "parking-records", "en")
    for said in ("Start an application", "About 15 working days", "within 5 working days", "you sign an agreement"):
        assert said in english


def test_an_officer_is_not_offered_to_apply(world):
    assert "/applications/new" not in page(world, "parking-records", account="authority-1")


def test_each_column_has_its_verdict_in_one_word_with_its_clause(world):
    text = page(world, "parking-records")
    assert "禁止</span>" in row(text, "plate") and 'popovertarget="rule-TR-001"' in row(text, "plate")
    assert "需处理" in row(text, "entry_time") and "15 分钟" in row(text, "entry_time")
    assert "可用" in row(text, "lot_id") and "原样提供" in row(text, "lot_id")
    english = page(world, "parking-records", "en")
    assert "Refused" in row(english, "plate") and "Coarsen" in row(english, "entry_time")


@pytest.mark.parametrize("dataset", ["parking-records", "passing-records", "clinic-visits", "flights"])
def test_every_clause_that_is_named_has_one_dialog_at_the_end_of_main(world, dataset):
    text = page(world, dataset)
    named = set(re.findall(r'popovertarget="([^"]+)"', text))
    dialogs = re.findall(r'<div class="qt-pop" id="([^"]+)" popover role="dialog"', text)
    assert named and named == set(dialogs) and len(dialogs) == len(set(dialogs))
    assert text.index("</aside>") < text.index('class="qt-pop"') < text.index("</main>")


def test_a_plot_is_small_and_says_its_numbers_in_a_table(world):
    text = page(world, "flights")
    assert all(len(drawing.encode()) <= 3_000 for drawing in SVG.findall(text))
    card = figure(text, "dep_delay")
    assert 0 < card.count("<rect") <= 24
    assert card.count("<rect") == card.count('<tr><th scope="row">')
    assert "最高的一档" in card


@pytest.mark.parametrize("account", [None, "tide-apply", "transport-1", "authority-1"])
def test_no_reader_sees_a_value_of_a_closed_column(world, account):
    searched = Searched(world)
    for dataset in ("parking-records", "passing-records", "flights"):
        for language in ("zh", "en"):
            searched.demand_clean(page(world, dataset, language, account).encode(), f"{dataset} {language}")


def test_no_name_of_a_patient_is_on_the_page_of_the_visits(world):
    names = set(hidden(world, "clinic-visits", "patient_name"))
    text = page(world, "clinic-visits")
    assert len(names) > 50
    assert not [name for name in names if name and name in text]
    assert "没有读取任何真实的行" in text, "there are trial rows to look at"


def hidden(world, dataset, column):
    import pyarrow.parquet as pq

    ((key,),) = world.found("select blob_key from datasetpart where dataset_id = :id", id=dataset)
    return pq.read_table(world.settings.home / "store" / key, columns=[column]).column(0).unique().to_pylist()


def test_what_is_closed_after_it_was_measured_is_shown_no_longer(world):
    assert "武林" in figure(page(world, "parking-records"), "lot_name")
    world.change("update datasetcolumn set level = 3 where dataset_id = 'parking-records' and name = 'lot_name'")
    text = page(world, "parking-records")
    assert 'id="profile-lot_name"' not in text and "武林" not in text


def test_what_is_not_measured_is_said_to_be_so(world):
    world.change("delete from profile where dataset_id = 'parking-records'")
    assert "尚未测算" in page(world, "parking-records")
    assert "Not measured yet" in page(world, "parking-records", "en")


def test_the_checksum_of_data_that_is_not_open_is_keyed(world):
    ((sha256,),) = world.found("select sha256 from datasetversion where dataset_id = 'parking-records'")
    text = page(world, "parking-records")
    assert sha256 not in text
    assert text.count("hmac-sha256:") == 3, "in the list of versions and in both citations"


def test_a_file_with_more_in_it_than_everybody_may_have_is_not_cited_by_its_plain_checksum(world):
    """Whoever has the public columns could try out the ones left out until the digests agree."""
    ((sha256,),) = world.found("select sha256 from datasetversion where dataset_id = 'flights'")
    world.change("update releasedview set dataset_version = 99 where dataset_id = 'flights'")
    text = page(world, "flights")
    assert sha256 not in text and "hmac-sha256:" in text


def test_the_rows_of_data_that_is_not_open_are_counted_by_tens_wherever_they_are_told(world):
    world.change("update datasetversion set rows = 20007 where dataset_id = 'parking-records'")
    told = world.visitor().get("/api/v1/datasets/parking-records")
    assert told.get_json()["version"]["rows"] == 20_000
    for text in (told.text, page(world, "parking-records"), world.visitor().get("/datasets?q=停车").text):
        assert "20007" not in text and "20,007" not in text
    assert "20,000" in text


def test_where_a_dataset_comes_from_is_not_named_before_it_is_published(world):
    assert 'href="/datasets/passing-records"' in page(world, "road-traffic-15min")
    ((title,),) = world.found("select title_zh from dataset where id = 'passing-records'")
    world.change("update dataset set state = 'draft' where id = 'passing-records'")
    assert title not in page(world, "road-traffic-15min").replace("<wbr>", "")


def test_open_data_is_downloaded_and_cited_by_the_checksum_of_its_file(world):
    text = page(world, "exchange-rates")
    files = world.found(
        "select format, sha256 from view_file where view_id = (select id from releasedview where dataset_id = :id)",
        id="exchange-rates",
    )
    csv, parquet = dict(map(tuple, files))["csv"], dict(map(tuple, files))["parquet"]
    assert 'href="/api/v1/datasets/exchange-rates/files/data.csv"' in text and csv in text
    assert f"sha256:{parquet}" in text and "[DS/OL]" in text and "@misc{exchange-rates-v1," in text
    assert "/applications/new" not in text


def test_a_column_left_out_of_the_public_file_is_marked_and_its_values_are_not_there(world):
    text = page(world, "flights")
    assert "禁止提供" in row(text, "tailnum") and 'id="profile-tailnum"' not in text
    assert not raw(world, "flights") & set(re.findall(r"[A-Z0-9]{4,7}", text))


def test_prohibited_data_says_why_and_what_there_is_instead(world):
    text = page(world, "passing-records")
    assert "此数据集禁止开放" in text and 'popovertarget="rule-TR-001"' in text
    assert 'href="/datasets/road-traffic-15min"' in text
    assert "/applications/new" not in text and "qt-plot" not in text and "试用合成数据" not in text
    assert "可用" not in row(text, "direction")


def test_a_draft_is_seen_by_its_source_unit_only(world):
    world.change("update dataset set state = 'draft' where id = 'parking-records'")
    assert world.visitor().get("/datasets/parking-records").status_code == 404
    assert world.login("tide-apply").get("/datasets/parking-records").status_code == 404
    assert "草稿" in page(world, "parking-records", account="transport-1")


def test_a_title_breaks_between_its_words_only(world):
    assert re.search(r"<h1>停车场<wbr>", page(world, "parking-records"))
    assert "<wbr>）" not in page(world, "parking-records")


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "unit", "kind", "said"),
    [
        (None, 2, 1, "integer", "1 及以下"), (2, 3, 1, "integer", "2"), (20, 40, 20, "integer", "20–39"),
        (12, None, 1, "integer", "12 及以上"), (None, 0.5, 0.5, "number", "不到 0.5"),
        (0.5, 1.0, 0.5, "number", "0.5–1"),
        (20_000, 40_000, 20_000, "number", "20,000–40,000"), (0, 6, "hour", "datetime", "0:00–6:00"),
        ("2026-03-01", "2026-04-01", "month", "date", "2026-03 起，2026-04 以前"),
        (None, "2026-03-09", "week", "date", "3-09 以前"),
    ],
)  # fmt: skip
def test_a_bin_is_named_by_what_is_in_it(start, end, unit, kind, said):
    assert plots.bin_label({"from": start, "to": end}, unit, kind) == said
