"""One's own unit: registering it, its persons."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from service.base import clock, db, http
from service.base.access import PERSONS, Role, caller, requires
from service.base.errors import Invalid
from service.base.forms import errors_by_field, form_data, parse
from service.base.i18n import gettext
from service.people import actions, engine, gate, store
from service.people.actions import NewPerson, NewUnit
from service.people.forms import MemberForm, RegisterForm, RolesForm
from service.people.rules import APPLICANT_KINDS, KIND_NAMES, ROLE_NAMES, LoginTaken, UnitKind
from service.people.web.login import fresh_login
from service.people.web.session import address, begin, pages, set_cookie


@pages.get("/units/new")
@requires(Role.PUBLIC)
def register_page() -> ResponseReturnValue:
    """Show the form by which anyone registers a unit."""
    return _register_form({}, {})


@pages.post("/units")
@requires(Role.PUBLIC)
def register() -> ResponseReturnValue:
    """Register a unit with its first person and log that person in; the unit is unverified."""
    try:
        cookie = _register(parse(RegisterForm, form_data(request.form)))
    except Invalid as fault:
        return _register_form(request.form.to_dict(), errors_by_field(fault), 422)
    except LoginTaken as fault:
        return _register_form(request.form.to_dict(), {"login": gettext(fault.title)}, 422)
    return set_cookie(http.see_other("/unit"), cookie)


@pages.get("/unit")
@requires(*PERSONS)
def unit() -> ResponseReturnValue:
    """Show the caller's unit, whether it is verified, and its persons."""
    return _unit_page({}, {}, ())


@pages.post("/unit/persons")
@requires(Role.MANAGER, fresh=True)
def add_member() -> ResponseReturnValue:
    """Add a person to the manager's own unit."""
    chosen = request.form.getlist("roles")
    try:
        _add_member(parse(MemberForm, form_data(request.form, lists={"roles"})))
    except Invalid as fault:
        return _unit_page(request.form.to_dict(), errors_by_field(fault), chosen, 422)
    except LoginTaken as fault:
        return _unit_page(request.form.to_dict(), {"login": gettext(fault.title)}, chosen, 422)
    return http.see_other("/unit")


@pages.post("/unit/persons/<person_id>/roles")
@requires(Role.MANAGER, fresh=True)
def set_roles(person_id: str) -> ResponseReturnValue:
    """Say what a person of the manager's own unit may do."""
    form, who = parse(RolesForm, form_data(request.form, lists={"roles"})), caller()
    roles = [Role(role) for role in form.roles]
    with db.writing() as session:
        now = clock.now(session)
        actions.set_roles(session, person_id, roles, by=who.person_id, now=now, unit_id=who.unit_id)
    return http.see_other("/unit")


@pages.post("/unit/persons/<person_id>/disabling")
@requires(Role.MANAGER, fresh=True)
def disable(person_id: str) -> ResponseReturnValue:
    """Close the account of a person of the manager's own unit, for good."""
    who = caller()
    with db.writing() as session:
        now = clock.now(session)
        actions.disable(session, person_id, by=who.person_id, now=now, unit_id=who.unit_id)
    return http.see_other("/unit")


def _register(form: RegisterForm) -> str:
    gate.admit_registration(address())
    unit = NewUnit(form.kind, form.name, form.name_en, form.uscc)
    person = NewPerson(form.login, form.person_name, engine.hash_password(form.password))
    with db.writing() as session:
        now = clock.now(session)
        _unit, first = actions.register_unit(session, unit, person, now=now)
        return begin(session, first.id, now=now)


def _add_member(form: MemberForm) -> None:
    who, person = caller(), NewPerson(form.login, form.name, engine.hash_password(form.password))
    roles = [Role(role) for role in form.roles]
    with db.writing() as session:
        now = clock.now(session)
        actions.add_member(session, person, unit_id=who.unit_id, roles=roles, by=who.person_id, now=now)


def _register_form(values: dict[str, Any], errors: dict[str, str], status: int = 200) -> ResponseReturnValue:
    kinds = [(kind.value, gettext(KIND_NAMES[kind])) for kind in UnitKind if kind in APPLICANT_KINDS]
    return http.page("people/register.html", status, values=values, errors=errors, kinds=kinds)


def _unit_page(
    values: dict[str, Any], errors: dict[str, str], chosen: list[str] | tuple[str, ...], status: int = 200
) -> ResponseReturnValue:
    who = caller()
    with db.reading() as session:
        own = store.unit(session, who.unit_id)
        persons = store.persons_of(session, own.id)
        shown = {
            "unit": own,
            "uscc": store.claimed_uscc(session, own),
            "confirmation": store.confirmation(session, own.id),
            "verified": store.verified(session, own.id),
            "persons": persons,
            "roles": store.roles_by_person(session, [person.id for person in persons]),
        }
    names = {role: gettext(name) for role, name in ROLE_NAMES.items()}
    choices = [(role.value, names[role]) for role in (Role.APPLICANT, Role.MANAGER)]
    return http.page(
        "people/unit.html", status, **shown, kind=gettext(KIND_NAMES[UnitKind(own.kind)]), names=names,
        choices=choices, chosen=chosen, values=values, errors=errors, fresh=fresh_login("/unit"),
    )  # fmt: skip
