"""Keys for one purpose each, derived from the server's pepper (HKDF-SHA256): none of them is ever written down."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LENGTH = 32


def key(pepper: bytes, *purpose: str) -> bytes:
    """Return the key of a purpose, named by words; another purpose's key tells nothing of it."""
    info = b"".join(len(word.encode()).to_bytes(2) + word.encode() for word in ("qiantang", *purpose))
    return HKDF(algorithm=SHA256(), length=LENGTH, salt=None, info=info).derive(pepper)
