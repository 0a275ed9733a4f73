"""Cutting Chinese and English text into search words.

Words by rjieba order the answers; single characters and pairs of neighbouring characters are the net below, because a
dictionary cuts the same two characters differently in different titles.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import rjieba

from service.base.hanzi import simplified

_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
LONGEST = 32
IN_TITLE, ELSEWHERE = 8, 1


def index(title: Iterable[str], rest: Iterable[str]) -> dict[str, int]:
    """Return every word by which a dataset is found, with its weight."""
    found = {word: ELSEWHERE for text in rest for word in _indexed(text)}
    return found | {word: IN_TITLE for text in title for word in _indexed(text)}


def asked(text: str) -> tuple[list[str], list[str]]:
    """Return what a query demands (every one must be held) and the whole words that make an answer better."""
    demanded: list[str] = []
    for run in _runs(text):
        if not _han(run):
            demanded.append(run[:LONGEST])
        elif len(run) == 1:
            demanded.append(run)
        else:
            demanded += list(_pairs(run))
    return list(dict.fromkeys(demanded)), [word for run in _runs(text) if _han(run) for word in _cut(run)]


def _indexed(text: str) -> Iterator[str]:
    for run in _runs(text):
        if not _han(run):
            # Beginnings of Latin words, so that a prefix is found by equality on every database.
            yield from (run[:end] for end in range(1, min(len(run), LONGEST) + 1))
            continue
        yield from run
        yield from _pairs(run)
        yield from _cut(run)


def _runs(text: str) -> list[str]:
    return _RUN.findall(simplified(unicodedata.normalize("NFKC", text)).casefold())


def _han(run: str) -> bool:
    return run[0] >= "\u3400"


def _pairs(run: str) -> Iterator[str]:
    return (run[at : at + 2] for at in range(len(run) - 1))


def _cut(run: str) -> list[str]:
    return [word for word in rjieba.cut_for_search(run) if 1 < len(word) <= LONGEST]
