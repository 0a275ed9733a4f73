"""Objects in a folder and in a bucket of a real S3 server: the same behaviour, and no half object."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from service.base import blobs
from service.base.blobs import Away
from tests.store.storing import KINDS, LARGE, Far, Place, far_bucket, keep, kill, script, wait_for


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty store of each kind in turn, connected."""
    url = f"file://{tmp_path}/store" if request.param == "folder" else request.getfixturevalue("bucket")
    made = Place(request.param, url, tmp_path)
    made.connect()
    return made


@pytest.fixture
def far(bucket: str, tmp_path: Path) -> Iterator[Far]:
    with far_bucket(bucket, tmp_path) as made:
        yield made


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
