"""`qiantang datasets`: enter data into the catalogue."""

from pathlib import Path

import click

from service.base import blobs, db
from service.base.errors import Refusal
from service.base.i18n import gettext
from service.base.settings import Settings
from service.catalogue import jobs
from service.policy import engine as policy

BY = "command"  # whom the log names for what an operator does at the terminal


@click.group()
def datasets() -> None:
    """数据集：导入、发布 / Datasets: import, publish."""


@datasets.command("import")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_datasets(manifests: tuple[Path, ...]) -> None:
    """按说明文件导入数据集（草稿） / Import datasets by their manifests, as drafts."""
    settings = Settings()
    db.connect(settings.database_url)
    blobs.connect(settings.store_url, settings.home / "copies")
    policy.use(policy.load(settings.policy_folder))
    failed = 0
    for manifest in manifests:
        try:
            found = jobs.import_dataset(manifest, by=BY)
        except Refusal as refusal:
            failed += 1
            click.echo(f"{manifest}: {gettext(refusal.title)}", err=True)
            for error in refusal.facts.get("errors", []):
                click.echo(f"  {error['field']}: {error['message']}", err=True)
            continue
        click.echo(f"{found.id}: {found.state} v{found.version}")
    if failed:
        raise SystemExit(1)
