"""The log's key: Ed25519, made once and kept in HOME/keys, readable by the service alone."""

import os
import secrets
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

PRIVATE, PUBLIC = "audit.key", "audit.pub"


class Signer:
    """Signs heads of the log; `key` is the public key in hexadecimal."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Return the signature in hexadecimal."""
        return self._private.sign(message).hex()


class KeyMissing(Exception):
    """The log has signed heads, and the key that signed them is not here: a new one would split the log's trust."""


def signer(home: Path, *, make: bool = True) -> Signer:
    """Return the signer whose key lies in `home`; when there is none and `make`, a new key is made.

    Of two processes that make it at once, the first one's key stays: a link to an existing name fails.  Raises
    KeyMissing when there is no key and none may be made, ValueError when the file holds another kind of key.
    """
    folder = home / "keys"
    path = folder / PRIVATE
    if not path.exists():
        if not make:
            raise KeyMissing(f"{path} is missing")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
    private = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    made = Signer(private)
    if not (public := folder / PUBLIC).exists():
        public.write_text(made.key + "\n")
    return made


def public_keys(home: Path) -> frozenset[str]:
    """Return the keys whose signatures count: today's, and retired ones kept beside it as audit-*.pub."""
    return keys_among({path.name: path.read_bytes() for path in (home / "keys").glob("audit*.pub")})


def keys_among(files: Mapping[str, bytes]) -> frozenset[str]:
    """Return the public keys among key files by name."""
    return frozenset(content.decode().strip() for name, content in files.items() if fnmatch(name, "audit*.pub"))


def holds(key: str, message: bytes, signature: str) -> bool:
    """Whether `signature` (hexadecimal) is `key`'s over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as new:
        new.write(pem)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
