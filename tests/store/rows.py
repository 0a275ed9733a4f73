"""All rows of a database of any version, read and written by its own tables rather than by the code's."""

import base64
import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Date, DateTime, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.types import TypeEngine

from service import migrations
from service.base import db

Rows = dict[str, list[dict[str, Any]]]
LEFT_OUT = {"alembic_version", "lease"}  # the migrations' own, and what is true of a running service only


def read() -> Rows:
    """Return every row of the connected database as plain values, by table; those that others refer to first."""
    with db.engine().connect() as connection:
        return {table.name: _read(connection, table) for table in _tables(connection)}


def write(rows: Rows) -> None:
    """Put rows into the connected database in one transaction; KeyError for a table that it does not have."""
    with db.migrating() as connection:
        tables = _tables(connection)
        for name in rows.keys() - {table.name for table in tables}:
            raise KeyError(name)
        for table in tables:
            kinds = {column.name: column.type for column in table.columns}
            lines = [
                {name: _value(kinds[name], value) for name, value in row.items()} for row in rows.get(table.name, [])
            ]
            if lines:
                connection.execute(insert(table), lines)


def save(rows: Rows, file: Path) -> None:
    """Write rows as gzipped JSON lines; the same rows give the same bytes."""
    lines = [json.dumps([table, row], ensure_ascii=False) for table, found in rows.items() for row in found]
    file.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def load(file: Path) -> Rows:
    rows: Rows = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        table, row = json.loads(line)
        rows.setdefault(table, []).append(row)
    return rows


def _read(connection: Connection, table: Table) -> list[dict[str, Any]]:
    kept = [column for column in table.columns if column.computed is None]
    found = connection.execute(select(*kept)).mappings()
    return sorted(({name: _plain(value) for name, value in row.items()} for row in found), key=json.dumps)


def _tables(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _metadata: migrations.compared(name, "table"))
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def _plain(value: object) -> object:
    """Return a value as JSON has it; SQLite's instants are naive and UTC."""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _value(kind: TypeEngine[Any], plain: Any) -> Any:
    if plain is None:
        return None
    if isinstance(kind, DateTime):
        at = datetime.fromisoformat(plain)
        return at if db.engine().dialect.name == "postgresql" else at.replace(tzinfo=None)
    if isinstance(kind, Date):
        return date.fromisoformat(plain)
    return base64.b64decode(plain) if isinstance(kind, LargeBinary) else plain
