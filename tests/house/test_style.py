"""The face: what is vendored is what was recorded, the two dark themes are one, every state has a tone."""

import re
import tomllib
from hashlib import sha256

import pytest

from service.applications.rules import STATES, State
from tests.house.scan import ROOT, templates, text_of

STATIC = ROOT / "service" / "static"
VENDOR = STATIC / "vendor"
RECORDED = tomllib.loads((VENDOR / "VENDORED.toml").read_text(encoding="utf-8"))["file"]
OWN = sorted(STATIC.glob("*.css"))


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: entry["path"])
def test_a_vendored_file_is_the_one_recorded(entry):
    assert sha256((VENDOR / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    assert (VENDOR / entry["licence_file"]).read_text(encoding="utf-8").strip()
    assert entry["name"] and entry["version"] and entry["licence"]
    if "source" in entry:
        assert sha256((ROOT / entry["source"]).read_bytes()).hexdigest() == entry["source_sha256"]


def test_every_vendored_file_is_recorded():
    there = {path.name for path in VENDOR.iterdir()} - {"VENDORED.toml"}
    assert there == {entry["path"] for entry in RECORDED}


def test_no_stylesheet_calls_elsewhere_or_brings_a_face_or_a_crown():
    for path in (*OWN, *VENDOR.glob("*.css")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"@import|@font-face|url\(|GDS Transport|crown", text), path.name


def test_the_two_dark_themes_are_the_same():
    text = (STATIC / "tokens.css").read_text(encoding="utf-8")
    blocks = re.findall(
        r'(?::root\[data-theme="dark"\]|:root:not\(\[data-theme="light"\]\)) \{(.*?)\}', text, re.DOTALL
    )
    first, second = ([line.strip() for line in block.strip().splitlines()] for block in blocks)
    assert first == second


def test_every_custom_property_that_is_used_is_defined():
    texts = [path.read_text(encoding="utf-8") for path in OWN]
    defined = {name for text in texts for name in re.findall(r"(--[\w-]+):", text)}
    used = {name for text in texts for name in re.findall(r"var\((--[\w-]+)", text)}
    assert used <= defined, used - defined


def test_every_class_that_a_template_uses_is_styled():
    sheets = (*OWN, *VENDOR.glob("*.css"))
    styled = {name for path in sheets for name in re.findall(r"\.([a-z][\w-]+)", path.read_text(encoding="utf-8"))}
    for path in templates():
        text = re.sub(r"\{[%{#].*?[%}#]\}", " ", text_of(path) or "", flags=re.DOTALL)
        for value in re.findall(r'class="([^"]*)"', text):
            used = {name for name in value.split() if not name.startswith("govuk-") and not name.endswith("-")}
            assert used <= styled, (path.name, used - styled)


def test_no_template_carries_style_or_script_of_its_own():
    for path in templates():
        text = text_of(path) or ""
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", text), path.name


def test_every_state_of_an_application_has_a_tone(app):
    with app.test_request_context("/"):
        said = app.jinja_env.from_string('{% from "macros/parts.html" import state_tag %}{{ state_tag(state, title) }}')
        shown = [said.render(state=state.value, title=STATES[state]) for state in State]
    assert all("qt-tag--" in one for one in shown)
