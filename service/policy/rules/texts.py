"""Free text made comparable: what looks the same to a reader is the same to a rule."""

import unicodedata

from service.base.hanzi import simplified

# Format characters (zero-width joiners, direction marks, soft hyphens), controls, and every kind of space.
_STRIPPED = ("C", "Z")


def fold(text: str) -> str:
    """Return `text` in one width, one case and simplified characters, without spaces or invisible characters.

    Folding twice changes nothing.  Combining marks are composed, not removed.
    """
    wide = unicodedata.normalize("NFKC", text)
    seen = "".join(letter for letter in wide if not _invisible(letter))
    return unicodedata.normalize("NFKC", simplified(seen).casefold())


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter).startswith(_STRIPPED) or letter in _BLANKS


# Blank glyphs that Unicode counts as letters or marks: Hangul fillers, combining grapheme joiner, variation selectors.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b\u180c\u180d\u2800") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
