"""What an operator can set or call is in the manual."""

from collections.abc import Iterator

import click

from service.base.settings import Settings
from tests.house.scan import ROOT


def _commands(command: click.Command, path: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name, child in command.commands.items():
        yield from _commands(child, f"{path} {name}")


def test_every_setting_is_in_the_operator_s_manual():
    manual = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    assert not [name for name in Settings.model_fields if f"`QIANTANG_{name.upper()}`" not in manual]


def test_every_command_is_in_the_operator_s_manual():
    from service.cli import main

    manual = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    assert not [path for path in _commands(main, "qiantang") if f"`{path}`" not in manual]


def test_every_command_has_help_in_both_languages():
    from service.cli import main

    def walk(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
        yield path, command.help or ""
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                yield from walk(child, f"{path} {name}")

    assert not [path for path, text in walk(main, "qiantang") if "/" not in text and ":" not in text]


def test_every_link_between_our_pages_leads_somewhere():
    import re

    bad = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                bad.append(f"{page.relative_to(ROOT)}: {target}")
    assert not bad
