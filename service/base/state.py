"""What the whole service must remember about itself, one named row each."""

from typing import Any

from sqlalchemy import delete
from sqlmodel import Field, SQLModel, col, select

from service.base.db import Document, Session
from service.base.errors import Refusal
from service.base.i18n import N_

DEMO = "made-by-demo"  # the row is there when `qiantang demo` made the accounts: a backup carries it too
DATA_PLANE = "data-plane-shut"  # the row is there while no data may leave; its value says since when and why


class ServiceState(SQLModel, table=True):
    """A fact about the service.  What is ordinary has no row."""

    name: str = Field(primary_key=True, max_length=40)
    value: dict[str, Any] = Field(sa_type=Document)


class DataPlaneShut(Refusal):
    """After a restore no data leaves until two persons have opened the service again."""

    code = "data-plane-shut"
    title = N_("数据服务尚未重新开放")
    status = 503
    detail = N_("系统刚从备份恢复，须由两名管理人员核对后重新开放，请稍后再试。")


def demand_open(session: Session) -> None:
    """Raise DataPlaneShut while the data plane is shut."""
    if session.exec(select(ServiceState.name).where(ServiceState.name == DATA_PLANE)).first() is not None:
        raise DataPlaneShut(retry_after=600)


def shut(session: Session, **why: object) -> None:
    """Let no data leave from the end of this transaction on."""
    session.merge(ServiceState(name=DATA_PLANE, value=why))


def shutting(session: Session) -> ServiceState | None:
    """Return the row that shuts the data plane, locked until the transaction ends; None when it is open."""
    return session.exec(select(ServiceState).where(ServiceState.name == DATA_PLANE).with_for_update()).first()


def reopen(session: Session) -> None:
    """Let data leave again."""
    session.execute(delete(ServiceState).where(col(ServiceState.name) == DATA_PLANE))


def mark_demo(session: Session) -> None:
    """Note that this database was made by the demo."""
    session.merge(ServiceState(name=DEMO, value={}))


def made_by_demo(session: Session) -> bool:
    """Whether this database was made by the demo: its accounts are known to whoever saw them printed."""
    return session.get(ServiceState, DEMO) is not None
