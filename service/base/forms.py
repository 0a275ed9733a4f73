"""Forms: parsed once at the edge by pydantic; what does not hold is named field by field in the reader's language."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError
from werkzeug.datastructures import MultiDict

from service.base.errors import Invalid
from service.base.i18n import N_, gettext

M = TypeVar("M", bound=BaseModel)

# pydantic's own words are English and technical; these are what a reader sees.
MESSAGES = {
    "missing": N_("请填写此项"),
    "extra_forbidden": N_("表单中没有这一项，不接受"),
    "string_too_short": N_("至少 %(min_length)s 个字"),
    "string_too_long": N_("不得超过 %(max_length)s 个字"),
    "string_type": N_("应为文字"),
    "string_pattern_mismatch": N_("格式不正确"),
    "int_parsing": N_("应为整数"),
    "int_type": N_("应为整数"),
    "int_from_float": N_("应为整数"),
    "float_parsing": N_("应为数字"),
    "bool_parsing": N_("应为是或否"),
    "bool_type": N_("应为是或否"),
    "date_parsing": N_("日期格式应为 YYYY-MM-DD"),
    "date_from_datetime_parsing": N_("日期格式应为 YYYY-MM-DD"),
    "date_type": N_("日期格式应为 YYYY-MM-DD"),
    "literal_error": N_("不在可选范围内"),
    "enum": N_("不在可选范围内"),
    "greater_than_equal": N_("不得小于 %(ge)s"),
    "greater_than": N_("应大于 %(gt)s"),
    "less_than_equal": N_("不得大于 %(le)s"),
    "less_than": N_("应小于 %(lt)s"),
    "too_long": N_("不得超过 %(max_length)s 项"),
    "too_short": N_("至少 %(min_length)s 项"),
    "list_type": N_("应为列表"),
    "dict_type": N_("应为键值对象"),
    "model_type": N_("应为键值对象"),
    "json_invalid": N_("不是有效的 JSON"),
}
OTHER = N_("填写内容不正确")
UNSEEN = N_("不得含有换行、控制字符或不可见字符")


def seen(text: str) -> str:
    """Return `text` as it is; PydanticCustomError when it holds line ends, controls or marks that nobody sees."""
    if any(_unseen(letter) for letter in text):
        raise PydanticCustomError("unseen", UNSEEN)
    return text


# The name of a unit, a person or a system: what it looks like is what it is.
OneLine = Annotated[str, AfterValidator(seen)]


def one_line(text: str) -> str:
    """Return a text that somebody wrote as one line, for where a line of their own could pass for one of ours."""
    return "".join(letter for letter in " ".join(text.split()) if not _unseen(letter))


def _unseen(letter: str) -> bool:
    """Whether a letter is a control, a format mark (zero width, direction) or a line or paragraph separator."""
    return unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp")


class Form(BaseModel):
    """The base of every form and body: unknown fields are refused, outer blanks are cut."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


def parse(form: type[M], data: Mapping[str, Any]) -> M:
    """Return `data` as a `form`; Invalid with every fault at once when it does not hold.

    A NUL is refused in any field: no text of ours has one, and PostgreSQL cannot keep it.
    """
    if broken := [name for name, value in data.items() if _has_nul(value)]:
        raise Invalid(errors=[{"field": name, "message": gettext(OTHER)} for name in broken])
    try:
        return form.model_validate(data)
    except ValidationError as fault:
        raise Invalid(errors=explain(fault)) from None


def _has_nul(value: object) -> bool:
    """Whether a text anywhere inside `value` has a NUL; without recursion, as a body may be nested deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str) and "\0" in one:
            return True
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one
    return False


def explain(fault: ValidationError) -> list[dict[str, str]]:
    """Return one {"field", "message"} per fault; the value itself is never repeated."""
    return [{"field": ".".join(map(str, error["loc"])), "message": _message(dict(error))} for error in fault.errors()]


def _message(error: dict[str, Any]) -> str:
    kind, blanks = error["type"], error.get("ctx") or {}
    if kind in ("too_short", "too_long") and isinstance(error.get("input"), str):
        kind = f"string_{kind}"  # a text whose length is limited after other checks counts as any value does
    if kind in MESSAGES:
        return gettext(MESSAGES[kind], **blanks) if blanks else gettext(MESSAGES[kind])
    if kind == "value_error":
        return gettext(str(blanks.get("error", OTHER)))
    message = str(error["msg"])
    custom = any("一" <= letter <= "鿿" for letter in message)
    return gettext(message) if custom and not blanks else _custom(message, blanks, custom=custom)


def _custom(message: str, blanks: dict[str, Any], *, custom: bool) -> str:
    return gettext(message, **blanks) if custom else gettext(OTHER)


def form_data(form: MultiDict[str, str], lists: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """Return a posted form as a dict; names in `lists` keep all their values, others their last one.

    A field that was left empty counts as not given, so that the message is "请填写此项" and not a type error.
    """
    single = {name: values[-1] for name, values in form.lists() if name not in lists and values[-1].strip()}
    return single | {name: form.getlist(name) for name in lists if name in form}


def errors_by_field(refusal: Invalid) -> dict[str, str]:
    """Return the first message of each field, for showing beside it."""
    found: dict[str, str] = {}
    for error in refusal.facts.get("errors", []):
        found.setdefault(error["field"].split(".")[0], error["message"])
    return found
