"""The `qiantang` command."""

import os
import sys

import click

from service import app as application
from service.base import db, i18n
from service.base.settings import Settings
from service.migrations import upgrade

EPILOG = "文档与帮助见 docs/ / see docs/ for help"


class Bilingual(click.Group):
    """A group that speaks the terminal's language where a message is translated; help texts give both."""

    def invoke(self, ctx: click.Context) -> object:
        tags = [os.environ.get(name, "").replace("_", "-") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
        i18n.speak(i18n.negotiate("", [tag for tag in tags if tag]))
        return super().invoke(ctx)


@click.group(cls=Bilingual, epilog=EPILOG)
def main() -> None:
    """钱塘：公共数据受限开放服务 / Qiantang: the service that opens restricted public data."""


@main.command()
def migrate() -> None:
    """升级数据库结构到当前版本 / Bring the database to this version's tables."""
    db.connect(Settings().database_url)
    upgrade()
