"""The list of datasets, its search, and the metadata for programs, through the real application."""

import base64
import json
import re
from html import unescape
from urllib.parse import unquote

import pytest

from service.base import clock, db
from service.catalogue import actions, jobs, store
from service.catalogue.actions import secrecy
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
            now = clock.now(session)
            secrecy.state_review(session, dataset_id, 1, basis="x", by="x", now=now)
            actions.mark_published(session, dataset_id, by="x", now=now)
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


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("domain=finance&domain=transport", ["exchange-rates", "parking-records"]),
        ("domain=finance&openness=restricted", []),
        ("level=3&unit=transport-bureau", ["parking-records"]),
        ("has=synthetic&has=data", ["exchange-rates", "hotel-checkins", "parking-records"]),
        ("format=csv", ["exchange-rates", "parking-records"]),
        ("q=tccjl", ["parking-records"]),
        ("q=tingche", ["parking-records"]),
        ("domain=&q=", ["exchange-rates", "hotel-checkins", "parking-records"]),
    ],
)
def test_choices_of_several_facets_and_pinyin_narrow_the_list(reader, query, expected):
    assert sorted(links(reader.get(f"/datasets?{query}"))) == expected
    answer = reader.get(f"/api/v1/datasets?{query}").get_json()
    assert sorted(one["id"] for one in answer["datasets"]) == expected
    assert answer["total"] == len(expected)


def test_every_choice_is_repeated_as_a_link_that_takes_it_back(reader):
    page = reader.get("/datasets?q=合成&domain=transport&domain=tourism&openness=restricted").text
    taken_back = re.search(r'<ul class="qt-applied".*?</ul>', page, re.DOTALL).group()
    assert taken_back.count("去掉此筛选") == 3
    addresses = [unquote(unescape(one)) for one in re.findall(r'href="([^"]*)"', taken_back)]
    assert addresses == [
        "/datasets?q=合成&domain=tourism&openness=restricted",
        "/datasets?q=合成&domain=transport&openness=restricted",
        "/datasets?q=合成&domain=transport&domain=tourism",
        "/datasets?q=合成",
    ]


def test_a_facet_is_counted_without_its_own_choice_and_zero_stays(reader):
    page = reader.get("/datasets?domain=finance").text
    counts = dict(re.findall(r'name="domain" value="(\w+)"[^>]*><span>[^<]*</span><small>([^<]*)</small>', page))
    assert counts["finance"] == counts["transport"] == counts["tourism"] == "1"
    assert counts["education"] == counts["healthcare"] == "0"
    facets = reader.get("/api/v1/datasets?domain=finance").get_json()["facets"]
    assert facets["domain"] == {"at_least": False, "values": {"finance": 1, "tourism": 1, "transport": 1}}
    assert facets["openness"]["values"] == {"unconditional": 1}


def test_a_cursor_leads_through_the_list(reader):
    first = reader.get("/api/v1/datasets?sort=title").get_json()
    assert (first["next"], first["total"], first["total_is_least"]) == (None, 3, False)
    assert [one["id"] for one in first["datasets"]] == ["exchange-rates", "hotel-checkins", "parking-records"]


def test_suggestions_are_titles_with_their_source_units(reader):
    answer = reader.get("/datasets/suggestions?q=tccj")
    assert answer.get_json() == {
        "suggestions": [{"id": "parking-records", "title": "停车场进出记录（合成数据）", "unit": "市交通运输局"}]
    }
    assert reader.get("/datasets/suggestions").get_json() == {"suggestions": []}
    assert reader.get(f"/datasets/suggestions?q={'长' * 101}").status_code == 422
    english = reader.get("/datasets/suggestions?q=park", headers={"Accept-Language": "en"}).get_json()
    assert english["suggestions"][0]["title"] == "Car park entries and exits (synthetic)"


def test_where_nothing_is_found_the_page_says_what_to_try(reader):
    page = reader.get("/datasets?q=停车流水账&domain=finance").text
    assert "没有数据集叫“停车流水账”" in page
    assert '<a href="/datasets?q=%E5%81%9C%E8%BD%A6">停车</a>' in page
    assert '<a href="/datasets/parking-records">停车场进出记录（合成数据）</a>' in page
    page = reader.get("/datasets?q=停车&domain=finance").text
    assert re.search(r'去掉筛选：<a href="/datasets\?q=[^"&]*">金融</a>', page)


def test_the_letters_asked_for_are_marked_in_the_title(reader):
    page = reader.get("/datasets?q=停車").text
    assert "<mark>停车</mark>场" in page


def test_an_empty_catalogue_says_how_it_is_filled(sqlite_app):
    client = sqlite_app.test_client()
    page = client.get("/datasets", headers={"Host": "127.0.0.1:8000", "Accept-Language": "zh-CN"})
    assert "目录里还没有数据集" in page.text


@pytest.mark.parametrize(
    "query", [f"q={'长' * 101}", "domain=weapons", "openness=secret", "level=9", "sort=best", "has=gold"]
)
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
        version = store.newest(session, "parking-records")
        [part] = store.parts(session, "parking-records", version.number)
    for path in ("/api/v1/datasets/parking-records", "/api/v1/datasets", "/datasets"):
        text = reader.get(path).text
        assert version.sha256 not in text
        assert part.sha256 not in text
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


@pytest.mark.parametrize("unit", ['a"', 'a" OR "@level.1', "a*", "'", "a\\"])
def test_a_source_unit_that_is_no_id_is_refused_and_never_part_of_a_query(visitor, unit):
    answer = visitor.get("/api/v1/datasets", query_string={"unit": unit})
    assert (answer.status_code, answer.headers["Qiantang-Problem"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("sort", "told"),
    [
        ("used", ["used", 10**30, 5, 5]), ("used", ["used", -(10**30), 5, 5]), ("used", ["used", True, 5, 5]),
        ("used", ["used", 5, True, 5]), ("newest", ["newest", 5, 10**30, 5]), ("title", ["title", "\ud800", 5, 5]),
        ("title", ["title", "a\0b", 5, 5]), ("title", {"title": 1}), ("newest", None),
    ],
)  # fmt: skip
def test_a_cursor_that_somebody_made_up_begins_anew(visitor, sort, told):
    cursor = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    answer = visitor.get("/api/v1/datasets", query_string={"sort": sort, "cursor": cursor})
    assert answer.status_code == 200


def test_a_page_kept_for_visitors_changes_as_soon_as_a_dataset_leaves_or_comes(world):
    visitor, path = world.visitor(), "/datasets?q=停车"
    first = visitor.get(path).text
    assert visitor.get(path).text == first
    with db.writing() as session:
        found = store.dataset(session, world.dataset)
        store.leave(session, found.id)
    assert f'href="/datasets/{world.dataset}"' in first
    assert f'href="/datasets/{world.dataset}"' not in visitor.get(path).text


def test_a_page_kept_for_visitors_is_kept_for_each_language_and_theme_and_never_shown_to_a_person(world):
    visitor, path = world.visitor(), "/datasets?q=停车"
    zh = visitor.get(path).text
    assert 'lang="zh-CN"' in zh and 'lang="en"' in world.visitor().get(path, headers={"Accept-Language": "en"}).text
    visitor.get("/theme/dark")
    assert 'data-theme="dark"' in visitor.get(path).text
    person = world.login("tide-apply")
    assert 'action="/logout"' in person.get(path).text
    assert world.visitor().get(path).text == zh
