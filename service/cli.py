"""The `qiantang` command."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import click
from pydantic import ValidationError

from service import app as application
from service.audit.commands import audit
from service.base import blobs, clock, db, i18n, processes, terminal
from service.base.settings import BadSetting, Settings
from service.catalogue.commands import datasets
from service.home import jobs as home_jobs
from service.home import server
from service.home.commands import backup, recalls, reopen, restore
from service.migrations import behind, upgrade
from service.people.commands import people
from service.policy.commands import policy
from service.policy.engine import PolicyError
from service.scheduler import run_jobs
from service.screening.commands import impact, publish, replay

STORE_AWAY = i18n.N_("数据存储暂时读不到。")
MIGRATE_FIRST = "数据库结构不是当前版本，请先运行 / run first: qiantang migrate"


def _unopened(fault: db.Unreachable) -> click.ClickException:
    return click.ClickException(f"数据库无法打开 / the database cannot be opened: {fault}")


def _not_migrated() -> bool:
    """Whether a command failed because the database has not the tables of this version."""
    try:
        return behind()
    except db.Unreachable as fault:
        raise _unopened(fault) from None


class Bilingual(click.Group):
    """Messages and help come in the terminal's language; help gives both where that is neither Chinese nor English.

    What keeps any command from its work (broken policies, no database) ends it with its sentence, not with a trace.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with terminal.help_in(self, terminal.language(os.environ)):
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        tags = [os.environ.get(name, "").replace("_", "-") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
        i18n.speak(i18n.negotiate("", [tag for tag in tags if tag]))
        try:
            return super().invoke(ctx)
        except (PolicyError, BadSetting) as fault:
            raise click.ClickException(str(fault)) from None
        except ValidationError as fault:
            if fault.title != Settings.__name__:
                raise
            told = [str(BadSetting(str(error["loc"][0]), error["msg"])) for error in fault.errors()]
            raise click.ClickException("\n".join(told)) from None
        except db.Unreachable as fault:
            raise _unopened(fault) from None
        except blobs.Away:
            raise click.ClickException(i18n.gettext(STORE_AWAY)) from None
        except db.DatabaseError:
            if not _not_migrated():
                raise
            raise click.ClickException(MIGRATE_FIRST) from None


@click.group(cls=Bilingual)
def main() -> None:
    """钱塘：公共数据受限开放服务 / Qiantang: the service that opens restricted public data."""


@main.command()
def migrate() -> None:
    """升级数据库结构到当前版本 / Bring the database to this version's tables."""
    settings = Settings()
    settings.make_home()
    db.connect(settings.database_url)
    upgrade()


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址 / address to listen on")
def run(host: str) -> None:
    """启动服务：网页、接口与定时任务 / Serve pages, API and jobs."""
    settings = Settings()
    if settings.now or settings.demo:
        raise click.ClickException("run 不接受 QIANTANG_NOW 或演示模式 / run refuses QIANTANG_NOW and demo mode")
    settings.make_home()
    _demand_secret(settings)
    _demand_port(host, settings)
    db.connect(settings.database_url)
    if behind():
        raise click.ClickException(MIGRATE_FIRST)
    if settings.secure and home_jobs.made_by_demo(settings):
        raise click.ClickException(f"{settings.home} 由 demo 生成，不得对外服务 / was made by demo: not for https")
    application.connect(settings)
    home_jobs.publish_editions()
    server.serve(settings, host=host)


@main.command()
@click.option("--port", type=int, default=None, help="端口 / port (8000)")
def demo(port: int | None) -> None:
    """载入演示数据并启动 / Load the demo (once) and serve it here."""
    settings = _demo_settings(port)
    if settings.secure:
        raise click.ClickException("demo 不得对外服务 / demo is not for https")
    _demand_port("127.0.0.1", settings)
    settings.make_home()
    db.connect(settings.database_url)
    upgrade()
    if not home_jobs.claim_for_demo(settings):
        raise click.ClickException(f"{settings.home} 不是 demo 生成的 / was not made by demo: use another HOME")
    application.connect(settings)
    # In a process of its own: the memory that loading takes ends with it.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        known = apart.submit(_load_demo).result()
    click.echo(f"钱塘演示 / Qiantang demo: {settings.base_url}")
    for account in known["accounts"]:
        click.echo(f"  {account['role']:<10} {account['login']:<12} {account['password']:<18} {account['unit']}")
    click.echo(f"  {home_jobs.demo_file(settings)}")
    server.serve(settings)


@main.command("jobs")
@click.option("--parent", type=int, hidden=True, help="end with this process")
def jobs_only(parent: int | None) -> None:
    """只运行定时任务 / Run the scheduled jobs only."""
    if parent is not None:
        processes.end_with(parent)
    settings = Settings()
    application.connect(settings)
    run_jobs(settings)


def _load_demo() -> dict[str, Any]:
    """Load the demo by the environment's settings, which `_demo_settings` has fixed."""
    processes.end_with_maker()
    settings = Settings()
    application.connect(settings)
    return home_jobs.load_demo(settings)


def _demand_secret(settings: Settings) -> None:
    try:
        settings.pepper()
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None


def _demand_port(host: str, settings: Settings) -> None:
    try:
        server.demand_port(host, settings.port)
    except OSError as fault:
        where = f"{host}:{settings.port}"
        raise click.ClickException(f"无法监听 / cannot listen on {where}: {fault.strerror}") from None


def _demo_settings(port: int | None) -> Settings:
    """Fix the demo's settings in the environment, so that the server's workers and the jobs child share them.

    QIANTANG_NOW becomes an offset here, once: an instant read anew by each process would start several clocks.
    """
    os.environ["QIANTANG_DEMO"] = "1"
    if port is not None:
        os.environ["QIANTANG_PORT"] = str(port)
    given = Settings()
    try:
        shift = clock.parse_shift(given.now, at=clock.system_now())
    except ValueError:
        raise click.ClickException(f"QIANTANG_NOW 无法识别 / is not understood: {given.now}") from None
    seconds = round(shift.total_seconds())
    os.environ["QIANTANG_NOW"] = f"{'-' if seconds < 0 else '+'}PT{abs(seconds)}S" if seconds else ""
    os.environ["QIANTANG_HOME"] = str(given.home)
    return Settings()


policy.add_command(replay)
policy.add_command(impact)
datasets.add_command(publish)
for group in (people, datasets, policy, audit, backup, restore, recalls, reopen):
    main.add_command(group)

if __name__ == "__main__":
    main()
