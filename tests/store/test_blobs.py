"""Objects in a folder and in a bucket of a real S3 server: the same behaviour, and every fault said."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from service.base import blobs
from service.base.blobs import Away
from service.base.blobs import bucket as buckets
from tests.between import CUTTING, DRIPPING, FINE, GONE, STALLING, Between, between

LARGE = 20 << 20  # bytes: goes into a bucket in three parts
SECONDS = 12  # in which every fault is said
KINDS = ("folder", "bucket")
CONNECTED = """
from pathlib import Path
from service.base import blobs
blobs.connect({url!r}, Path({copies!r}))
"""


@dataclass
class Place:
    """A store on its own, and where it lies."""

    kind: str
    url: str
    folder: Path

    def connect(self, copies: str = "copies") -> None:
        blobs.connect(self.url, self.folder / copies)


@dataclass
class Far(Place):
    """A bucket behind a proxy that misbehaves by order."""

    way: Between


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty store of each kind in turn, connected."""
    url = f"file://{tmp_path}/store" if request.param == "folder" else request.getfixturevalue("bucket")
    made = Place(request.param, url, tmp_path)
    made.connect()
    return made


@pytest.fixture
def far(bucket: str, tmp_path: Path) -> Iterator[Far]:
    """An empty bucket behind a proxy, connected."""
    port = int(bucket.rpartition(":")[2].split("&")[0])
    with between(port) as way:
        made = Far("bucket", bucket.replace(str(port), str(way.port)), tmp_path, way)
        made.connect()
        yield made


def keep(key: str, content: bytes, folder: Path) -> None:
    file = folder / f"given-{threading.get_ident()}"
    file.write_bytes(content)
    blobs.put(key, file)


def script(place: Place, body: str, *before: str) -> "subprocess.Popen[bytes]":
    """Start a process that is connected to the same store and runs `body`."""
    text = CONNECTED.format(url=place.url, copies=str(place.folder / "copies")) + body
    return subprocess.Popen([*before, sys.executable, "-c", text], stdout=subprocess.PIPE)


def wait_for(met: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- what both do ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 3_000_000, LARGE])
def test_what_was_put_is_read_whole_in_parts_and_as_a_file(place, size):
    content = os.urandom(size)
    key = "views/杭州/ab.parquet"
    keep(key, content, place.folder)
    assert blobs.size(key) == size
    assert blobs.read(key) == content
    assert b"".join(blobs.stream(key, 0, size)) == content
    with blobs.as_file(key) as file:
        assert file.read_bytes() == content and file.suffix == ".parquet"
    if size:
        assert blobs.read_range(key, size // 3, size // 2) == content[size // 3 :][: size // 2]
        assert b"".join(blobs.stream(key, size - 1, 1, chunk=1)) == content[-1:]
    assert blobs.read_range(key, size, 0) == b""


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_key_that_exists_keeps_its_bytes(place, size):
    keep("raw/a.parquet", b"1" * size, place.folder)
    keep("raw/a.parquet", b"2" * size, place.folder)
    keep("raw/a.parquet", b"3", place.folder)
    assert blobs.read("raw/a.parquet") == b"1" * size


def test_of_two_that_put_one_key_at_once_one_is_kept_whole(place):
    contents = [bytes([65 + number]) * 3_000_000 for number in range(4)]
    threads = [threading.Thread(target=keep, args=("raw/a", content, place.folder)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blobs.read("raw/a") in contents
    assert list(blobs.keys()) == ["raw/a"]


def test_an_object_that_is_not_there_is_not_found(place):
    keep("raw/a", b"x", place.folder)
    for ask in (blobs.size, blobs.read, lambda key: blobs.read_range(key, 0, 1), lambda key: blobs.stream(key, 0, 1)):
        with pytest.raises(FileNotFoundError):
            ask("raw/b")
    with pytest.raises(FileNotFoundError), blobs.as_file("raw/b"):
        pass
    with pytest.raises(FileNotFoundError):
        blobs.put("raw/b", place.folder / "nothing")


def test_deleting_twice_is_deleting_once(place):
    keep("raw/a", b"x", place.folder)
    with blobs.as_file("raw/a"):
        pass
    blobs.delete("raw/a")
    blobs.delete("raw/a")
    with pytest.raises(FileNotFoundError), blobs.as_file("raw/a"):
        pass
    keep("raw/a", b"other", place.folder)
    with blobs.as_file("raw/a") as file:
        assert file.read_bytes() == b"other"


def test_keys_are_listed_by_folder(place):
    assert list(blobs.keys()) == list(blobs.keys("raw/")) == []
    for key in ("raw/a", "raw/b/c", "rawer/d", "views/e"):
        keep(key, b"x", place.folder)
    assert sorted(blobs.keys()) == ["raw/a", "raw/b/c", "rawer/d", "views/e"]
    assert sorted(blobs.keys("raw")) == sorted(blobs.keys("raw/")) == ["raw/a", "raw/b/c"]
    blobs.reach()


def test_a_range_beyond_the_end_is_never_shortened(place):
    keep("raw/a", b"0123456789", place.folder)
    for start, length in ((0, 11), (5, 6), (10, 1), (50, 1)):
        with pytest.raises(Away):
            b"".join(blobs.stream("raw/a", start, length))


@pytest.mark.parametrize("key", ["", ".", "..", "../a", "/a", "a//b", "a/", "a/../b", ".incoming/a", "a/.b", "a\0"])
def test_a_key_never_leaves_the_store(place, key):
    (place.folder / "given").write_bytes(b"x")
    put = partial(blobs.put, file=place.folder / "given")
    for ask in (blobs.size, blobs.delete, put, partial(blobs.stream, start=0, length=1)):
        with pytest.raises(ValueError):
            ask(key)


def test_a_process_that_is_killed_while_putting_leaves_no_half_object(place, request):
    """The file is read slower than it is written to, so that the kill comes in the middle."""
    if place.kind == "folder":
        given = place.folder / "given"
        os.mkfifo(given)
        child = script(place, f"blobs.put('raw/a', Path({str(given)!r}))")
        with given.open("wb") as pipe:
            pipe.write(b"x" * 3_000_000)
            pipe.flush()
            incoming = place.folder / "store" / ".incoming"
            wait_for(lambda: any(draft.stat().st_size for draft in incoming.glob("*")))
            kill(child)
    else:
        far: Far = request.getfixturevalue("far")
        given = place.folder / "given"
        given.write_bytes(b"x" * LARGE)
        far.connect()
        wanted = far.way.up + LARGE // 2
        child = script(far, f"blobs.put('raw/a', Path({str(given)!r}))")
        wait_for(lambda: far.way.up > wanted)
        kill(child)
    assert list(blobs.keys()) == []
    keep("raw/a", b"y", place.folder)
    assert blobs.read("raw/a") == b"y"


def kill(child: "subprocess.Popen[bytes]") -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_drafts_of_killed_processes_go_and_young_ones_stay(tmp_path):
    place = Place("folder", f"file://{tmp_path}/store", tmp_path)
    incoming = tmp_path / "store" / ".incoming"
    incoming.mkdir(parents=True)
    for name, age in (("old", 13 * 3600), ("young", 60)):
        (incoming / name).write_bytes(b"x")
        os.utime(incoming / name, (time.time() - age, time.time() - age))
    place.connect()
    assert [draft.name for draft in incoming.iterdir()] == ["young"]
    assert list(blobs.keys()) == []


# ---- a full disk ----------------------------------------------------------------------------------------------------

FULL = """
import sys
from service.base.blobs import Away
small, large = Path({small!r}), Path({large!r})
{act}
"""


def on_a_small_disk(place: Place, disk: Path, act: str) -> str:
    """Run `act` with a disk of 4 MiB at `disk`, in a namespace of its own; return what it prints."""
    disk.mkdir(exist_ok=True)
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk of his own")
    small, large = place.folder / "small", place.folder / "large"
    small.write_bytes(b"s" * 1000)
    large.write_bytes(b"l" * (6 << 20))
    mount = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=4m none "{disk}" && exec "$@"', "sh"]
    out, _ = script(place, FULL.format(small=str(small), large=str(large), act=act), *mount).communicate(timeout=60)
    return out.decode()


def test_a_full_disk_leaves_no_half_object_and_takes_the_next_one_that_fits(tmp_path):
    place = Place("folder", f"file://{tmp_path}/store", tmp_path)
    act = """
try:
    blobs.put("raw/large", large)
except Away as fault:
    print("away:", fault)
blobs.put("raw/small", small)
print(list(blobs.keys()), blobs.read("raw/small") == small.read_bytes())
print(list(Path(blobs.folder(), ".incoming").iterdir()))
"""
    printed = on_a_small_disk(place, tmp_path / "store", act)
    assert printed == "away: No space left on device\n['raw/small'] True\n[]\n"


def test_a_full_disk_for_copies_is_made_room_on_and_said_when_it_does_not_suffice(bucket, tmp_path):
    place = Place("bucket", bucket, tmp_path)
    place.connect("others")
    for number in range(3):
        keep(f"raw/{number}", bytes([number]) * (3 << 20), tmp_path)
    keep("raw/large", b"l" * (6 << 20), tmp_path)
    act = """
for number in range(3):
    with blobs.as_file(f"raw/{number}") as file:
        print(file.read_bytes() == bytes([number]) * (3 << 20), end=" ")
try:
    with blobs.as_file("raw/large") as file:
        print("not said")
except Away as fault:
    print("away:", fault)
with blobs.as_file("raw/1") as file:
    print(file.stat().st_size)
"""
    printed = on_a_small_disk(place, tmp_path / "copies", act)
    assert printed == f"True True True away: No space left on device\n{3 << 20}\n"


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
