"""The database: engines, `reading()`, `writing()`.  Only this module begins, commits and rolls back."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import JSON, Connection, DateTime, Dialect, Engine, Insert, MetaData, create_engine, event, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import DatabaseError as DatabaseError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel, col, select

__all__ = ["Document", "Session", "SQLModel", "UTCDateTime", "col", "connect", "reading", "select", "writing"]

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata

# JSON documents: text on SQLite, JSONB on PostgreSQL.
Document = JSON().with_variant(JSONB(), "postgresql")

# What SQLite says when its file cannot be used now: busy, locked, read-only, disk fault, full, cannot be opened.
SQLITE_AWAY = frozenset({5, 6, 8, 10, 13, 14})
# The classes of PostgreSQL's codes for a lost connection, too many of them, and a server that stops.
POSTGRESQL_AWAY = ("08", "53", "57")
CONNECT_SECONDS = 5
POOL_SECONDS = 10

_engine: Engine | None = None
# SQLite has one writer at a time.  Waiting here is fair and cheap; its busy loop starves writers for seconds.
_one_writer = threading.Lock()


class Unreachable(Exception):
    """The database cannot be opened.  The text says why, without the password."""


class UTCDateTime(TypeDecorator[datetime]):
    """An instant.  Stored in UTC, always read back aware; a naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str) -> Engine:
    """Return an engine for a SQLite or PostgreSQL URL with our pragmas and isolation set."""
    # Without hide_parameters a failing statement would carry names and texts of people into the log.
    options: dict[str, Any] = {"json_serializer": _dump, "hide_parameters": True}
    if url.startswith("postgresql"):
        waits: dict[str, Any] = {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}
        engine = create_engine(url, pool_size=10, max_overflow=20, pool_timeout=POOL_SECONDS, **waits, **options)
        return engine
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def connect(url: str) -> Engine:
    """Make `url` the database of this process; Unreachable when it names no database that we know."""
    global _engine
    if _engine is not None:
        _engine.dispose()
    try:
        _engine = make_engine(url)
    except (ArgumentError, ImportError):
        raise Unreachable("sqlite:///… or postgresql+psycopg://… is what QIANTANG_DATABASE_URL may be") from None
    return _engine


def engine() -> Engine:
    """Return the engine in use; RuntimeError before `connect`."""
    if _engine is None:
        raise RuntimeError("db.connect(url) was not called")
    return _engine


def away(fault: BaseException) -> bool:
    """Whether a fault says that the database cannot be reached now, and not that it was asked something wrong."""
    if isinstance(fault, PoolTimeout):
        return True
    if not isinstance(fault, DBAPIError):
        return False
    if fault.connection_invalidated:
        return True
    code = getattr(fault.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_AWAY  # the upper bits tell kinds of one code apart
    state = getattr(fault.orig, "sqlstate", None)  # None: no connection was had at all
    return isinstance(fault, OperationalError) and (state is None or str(state).startswith(POSTGRESQL_AWAY))


@contextmanager
def reading() -> Iterator[Session]:
    """Open a transaction that only reads; whatever was added in it is thrown away.  Rows stay readable after it."""
    with Session(engine(), expire_on_commit=False, autoflush=False) as session:
        yield session  # closing rolls back; an explicit rollback would expire the rows that the caller goes on to show


def glance(statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of one plain statement that reads.  A session would cost several times what the question does."""
    connection = engine().raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows = [tuple(row) for row in cursor.fetchall()]
        cursor.close()
        return rows
    finally:
        connection.close()  # back to the pool, which rolls back


@contextmanager
def snapshot() -> Iterator[Session]:
    """Open a transaction that only reads, and reads one state of the database throughout.

    On SQLite every transaction does; on PostgreSQL each statement of an ordinary one sees what was committed before it.
    """
    with reading() as session:
        if engine().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """Open a transaction that writes, and commit it when the block ends well.

    On SQLite it is BEGIN IMMEDIATE: with the driver's own BEGIN two readers that both go on to write lose one update
    without an error.  On PostgreSQL it is READ COMMITTED; changes of a case compare and swap its version.
    """
    sqlite = engine().dialect.name == "sqlite"
    with _one_writer if sqlite else _nothing(), Session(engine(), expire_on_commit=False) as session:
        session.connection(execution_options={"writes": True})
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


def insert_or_ignore(session: Session, table: type[SQLModel], **values: object) -> bool:
    """Insert one row; False when a row with one of its unique keys is there already (another replica won)."""
    statement = _insertion(table, session.get_bind().dialect.name)
    # Without the option SQLAlchemy does not count the rows of an INSERT on PostgreSQL.
    result: CursorResult[Any] = session.execute(statement, values, execution_options={"preserve_rowcount": True})  # type: ignore[assignment]
    return result.rowcount == 1


@cache
def _insertion(table: type[SQLModel], dialect: str) -> Insert:
    """Return the statement, made once: making it anew costs more than running it."""
    insertion = insert_on_postgresql if dialect == "postgresql" else insert_on_sqlite
    statement: Insert = insertion(table.metadata.tables[str(table.__tablename__)]).on_conflict_do_nothing()
    return statement


def add_to_counts(session: Session, table: type[SQLModel], count: str, rows: list[Mapping[str, object]]) -> None:
    """Add each row's number in the column `count` to the row of the same primary key; make the row where none is."""
    if rows:
        session.execute(_counting(table, count, session.get_bind().dialect.name), rows)


@cache
def _counting(table: type[SQLModel], count: str, dialect: str) -> Insert:
    found = table.metadata.tables[str(table.__tablename__)]
    if dialect == "postgresql":
        on_postgresql = insert_on_postgresql(found)
        more = {count: found.c[count] + on_postgresql.excluded[count]}
        return on_postgresql.on_conflict_do_update(index_elements=list(found.primary_key), set_=more)
    on_sqlite = insert_on_sqlite(found)
    more = {count: found.c[count] + on_sqlite.excluded[count]}
    return on_sqlite.on_conflict_do_update(index_elements=list(found.primary_key), set_=more)


def add_to_sums(
    session: Session, table: type[SQLModel], sums: tuple[str, ...], rows: list[Mapping[str, object]], *,
    latest: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Add each row's numbers in the columns `sums` to the row of the same primary key; make the row where none is.

    The columns `latest` take the new row's value.
    """
    if rows:
        session.execute(_summing(table, sums, latest, session.get_bind().dialect.name), rows)


@cache
def _summing(table: type[SQLModel], sums: tuple[str, ...], latest: tuple[str, ...], dialect: str) -> Insert:
    found = table.metadata.tables[str(table.__tablename__)]
    insertion = insert_on_postgresql(found) if dialect == "postgresql" else insert_on_sqlite(found)
    more = {name: found.c[name] + insertion.excluded[name] for name in sums}
    new = {name: insertion.excluded[name] for name in latest}
    return insertion.on_conflict_do_update(index_elements=list(found.primary_key), set_=more | new)


def insert_many(session: Session, table: type[SQLModel], rows: list[Mapping[str, object]]) -> None:
    """Insert rows without making objects of them."""
    if rows:
        session.execute(insert(table), rows)


@contextmanager
def migrating() -> Iterator[Connection]:
    """Open a connection whose transaction a migration commits as one; on SQLite it holds the write lock.

    Raises Unreachable when there is no database to open: the first thing that a start or an upgrade does.
    """
    with _opened().execution_options(writes=True) as connection:
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _opened() -> Connection:
    try:
        return engine().connect()
    except OperationalError as fault:
        raise Unreachable(str(fault.orig).strip().partition("\n")[0]) from None


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not send its own BEGIN
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
