"""Forms of login, registration, members and confirmation."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from service.base.forms import Form, OneLine
from service.base.i18n import gettext
from service.people import rules


def _raise(fault: rules.Fault | None) -> None:
    if fault:
        raise PydanticCustomError(fault.code, fault.message, fault.blanks)


def _uscc(text: str) -> str:
    code = rules.fold_uscc(text)
    _raise(rules.uscc_fault(code))
    return code


def _login(text: str) -> str:
    login = rules.fold_login(text)
    _raise(rules.login_fault(login))
    return login


NewLogin = Annotated[str, AfterValidator(_login)]
NewPassword = Annotated[str, Field(max_length=rules.PASSWORD_MAX)]
Uscc = Annotated[str, Field(max_length=64), AfterValidator(_uscc)]
PersonName = Annotated[OneLine, Field(min_length=1, max_length=60)]


class LoginForm(Form):
    """Login and re-authentication."""

    login: Annotated[str, Field(max_length=64), AfterValidator(rules.fold_login)]
    password: Annotated[str, Field(max_length=rules.PASSWORD_MAX)]
    next: Annotated[str, Field(max_length=500)] = "/"


class _WithPassword(Form):
    login: NewLogin
    password: NewPassword

    @field_validator("password")
    @classmethod
    def password_holds(cls, password: str, info: ValidationInfo) -> str:
        _raise(rules.password_fault(password, info.data.get("login", "")))
        return password


class RegisterForm(_WithPassword):
    """A unit and its first person."""

    kind: Literal["enterprise", "institute", "social"]
    name: Annotated[OneLine, Field(min_length=2, max_length=120)]
    name_en: Annotated[OneLine, Field(max_length=200)] = ""
    uscc: Uscc
    person_name: PersonName


class MemberForm(_WithPassword):
    """One more person of the manager's own unit."""

    name: PersonName
    roles: Annotated[list[Literal["applicant", "manager"]], Field(min_length=1)]


class RolesForm(Form):
    roles: Annotated[list[Literal["applicant", "manager"]], Field(min_length=1)]


class NameForm(Form):
    name: PersonName


class PasswordForm(Form):
    password: NewPassword


class ConfirmForm(Form):
    """What the officer saw; and, where the register says so, the facts that the lists read."""

    evidence: Annotated[str, Field(min_length=4, max_length=500)]
    applicant_kind: Annotated[str, Field(max_length=32)] | None = None
    foreign_share: Annotated[float, Field(ge=0, le=100)] | None = None
    credit: Annotated[str, Field(max_length=32)] | None = None
    certs: list[Annotated[str, Field(max_length=32)]] | None = None


def explain(fault: rules.Fault) -> str:
    """Return a fault in the reader's language."""
    return gettext(fault.message, **fault.blanks) if fault.blanks else gettext(fault.message)
