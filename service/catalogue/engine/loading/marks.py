"""Secrecy marks: what a document says of itself in its head, its sheets' and its members' names.

A cell that merely holds such a word does not mark a file: 内部 is what a car park may be.
"""

import re
import unicodedata
from collections.abc import Iterable

SECRET = ("绝密", "机密", "秘密")
INTERNAL = (
    "内部", "内部资料", "内部文件", "内部使用", "内部数据", "仅供内部使用", "仅限内部使用", "工作秘密", "商业秘密",
    "内部资料注意保存", "内部资料严禁外传", "内部资料不得外传",
)  # fmt: skip
STARRED = re.compile(r"(绝密|机密|秘密)\s*[★☆*]")
AT_THE_HEAD = re.compile(r"^(绝密|机密|秘密|工作秘密|内部资料|内部文件)(?=[:、,.;!\-—_ ]|$)")
BRACKETED = re.compile(r"[\[【(<《〔](绝密|机密|秘密|工作秘密|内部资料|内部文件|内部使用)[\]】)>》〕]")
AROUND = re.compile(r"^[\s【\[((<《〔#]+|[\s】\]))>》〕!。.]+$")
BETWEEN = re.compile(r"[\s,、;:!]+")


def _plain(text: str) -> str:
    return AROUND.sub("", unicodedata.normalize("NFKC", text))


def of_title(text: str) -> str | None:
    """Return the mark that a title, a heading or a name bears; None where it bears none."""
    folded, plain = unicodedata.normalize("NFKC", text), _plain(text)
    if found := STARRED.search(folded) or BRACKETED.search(folded) or AT_THE_HEAD.match(plain):
        return found[1]
    whole = BETWEEN.sub("", plain)
    return whole if whole in SECRET or whole in INTERNAL else None


def of_cell(cell: str | None) -> str | None:
    """Return the mark that a value bears: only one with its star cannot be anything else."""
    starred = STARRED.search(unicodedata.normalize("NFKC", cell)) if cell else None
    return starred[1] if starred else None


def found(titles: Iterable[str], cells: Iterable[str | None] = ()) -> tuple[str, ...]:
    """Return the marks in titles (headings, names of sheets and members) and in a file's first values, each once."""
    seen = [mark for mark in map(of_title, titles) if mark]
    seen += [mark for mark in map(of_cell, cells) if mark]
    return tuple(dict.fromkeys(seen))
