"""Every refusal can be told: a code, a title in both languages, a status."""

import re
from collections import defaultdict

import pytest

from service.base.errors import Refusal
from tests.house.scan import HAN, modules, translations


def _refusals() -> list[type[Refusal]]:
    modules()
    found: list[type[Refusal]] = []
    waiting = [Refusal]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return sorted(
        {kind for kind in found if kind.__module__.startswith("service.")}, key=lambda kind: kind.__qualname__
    )


def _name(kind: type[Refusal]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@pytest.fixture(scope="module")
def refusals() -> list[type[Refusal]]:
    return _refusals()


def test_every_code_is_a_slug(refusals):
    assert not [_name(kind) for kind in refusals if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", kind.code)]


def test_every_title_is_chinese_and_has_an_english_side(refusals):
    english = translations()
    assert not [_name(kind) for kind in refusals if not HAN.search(kind.title) or kind.title not in english]


def test_every_status_says_no(refusals):
    assert not [_name(kind) for kind in refusals if not 400 <= kind.status < 600]


def test_one_code_means_one_thing(refusals):
    titles: dict[str, set[str]] = defaultdict(set)
    for kind in refusals:
        if "code" in vars(kind):
            titles[kind.code].add(kind.title)
    assert not {code: found for code, found in titles.items() if len(found) > 1}
