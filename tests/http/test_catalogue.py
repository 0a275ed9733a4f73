"""The list of datasets, its search, and the metadata for programs, through the real application."""

import re

import pytest

from service.base import clock, db
from service.catalogue import actions, jobs, store
from service.catalogue.engine import samples
from service.people import actions as people

SMALL = ("exchange-rates", "parking-records", "hotel-checkins", "world-universities")
UNITS = {
    "transport-bureau": "市交通运输局", "education-bureau": "市教育局", "finance-office": "市地方金融管理局",
    "tourism-bureau": "市文化广电旅游局",
}  # fmt: skip
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture
def catalogue(sqlite_app):
    """Four of the datasets that ship, three of them published; a browser of somebody who has not logged in."""
    with db.writing() as session:
        now = clock.now(session)
        for unit, name in UNITS.items():
            people.add_unit(session, people.NewUnit("source", name, "Bureau", id=unit), by="x", now=now)
    for manifest in samples():
        if manifest.stem in SMALL:
            jobs.import_dataset(manifest, by="x")
    with db.writing() as session:
        for dataset_id in SMALL[:3]:
            actions.mark_published(session, dataset_id, by="x", now=clock.now(session))
    return sqlite_app


@pytest.fixture
def reader(catalogue):
    client = catalogue.test_client()
    client.environ_base |= {"HTTP_HOST": "127.0.0.1:8000", "HTTP_ACCEPT_LANGUAGE": "zh-CN"}
    return client


def links(page):
    return re.findall(r'href="/datasets/([a-z0-9-]+)"', page.text)


def test_anybody_sees_what_is_published_and_no_draft(reader):
    page = reader.get("/datasets")
    assert page.status_code == 200
    assert sorted(links(page)) == sorted(SMALL[:3])
    for text in ("停车场进出记录（合成数据）", "市交通运输局", "受限开放", "每月", "20,000", "L3"):
        assert text in page.text.replace("<wbr>", "")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=停车", ["parking-records"]),
        ("q=停車", ["parking-records"]),
        ("q=汇率", ["exchange-rates"]),
        ("q=号牌", ["parking-records"]),
        ("q=synth", ["hotel-checkins", "parking-records"]),
        ("q=大学", []),
        ("q=？？", []),
        ("domain=finance", ["exchange-rates"]),
        ("openness=prohibited", ["hotel-checkins"]),
        ("q=合成&openness=restricted", ["parking-records"]),
        ("domain=education", []),
    ],
)
def test_words_of_two_characters_and_choices_narrow_the_list(reader, query, expected):
    page = reader.get(f"/datasets?{query}")
    assert page.status_code == 200
    assert sorted(links(page)) == expected
    answer = reader.get(f"/api/v1/datasets?{query}").get_json()
    assert sorted(one["id"] for one in answer["datasets"]) == expected
    assert answer["more"] is False


@pytest.mark.parametrize("query", [f"q={'长' * 101}", "domain=weapons", "openness=secret"])
def test_a_search_that_does_not_hold_is_shown_again_with_what_was_typed(reader, query):
    page = reader.get(f"/datasets?{query}")
    assert page.status_code == 422
    assert "有问题需要改" in page.text
    answer = reader.get(f"/api/v1/datasets?{query}")
    assert answer.status_code == 422
    assert answer.headers["Qiantang-Problem"] == "invalid"


def test_what_was_typed_is_escaped(reader):
    page = reader.get("/datasets", query_string={"q": '"><script>停车'})
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


def test_an_unknown_parameter_is_refused(reader):
    assert reader.get("/api/v1/datasets?state=draft").status_code == 422


def test_metadata_tells_the_dictionary_and_the_conditions(reader):
    answer = reader.get("/api/v1/datasets/parking-records").get_json()
    assert answer["title"] == {"zh": "停车场进出记录（合成数据）", "en": "Car park entries and exits (synthetic)"}
    assert answer["version"]["rows"] == 20_000
    assert answer["version"]["period"] == {"from": "2026-03-02", "to": "2026-03-29"}
    assert answer["source_unit"]["id"] == "transport-bureau"
    assert [column["name"] for column in answer["columns"]][:2] == ["plate", "lot_id"]
    plate = answer["columns"][0]
    assert (plate["semantic"], plate["level"], plate["public"]) == ("vehicle.plate", 3, False)
    assert all(answer[name]["en"] for name in ("conditions", "requirements", "safeguards", "basis_note"))
    assert answer["links"] == {
        "page": "http://127.0.0.1:8000/datasets/parking-records",
        "apply": "http://127.0.0.1:8000/applications/new?dataset=parking-records",
    }


def test_metadata_holds_no_digest_or_place_of_the_raw_data(reader):
    with db.reading() as session:
        raw = store.latest(session, "parking-records")
    for path in ("/api/v1/datasets/parking-records", "/api/v1/datasets", "/datasets"):
        text = reader.get(path).text
        assert raw.sha256 not in text
        assert "浙A·T" not in text.replace("浙A·T 开头", "")


@pytest.mark.parametrize("dataset_id", ["world-universities", "nothing", "raw", "..%2f..%2fetc"])
def test_drafts_and_forged_ids_are_not_found(reader, dataset_id):
    assert reader.get(f"/api/v1/datasets/{dataset_id}").status_code == 404


def test_public_data_names_its_files(reader):
    found = reader.get("/api/v1/datasets/exchange-rates").get_json()
    assert found["links"]["csv"] == "http://127.0.0.1:8000/api/v1/datasets/exchange-rates/files/data.csv"
    assert all(column["public"] for column in found["columns"])


def test_the_english_list_is_english(reader):
    page = reader.get("/datasets", headers={"Accept-Language": "en"})
    main = page.text.split('<main id="main">')[1].split("</main>")[0]
    assert "Car park entries and exits (synthetic)" in main
    assert not HAN.search(main)
