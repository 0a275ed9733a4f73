"""A store that is away, a folder or behind a network: every fault is said, and copies are what they copy."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from service.base import blobs
from service.base.blobs import Away
from service.base.blobs import bucket as buckets
from tests.between import CUTTING, DRIPPING, FINE, GONE, STALLING
from tests.store.storing import LARGE, Far, Place, far_bucket, keep, kill, script, wait_for

SECONDS = 12  # in which every fault is said


@pytest.fixture
def far(bucket: str, tmp_path: Path) -> Iterator[Far]:
    with far_bucket(bucket, tmp_path) as made:
        yield made


# ---- a store that is away -------------------------------------------------------------------------------------------


def asked(folder: Path) -> dict[str, Callable[[], object]]:
    """Return everything that can be asked of a store that holds raw/a."""

    def file() -> None:
        with blobs.as_file("raw/a") as path:
            path.read_bytes()

    return {
        "put": lambda: keep("raw/new", b"x", folder), "large": lambda: keep("raw/large", b"x" * LARGE, folder),
        "size": lambda: blobs.size("raw/a"), "read": lambda: blobs.read("raw/a"),
        "range": lambda: blobs.read_range("raw/a", 0, 1), "stream": lambda: blobs.stream("raw/a", 0, 1),
        "file": file, "keys": lambda: list(blobs.keys()), "reach": blobs.reach, "missing": lambda: blobs.size("raw/b"),
        "delete": lambda: blobs.delete("raw/b"),
    }  # fmt: skip


def said(folder: Path, *, but: tuple[str, ...] = ()) -> None:
    """Check that everything asked, all at once, is answered by Away in time, without an address."""
    answers: dict[str, tuple[object, float]] = {}

    def ask(name: str, act: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            answers[name] = (act(), 0)
        except Exception as fault:
            answers[name] = (fault, time.monotonic() - began)

    threads = [threading.Thread(target=ask, args=each) for each in asked(folder).items() if each[0] not in but]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: answer for name, (answer, _) in answers.items() if not isinstance(answer, Away)} == {}
    assert {name: took for name, (_, took) in answers.items() if took > SECONDS} == {}
    assert not [answer for answer, _ in answers.values() if "127.0.0.1" in str(answer) or "store" in str(answer)]


def test_a_folder_that_is_gone_is_away_and_comes_back(tmp_path):
    place = Place("folder", f"file://{tmp_path}/store", tmp_path)
    place.connect()
    keep("raw/a", b"x", tmp_path)
    (tmp_path / "store").rename(tmp_path / "unmounted")
    said(tmp_path, but=("put", "large"))
    (tmp_path / "unmounted").rename(tmp_path / "store")
    assert blobs.read("raw/a") == b"x"


def test_a_folder_that_is_closed_is_away(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody change who he is")
    place = Place("folder", f"file://{tmp_path}/store", tmp_path)
    place.connect()
    keep("raw/a", b"x", tmp_path)
    act = """
import os
os.chmod(blobs.folder(), 0)
from service.base.blobs import Away
from functools import partial
for ask in (
    partial(blobs.size, "raw/a"), partial(blobs.read, "raw/a"), partial(blobs.stream, "raw/a", 0, 1), blobs.reach,
    lambda: list(blobs.keys()), partial(blobs.put, "raw/a", Path("/etc/passwd")),
):
    try:
        ask()
    except Away as fault:
        print("away", end=" ")
"""
    tmp_path.chmod(0o755)
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps=-all"]
    out, _ = script(place, act, *drop).communicate(timeout=60)
    assert out.decode().split() == ["away"] * 6


def test_a_server_that_is_gone_is_away_at_once_and_comes_back(far):
    keep("raw/a", b"x", far.folder)
    far.way.how = GONE
    said(far.folder)
    far.way.how = FINE
    assert blobs.read("raw/a") == b"x"


def test_a_server_that_stalls_is_away_in_seconds(far, monkeypatch):
    keep("raw/a", b"x", far.folder)
    monkeypatch.setattr(buckets, "UPLOAD", buckets.SILENT)
    far.connect()
    far.way.how = STALLING
    said(far.folder)
    far.way.how = FINE
    wait_for(lambda: read_again("raw/a") == b"x", buckets.SHUT_SECONDS + 1)


def read_again(key: str) -> bytes | None:
    try:
        return blobs.read(key)
    except Away:
        return None


def test_a_server_that_was_silent_is_asked_by_one_at_a_time(far, monkeypatch):
    """Else every thread of the service would wait for it, one request after the other, and no page would come."""
    monkeypatch.setattr(buckets, "SILENT", timedelta(seconds=1))
    monkeypatch.setattr(buckets, "RETRIES", {"max_retries": 0})
    monkeypatch.setattr(buckets, "SLOW_SECONDS", 0.5)
    far.connect()
    keep("raw/a", b"x", far.folder)
    far.way.how = STALLING
    with pytest.raises(Away):
        blobs.size("raw/a")
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(Away):
            blobs.size("raw/a")
    assert time.monotonic() - began < 1
    time.sleep(buckets.SHUT_SECONDS)
    took: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        assert read_again("raw/a") is None
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([seconds for seconds in took if seconds > 0.5]) == 1


def test_a_bucket_that_is_not_there_or_is_closed_to_us_is_away(bucket, tmp_path, monkeypatch):
    place = Place("bucket", bucket, tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    place.connect()
    said(tmp_path)
    monkeypatch.undo()
    missing = Place("bucket", bucket.replace("s3://", "s3://not-", 1), tmp_path)
    missing.connect()
    said(tmp_path, but=("put", "large"))


def test_a_stream_uses_one_request_and_its_reader_may_be_slow(far, monkeypatch):
    content = os.urandom(LARGE)
    keep("raw/a", content, far.folder)
    monkeypatch.setattr(buckets, "GRACE", 0.5)
    before = far.way.down
    stream = blobs.stream("raw/a", 100, LARGE - 100)
    got = next(stream)
    time.sleep(1)
    got += b"".join(stream)
    assert got == content[100:]
    assert far.way.down - before < LARGE + 10_000, "it was asked for once"


@pytest.mark.parametrize("how", [STALLING, GONE, DRIPPING])
def test_a_stream_whose_server_fails_in_the_middle_breaks_off(far, how, monkeypatch):
    keep("raw/a", os.urandom(LARGE), far.folder)
    monkeypatch.setattr(buckets, "GRACE", 0.5)
    stream, got, began = blobs.stream("raw/a", 0, LARGE), 0, time.monotonic()
    with pytest.raises(Away):
        for piece in stream:
            got += len(piece)
            if got > LARGE // 4:
                far.way.how = how
    assert LARGE // 4 < got < LARGE
    assert time.monotonic() - began < SECONDS


def test_an_answer_that_is_always_cut_is_no_whole(far):
    keep("raw/a", os.urandom(LARGE), far.folder)
    far.way.how = CUTTING
    with pytest.raises(Away):
        b"".join(blobs.stream("raw/a", 0, LARGE))
    with pytest.raises(Away), blobs.as_file("raw/a"):
        pass
    far.way.how = FINE
    with blobs.as_file("raw/a") as file:
        assert file.stat().st_size == LARGE


def test_a_long_stream_whose_connections_are_cut_now_and_then_is_taken_up_again(far):
    content = os.urandom(2 * LARGE)
    keep("raw/a", content, far.folder)
    far.way.how, far.way.after = CUTTING, 9 << 20
    assert b"".join(blobs.stream("raw/a", 0, 2 * LARGE)) == content


def test_a_file_that_is_shortened_while_it_is_read_is_no_whole(tmp_path):
    Place("folder", f"file://{tmp_path}/store", tmp_path).connect()
    keep("raw/a", b"x" * 3_000_000, tmp_path)
    stream = blobs.stream("raw/a", 0, 3_000_000)
    next(stream)
    os.truncate(tmp_path / "store" / "raw" / "a", 1_500_000)
    with pytest.raises(Away):
        b"".join(stream)


# ---- copies ---------------------------------------------------------------------------------------------------------


def copies(folder: Path) -> list[Path]:
    return [path for path in (folder / "copies").rglob("*") if path.is_file() and path.parent.name != "locks"]


def test_an_object_is_fetched_once_for_all_readers_of_the_machine(far):
    content = os.urandom(LARGE)
    keep("raw/a", content, far.folder)
    before = far.way.down
    with blobs.as_file("raw/a") as file, blobs.as_file("raw/a") as same:
        assert file == same and file.read_bytes() == content
    read = "import hashlib\nwith blobs.as_file('raw/a') as file: print(hashlib.sha256(file.read_bytes()).hexdigest())"
    children = [script(far, read) for _ in range(3)]
    assert len({child.communicate(timeout=30)[0] for child in children}) == 1
    assert far.way.down - before < LARGE + 20_000
    assert (file.stat().st_mode & 0o777) == 0o600


def test_readers_that_come_at_once_wait_for_one_download(far):
    keep("raw/a", os.urandom(LARGE), far.folder)
    before = far.way.down
    children = [script(far, "with blobs.as_file('raw/a') as file: print(file.stat().st_size)") for _ in range(3)]
    assert [int(child.communicate(timeout=30)[0]) for child in children] == [LARGE] * 3
    assert far.way.down - before < LARGE + 20_000


def test_a_copy_that_was_partly_written_is_never_used(far):
    content = os.urandom(LARGE)
    keep("raw/a", content, far.folder)
    child = script(far, "import signal\nfar = blobs.as_file('raw/a')\nprint('go', flush=True)\nfar.__enter__()")
    far.way.how = DRIPPING
    wait_for(lambda: [path for path in copies(far.folder) if path.suffix == ".part"])
    kill(child)
    assert [path.suffix for path in copies(far.folder)] == [".part"]
    far.way.how = FINE
    with blobs.as_file("raw/a") as file:
        assert file.read_bytes() == content
    assert [path.suffix for path in copies(far.folder)] == [""]


def test_the_longest_unread_copies_make_room_and_none_that_is_being_read(bucket, tmp_path):
    place = Place("bucket", bucket, tmp_path)
    place.connect()
    blobs.store()._copies.limit = 2_500_000
    for number in range(5):
        keep(f"raw/{number}", bytes([number]) * 1_000_000, tmp_path)
    with blobs.as_file("raw/0") as held:
        os.utime(held, (1, time.time()))
        for number in (1, 2, 3, 4):
            with blobs.as_file(f"raw/{number}"):
                pass
            assert held.exists() and len(copies(tmp_path)) <= 2
    with blobs.as_file("raw/1"), blobs.as_file("raw/2"):
        assert not held.exists()


def test_copies_go_after_twelve_hours(bucket, tmp_path):
    Place("bucket", bucket, tmp_path).connect()
    for key in ("raw/a", "raw/b"):
        keep(key, b"x", tmp_path)
    with blobs.as_file("raw/a") as old, blobs.as_file("raw/b") as young:
        pass
    os.utime(old, (time.time(), time.time() - 12 * 3600 - 60))
    blobs.tidy()
    assert not old.exists() and young.exists()
    os.utime(young, (time.time(), time.time() - 12 * 3600 - 60))
    with blobs.as_file("raw/b") as again:
        assert time.time() - again.stat().st_mtime < 60


def test_what_was_deleted_is_no_longer_on_this_machine(bucket, tmp_path):
    Place("bucket", bucket, tmp_path).connect()
    keep("raw/a", b"a person's row", tmp_path)
    with blobs.as_file("raw/a") as file:
        pass
    blobs.delete("raw/a")
    assert not file.exists() and copies(tmp_path) == []


def test_what_another_replica_deleted_is_not_read_here_for_long(bucket, tmp_path, monkeypatch):
    here, there = (Place("bucket", bucket, tmp_path / name) for name in ("here", "there"))
    here.folder.mkdir()
    here.connect()
    keep("raw/a", b"a person's row", tmp_path)
    with blobs.as_file("raw/a"):
        pass
    there.connect()
    blobs.delete("raw/a")
    here.connect()
    monkeypatch.setattr(buckets, "CHECKED_SECONDS", 0.0)
    with pytest.raises(FileNotFoundError), blobs.as_file("raw/a"):
        pass
    assert copies(here.folder) == []


def test_a_copy_outlives_its_server(far, monkeypatch):
    keep("raw/a", b"x", far.folder)
    with blobs.as_file("raw/a"):
        pass
    monkeypatch.setattr(buckets, "CHECKED_SECONDS", 0.0)
    far.way.how = GONE
    with blobs.as_file("raw/a") as file:
        assert file.read_bytes() == b"x"


# ---- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "", "store", "ftp://host/store", "s3://", "s3://key:hidden@bucket", "s3://bucket?endpoint=ftp://hidden",
        "s3://bucket?secret_access_key=hidden", "s3://bucket?style=hidden",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(url, tmp_path):
    with pytest.raises(blobs.BadAddress) as refused:
        blobs.connect(url, tmp_path)
    assert "hidden" not in str(refused.value)
