"""`qiantang policy check` and `policy judge`: the lists on the desk, without a database."""

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from service.base import clock
from service.base.settings import Settings
from service.policy.engine.checking import check_paths
from service.policy.engine.folder import read_lists, read_vocabulary, yaml_files
from service.policy.engine.reading import PolicyError
from service.policy.rules.facts import FactsError, read_facts
from service.policy.rules.judging import judge as judge_facts


class BadInput(click.ClickException):
    """Input that cannot be judged; each line as `policy check` prints it, with nothing before the file's name."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=file is None)


@click.group()
def policy() -> None:
    """负面清单与政策文件 / Negative lists and policy files."""


@policy.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """检查政策文件并运行其中的用例 / Check policy files and run the cases in them."""
    report = check_paths(paths, Settings().policy_folder)
    for fault in report.faults:
        click.echo(str(fault))
    for gap in report.gaps:
        click.echo(f"{gap}（提示 / a note）", err=True)
    click.echo(f"{report.passed} passed, {report.failed} failed")
    sys.exit(1 if report.failed else 0)


def _files(path: Path) -> list[Path]:
    return yaml_files(path) if path.is_dir() else [path]


@policy.command()
@click.option(
    "--list",
    "lists",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="负面清单文件，可多次给出 / A negative list; may be given several times",
)
@click.argument("more", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--facts", required=True, help="事实文件（JSON），- 为标准输入 / The facts as JSON; - reads standard input"
)
def judge(lists: tuple[Path, ...], more: tuple[Path, ...], facts: str) -> None:
    """按清单判定一份事实，输出 JSON 判定结果 / Judge facts by lists; prints the verdict as JSON.

    一个 --list 之后可以接着写多个文件 / several files may follow one --list.
    """
    verdict = judge_files(
        (*lists, *more), _read_facts(facts), today=clock.system_now().astimezone(clock.BEIJING).date()
    )
    click.echo(json.dumps(verdict, ensure_ascii=False, indent=2))


def judge_files(paths: Sequence[Path], document: Any, *, today: date) -> dict[str, Any]:
    """Return the verdict as plain data.  Raises BadInput for a list or facts that cannot be read."""
    try:
        vocabulary = read_vocabulary(Settings().policy_folder)
        files, faults = read_lists([file for path in paths for file in _files(path)], vocabulary)
        if faults:
            raise PolicyError(faults)
        facts = read_facts(document, vocabulary)
    except PolicyError as fault:
        raise BadInput(str(fault)) from None
    except FactsError as fault:
        raise BadInput("\n".join(f"{path}: {message}" for path, message in fault.errors)) from None
    verdict = judge_facts(facts, [file.list for file in files], date=facts.day or today)
    return verdict.as_json()


def _read_facts(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (OSError, ValueError) as fault:
        raise BadInput(f"--facts: 不是可读的 JSON / not readable JSON: {fault}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"键重复 / duplicate keys: {', '.join(twice)}")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"不是数字 / not a number: {name}")
