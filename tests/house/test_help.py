"""The command's help: every text has a Chinese and an English half, and the terminal gets the one it speaks."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from service.base.terminal import language, one_language
from service.cli import main

HAN = re.compile(r"[一-鿿]")


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield *path, name


def help_of(path: tuple[str, ...], lang: str) -> str:
    result = CliRunner().invoke(main, [*path, "--help"], env={"LC_ALL": lang, "COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_help_comes_in_the_terminal_s_language(path):
    assert not HAN.search(help_of(path, "en_US.UTF-8"))
    assert HAN.search(help_of(path, "zh_CN.UTF-8"))
    assert " / " not in help_of(path, "zh_CN.UTF-8")
    assert " / " in help_of(path, "C.UTF-8")


@pytest.mark.parametrize(
    ("environ", "spoken"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "en_GB", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_TW"}, "zh"),
        ({"LANG": "C"}, None),
        ({}, None),
    ],
)
def test_the_first_place_that_is_set_decides(environ, spoken):
    assert language(environ) == spoken


def test_each_paragraph_keeps_one_half():
    assert one_language("甲 / one\n\n乙\n丙 / two", "zh") == "甲\n\n乙 丙"
    assert one_language("甲 / one\n\nboth", "en") == "one\n\nboth"
