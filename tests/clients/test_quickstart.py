"""The quick start of the help pages, command by command as it stands, against a really served demo."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import requests

from tests import running
from tests.running import Running
from tests.world import World

CODE = re.compile(r"<pre[^>]*><code>(.*?)</code></pre>", re.DOTALL)


@pytest.fixture
def site(world: World) -> Iterator[Running]:
    with running.serving(world.settings.home, {}) as served:
        yield served


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_quick_start_reads_open_data_gets_a_token_and_reads_what_was_granted(site, tmp_path: Path, language):
    page = requests.get(f"{site.base_url}/help/quickstart", headers={"Accept-Language": language}, timeout=30).text
    public, _exports, token, rows, file, pandas, *queries = (unescape(code) for code in CODE.findall(page))
    client = site.demo["client"]
    known = {**os.environ, "CLIENT": client["client_id"], "QIANTANG_CLIENT_SECRET": client["client_secret"]}

    asked = [line for query in queries for line in (query, "echo")]
    script = "\n".join(["set -e", public, "echo", token, rows, "echo", file, *asked])
    shell = subprocess.run(["bash", "-c", script], env=known, cwd=tmp_path, capture_output=True, text=True, check=False)
    (tmp_path / "read.py").write_text(pandas, encoding="utf-8")
    read = subprocess.run(
        [sys.executable, "-P", "read.py"], env=known, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert shell.returncode == 0, shell.stderr
    opened, granted, filtered, nested, sums = filter(None, shell.stdout.splitlines())
    assert '"rate"' in opened
    assert '"lot_id"' in granted
    assert json.loads(filtered)["rows"][0]["duration_min"] >= 60 and json.loads(filtered)["exact"] is True
    assert {row["lot_id"][:3] for row in json.loads(nested)["rows"]} >= {"P00"}
    assert "avg_duration_min" in json.loads(sums)["rows"][0]
    assert (tmp_path / "part.csv").read_text(encoding="utf-8").startswith('"lot_id"')
    assert (tmp_path / "data.parquet").read_bytes()[:4] == b"PAR1"
    assert read.returncode == 0, read.stderr
    assert "lot_id" in read.stdout
