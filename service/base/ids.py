"""Identifiers: 26 symbols that sort by time of making and cannot be guessed (80 random bits)."""

import secrets
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


def new_id(now: datetime) -> str:
    """Return a fresh id: 48 bits of milliseconds since 1970, then 80 random bits."""
    value = (int(now.timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
