"""Which heading of a file is which column of a dataset, by how it is written."""

import unicodedata
from collections.abc import Mapping, Sequence


def matched(headings: Sequence[str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return for each known column, by its name, the heading that seems to be it; one that none seems to be is absent.

    `known` holds what a column may be called, best first; letters' case and width, space and punctuation do not count.
    """
    folded = {_folded(heading): heading for heading in reversed(headings)}
    found = ((name, _first(folded, called)) for name, called in known.items())
    return {name: heading for name, heading in found if heading is not None}


def _first(folded: Mapping[str, str], called: Sequence[str]) -> str | None:
    return next((folded[_folded(one)] for one in called if _folded(one) in folded), None)


def _folded(heading: str) -> str:
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(character for character in plain if character.isalnum())
