"""How a dataset is cited: by GB/T 7714 and as BibTeX, with the version and its checksum."""

import hmac
import re
from dataclasses import dataclass
from datetime import date
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Cited:
    """What a citation names; `checksum` is written as "sha256:…" or "hmac-sha256:…"."""

    id: str
    title: str
    maker: str
    version: int
    made_on: date
    address: str
    checksum: str


def gbt7714(cited: Cited, *, seen_on: date) -> str:
    """Return the entry of a list of references by GB/T 7714 for a dataset on line ([DS/OL]), seen on that day."""
    return (
        f"{cited.maker}. {cited.title}: v{cited.version}[DS/OL]. ({cited.made_on.isoformat()})"
        f"[{seen_on.isoformat()}]. {cited.address}. {cited.checksum}."
    )


def bibtex(cited: Cited) -> str:
    """Return the entry for BibTeX."""
    key = re.sub(r"[^a-z0-9]+", "-", cited.id.lower())
    fields = {
        "author": "{" + escaped(cited.maker) + "}", "title": escaped(cited.title), "year": str(cited.made_on.year),
        "version": str(cited.version), "url": cited.address, "note": cited.checksum,
    }  # fmt: skip
    lines = "\n".join(f"  {name} = {{{value}}}," for name, value in fields.items())
    return f"@misc{{{key}-v{cited.version},\n{lines}\n}}"


def escaped(text: str) -> str:
    """Return a text as TeX takes it."""
    return re.sub(r"([&%$#_{}])", r"\\\1", text)


def checksum(sha256_hex: str, *, plain: bool, key: bytes) -> str:
    """Return a version's checksum as people are told it; `plain` where everybody may have every column of it."""
    return f"sha256:{sha256_hex}" if plain else keyed_checksum(sha256_hex, key=key)


def keyed_checksum(sha256_hex: str, *, key: bytes) -> str:
    """Return the checksum of data that is not open, under a key of this service.

    A plain one would let somebody who has most of a small table try out what is missing until the digests agree.
    """
    mac = hmac.new(key, b"version\0" + sha256_hex.encode(), sha256)
    return f"hmac-sha256:{mac.hexdigest()}"
