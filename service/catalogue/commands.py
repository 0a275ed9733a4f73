"""`qiantang datasets`: enter data into the catalogue."""

import re
from pathlib import Path

import click

from service.base import blobs, db
from service.base.errors import Refusal
from service.base.i18n import N_, gettext
from service.base.settings import Settings
from service.catalogue import jobs
from service.catalogue.engine.loading import STRICT, Loaded, Reading, Report, Tolerance, Worker
from service.catalogue.engine.loading.text import DELIMITERS, ENCODINGS
from service.catalogue.rules import BadData
from service.policy import engine as policy

BY = "command"  # whom the log names for what an operator does at the terminal
SHOWN = 20  # refused values that are printed; the count is of all
READ_AS = N_("读作 %(how)s：%(read)s 行，收入 %(kept)s 行，略去 %(refused)s 行")
AND_MORE = N_("另有 %(count)s 处")


class _Tolerance(click.ParamType[Tolerance]):
    """A number of rows, or a share of them in per cent."""

    name = "N|N%"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Tolerance:
        if isinstance(value, Tolerance):
            return value
        found = re.fullmatch(r"([0-9]{1,9})|([0-9]{1,2}(?:\.[0-9]+)?)%", str(value))
        if found is None:
            self.fail("20 | 1%", param, ctx)
        return Tolerance(rows=int(found[1])) if found[1] else Tolerance(share=float(found[2]) / 100)


@click.group()
def datasets() -> None:
    """数据集：导入、发布 / Datasets: import, publish."""


@datasets.command("import")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--append", is_flag=True, help="接在上一版本的数据之后 / add to what the newest version holds")
@click.option("--encoding", help=f"文件编码，缺省为自动识别 / encoding, found when left out: {' '.join(ENCODINGS)}")
@click.option("--delimiter", help="CSV 的分隔符，缺省为自动识别 / delimiter, found when left out: , ; | tab")
@click.option("--sheet", help="XLSX 的工作表 / sheet of a workbook")
@click.option("--member", help="压缩包中的文件 / file in a zip")
@click.option(
    "--tolerant", type=_Tolerance(), default=STRICT, help="至多略去多少行 / rows that may be left out: 20, 1%"
)
def import_datasets(
    manifests: tuple[Path, ...], append: bool, encoding: str | None, delimiter: str | None, sheet: str | None,
    member: str | None, tolerant: Tolerance,
) -> None:  # fmt: skip
    """按说明文件导入数据集（草稿）或其新版本 / Import datasets by their manifests, as drafts or new versions."""
    settings = Settings()
    db.connect(settings.database_url)
    blobs.connect(settings.store_url, settings.home / "copies")
    policy.use(policy.load(settings.policy_folder))
    reading = Reading(encoding, "\t" if delimiter == "tab" else delimiter, sheet, member)
    with Worker() as worker:
        way = jobs.Way(reading, tolerant, worker)
        failed = sum(not _imported(manifest, way, append=append) for manifest in manifests)
    if failed:
        raise SystemExit(1)


def _imported(manifest: Path, way: jobs.Way, *, append: bool) -> bool:
    """Import one dataset and say what became of it; whether it is in."""
    try:
        found = jobs.import_dataset(manifest, by=BY, append=append, way=way, told=_tell)
    except Refusal as refusal:
        click.echo(f"{manifest}: {gettext(refusal.title)}", err=True)
        for error in refusal.facts.get("errors", []):
            click.echo(f"  {error['field']}: {error['message']}", err=True)
        if isinstance(refusal, BadData) and refusal.report:
            _tell_refused(Report.of(refusal.report), err=True)
        return False
    click.echo(f"{found.id}: {found.state} v{found.version}")
    return True


def _tell(loaded: Loaded) -> None:
    """Say how a file was read and what of it was left out."""
    reading, report = loaded.reading, loaded.report
    delimiter = gettext(DELIMITERS[reading.delimiter]) if reading.delimiter else None
    how = " ".join(word for word in (loaded.format, reading.encoding, delimiter, reading.sheet, reading.member) if word)
    counts = {"read": report.rows_read, "kept": report.rows_kept, "refused": report.rows_refused}
    click.echo(gettext(READ_AS, how=how, **counts))
    for note in report.notes:
        click.echo(f"  {gettext(note)}")
    _tell_refused(report, err=False)


def _tell_refused(report: Report, *, err: bool) -> None:
    for refused in report.refused[:SHOWN]:
        click.echo(f"  {refused.said()}", err=err)
    if report.faults > SHOWN:
        click.echo(f"  {gettext(AND_MORE, count=report.faults - SHOWN)}", err=err)
