"""`qiantang policy replay`, `policy impact` and `datasets publish`; the command's groups take them up."""

import sys
from pathlib import Path

import click

from service.base import blobs, db, i18n
from service.base.errors import Refusal
from service.base.settings import Settings
from service.catalogue import store as datasets
from service.policy import engine as policy
from service.screening import jobs
from service.screening.jobs import Shift, Wrong


@click.command()
def replay() -> None:
    """用当时的清单重判所有留存的判定并逐字节比对 / Judge every stored screening again and compare the bytes."""
    _connect()
    count, wrong = jobs.replay()
    for each in wrong:
        click.echo(_wrong(each))
    click.echo(f"{count - len(wrong)} same, {len(wrong)} different")
    sys.exit(1 if wrong else 0)


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def impact(path: Path) -> None:
    """试用候选清单重判在用授权，列出结果的变化 / Judge live grants by a candidate list and show what would change."""
    _connect()
    try:
        count, shifts = jobs.impact(path)
    except policy.PolicyError as fault:
        raise click.ClickException(str(fault)) from None
    for shift in shifts:
        click.echo(_shift(shift))
    click.echo(f"{count} live grants, {len(shifts)} would change")


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="全部草稿 / every draft")
@click.option("--version", "number", type=int, help="版本号，默认最新一版 / the version, by default the newest")
@click.option("--basis", default=jobs.AT_TERMINAL, help="保密审查的依据 / what the secrecy review rests on")
def publish(ids: tuple[str, ...], everything: bool, number: int | None, basis: str) -> None:
    """审查并发布数据集 / Screen and publish datasets."""
    _connect()
    with db.reading() as session:
        wanted = list(ids) + (datasets.unpublished_ids(session) if everything else [])
    if not wanted:
        raise click.UsageError("请给出数据集编号或 --all / name a dataset, or --all")
    if number is not None and len(wanted) != 1:
        raise click.UsageError("--version 只用于一个数据集 / --version goes with one dataset")
    failed = [id for id in wanted if not _publish(id, number, basis)]
    sys.exit(1 if failed else 0)


def _publish(id: str, number: int | None, basis: str) -> bool:
    try:
        found = jobs.publish_dataset(id, number=number, stated=basis, by="command")
    except Refusal as refusal:
        detail = i18n.gettext(refusal.detail, **refusal.facts) if refusal.detail else ""
        click.echo(f"{id}: {i18n.gettext(refusal.title)} {detail}".rstrip(), err=True)
        for error in refusal.facts.get("errors", []):
            click.echo(f"  {error['field']}: {error['message']}", err=True)
        return False
    click.echo(f"{id}: published, {found.outcome}")
    for name, rules in found.dropped.items():
        click.echo(f"  - {name}: {', '.join(rules)}")
    return True


def _wrong(each: Wrong) -> str:
    return f"{each.screening_id} {each.subject} {each.moment}: {each.why}"


def _shift(shift: Shift) -> str:
    rules = ", ".join(shift.rules) or "-"
    return f"{shift.grant_id} {shift.unit_id} {shift.dataset_id}: {shift.before} -> {shift.after} ({rules})"


def _connect() -> None:
    settings = Settings()
    db.connect(settings.database_url)
    blobs.connect(settings.store_url, settings.home / "copies")
    policy.use(policy.load(settings.policy_folder))
