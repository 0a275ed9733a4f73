"""`qiantang run` and `demo` as an operator starts, stops and loses them: what they refuse, what they outlive."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service import app as application
from service.base import clock, db, state
from service.base.roles import Role
from service.base.settings import Settings, resource_dir
from service.cli import main
from service.migrations import upgrade
from service.people import actions as people
from tests import running

VARIABLES = (
    "HOME", "DATABASE_URL", "STORE_URL", "CACHE_URL", "BASE_URL", "PORT", "POLICIES", "SECRET_KEY", "LOG_LEVEL", "NOW",
    "DEMO",
)  # fmt: skip
SECRET = "a secret of the tests"
PROMPT = 10  # seconds in which a stopped service is gone


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOME that was migrated and holds nothing else."""
    folder = tmp_path / "home"
    folder.mkdir()
    db.connect(f"sqlite:///{folder}/qiantang.db")
    upgrade()
    db.engine().dispose()
    return folder


def _invoke(command: str, home: Path, **variables: str) -> Result:
    """Run a command that must not get as far as serving; what it puts into the environment is taken out again."""
    given = {"HOME": str(home), "PORT": str(running.free_port()), **variables}
    environment = {f"QIANTANG_{name}": given.get(name) for name in VARIABLES}
    return CliRunner(env={"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}).invoke(main, command.split(), env=environment)


def _refused(result: Result, *words: str) -> None:
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert result.output.startswith("Error: ")
    for word in words:
        assert word in result.output


# ---- what it refuses ------------------------------------------------------------------------------------------------


def test_run_refuses_a_shifted_clock(home):
    _refused(_invoke("run", home, NOW="+P400D"), "QIANTANG_NOW")


def test_run_refuses_demo_mode(home):
    _refused(_invoke("run", home, DEMO="1"), "demo")


def test_run_refuses_to_serve_a_demos_home_to_the_world(home):
    (home / "demo.json").write_text("{}")
    _refused(_invoke("run", home, BASE_URL="https://data.example.org", SECRET_KEY=SECRET), "demo", "https")


def test_a_store_s_address_that_holds_a_secret_is_refused_without_being_repeated(home):
    told = _invoke("run", home, STORE_URL="s3://key:hidden@bucket")
    _refused(told, "QIANTANG_STORE_URL", "AWS_SECRET_ACCESS_KEY")
    assert "hidden" not in told.output


def test_a_command_whose_store_is_away_ends_with_a_sentence(home, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    file = tmp_path / "backup.tar.gz"
    nowhere = f"s3://bucket?endpoint=http://127.0.0.1:{running.free_port()}"
    _refused(_invoke(f"backup {file}", home, STORE_URL=nowhere), "数据存储暂时读不到")
    assert list(tmp_path.glob("*backup*")) == []


def test_run_knows_a_demos_database_without_its_file_too(home):
    """A backup carries the demo's accounts, and not demo.json."""
    with db.writing() as session:
        state.mark_demo(session)
    db.engine().dispose()
    _refused(_invoke("run", home, BASE_URL="https://data.example.org", SECRET_KEY=SECRET), "demo", "https")


def test_demo_is_not_for_the_world(home):
    """It shows passwords on its login page and lets its clock be moved."""
    _refused(_invoke("demo", home, BASE_URL="https://data.example.org", SECRET_KEY=SECRET), "demo", "https")
    with pytest.raises(ValueError, match="https"):
        application.connect(Settings(home=home, base_url="https://data.example.org", demo=True))


def test_no_setting_moves_the_clock_of_a_service(home):
    """Whoever starts the application by another server, or its jobs alone, has the environment but not the demo."""
    with pytest.raises(ValueError, match="demo only"):
        application.connect(Settings(home=home, demo=True, now="+P400D"))


def test_demo_brings_no_accounts_into_a_service_that_it_did_not_make(home):
    with db.writing() as session:
        now = clock.now(session)
        unit = people.add_unit(session, people.NewUnit("authority", "主管部门"), by="tests", now=now)
        person = people.new_person("officer", "某", "correct horse battery")
        people.add_person(session, person, unit_id=unit.id, roles=[Role.AUTHORITY], by="tests", now=now)
    db.engine().dispose()
    _refused(_invoke("demo", home), "demo")
    assert not (home / "demo.json").exists()


def test_a_new_home_is_for_its_owner_alone(tmp_path):
    assert _invoke("migrate", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_run_on_https_requires_a_secret(home):
    _refused(_invoke("run", home, BASE_URL="https://data.example.org"), "QIANTANG_SECRET_KEY")


def test_run_requires_a_migrated_database(tmp_path):
    result = _invoke("run", tmp_path / "new")
    _refused(result, "qiantang migrate")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("words", ["people role somebody", "audit verify", "policy replay", "datasets publish x"])
def test_a_command_on_a_database_without_tables_says_what_to_run_first(tmp_path, words):
    (tmp_path / "new").mkdir()
    result = _invoke(words, tmp_path / "new")
    _refused(result, "qiantang migrate")
    assert result.output.count("\n") == 1


def test_run_says_when_the_database_is_away(home, tmp_path):
    url = f"postgresql+psycopg://somebody:a-password@/nothing?host={tmp_path}"
    result = _invoke("run", home, DATABASE_URL=url)
    _refused(result, "cannot be opened")
    assert "a-password" not in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("LOG_LEVEL", "loud"),
        ("BASE_URL", "data.example.org"),
        ("DATABASE_URL", "mysql://somebody:a-password@there/it"),
        ("STORE_URL", "ftp://somebody:a-password@there"),
        ("CACHE_URL", "unknown://somebody:a-password@there"),
        ("HOME", "/proc/nothing"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_in_one_sentence(name, value, home):
    result = _invoke("run", home, **{name: value})
    _refused(result, f"QIANTANG_{name}")
    assert "a-password" not in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_taken_port_is_said_before_anything_is_done(command, home):
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = str(taken.getsockname()[1])
        result = _invoke(command, home, PORT=port)
    _refused(result, port)
    assert result.output.count("\n") == 1
    assert not (home / "demo.json").exists()


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_broken_policy_file_stops_the_start_and_names_its_place(command, home, tmp_path):
    broken = tmp_path / "policies"
    shutil.copytree(resource_dir("policies"), broken)
    file = sorted((broken / "lists").rglob("*.yaml"))[0]
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines, "surprise: 1", ""]), encoding="utf-8")
    result = _invoke(command, home, POLICIES=str(broken))
    _refused(result, f"{file.name}:{len(lines) + 1}:1: ")


# ---- what it outlives -----------------------------------------------------------------------------------------------


@pytest.fixture
def site(home: Path) -> Iterator[running.Running]:
    (home / "demo.json").write_text("{}")  # the helper reads it; no demo account is there
    with running.serving(home, {}, command="run") as made:
        yield made


def _until(found: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def _jobs(site: running.Running) -> list[int]:
    return [pid for pid in running.children(site.process.pid) if " jobs " in running.command_of(pid)]


def _workers(site: running.Running) -> list[int]:
    return [pid for pid in running.children(site.process.pid) if " jobs " not in running.command_of(pid)]


def _answers(site: running.Running) -> bool:
    return running.answers(f"{site.base_url}/healthz")


def test_children_that_die_are_replaced_and_sigterm_ends_all_within_ten_seconds(site):
    _until(lambda: len(_jobs(site)) == 1, "a jobs child")
    jobs, workers = _jobs(site), _workers(site)
    assert len(workers) == 1

    os.kill(jobs[0], signal.SIGKILL)
    os.kill(workers[0], signal.SIGKILL)
    _until(lambda: len(_jobs(site)) == 1 and _jobs(site) != jobs, "another jobs child")
    _until(lambda: len(_workers(site)) == 1 and _workers(site) != workers and _answers(site), "another worker")
    assert "the jobs child ended and is started again" in site.log.read_text()

    children = running.children(site.process.pid)
    began = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(timeout=PROMPT) == 0
    running.await_end(*children, seconds=max(0.1, began + PROMPT - time.monotonic()))
    for line in site.log.read_text().splitlines():
        assert json.loads(line)["message"]


def test_children_end_when_their_parent_was_killed(site):
    _until(lambda: len(_jobs(site)) == 1, "a jobs child")
    children = running.children(site.process.pid)
    assert len(children) == 2
    site.process.kill()
    running.await_end(*children, seconds=PROMPT)
    assert not _answers(site)


def test_a_demo_killed_while_it_loads_leaves_no_process(tmp_path):
    home = tmp_path / "home"
    environment = {**os.environ, "QIANTANG_HOME": str(home), "QIANTANG_PORT": str(running.free_port())}
    command = [sys.executable, "-m", "service.cli", "demo"]
    demo = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _until((home / "demo.json").exists, "the load has begun", seconds=60)
    children = running.children(demo.pid)
    demo.kill()
    demo.wait()
    running.await_end(*children, seconds=PROMPT)
