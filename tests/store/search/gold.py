"""Real titles with queries of known answers, and entering titles into the index of the connected database."""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from service.base import db
from service.catalogue.engine import words
from service.catalogue.rules import facets_of, packed
from service.catalogue.tables import DatasetEntry, DatasetTerms

FILE = Path(__file__).with_name("gold.json.gz")


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the places of the records that answer it."""

    text: str
    kind: str
    answers: frozenset[int]


@cache
def records() -> list[list[str]]:
    """Return [title, department, English title] of each record."""
    found: list[list[str]] = _file()["records"]
    return found


@cache
def queries() -> list[Query]:
    return [Query(one["q"], one["kind"], frozenset(one["ids"])) for one in _file()["queries"]]


@cache
def _file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(FILE.read_bytes()))
    return found


@cache
def rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the records as rows of the two tables of the index; record n is dataset "n" and has number n + 1."""
    return rows_of(records())


def rows_of(titles: Iterable[Sequence[str]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    entries, terms = [], []
    facets = facets_of(
        key_domain="transport", data_domain="transport", unit_id="u", openness="restricted", level=2,
        update_cycle="daily", synthetic=False, loaded=True,
    )  # fmt: skip
    for n, (title, department, english) in enumerate(titles):
        found = words.index(title, english, [department], facets)
        entries.append(
            {
                "number": n + 1, "dataset_id": str(n), "title": found.title, "words": found.words, "used": 0,
                "initials": found.initials, "facets": packed(facets), "sort_zh": found.sort_zh,
                "sort_en": found.sort_en, "tally": None,
            }
        )  # fmt: skip
        terms.append({"number": n + 1, "terms": found.terms})
    return entries, terms


def enter(holding: str = "") -> None:
    """Let every record be found in the connected database, or only those whose folded title holds a text."""
    with db.writing() as session:
        kept = [n for n, entry in enumerate(rows()[0]) if holding in entry["title"]]
        for table, found in zip((DatasetEntry, DatasetTerms), rows(), strict=True):
            db.insert_many(session, table, [found[n] for n in kept])
