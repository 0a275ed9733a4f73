"""The API describes itself, whole."""

import json
import re

from service.app import create_app
from service.base.settings import Settings
from service.catalogue.forms import SearchForm
from service.home.engine import BODIES


def test_every_route_for_programs_is_described(visitor, app):
    document = visitor.get("/api/v1/openapi.json").get_json()

    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    expected = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/oauth/"))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert document["openapi"] == "3.1.0"
    assert described == expected


def test_every_post_says_what_it_takes(app):
    posts = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/oauth/")) and "POST" in rule.methods
    }
    assert posts == set(BODIES)


def test_a_draft_s_fields_say_how_they_are_written(visitor):
    fields = visitor.get("/api/v1/openapi.json").get_json()["components"]["schemas"]["NewDraft"]["properties"]
    for name in ("objections", "purpose", "delivery", "ends_on", "cross_border", "mlps", "members"):
        assert fields[name]["description"]


def test_every_reference_in_the_description_leads_somewhere(visitor):
    document = visitor.get("/api/v1/openapi.json").get_json()
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert "DecisionForm" in references


def test_a_replica_that_serves_the_data_plane_alone_starts(tmp_path):
    served = create_app(Settings(home=tmp_path, log_level="ERROR"), parts={"data", "oauth"})
    paths = {rule.rule for rule in served.url_map.iter_rules()}
    assert "/oauth/token" in paths
    assert "/applications" not in paths


def test_the_list_of_datasets_may_be_asked_all_that_its_page_may(visitor):
    document = visitor.get("/api/v1/openapi.json").get_json()
    told = {each["name"] for each in document["paths"]["/api/v1/datasets"]["get"]["parameters"]}
    assert told == set(SearchForm.model_fields)
