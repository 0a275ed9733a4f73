"""Why nothing is read under a grant, and what cannot be granted."""

from service.base.errors import Refusal, Unavailable
from service.base.i18n import N_


class GrantNotStarted(Refusal):
    code = "grant-not-started"
    title = N_("数据使用授权尚未开始")
    status = 403
    detail = N_("数据使用授权自 %(start)s（北京时间）起生效，届时再取数。授权页面：%(page)s")


class GrantEnded(Refusal):
    code = "grant-ended"
    title = N_("数据使用授权已到期")
    status = 403
    detail = N_("数据使用授权已于 %(end)s 24:00（北京时间）到期。如需继续使用，请重新申请：%(apply)s")


class GrantSuspended(Refusal):
    """The cause stands on the grant's page; here it would reach logs of clients that nobody minds."""

    code = "grant-suspended"
    title = N_("数据使用授权已被暂停")
    status = 403
    detail = N_("暂停期间不能取数。事由和经办情况见授权页面：%(page)s，有异议请联系数源单位。另行申请的入口：%(apply)s")


class GrantReturned(Refusal):
    code = "grant-returned"
    title = N_("数据使用授权已交还")
    status = 403
    detail = N_("本单位已于 %(at)s（北京时间）交还此数据使用授权，不能再取数。如需继续使用，请重新申请：%(apply)s")


class WrongDelivery(Refusal):
    """Facts: `delivery` asked for, `granted` ones."""

    code = "wrong-delivery"
    title = N_("数据使用授权的提供方式不同")
    status = 403
    detail = N_("提供方式为 %(granted)s，不含 %(delivery)s。请改用已授权的方式，或在数据集页面另行申请。")


class ViewBuilding(Unavailable):
    """Facts: `retry_after` in seconds."""

    code = "view-building"
    title = N_("数据文件正在生成")
    status = 503
    detail = N_("数据文件正在生成，通常不到一分钟，请在 %(retry_after)s 秒后重试。")


class ViewHeld(Unavailable):
    """The bytes were worse than their verdict.  Facts: `retry_after` in seconds."""

    code = "version-held"
    title = N_("数据文件暂缓提供")
    status = 503
    detail = N_("数据文件在放行前的检测中发现问题，已暂缓提供并告知数源单位核查；字段重新定级后须重新申请。")


class NotEnforceable(Refusal):
    """A grant carries what this build cannot enforce.  Facts: `what`."""

    code = "not-enforceable"
    title = N_("数据使用授权含有系统尚不能执行的要求")
    status = 409
    detail = N_("以下要求尚不能由系统执行，不能授权：%(what)s")
