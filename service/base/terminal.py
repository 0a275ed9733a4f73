"""The command's help in the terminal's language.  Help texts are written `中文 / English`, paragraph by paragraph."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

PLACES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides, as in every program of the system


def language(environ: Mapping[str, str]) -> str | None:
    """Return `zh` or `en` when the terminal speaks it; None for any other, which is shown both."""
    tag = next((environ[name] for name in PLACES if environ.get(name)), "")[:2].lower()
    return tag if tag in {"zh", "en"} else None


@contextmanager
def help_in(command: click.Command, wanted: str | None) -> Iterator[None]:
    """Show the help of `command` and of everything below it in one language (None: both) while the block runs."""
    written = [(each, each.help) for each in _with_help(command)]
    for each, text in written:
        each.help = one_language(text, wanted) if text and wanted else text
    try:
        yield
    finally:
        for each, text in written:
            each.help = text


def one_language(text: str, wanted: str) -> str:
    """Return the `zh` or the `en` half of each paragraph; a paragraph without halves stays whole."""
    halves = [" ".join(paragraph.split()).partition(" / ") for paragraph in text.split("\n\n")]
    return "\n\n".join(zh if wanted == "zh" or not en else en for zh, _, en in halves)


def _with_help(command: click.Command) -> Iterator[click.Command | click.Option]:
    yield command
    yield from (each for each in command.params if isinstance(each, click.Option))
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _with_help(below)
