"""The child that reads uploads: its limits, its end, what it knows; the next file is read whatever befell the last."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from service.catalogue.engine import loading
from service.catalogue.engine.loading import Limits, Worker
from service.catalogue.rules import TooDemanding
from tests.store.uploaded import (
    CSV,
    ROWS,
    WANTED,
    empty,
    parquet,
    written,
)


def big_csv(folder: Path, mib: int) -> Path:
    file = folder / "big.csv"
    block = "".join(f"停车场{n % 977}号,{n},2026-01-{n % 28 + 1:02d}\n" for n in range(40_000)).encode()
    with file.open("wb") as out:
        out.write("名称,泊位,日期\n".encode())
        while out.tell() < mib << 20:
            out.write(block)
    return file


def test_a_file_is_not_held_in_memory_and_progress_is_told(tmp_path):
    heard = []
    with Worker() as own:
        small = loading.load(big_csv(tmp_path, 1), empty(tmp_path), WANTED, worker=own)
        before = own.peak
        loaded = loading.load(big_csv(tmp_path, 24), empty(tmp_path), WANTED, worker=own, hear=heard.append)
        assert own.peak < 320 << 20
        assert own.peak - before < 120 << 20
    assert loaded.rows >= 20 * small.rows
    assert [one.stage for one in heard if one.stage != "reading"] == ["checking", "writing"]
    reading = [one for one in heard if one.stage == "reading"]
    assert 0 < reading[0].rows <= reading[-1].rows <= loaded.rows + 1
    assert reading[-1].bytes <= reading[-1].of == (tmp_path / "big.csv").stat().st_size


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(cpu=0.5, cpu_per_mib=0), "时间"),
        (Limits(cpu=0.01, cpu_per_mib=0, patience=1), "时间"),
        (Limits(memory=60 << 20), "内存"),
        (Limits(unpacked=1 << 20), "字节"),
    ],
)
def test_a_file_that_asks_too_much_is_refused_and_the_next_is_read(tmp_path, limits, said):
    file = big_csv(tmp_path, 24)
    with Worker() as own:
        with pytest.raises(TooDemanding) as fault:
            loading.load(file, empty(tmp_path), WANTED, worker=own, limits=limits)
        assert said in fault.value.facts["errors"][0]["message"]
        assert loading.load(written(tmp_path, "a.csv", CSV), empty(tmp_path), WANTED, worker=own).rows == 2


def test_a_child_that_is_killed_is_a_refusal_that_says_so(tmp_path):
    file = big_csv(tmp_path, 24)
    with Worker() as own:
        loading.load(written(tmp_path, "a.csv", CSV), empty(tmp_path), WANTED, worker=own)
        child = own.child.process.pid
        with pytest.raises(TooDemanding) as fault:
            loading.load(
                file, empty(tmp_path), WANTED, worker=own, hear=lambda _progress: os.kill(child, signal.SIGKILL)
            )
        assert "SIGKILL" in fault.value.facts["errors"][0]["message"]


ORPHAN = """
import sys
from pathlib import Path
from service.catalogue.engine.loading import Wanted, Worker, load
from service.catalogue.rules import ColumnType
wanted = [Wanted("名称", "lot", ColumnType.STRING), Wanted("泊位", "spaces", ColumnType.INTEGER),
          Wanted("日期", "opened", ColumnType.DATE)]
with Worker() as worker:
    load(Path(sys.argv[1]), Path(sys.argv[2]), wanted, worker=worker,
         hear=lambda _progress: print(worker.child.process.pid, flush=True))
"""


def test_a_child_dies_with_its_parent(tmp_path):
    file = big_csv(tmp_path, 24)
    command = [sys.executable, "-c", ORPHAN, str(file), str(empty(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    until = time.monotonic() + 10
    while alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_knows_nothing_of_our_settings_and_sees_a_hostile_name_as_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("QIANTANG_PEPPER", "geheim")
    written(tmp_path, "neighbour.parquet", parquet())
    with Worker() as own:
        odd = written(tmp_path, "*.parquet", parquet(pa.table({"名称": ["甲"], "泊位": [1], "日期": [ROWS[0][2]]})))
        assert loading.load(odd, empty(tmp_path), WANTED, worker=own).rows == 1
        assert b"geheim" not in Path(f"/proc/{own.child.process.pid}/environ").read_bytes()
