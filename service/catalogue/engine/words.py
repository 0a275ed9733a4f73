"""Cutting Chinese and English text into the terms of the search index, the same for SQLite and PostgreSQL.

The net is every single character and every pair of neighbours: a dictionary cuts the same two characters differently
in different titles, and a pair misses none of them.  Words by rjieba order the answers.  Pinyin is kept for titles.

Terms begin with a mark that says what they are; a term without one is the net over everything:

    `_`  the net over the title        `=`  a word of the title as rjieba cuts it     `@`  a value of a facet
    `~`  pinyin from a word on         `^`  initials of pinyin from a word on         `+`  initials of one word

A query is a nest of terms: a list demands all, a tuple one of its members, a trailing `*` stands for any ending.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import rjieba

from service.base.hanzi import simplified

Query = str | list["Query"] | tuple["Query", ...]

_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
LONGEST = 32
SORTED = 120  # letters of a title that order it
LEAST_PINYIN = 3  # letters; two are the initials of far too much
FEWEST, MOST = 2, 4  # initials of a word that may be typed with words left out between


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was understood: its runs of letters, the terms that each demands, the words that rjieba sees."""

    text: str
    runs: tuple[str, ...] = ()
    demanded: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether something was typed that holds no letter."""
        return bool(self.text.strip()) and not self.demanded

    @property
    def latin(self) -> str:
        """The letters a to z, when there is nothing else in the query; they may be pinyin."""
        joined = "".join(self.runs)
        return joined if joined.isascii() and joined.isalpha() else ""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What is kept of a dataset to find, order and compare it by: the texts folded, the terms joined by blanks."""

    title: str
    words: str
    initials: str
    sort_zh: str
    sort_en: str
    terms: str


def folded(text: str) -> str:
    """Return a text as the index has it: full width, traditional and capital letters made equal."""
    return simplified(unicodedata.normalize("NFKC", text)).casefold().replace("计画", "计划").replace("规画", "规划")


def index(title_zh: str, title_en: str, rest: Iterable[str], facets: Mapping[str, Iterable[str]]) -> Indexed:
    """Return what is kept of a dataset with these texts; each term is there once."""
    titles = (folded(title_zh), folded(title_en))
    found = {f"@{kind}.{value.lower()}" for kind, values in facets.items() for value in values}
    for text in map(folded, rest):
        found.update(_net(text, beginnings=False))
    for text in titles:
        for term in _net(text, beginnings=True):
            found |= {term, f"_{term}"}
        found.update(f"={word}" for word in _words(text))
    spelt = [_spelt(word) for word in _han_words(titles[0])]
    found.update(_sounds(spelt))
    words = " ".join(["", *dict.fromkeys(word for text in titles for word in _words(text)), ""])
    initials = "".join(syllable[0] for word in spelt for syllable in word)
    english = "".join(_RUN.findall(titles[1]))[:SORTED]
    return Indexed(
        "\n".join(titles)[:500], words[:1000], initials[:500], spelling(titles[0]), english, " ".join(sorted(found))
    )


def spelling(text: str) -> str:
    """Return a folded text in pinyin without tones or blanks: what orders titles."""
    return "".join(syllable for word in map(_spelt, _RUN.findall(text)) for syllable in word)[:SORTED]


def asked(text: str) -> Asked:
    """Return a query cut as the texts were; the runs that touch each other are demanded side by side."""
    clean = folded(text)
    runs = tuple(_RUN.findall(clean))
    demanded = [term for run in runs for term in _demanded(run)] + list(_seams(clean))
    return Asked(clean.strip(), runs, tuple(dict.fromkeys(demanded)), tuple(dict.fromkeys(_words(clean))))


def anywhere(query: Asked) -> Query:
    """Return what a dataset must hold to answer."""
    return list(query.demanded)


def in_title(query: Asked) -> Query:
    """Return what its title must hold."""
    return [f"_{term}" for term in query.demanded]


def as_words(query: Asked) -> Query:
    """Return what its title must hold as whole words, and what it must hold beside them to answer."""
    beside = [term for term in query.demanded if not any(term in word for word in query.words)]
    return [*(f"={word}" for word in query.words), *beside]


def spelt(query: Asked, *, least: int = LEAST_PINYIN) -> Query | None:
    """Return a query of at least `least` Latin letters read as pinyin or its initials; None when it cannot be that."""
    letters = query.latin
    if len(letters) < least or len(letters) > LONGEST:
        return None
    skipping: list[Query] = [[f"+{part}" for part in parts] for parts in _parted(letters)]
    return (f"~{letters}*", f"^{letters}*", *skipping)


def alike(query: Asked) -> Query | None:
    """Return a query that any of the pairs, or of the characters of a short query, answers; None for no letters."""
    terms = [term for term in query.demanded if len(term) > 1] or list(query.demanded)
    return tuple(f"_{term}" for term in terms) if terms else None


def choices(kind: str, values: Sequence[str]) -> Query:
    """Return the query for one facet: any of its chosen values."""
    return tuple(f"@{kind}.{value.lower()}" for value in values)


def breaks(title: str) -> list[str]:
    """Return a title's words in order, joined they are the title: where a line may break."""
    return list(rjieba.cut(title))


# ---- cutting ---------------------------------------------------------------------------------------------------------


def _net(text: str, *, beginnings: bool) -> Iterator[str]:
    """Yield single characters and pairs; of a Latin word itself, and in titles each of its beginnings."""
    yield from _seams(text)
    for run in _RUN.findall(text):
        if _han(run):
            yield from run
            yield from _pairs(run)
            continue
        yield run[:LONGEST]
        if run.isalpha() and beginnings:
            yield from (run[:end] for end in range(1, min(len(run), LONGEST)))
        elif run.isalpha() and len(run) > 3 and run.endswith("s"):
            yield run[: min(len(run) - 1, LONGEST)]


def _demanded(run: str) -> Iterable[str]:
    if not _han(run):
        return [run[:LONGEST]]
    return [run] if len(run) == 1 else _pairs(run)


def _seams(text: str) -> Iterator[str]:
    """Yield a term for each place where figures or Latin letters touch a Han character: 106年 is not 年 and 106."""
    for before, after in pairwise(_RUN.finditer(text)):
        if before.end() != after.start():
            continue
        left, right = before.group(), after.group()
        yield (left[-1] if _han(left) else left[:LONGEST]) + (right[0] if _han(right) else right[:LONGEST])


def _words(text: str) -> Iterator[str]:
    for run in _RUN.findall(text):
        if _han(run):
            yield from (word for word in rjieba.cut_for_search(run) if len(word) <= LONGEST)
        else:
            yield run[:LONGEST]


def _han_words(text: str) -> list[str]:
    return [word for run in _RUN.findall(text) if _han(run) for word in rjieba.cut(run)]


def _han(run: str) -> bool:
    return run[0] >= "\u3400"


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


# ---- pinyin ----------------------------------------------------------------------------------------------------------


def _spelt(word: str) -> list[str]:
    """Return a word's syllables in pinyin without tones; a Latin word is one syllable."""
    from pypinyin import lazy_pinyin  # its tables take a tenth of a second to load

    if not _han(word):
        return [word]
    return ["".join(letter for letter in syllable if letter.isascii()) or "x" for syllable in lazy_pinyin(word)]


def _sounds(words: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield what a title sounds like from each of its words on, and each word's own initials."""
    for at, word in enumerate(words):
        following = [syllable for later in words[at:] for syllable in later]
        yield "~" + "".join(following)[:LONGEST]
        yield "^" + "".join(syllable[0] for syllable in following)[:LONGEST]
        yield "+" + "".join(syllable[0] for syllable in word)[:LONGEST]


def _parted(letters: str) -> Iterator[list[str]]:
    """Yield the ways to read initials as those of two words or more, in order; tccjl is tcc and jl."""
    for size in range(FEWEST, MOST + 1):
        head, tail = letters[:size], letters[size:]
        if FEWEST <= len(tail) <= MOST:
            yield [head, tail]
        if 2 * FEWEST <= len(tail) <= 2 * MOST:
            yield from ([head, *parts] for parts in _parted(tail))
