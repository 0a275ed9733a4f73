"""The help pages: guides for applicants, stewards and developers, errors explained, the API's reference."""

from flask import current_app
from flask.typing import ResponseReturnValue

from service.base import http
from service.base.access import Role, requires
from service.base.errors import NotFound
from service.base.i18n import N_, current
from service.home import engine, rules
from service.home.web.advice import advice
from service.home.web.parts import pages
from service.home.web.reference import PARAMETERS, groups

# The guides that are texts: templates/help/<language>/<name>.html.
TEXTS = {
    "applicant": N_("申请指南"),
    "steward": N_("审核人指南"),
    "quickstart": N_("开发者快速开始"),
    "oauth": N_("令牌和授权（OAuth）"),
    "accessibility": N_("无障碍声明"),
    "about": N_("关于本服务"),
}
PAGES = {**TEXTS, "errors": N_("出错信息说明"), "api": N_("接口文档")}
ORDER = ("applicant", "steward", "quickstart", "api", "errors", "oauth", "accessibility", "about")
ABOUT = {
    "applicant": N_("从注册单位到取得数据，每一步要准备什么、多久有答复。"),
    "steward": N_("待办、判定、决定、暂停：审核人和主管部门怎样办理。"),
    "quickstart": N_("注册、申请、签署、登记系统、换令牌、取数，附 curl 和 pandas。"),
    "api": N_("每个接口的参数、答复和 curl 示例。"),
    "errors": N_("每一种拒绝的含义和办法。"),
    "oauth": N_("令牌的有效期、范围和限制。"),
    "accessibility": N_("做到了什么，还差什么，遇到障碍怎样反映。"),
    "about": N_("本服务是什么，依据什么，怎样核验。"),
}


@pages.get("/help")
@requires(Role.PUBLIC)
def help_index() -> ResponseReturnValue:
    """Say which guide is for whom."""
    return http.page("help/index.html", order=ORDER, titles=PAGES, about=ABOUT)


@pages.get("/help/<name>")
@requires(Role.PUBLIC)
def help_page(name: str) -> ResponseReturnValue:
    """Show one guide in the reader's language."""
    if name not in TEXTS:
        raise NotFound()
    return http.page(f"help/{current()}/{name}.html", name=name, order=ORDER, titles=PAGES)


@pages.get("/help/errors")
@requires(Role.PUBLIC)
def help_errors() -> ResponseReturnValue:
    """List every refusal with what it means and what to do, by status."""
    kinds = sorted(problems(), key=lambda each: (each["status"], each["code"]))
    return http.page("help/errors.html", name="errors", order=ORDER, titles=PAGES, kinds=kinds)


@pages.get("/help/api")
@requires(Role.PUBLIC)
def help_api() -> ResponseReturnValue:
    """Show the API's reference, from the document that programs read."""
    routes = engine.routes_of(current_app.url_map.iter_rules(), current_app.view_functions)
    document = engine.describe(routes, base_url=http.settings().base_url)
    return http.page(
        "help/api.html", name="api", order=ORDER, titles=PAGES, groups=groups(document), parameters=PARAMETERS
    )


@pages.get("/problems/<code>")
@requires(Role.PUBLIC)
def problem_type(code: str) -> ResponseReturnValue:
    """Say what a problem's type means: what `type` in a problem document links to."""
    found = next((each for each in problems() if each["code"] == code), None)
    if found is None:
        raise NotFound()
    return http.page("home/problem.html", name="errors", order=ORDER, titles=PAGES, kind=found)


def problems() -> list[dict[str, object]]:
    """Return every refusal that somebody may meet: those of the service, and those of the web server before it."""
    found: list[dict[str, object]] = [
        {"code": kind.code, "title": kind.title, "status": kind.status, "detail": kind.detail}
        for kind in rules.problems()
    ]
    known = {each["code"] for each in found}
    for status, title in http.HTTP_TITLES.items():
        if (code := http.HTTP_CODES.get(status, "bad-request")) not in known:
            found.append({"code": code, "title": title, "status": status, "detail": None})
    return [each | {"advice": advice(str(each["code"]), int(str(each["status"])))} for each in found]
