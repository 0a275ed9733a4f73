"""`qiantang backup`, `restore` and `reopen`: the service into one file, out of it, and back to its readers.

`qiantang recalls` prints what a restored backup must be freed from again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from service.audit import actions as audit
from service.audit import commands as audit_commands
from service.audit import engine as audit_keys
from service.audit import rules as audit_rules
from service.audit import store as audit_log
from service.base import archive, blobs, clock, db, state
from service.base.db import Session
from service.base.errors import NotAllowed, Refusal
from service.base.i18n import N_, gettext
from service.base.roles import Role
from service.base.settings import Settings
from service.catalogue.rules.recalls import Tombstone, tombstone
from service.catalogue.store import recalls as recall_store
from service.home import store
from service.home.jobs import restoring
from service.migrations import behind, current, load_tables, upgrade
from service.people import gate
from service.people import store as people

WRITTEN = N_("已备份到 %(file)s：%(rows)s 行，%(objects)s 个对象。文件含有密钥，请妥善保管。")
RESTORED = N_("已恢复到 %(made_at)s 的状态，审计日志核对无误（%(size)s 个事件）。")
SHUT = N_("数据服务保持关闭，所有会话和令牌已作废。请两名管理人员分别运行 qiantang reopen 重新开放。")
UNCOMPARED = N_("未给出系统之外保存的检查点，无法发现备份本身是否陈旧或被替换。")
EXISTS = N_("%(file)s 已存在，不会覆盖")
OCCUPIED = N_("只能恢复到空的数据库和目录，但这里已有：%(what)s")
BAD = N_("这不是完好的备份：%(fault)s")
BEHIND = N_("数据库结构不是当前版本，请先运行 qiantang migrate")
OTHER_VERSION = N_("备份来自另一版本（%(revision)s），请用那个版本恢复后再升级")
UNRECALLED = N_(
    "未给出系统之外保存的召回记录（qiantang recalls 的输出）：备份之后召回的行可能又在其中，重新开放前须补办。"
)
RECALLED_AGAIN = N_("已按召回记录再次移除 %(rows)s 行。")
BAD_RECALLS = N_("%(file)s 第 %(line)s 行不是召回记录")
CHECKED = N_("已记录核对，还须另一人确认后才会开放。")
OPENED = N_("数据服务已重新开放。")

MAY_REOPEN = frozenset({Role.OPERATOR, Role.AUTHORITY, Role.AUDITOR})


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """备份数据库、数据文件与密钥 / Put database, objects and keys into FILE (.tar.gz)."""
    settings = _connect()
    if behind():
        raise click.ClickException(gettext(BEHIND))
    manifest = make_backup(file, settings, revision=current())
    objects = sum(name.startswith("objects/") for name in manifest.digests)
    click.echo(gettext(WRITTEN, file=file, rows=sum(manifest.rows.values()), objects=objects))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--checkpoint", default=None, help="系统之外保存的检查点 / the newest checkpoint kept outside")
@click.option(
    "--recalls", type=click.Path(path_type=Path, dir_okay=False, exists=True), default=None,
    help="系统之外保存的召回记录 / the newest list of recalls kept outside",
)  # fmt: skip
def restore(file: Path, checkpoint: str | None, recalls: Path | None) -> None:
    """从备份恢复到空的数据库与目录 / Restore FILE into an empty database and HOME; the data plane stays shut."""
    settings = _connect()
    upgrade()
    kept = audit_commands.read_checkpoint(checkpoint) if checkpoint else None
    gone = _tombstones(recalls) if recalls else []
    manifest, report = restore_backup(file, settings, revision=current(), kept=kept)
    click.echo(gettext(RESTORED, made_at=manifest.made_at, size=report.size))
    if recalls:
        click.echo(gettext(RECALLED_AGAIN, rows=restoring.apply_recalls(gone)))
    click.echo(gettext(SHUT))
    if kept is None:
        click.echo(gettext(UNCOMPARED), err=True)
    if recalls is None:
        click.echo(gettext(UNRECALLED), err=True)


@click.command()
def recalls() -> None:
    """输出召回记录，请保存在系统之外 / Print the recalls, one JSON a line; keep them somewhere else."""
    _connect()
    with db.reading() as session:
        for one in recall_store.tombstones(session):
            click.echo(json.dumps(one.document()))


def _tombstones(file: Path) -> list[Tombstone]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(tombstone(json.loads(line)))
        except ValueError:
            raise click.ClickException(gettext(BAD_RECALLS, file=file, line=number)) from None
    return found


@click.command()
@click.option("--login", required=True, help="核对人的登录名 / the login of the person who has checked")
@click.password_option(confirmation_prompt=False, help="密码 / password")
def reopen(login: str, password: str) -> None:
    """核对恢复结果；第二人核对后重新开放 / Confirm a restored service; the second person's word opens it."""
    settings = _connect()
    with db.reading() as session:
        now = clock.now(session)
    try:
        person = gate.authenticate(login, password, address="127.0.0.1", pepper=settings.pepper(), now=now)
        with db.writing() as session:
            if not people.roles_of(session, person.id) & MAY_REOPEN:
                raise NotAllowed()
            opened = audit.check_restored(session, by=person.id, now=now)
    except Refusal as refusal:
        raise click.ClickException(gettext(refusal.title)) from None
    click.echo(gettext(OPENED if opened else CHECKED))


def make_backup(file: Path, settings: Settings, *, revision: str) -> archive.Manifest:
    """Write the connected service into `file`; ClickException when there is such a file."""
    with db.reading() as session:
        made_at = audit_rules.instant(clock.now(session))
    try:
        return archive.write(
            file, keys=settings.home / "keys", made_at=made_at, revision=revision, describe=_newest_head
        )
    except FileExistsError:
        raise click.ClickException(gettext(EXISTS, file=file)) from None


def restore_backup(
    file: Path, settings: Settings, *, revision: str, kept: audit_rules.Checkpoint | None
) -> tuple[archive.Manifest, audit_rules.Report]:
    """Restore `file` into the connected, empty database and store; ClickException says why not, and nothing is kept.

    The log is verified before anything is committed, against `kept` where it is given, else against the head that the
    backup itself names.
    """
    reports: list[audit_rules.Report] = []
    try:
        manifest = archive.read_manifest(file)
        if manifest.revision != revision:
            raise click.ClickException(gettext(OTHER_VERSION, revision=manifest.revision))
        since = kept or _head_of(manifest)

        def settle(session: Session, secrets: Mapping[str, bytes]) -> None:
            reports.append(_verified(session, secrets, since))
            _shut(session, manifest)

        archive.restore(file, keys=settings.home / "keys", settle=settle)
    except archive.NotEmpty as fault:
        raise click.ClickException(gettext(OCCUPIED, what=fault.what)) from None
    except archive.BadArchive as fault:
        raise click.ClickException(gettext(BAD, fault=fault)) from None
    return manifest, reports[0]


def _connect() -> Settings:
    settings = Settings()
    settings.make_home()
    load_tables()
    db.connect(settings.database_url)
    blobs.connect(settings.store_url, settings.home / "copies")
    return settings


def _newest_head(session: Session) -> dict[str, Any]:
    head = audit_log.checkpoint(session)
    return {"checkpoint": head.document() if head else None}


def _head_of(manifest: archive.Manifest) -> audit_rules.Checkpoint | None:
    document = manifest.notes.get("checkpoint")
    return audit_rules.checkpoint_from(document) if document else None


def _verified(
    session: Session, secrets: Mapping[str, bytes], since: audit_rules.Checkpoint | None
) -> audit_rules.Report:
    report = audit.verify(session, keys=audit_keys.keys_among(secrets), since=since)
    if report.fault is not None:
        raise click.ClickException(audit_commands.tell(report)[0])
    return report


def _shut(session: Session, manifest: archive.Manifest) -> None:
    """Void what let people in, shut the data plane and tell it in the log."""
    now = clock.now(session)
    store.void_entries(session, now=now)
    state.shut(session, reason="restore", made_at=manifest.made_at, at=audit_rules.instant(now))
    facts = {"made_at": manifest.made_at}
    audit.record(session, subject=audit.SERVICE, kind="service:restore", by="operator", now=now, facts=facts)
