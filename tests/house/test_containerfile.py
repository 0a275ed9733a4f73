"""The Containerfile's RUN lines, executed as one script on a copy of the checkout, make a service that answers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.scan import ROOT, SKIPPED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run_lines() -> list[str]:
    """Return the shell commands of the Containerfile's RUN lines, in order."""
    text = (ROOT / "deploy" / "Containerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build as the Containerfile says, in an empty folder instead of an image."""
    place = tmp_path_factory.mktemp("image")
    shutil.copytree(ROOT, place / "source", ignore=shutil.ignore_patterns(*SKIPPED, "*.pyc", "*_cache"))
    script = "\n".join(["set -eu", *run_lines()])
    base = f"{sys.base_prefix}/bin/python3"
    variables = {"PYTHON": base, "SOURCE": str(place / "source"), "PREFIX": str(place / "opt")}
    done = subprocess.run(
        ["sh", "-c", script], cwd="/", env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shutil.rmtree(place / "source")
    return place / "opt"


def test_the_wheel_carries_templates_policies_messages_and_migrations(prefix):
    package = next(prefix.glob("lib/python3*/site-packages/service"))
    for name in ("_bundled/templates/base.html", "_bundled/policies", "locale/en", "migrations/env.py", "static"):
        assert (package / name).exists(), name
    assert list((package / "migrations" / "versions").glob("*.py"))
    assert list((package / "locale" / "en").glob("*.po"))


def test_an_installed_wheel_migrates_outside_the_checkout(prefix, tmp_path):
    _qiantang(prefix, tmp_path, "migrate")
    assert (tmp_path / "home" / "qiantang.db").is_file()


def test_an_installed_wheel_checks_its_own_policies(prefix, tmp_path):
    assert _qiantang(prefix, tmp_path, "policy", "check").strip().endswith("0 failed")


def _qiantang(prefix: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command in an empty folder and return what it prints."""
    environment = {"PATH": "/usr/bin:/bin", "QIANTANG_HOME": str(folder / "home")}
    command = [prefix / "bin" / "qiantang", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
