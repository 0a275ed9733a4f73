"""`qiantang audit verify` and `audit checkpoint`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from service.audit import actions, engine, jobs, store
from service.audit.rules import FAULTS, Checkpoint, Fault, Report, checkpoint_from
from service.base import db
from service.base.i18n import N_, format_time, gettext
from service.base.settings import Settings

SOUND = N_("日志完好：已封存 %(size)s 个事件，树根 %(root)s")
UNSEALED = N_("未封存 %(count)s 个事件，最早的一个在 %(since)s")
AT_FAULT = N_("日志有误：%(fault)s")
NO_HEAD = N_("日志还没有封存任何事件")
NO_KEY = N_("找不到日志的签名密钥：%(fault)s")


@click.group()
def audit() -> None:
    """审计日志 / The audit log."""


@audit.command()
@click.option("--since", default=None, help="检查点：文件、- 或 JSON / a checkpoint: file, - or JSON")
def verify(since: str | None) -> None:
    """封存并核对整部日志，指出第一处错误 / Seal, then check the whole log; names the first thing wrong."""
    settings = Settings()
    kept = read_checkpoint(since) if since else None
    db.connect(settings.database_url)
    _seal(settings.home)
    with db.snapshot() as session:
        report = actions.verify(session, keys=engine.public_keys(settings.home), since=kept)
    for line in tell(report):
        click.echo(line)
    sys.exit(1 if report.fault else 0)


@audit.command()
def checkpoint() -> None:
    """输出最新检查点，请保存在系统之外 / Print the newest checkpoint; keep it somewhere else."""
    settings = Settings()
    db.connect(settings.database_url)
    _seal(settings.home)
    with db.reading() as session:
        found = store.checkpoint(session)
    if found is None:
        raise click.ClickException(gettext(NO_HEAD))
    click.echo(json.dumps(found.document()))


def read_checkpoint(given: str) -> Checkpoint:
    """Return the checkpoint in a file, on standard input (-) or written out; BadParameter when it is none."""
    try:
        if given == "-":
            text = sys.stdin.read()
        else:
            text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        return checkpoint_from(json.loads(text))
    except (OSError, ValueError) as fault:
        raise click.BadParameter(str(fault)) from None


def tell(report: Report) -> list[str]:
    """Return a report as lines for a person."""
    lines = []
    if report.fault is None:
        lines.append(gettext(SOUND, size=report.size, root=report.root))
    else:
        lines.append(gettext(AT_FAULT, fault=describe(report.fault)))
    if report.unsealed_since is not None:
        lines.append(gettext(UNSEALED, count=report.unsealed, since=format_time(report.unsealed_since)))
    return lines


def describe(fault: Fault) -> str:
    return gettext(FAULTS[fault.code], **asdict(fault))


def _seal(home: Path) -> None:
    try:
        jobs.seal(home)
    except engine.KeyMissing as fault:
        raise click.ClickException(gettext(NO_KEY, fault=fault)) from None
