"""Refusals: everything the service says no to, each with a code, a title, a status and facts.

Slices subclass `Refusal` in their own modules.  Titles are Chinese messages; `service/locale/en` holds the English.
"""

from typing import Any, ClassVar

from service.base.i18n import N_


class Refusal(Exception):
    """A no.  `facts` go into the problem document and into the page's text.

    `detail` is a Chinese message with %(name)s blanks, filled from `facts` in the reader's language.
    """

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = N_("请求未被接受")
    status: ClassVar[int] = 400
    challenge: ClassVar[str] = 'Bearer realm="qiantang"'  # WWW-Authenticate, where the status is 401
    detail: str | None = None

    def __init__(self, detail: str | None = None, **facts: Any) -> None:
        super().__init__(detail or self.code)
        self.facts = facts
        if detail is not None:
            self.detail = detail


class NotFound(Refusal):
    """What does not exist, and what the caller may not know of: the same answer."""

    code = "not-found"
    title = N_("没有找到")
    status = 404


class LoginRequired(Refusal):
    code = "login-required"
    title = N_("请先登录")
    status = 401


class FreshLoginRequired(Refusal):
    """The act needs a password typed within the last 15 minutes."""

    code = "fresh-login-required"
    title = N_("请重新输入密码")
    status = 401


class NotAllowed(Refusal):
    code = "not-allowed"
    title = N_("没有权限")
    status = 403


class PersonRequired(Refusal):
    """A machine's token tried an act that only a person may do."""

    code = "person-required"
    title = N_("此操作只能由本人登录后办理")
    status = 403


class SecondPersonRequired(Refusal):
    """The act takes two persons, and this is the first one again."""

    code = "second-person-required"
    title = N_("须由另一人确认")
    status = 403


class CrossSite(Refusal):
    code = "cross-site"
    title = N_("请求来源不可信")
    status = 403


class Invalid(Refusal):
    """The input does not hold.  `errors` is a list of {"field", "message"}, already in the reader's language."""

    code = "invalid"
    title = N_("填写内容有误")
    status = 422


class Changed(Refusal):
    """The case has moved on since the version that the person saw.  Facts: `seen`, `version`, `changes`."""

    code = "changed"
    title = N_("内容已有变动")
    status = 409


class WrongState(Refusal):
    code = "wrong-state"
    title = N_("当前状态不能办理此操作")
    status = 409


class Duplicate(Refusal):
    code = "duplicate"
    title = N_("已有相同的记录")
    status = 409


class TooLarge(Refusal):
    code = "too-large"
    title = N_("内容过大")
    status = 413


class TooMany(Refusal):
    """Facts: `retry_after` in seconds."""

    code = "too-many"
    title = N_("操作过于频繁")
    status = 429


class Unavailable(Refusal):
    """Facts: `retry_after` in seconds."""

    code = "unavailable"
    title = N_("服务暂时不可用")
    status = 503


class UntrustedHost(Refusal):
    code = "host-not-trusted"
    title = N_("主机名不在受信名单")
    status = 400
