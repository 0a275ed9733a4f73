"""Backups: one .tar.gz of rows, objects and keys, in a form from which either database can be restored.

Members: `manifest.json` (last), `rows/<table>.jsonl`, `objects/<key>`, `keys/<name>`.  The archive holds the service's
secrets; it is written 0600 and belongs where they would be allowed to lie.
"""

import base64
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO, Any

from sqlalchemy import Date, DateTime, LargeBinary, Table, insert, select
from sqlalchemy.types import TypeEngine

from service.base import blobs, db
from service.base.db import Session, UTCDateTime

FORMAT = "qiantang-backup/1"
MANIFEST = "manifest.json"
LEFT_OUT = frozenset({"lease"})  # true only of the running service
BATCH = 500
CHUNK = 1 << 20
PIECE = 1 << 16  # of an object on its way into the archive


class BadArchive(Exception):
    """The file is no backup of ours, or not the bytes that were written."""


class NotEmpty(Exception):
    """A restore never writes over anything: `what` is there already."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds.  `digests` are sha256 by member name; `notes` are the caller's own."""

    made_at: str
    revision: str
    rows: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    format: str = FORMAT


# ---- writing --------------------------------------------------------------------------------------------------------


def write(
    file: Path, *, keys: Path, made_at: str, revision: str, describe: Callable[[Session], dict[str, Any]]
) -> Manifest:
    """Write the connected database, the blob store and the files of `keys` into `file`.

    Rows are of one moment (`describe` reads the same one); objects are copied after them: they are never changed, so
    each one that a row names is there.  Raises FileExistsError rather than write over a file.
    """
    if file.exists():
        raise FileExistsError(file)
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as draft:  # readable by its owner alone
        manifest = _write(draft, Manifest(made_at, revision), keys, describe)
        draft.flush()
        os.fsync(draft.fileno())
        os.link(draft.name, file)
    return manifest


def _write(raw: IO[bytes], manifest: Manifest, keys: Path, describe: Callable[[Session], dict[str, Any]]) -> Manifest:
    with (
        tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar,
        TemporaryDirectory() as folder,
    ):
        with db.snapshot() as session:
            manifest.notes.update(describe(session))
            for table in tables():
                path = Path(folder) / "rows"
                manifest.rows[table.name] = _dump(session, table, path)
                _add(tar, manifest, f"rows/{table.name}.jsonl", path)
        for key in sorted(blobs.keys()):
            _add_object(tar, manifest, key)
        for path in sorted(keys.iterdir()) if keys.is_dir() else []:
            if path.is_file():
                _add(tar, manifest, f"keys/{path.name}", path)
        content = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
        tar.addfile(_member(MANIFEST, len(content)), io.BytesIO(content))
    return manifest


def tables() -> list[Table]:
    """Return the tables that a backup holds, those that others refer to first."""
    return [table for table in db.metadata.sorted_tables if table.name not in LEFT_OUT]


def _dump(session: Session, table: Table, path: Path) -> int:
    count, columns = 0, list(table.columns)
    query = select(table).order_by(*table.primary_key.columns)
    rows = session.connection().execute(query, execution_options={"yield_per": BATCH})
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            line = {column.name: _plain(value) for column, value in zip(columns, row, strict=True)}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _add(tar: tarfile.TarFile, manifest: Manifest, name: str, path: Path) -> None:
    with path.open("rb") as source:
        manifest.digests[name] = hashlib.file_digest(source, "sha256").hexdigest()
        source.seek(0)
        tar.addfile(_member(name, path.stat().st_size), source)


def _add_object(tar: tarfile.TarFile, manifest: Manifest, key: str) -> None:
    """Put an object in as it comes out of the store; one that was recalled meanwhile stays out."""
    try:
        size = blobs.size(key)
        source = _Taken(blobs.stream(key, 0, size, PIECE))
    except FileNotFoundError:
        return
    name = f"objects/{key}"
    tar.addfile(_member(name, size), source)
    manifest.digests[name] = source.digest.hexdigest()


class _Taken(io.RawIOBase):
    """An object's pieces as a file that is read once, with the checksum of what was read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        taken, self._left = self._left[:size], self._left[size:]
        self.digest.update(taken)
        return taken


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


# ---- reading --------------------------------------------------------------------------------------------------------


def read_manifest(file: Path) -> Manifest:
    """Read the whole archive once, check every member against the manifest and return it; BadArchive otherwise."""
    found: dict[str, str] = {}
    manifest = None
    try:
        for name, source in _members(file):
            if name == MANIFEST:
                manifest = _manifest(source.read())
            else:
                found[name] = _digest(source)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as fault:
        raise BadArchive(str(fault)) from None
    if manifest is None or found != manifest.digests:
        raise BadArchive("the members are not those of the manifest")
    if set(manifest.rows) != {table.name for table in tables()}:
        raise BadArchive("the tables are not those of this version")
    return manifest


def demand_empty(keys: Path) -> None:
    """Raise NotEmpty when there is a row, an object or a key already."""
    with db.reading() as session:
        for table in tables():
            if session.connection().execute(select(table).limit(1)).first() is not None:
                raise NotEmpty(table.name)
    if next(blobs.keys(), None) is not None:
        raise NotEmpty("store")
    if keys.is_dir() and any(keys.iterdir()):
        raise NotEmpty(str(keys))


def restore(file: Path, *, keys: Path, settle: Callable[[Session, Mapping[str, bytes]], None]) -> None:
    """Put an archive's objects, rows and keys in place; into emptiness only, else NotEmpty.

    All rows enter in one transaction, at the end of which `settle` gets the session and the archive's key files; what
    it raises leaves everything as empty as before.
    """
    demand_empty(keys)
    read_manifest(file)
    put: list[str] = []
    try:
        with db.writing() as session:
            secrets = _enter(session, file, put)
            settle(session, secrets)
            _write_keys(keys, secrets)
    except BaseException:
        for key in put:
            blobs.delete(key)
        raise


def _enter(session: Session, file: Path, put: list[str]) -> dict[str, bytes]:
    """Put rows and objects in place, noting each object in `put`; return the key files."""
    secrets, by_name = {}, {table.name: table for table in tables()}
    for name, source in _members(file):
        kind, _, rest = name.partition("/")
        if kind == "rows":
            _load(session, by_name[rest.removesuffix(".jsonl")], source)
        elif kind == "objects":
            _put(rest, source)
            put.append(rest)
        elif kind == "keys":
            secrets[rest] = source.read()
    return secrets


def _members(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of every member; a name that would leave its place, or no regular file, is BadArchive."""
    with tarfile.open(file, mode="r|gz") as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts
            source = tar.extractfile(member) if member.isreg() else None
            if source is None or ".." in parts or "/".join(parts) != member.name or not _known(parts):
                raise BadArchive(member.name)
            yield member.name, source


def _known(parts: tuple[str, ...]) -> bool:
    """Whether a member is one of ours: rows and keys lie in no folder of their own, objects may."""
    return (
        parts == (MANIFEST,)
        or (parts[0] in ("rows", "keys") and len(parts) == 2)
        or (parts[0] == "objects" and len(parts) > 1)
    )


def _manifest(content: bytes) -> Manifest:
    try:
        document = json.loads(content)
        manifest = Manifest(**document)
    except (ValueError, TypeError) as fault:
        raise BadArchive(str(fault)) from None
    if manifest.format != FORMAT:
        raise BadArchive(f"format {manifest.format}")
    return manifest


def _digest(source: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _load(session: Session, table: Table, source: IO[bytes]) -> None:
    batch: list[dict[str, Any]] = []
    for line in source:
        row = json.loads(line)
        batch.append({column.name: _value(column.type, row[column.name]) for column in table.columns})
        if len(batch) == BATCH:
            session.execute(insert(table), batch)
            batch = []
    if batch:
        session.execute(insert(table), batch)


def _value(kind: TypeEngine[Any], plain: Any) -> Any:
    if plain is None:
        return None
    if isinstance(kind, UTCDateTime | DateTime):
        return datetime.fromisoformat(plain)
    if isinstance(kind, Date):
        return date.fromisoformat(plain)
    if isinstance(kind, LargeBinary):
        return base64.b64decode(plain)
    return plain


def _put(key: str, source: IO[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        with path.open("wb") as out:
            while chunk := source.read(CHUNK):
                out.write(chunk)
        blobs.put(key, path)


def _write_keys(keys: Path, secrets: Mapping[str, bytes]) -> None:
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in secrets.items():
        with open(os.open(keys / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            out.write(content)
