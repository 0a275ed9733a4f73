"""`qiantang people`: units and persons that no page makes."""

import click

from service.base import clock, db
from service.base.errors import Invalid, Refusal
from service.base.i18n import gettext
from service.base.roles import PERSONS, Role
from service.base.settings import Settings
from service.people import actions, store
from service.people.actions import NewUnit, new_person
from service.people.forms import explain
from service.people.rules import UnitKind, fold_login, login_fault, password_fault

BY = "command"  # who did it, in the log: whoever may run commands on the machine
ROLES = click.Choice(sorted(role.value for role in PERSONS))


class Group(click.Group):
    """Tells a refusal in one sentence instead of a trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Invalid as fault:
            raise click.ClickException("; ".join(error["message"] for error in fault.facts["errors"])) from None
        except Refusal as fault:
            raise click.ClickException(gettext(fault.title)) from None


@click.group(cls=Group)
def people() -> None:
    """单位与人员 / Units and persons."""


@people.command("unit")
@click.option("--id", "unit_id", default=None, help="编号，缺省自动生成 / id, made when absent")
@click.option("--kind", type=click.Choice([kind.value for kind in UnitKind]), required=True, help="类型 / kind")
@click.option("--name", required=True, help="中文名称 / Chinese name")
@click.option("--name-en", default="", help="英文名称 / English name")
@click.option("--uscc", default=None, help="统一社会信用代码 / unified social credit code")
def add_unit(unit_id: str | None, kind: str, name: str, name_en: str, uscc: str | None) -> None:
    """添加单位 / Add a unit: a source unit, the authority, or an applicant unit."""
    wanted = NewUnit(kind, name, name_en, uscc, unit_id)
    _connect()
    with db.writing() as session:
        unit = actions.add_unit(session, wanted, by=BY, now=clock.now(session))
    click.echo(unit.id)


@people.command("add")
@click.option("--login", required=True, help="登录名 / login")
@click.option("--name", required=True, help="姓名 / name")
@click.option("--unit", "unit_id", required=True, help="单位编号 / the unit's id")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True, help="角色，可重复 / role, repeatable")
@click.password_option(help="密码，缺省时询问 / password, asked for when absent")
def add(login: str, name: str, unit_id: str, roles: tuple[str, ...], password: str) -> None:
    """添加人员 / Add a person to a unit."""
    folded, password = fold_login(login), password.strip()
    if fault := login_fault(folded) or password_fault(password, folded):
        raise click.ClickException(explain(fault))
    _connect()
    wanted = new_person(folded, name, password)
    with db.writing() as session:
        person = actions.add_person(
            session, wanted, unit_id=unit_id, roles=[Role(role) for role in roles], by=BY, now=clock.now(session)
        )
    click.echo(person.id)


@people.command("role")
@click.argument("login")
@click.option("--add", "added", type=ROLES, multiple=True, help="增加角色 / role to add")
@click.option("--remove", "removed", type=ROLES, multiple=True, help="去掉角色 / role to take away")
def role(login: str, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """查看或变更角色 / Show or change a person's roles."""
    _connect()
    with db.writing() as session:
        person = store.person_by_login(session, fold_login(login))
        if person is None:
            raise click.ClickException(gettext("没有这个登录名"))
        roles = store.roles_of(session, person.id)
        if added or removed:
            roles = (roles | {Role(one) for one in added}) - {Role(one) for one in removed}
            actions.set_roles(session, person.id, roles, by=BY, now=clock.now(session))
    click.echo(" ".join(sorted(roles)))


def _connect() -> None:
    db.connect(Settings().database_url)
