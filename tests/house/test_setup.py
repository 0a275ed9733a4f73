"""deploy/setup.py: whole environments or none, one sentence for what is missing, no silent skip."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.house.scan import ROOT

BASE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("qiantang_setup", ROOT / "deploy" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose runtime lock names a package that does not exist."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "setup.py", tmp_path / "deploy")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "requirements.lock").write_text("no-such-package==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    (tmp_path / "requirements-build.lock").write_text("")
    return tmp_path


def _run(checkout: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_NO_INDEX": "1", **variables}
    arguments = [BASE_PYTHON, "deploy/setup.py", command]
    return subprocess.run(arguments, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_a_failed_installation_leaves_no_half_environment(checkout):
    done = _run(checkout, "setup")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("The packages could not be installed")
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_told_in_one_sentence_what_to_install(checkout):
    shim = checkout / "shim"
    shim.mkdir()
    (shim / "ensurepip.py").write_text("raise ImportError\n")
    done = _run(checkout, "setup", PYTHONPATH=str(shim))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_unknown_command_is_told_the_known_ones(checkout):
    done = _run(checkout, "dance")
    assert done.returncode == 1
    assert "setup|run|test|bench|lock" in done.stderr


def test_the_stamp_changes_with_every_lock(setup, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")
    assert setup.stamp_of(one) != setup.stamp_of(other)
    assert setup.stamp_of(one) == setup.stamp_of(one)


def test_a_skipped_test_counts_as_failed(setup, tmp_path, capsys):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.rules.test_a" name="test_fine" time="0.2"/>'
        '<testcase classname="tests.rules.test_a" name="test_skipped" time="0"><skipped/></testcase>'
        '<testcase classname="tests.rules.test_a" name="test_bad" time="1.5"><failure/></testcase>'
        "</testsuite></testsuites>"
    )
    suite = setup.Suite("rules")
    suite.read(report)
    assert (suite.passed, suite.failed, suite.broken) == (1, 2, True)
    assert max(suite.slowest)[1] == "tests/rules/test_a.py::test_bad"
    assert "skipped, which counts as failed: tests/rules/test_a.py::test_skipped" in capsys.readouterr().out


def test_the_entries_of_a_lock_are_told_apart(setup):
    lines = (
        "a==1 \\",
        "    --hash=sha256:1",
        "b==1 ; marker \\",
        "    --hash=sha256:2",
        "b==2 \\",
        "    --hash=sha256:3",
    )
    text = "\n".join(lines) + "\n"
    assert list(setup.entries(text)) == ["a", "b"]
    assert "".join(setup.entries(text).values()) == text


def test_every_suite_is_run_by_the_test_command(setup):
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - {"bench"} == set(setup.SUITES)


def test_make_only_calls_the_script():
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t")]
    assert recipes == ["\t@$(PYTHON) deploy/setup.py $@"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()
