"""What plates, identity numbers and phones look like."""

import re
from datetime import date

PLATE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·•.-]?"
    "(?=[A-HJ-NP-Z]*[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]"
)
IDENTITY = re.compile(r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)")
PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
# The coarse sieve in the dialect of RE2, which knows no looking around; `detected` decides.
SUSPECT = r"[一-鿿][A-HJ-NP-Z][ ·•.-]?[A-HJ-NP-Z0-9]{4}|[1-9]\d{16}[\dXx]|1[3-9]\d{9}"
WEIGHTS = tuple(2 ** (17 - place) % 11 for place in range(17))
MEANINGS = {"plate": ("plate",), "identity-number": ("id_card",), "phone": ("phone",)}


def detected(text: str) -> set[str]:
    """Return which of plate, identity-number and phone stand in `text`."""
    found = set()
    if PLATE.search(text):
        found.add("plate")
    if any(_is_identity_number(match.group()) for match in IDENTITY.finditer(text)):
        found.add("identity-number")
    if PHONE.search(text):
        found.add("phone")
    return found


def judged_as(kind: str, semantic: str | None) -> bool:
    """Whether a column is recorded, and was therefore judged, as what the detector found in it."""
    return semantic is not None and semantic.rsplit(".", 1)[-1] in MEANINGS[kind]


def _is_identity_number(text: str) -> bool:
    """Whether the date and the check digit (GB 11643) hold; without them every long number would do."""
    total = sum(int(digit) * weight for digit, weight in zip(text, WEIGHTS, strict=False))
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return text[17].upper() == "10X98765432"[total % 11]
